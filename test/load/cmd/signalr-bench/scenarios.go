//go:build linux

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/test/load"
)

// pace holds the flags of scenarios that send.
type pace struct {
	size     int
	rate     float64
	duration time.Duration
}

func (p *pace) flags(cmd *cobra.Command, size int, rate float64, what string) {
	cmd.Flags().IntVar(&p.size, "size", size, "bytes of a message as JSON record")
	cmd.Flags().Float64Var(&p.rate, "rate", rate, what)
	cmd.Flags().DurationVar(&p.duration, "duration", 10*time.Second, "how long to send")
}

func one(r load.Result, err error) ([]load.Result, error) { return []load.Result{r}, err }

func connectCommand() *cobra.Command {
	return scenario("connect", "Connect clients and leave", nil,
		func(context.Context, *load.Bench) ([]load.Result, error) { return nil, nil })
}

func idleCommand() *cobra.Command {
	var wait time.Duration
	return scenario("idle", "Memory of the edge per connection with nothing going on",
		func(cmd *cobra.Command) {
			cmd.Flags().DurationVar(&wait, "wait", 3*time.Second, "time before the first look")
		},
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) { return one(b.Idle(ctx, wait)) })
}

func echoCommand() *cobra.Command {
	var p pace
	var invoke bool
	return scenario("echo", "Clients call the app server, which answers",
		func(cmd *cobra.Command) {
			p.flags(cmd, 2048, 1000, "calls per second, over all clients")
			cmd.Flags().BoolVar(&invoke, "invoke", true, "answer by Completion; false: by a message to the caller")
		},
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) {
			return one(b.Echo(ctx, p.size, p.rate, p.duration, invoke))
		})
}

func broadcastCommand() *cobra.Command {
	var p pace
	var window int
	return scenario("broadcast", "The app server sends to all clients",
		func(cmd *cobra.Command) {
			p.flags(cmd, 100, 5, "broadcasts per second")
			cmd.Flags().IntVar(&window, "window", 0, "closed loop: keep so many broadcasts outstanding, whatever --rate says")
		},
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) {
			if window > 0 {
				return one(b.BroadcastWindow(ctx, p.size, window, p.duration))
			}
			return one(b.Broadcast(ctx, p.size, p.rate, p.duration))
		})
}

func groupCommand() *cobra.Command {
	var p pace
	var groups int
	return scenario("send-to-group", "Clients send to groups; client i is in group i modulo --groups",
		func(cmd *cobra.Command) {
			p.flags(cmd, 2048, 100, "messages per second into the service, over all groups")
			cmd.Flags().IntVar(&groups, "groups", 100, "number of groups: clients/10 for small ones, 10 for big ones")
		},
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) {
			return one(b.SendToGroup(ctx, groups, p.size, p.rate, p.duration))
		})
}

func connectionCommand() *cobra.Command {
	var p pace
	return scenario("send-to-connection", "Clients send to one another",
		func(cmd *cobra.Command) { p.flags(cmd, 2048, 1000, "messages per second, over all clients") },
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) {
			return one(b.SendToConnection(ctx, p.size, p.rate, p.duration))
		})
}

func slowCommand() *cobra.Command {
	var p load.SlowPlan
	return scenario("slow", "Broadcasts while some clients stop reading: when are they cut, what do the others notice",
		func(cmd *cobra.Command) {
			fs := cmd.Flags()
			fs.IntVar(&p.Slow, "slow", 1000, "clients that stop reading, beside --clients that go on")
			fs.IntVar(&p.Size, "size", 2048, "bytes of a message as JSON record")
			fs.Float64Var(&p.PerSecond, "rate", 20, "broadcasts per second")
			fs.DurationVar(&p.Without, "without", 15*time.Second, "how long to measure the readers alone")
			fs.DurationVar(&p.With, "with", 35*time.Second, "how long to go on with the slow clients")
		},
		func(ctx context.Context, b *load.Bench) ([]load.Result, error) { return one(b.SlowPeers(ctx, p)) })
}
