//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/test/load"
)

// run holds the flags that all scenarios share.
type run struct {
	load.Options
	connectionString, startEdge, admin string
	edgePID                            int
	json                               string
	allowLoss                          bool
	timeout                            time.Duration
}

// scenario makes a command with the shared flags; f runs once all clients are connected.
func scenario(use, short string, flags func(*cobra.Command),
	f func(ctx context.Context, b *load.Bench) ([]load.Result, error),
) *cobra.Command {
	r := &run{Options: load.DefaultOptions()}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd, f) },
	}
	fs := cmd.Flags()
	fs.IntVar(&r.Clients, "clients", r.Clients, "client connections")
	fs.IntVar(&r.Processes, "processes", r.Processes, "worker processes that hold them (see the limit of open files)")
	fs.StringVar(&r.connectionString, "connection-string", "", "service to measure: Endpoint=http://host:port;AccessKey=...;Version=1.0;")
	fs.StringVar(&r.startEdge, "start-edge", "", "start this signalr-edge program on free loopback ports and measure it")
	fs.IntVar(&r.edgePID, "edge-pid", 0, "process of the edge behind --connection-string, for CPU and memory")
	fs.StringVar(&r.admin, "admin", "", "base URL of that edge's admin port, for forced collections (serve --debug)")
	fs.StringVar(&r.Hub, "hub", r.Hub, "hub name")
	fs.StringVar(&r.Protocol, "protocol", r.Protocol, "hub protocol of the clients: json, messagepack or mixed")
	fs.BoolVar(&r.Negotiate, "negotiate", false, "negotiate before each upgrade")
	fs.IntVar(&r.InFlight, "in-flight", r.InFlight, "handshakes under way at once")
	fs.IntVar(&r.ServerConnections, "server-connections", r.ServerConnections, "connections of the bench's app server")
	fs.Int32Var(&r.MigrationLevel, "migration-level", 0, "migration level that the app server announces: 0, 1 or 2")
	fs.DurationVar(&r.PingEvery, "client-ping", 0, "interval of each client's pings (stock clients: 15s); 0 sends none")
	fs.IntVar(&r.ReceiveBuffer, "receive-buffer", 0, "SO_RCVBUF of the clients in bytes; 0 leaves the system's")
	fs.DurationVar(&r.ConnectTime, "connect-timeout", r.ConnectTime, "time for connecting all clients")
	fs.DurationVar(&r.timeout, "timeout", 30*time.Minute, "time for everything")
	fs.StringVar(&r.json, "json", "", "write the results to this file too, - for standard output")
	fs.BoolVar(&r.allowLoss, "allow-loss", false, "exit with 0 even when messages were lost or reordered")
	if flags != nil {
		flags(cmd)
	}
	return cmd
}

func (r *run) run(cmd *cobra.Command, f func(context.Context, *load.Bench) ([]load.Result, error)) error {
	ctx, cancel := contextWithLimit(cmd, r.timeout)
	defer cancel()
	r.Log, r.Terminal = cmd.ErrOrStderr(), isTerminal(os.Stderr)
	service, err := r.service(ctx)
	if err != nil {
		return err
	}
	defer service.Stop()
	bench, err := load.Open(ctx, service, r.Options)
	if err != nil {
		return err
	}
	defer bench.Close()
	connected, err := bench.Connect(ctx, r.Clients)
	results := []load.Result{connected}
	if err == nil {
		var more []load.Result
		more, err = f(ctx, bench)
		results = append(results, more...)
	}
	return errors.Join(r.report(cmd, results), err)
}

func (r *run) service(ctx context.Context) (*load.Service, error) {
	switch {
	case (r.connectionString == "") == (r.startEdge == ""):
		return nil, errors.New("give either --connection-string or --start-edge")
	case r.startEdge != "":
		return load.StartEdge(ctx, r.startEdge)
	}
	endpoint, err := load.ParseConnectionString(r.connectionString)
	return &load.Service{Endpoint: endpoint, Admin: r.admin, PID: r.edgePID}, err
}

// report prints tables and JSON, and fails when a result has faults.
func (r *run) report(cmd *cobra.Command, results []load.Result) error {
	var errs []error
	for i := range results {
		if err := results[i].WriteTable(cmd.OutOrStdout()); err != nil {
			return err
		}
		if faults := results[i].Faults(); faults != "" && !r.allowLoss {
			errs = append(errs, fmt.Errorf("%w: %s: %s", errFaults, results[i].Scenario, faults))
		}
	}
	if r.json != "" {
		errs = append(errs, writeJSON(cmd, r.json, results))
	}
	return errors.Join(errs...)
}

func writeJSON(cmd *cobra.Command, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	text = append(text, '\n')
	if name == "-" {
		_, err = cmd.OutOrStdout().Write(text)
	} else {
		err = os.WriteFile(name, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

func contextWithLimit(cmd *cobra.Command, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(cmd.Context(), limit, fmt.Errorf("not done within %v", limit))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
