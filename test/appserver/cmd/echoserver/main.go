// Command echoserver runs the conformance hub as an app server: the peer of the bench, of the conformance suite, and of
// whoever wants to try a service by hand. It prints "ready" on standard output when its server connections are up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/appserver"
)

func main() {
	if err := run(); err != nil {
		_, _ = os.Stderr.WriteString("echoserver: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func run() error {
	opts := appserver.Options{}
	var hub, listen, graceful, sticky string
	var weak, debug bool
	flag.StringVar(&opts.ConnectionString, "connection-string", "", "connection string of the service")
	flag.StringVar(&listen, "listen", "", "address to answer negotiate on; empty: none")
	flag.StringVar(&hub, "hub", "conformance", "name of the hub; negotiate is answered at /{hub}/negotiate")
	flag.StringVar(&opts.ServerID, "server-id", "", "server id; default host name and random digits")
	flag.IntVar(&opts.ConnectionCount, "connections", 0, "server connections; 0: 5, the SDK's default")
	flag.DurationVar(&opts.KeepAliveInterval, "keep-alive", 0, "interval of pings to clients; 0: 15s")
	flag.DurationVar(&opts.ClientTimeout, "client-timeout", 0, "silence after which a client is closed; 0: 30s")
	flag.BoolVar(&opts.DetailedErrors, "detailed-errors", false, "show errors to clients")
	flag.StringVar(&graceful, "graceful", "off", "what SIGTERM does: off, migrate or wait")
	flag.StringVar(&sticky, "sticky", "", "sticky mode: Preferred, Required or empty")
	flag.BoolVar(&weak, "weak", false, "open Weak connections, as the Management SDK does")
	flag.BoolVar(&debug, "debug", false, "log everything")
	flag.Parse()

	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	opts.Sticky = appserver.StickyMode(sticky)
	opts.Authenticate = byQuery
	if weak {
		opts.ConnectionType = service.ConnectionWeak
	}
	switch graceful {
	case "off":
	case "migrate":
		opts.GracefulMode = appserver.GracefulMigrateClients
	case "wait":
		opts.GracefulMode = appserver.GracefulWaitForClientsClose
	default:
		return fmt.Errorf("unknown graceful mode %q", graceful)
	}
	server, err := appserver.New(opts, appserver.ConformanceHubNamed(hub))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return serve(ctx, server, listen)
}

func serve(ctx context.Context, server *appserver.Server, listen string) error {
	web := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	if listen != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		go func() {
			if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
		defer func() { _ = web.Close() }()
	}
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return errors.Join(err, server.Close())
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// The signal's context is over; Shutdown has its own bound.
	return errors.Join(err, server.Shutdown(context.WithoutCancel(ctx)))
}

// byQuery takes the user and claims from the query of negotiate: ?user=u&claim=type:value&claim=...
func byQuery(r *http.Request) (appserver.Identity, error) {
	q := r.URL.Query()
	id := appserver.Identity{UserID: q.Get("user")}
	for _, claim := range q["claim"] {
		// The last colon parts them: long .NET claim types are addresses.
		if i := strings.LastIndexByte(claim, ':'); i > 0 {
			id.Claims = append(id.Claims, appserver.Claim{Type: claim[:i], Value: claim[i+1:]})
		}
	}
	return id, nil
}
