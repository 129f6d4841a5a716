// Command signalr-edge is the service: one edge node. `dev` is the whole service on a laptop without configuration,
// `serve` runs from a configuration file.
//
// It holds flags, signals and exit codes only; the work is in package edge. Concurrency: the main goroutine waits for
// a signal, then drains.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "signalr-edge:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "signalr-edge",
		Short:         "Azure SignalR Service on your own machines: one edge node",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(devCommand(), serveCommand())
	return root
}

func devCommand() *cobra.Command {
	var listen, admin, key, mode string
	var debug bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the service on this machine, with the defaults of the vendor's emulator",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := config.Dev()
			cfg.Listen.Client, cfg.Listen.Admin = listen, admin
			cfg.ServiceMode = config.ServiceMode(mode)
			if key != "" {
				cfg.Auth.Keys = []config.Key{{Name: "primary", Value: config.Secret(key)}}
			}
			node, err := start(cfg, debug)
			if err != nil {
				return err
			}
			announce(cmd.OutOrStdout(), node, cfg)
			return wait(node, nil)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", config.Dev().Listen.Client, "address for clients and app servers")
	f.StringVar(&admin, "admin", config.Dev().Listen.Admin, "address for /metrics, /status, /healthz and /readyz")
	f.StringVar(&key, "key", "", "access key (default: the published key of the vendor's emulator, loopback only)")
	f.StringVar(&mode, "mode", "", "service mode: Default, Serverless or Classic (default: decided for each client)")
	f.BoolVar(&debug, "debug", false, "serve pprof and forced collections on the admin port")
	return cmd
}

func serveCommand() *cobra.Command {
	var path string
	var debug bool
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run a node from a configuration file, which is reloaded when it changes",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			node, err := start(cfg, debug)
			if err != nil {
				return err
			}
			watcher := config.NewWatcher(path, cfg, 0, func(next *config.Config, err error) { node.Reload(next, err) })
			return wait(node, watcher.Run)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (YAML)")
	cmd.Flags().BoolVar(&debug, "debug", false, "serve pprof and forced collections on the admin port")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

func start(cfg *config.Config, debug bool) (*edge.Node, error) {
	level := &slog.LevelVar{}
	level.Set(cfg.Log.Level.Slog())
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, options)
	if cfg.Log.Format == config.LogFormatText {
		handler = slog.NewTextHandler(os.Stderr, options)
	}
	log := slog.New(handler)
	o := edge.Options{Version: version, Log: log, Level: level, Debug: debug}
	node, err := edge.Start(context.Background(), cfg, o)
	if err != nil {
		return nil, err
	}
	log.Info("edge ready", "version", version, "client", node.ClientAddr(), "admin", node.AdminAddr())
	return node, nil
}

// announce prints what a developer pastes into an app.
func announce(w io.Writer, node *edge.Node, cfg *config.Config) {
	endpoint := "http://" + node.ClientAddr()
	host, port, err := net.SplitHostPort(node.ClientAddr())
	connection := fmt.Sprintf("Endpoint=%s;AccessKey=%s;Version=1.0;", endpoint, cfg.Auth.Keys[0].Value.Reveal())
	if err == nil {
		connection = fmt.Sprintf("Endpoint=http://%s;Port=%s;AccessKey=%s;Version=1.0;",
			bracketed(host), port, cfg.Auth.Keys[0].Value.Reveal())
	}
	_, _ = fmt.Fprintf(w, "Endpoint:          %s\nAdmin:             http://%s\nConnection string: %s\n",
		endpoint, node.AdminAddr(), connection)
}

func bracketed(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}

// wait runs until a signal comes, then drains; a second signal stops at once.
func wait(node *edge.Node, background func(context.Context)) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if background != nil {
			background(ctx)
		}
	}()
	<-ctx.Done()
	<-done
	cancel()
	hurry, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	limited, end := context.WithTimeout(hurry, maxDrain)
	defer end()
	node.Drain(limited)
	return nil
}

// maxDrain bounds every drain, whatever is configured.
const maxDrain = 2 * time.Hour
