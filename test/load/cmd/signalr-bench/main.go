//go:build linux

// Command signalr-bench drives a SignalR service in Default mode with many clients and an app server of its own, and
// measures deliveries, latency, losses, and the CPU time and memory of a signalr-edge on the same machine.
//
// It is flags, signals and exit codes only; package load does the work. It starts itself again as worker and appserver.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/test/load"
)

// errFaults makes the program fail when the service did what it must not.
var errFaults = errors.New("the service is at fault")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "signalr-bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "signalr-bench",
		Short: "Load generator and ruler for a SignalR service in Default mode",
		Long: `signalr-bench opens many client connections to a SignalR service, brings an app server of its own, and
measures deliveries per second, latency percentiles, lost and reordered messages, and the CPU time and memory
of the edge when it runs on the same machine.

Point it at a running service with --connection-string (plain http), or let it start a signalr-edge with
--start-edge. Clients and app server must share a machine: latencies come from its one clock.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(connectCommand(), idleCommand(), echoCommand(), broadcastCommand(), groupCommand(), connectionCommand(),
		slowCommand(), suiteCommand(), workerCommand(), appServerCommand())
	return cmd
}

func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			// A Ctrl-C goes to the whole process group: the parent ends its children through their stdin.
			signal.Ignore(os.Interrupt, syscall.SIGTERM)
			return load.ServeWorker(os.Stdin, os.Stdout, os.Stderr)
		},
	}
}

func appServerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "appserver", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signal.Ignore(os.Interrupt, syscall.SIGTERM)
			return load.ServeAppServer(os.Stdin, os.Stdout, os.Stderr)
		},
	}
}
