package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/signalr-operator/signalr-operator/test/appserver"
)

// tries is how many ports are tried from the wanted one on.
const tries = 20

// settings are the flags.
type settings struct {
	listen, edgeListen, edgeAdmin string
	edgePath                      string
	verbose                       bool
}

func main() {
	var s settings
	flag.StringVar(&s.listen, "listen", "127.0.0.1:8080", "address of the page; if in use, the next free port")
	flag.StringVar(&s.edgeListen, "edge-listen", "127.0.0.1:8888", "address of the service, likewise")
	flag.StringVar(&s.edgeAdmin, "edge-admin", "127.0.0.1:8889", "address of the service's health and metrics, likewise")
	flag.StringVar(&s.edgePath, "edge", "", "the service's program (default: signalr-edge beside this one, else built)")
	flag.BoolVar(&s.verbose, "verbose", false, "show the log of the service and of the app server")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program the hard way
	}()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run starts everything, tells where the page is, and ends everything when ctx ends or a part fails.
func run(ctx context.Context, s settings, out io.Writer) (err error) {
	level := slog.LevelWarn
	var edgeLog io.Writer
	if s.verbose {
		level, edgeLog = slog.LevelDebug, os.Stderr
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))

	static, err := fs.Sub(files, "static")
	if err != nil {
		return err
	}
	client, err := clientLibrary(static, "hack/demo", ".")
	if err != nil {
		return err
	}
	listener, err := listenNear(ctx, s.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	edgeListen, err := freeNear(ctx, s.edgeListen)
	if err != nil {
		return err
	}
	edgeAdmin, err := freeNear(ctx, s.edgeAdmin, edgeListen)
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "signalr-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the service: %w", err)
	}
	defer os.RemoveAll(dir)
	path, err := findEdge(ctx, s.edgePath, dir)
	if err != nil {
		return err
	}
	edge, err := startEdge(ctx, path, edgeListen, edgeAdmin, edgeLog)
	if err != nil {
		return err
	}
	// The service goes first: its drain tells the pages to come back, so that they find a demo that starts again.
	defer func() { err = errors.Join(err, edge.stop()) }()

	app, err := appserver.New(appserver.Options{
		ConnectionString: fmt.Sprintf("Endpoint=%s;AccessKey=%s;Version=1.0;", edge.endpoint, edgeKey),
		ConnectionCount:  2,
		Authenticate:     signIn,
		Logger:           log,
	}, chatHub(newBoard(time.Now, "General", "Random", "Help"), log))
	if err != nil {
		return fmt.Errorf("make the app server: %w", err)
	}
	defer func() {
		err = errors.Join(err, edge.stop(), app.Close())
	}()
	if err := app.Start(ctx); err != nil {
		return fmt.Errorf("connect the app server: %w", err)
	}

	mux := http.NewServeMux()
	mux.Handle("/chat/", app.Handler())
	mux.Handle("/", page(static, client, edge.endpoint))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	announce(out, s, listener.Addr().String(), edgeListen, edgeAdmin)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nStopping.")
		return nil
	case <-edge.done:
		return fmt.Errorf("the service ended: %w\n%s", errOr(edge.err, "exit 0"), edge.log)
	case err := <-served:
		return fmt.Errorf("serve the page: %w", err)
	}
}

// announce says where everything is, and what is not where it was wanted.
func announce(out io.Writer, s settings, listen, edgeListen, edgeAdmin string) {
	for _, a := range [][3]string{
		{"page", s.listen, listen}, {"service", s.edgeListen, edgeListen}, {"service's admin", s.edgeAdmin, edgeAdmin},
	} {
		if a[1] != a[2] {
			fmt.Fprintf(out, "%s is in use, so the %s is at %s.\n", a[1], a[0], a[2])
		}
	}
	fmt.Fprintf(out, `
The chat is up.

  Page      http://%s/
  Service   http://%s   (health, metrics, status: http://%s)

Open the page in two tabs, with two names. Ctrl-C stops everything.
`, listen, edgeListen, edgeAdmin)
}

// errOr returns err, or an error of that text when there is none.
func errOr(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

// listenNear listens on the address, or on the next free port behind it.
func listenNear(ctx context.Context, address string, taken ...string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	var lc net.ListenConfig
	for i := range tries {
		try := net.JoinHostPort(host, strconv.Itoa(first+i))
		if slices.Contains(taken, try) {
			continue
		}
		l, listenErr := lc.Listen(ctx, "tcp", try)
		if listenErr == nil {
			return l, nil
		}
		err = listenErr
		if !errors.Is(listenErr, syscall.EADDRINUSE) || first == 0 {
			break
		}
	}
	return nil, fmt.Errorf("listen near %s: %w", address, err)
}

// freeNear returns an address that can be listened on, near the wanted one and not among those taken.
func freeNear(ctx context.Context, address string, taken ...string) (string, error) {
	l, err := listenNear(ctx, address, taken...)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
