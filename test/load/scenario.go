//go:build linux

package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// drainTime is the usual drainLimit.
	drainTime = 15 * time.Second
	// sendSlack is what sending may take beyond its planned duration.
	sendSlack = 15 * time.Second
)

// Broadcast sends to all clients at an even pace for a while.
func (b *Bench) Broadcast(ctx context.Context, size int, perSecond float64, d time.Duration) (Result, error) {
	r := b.result("broadcast")
	r.Size, r.Rate = size, perSecond
	return b.publish(ctx, r, Publish{Size: size, PerSecond: perSecond, Count: max(1, int(perSecond*d.Seconds()))}, d)
}

// BroadcastWindow sends to all clients as fast as they receive, with so many messages outstanding.
func (b *Bench) BroadcastWindow(ctx context.Context, size, window int, d time.Duration) (Result, error) {
	r := b.result("broadcast, closed loop")
	r.Size, r.Window = size, window
	return b.publish(ctx, r, Publish{Size: size, Window: window, For: d}, d)
}

func (b *Bench) publish(ctx context.Context, r Result, p Publish, d time.Duration) (Result, error) {
	p.Clients = int(b.readers())
	closed := b.board.Closed()
	b.board.BeginPhase()
	before := b.usage()
	sent := make(chan error, 1)
	var done PublishResult
	go func() { sent <- b.app.call(ctx, opPublish, p, &done) }()
	if err := b.follow(ctx, r.Scenario, sent, d, func() int64 {
		return b.board.Server.Published.Load() * int64(p.Clients)
	}); err != nil {
		return r, err
	}
	r.Sent, r.LateMillis = int64(done.Sent), done.LateMillis
	r.Expected = r.Sent * int64(p.Clients)
	b.drain(ctx, r.Expected)
	r.deliveries(b, before, closed)
	return r, nil
}

// follow shows deliveries until the sender reports.
func (b *Bench) follow(
	ctx context.Context, what string, sent chan error, d time.Duration, expected func() int64,
) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d+sendSlack, fmt.Errorf("sending took longer than %v", d+sendSlack))
	defer cancel()
	progress := newProgress(b.opts.Log, b.opts.Terminal, what)
	defer progress.done()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-sent:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-tick.C:
			progress.show(b.board.Delivered(), expected())
		}
	}
}

// drain waits for the deliveries that are under way; what does not come is lost.
func (b *Bench) drain(ctx context.Context, expected int64) {
	ctx, cancel := context.WithTimeout(ctx, b.drainLimit)
	defer cancel()
	_ = b.await(ctx, "drain", expected, b.board.Delivered)
}

// readers is the number of clients that are connected and read.
func (b *Bench) readers() int64 {
	return b.board.Ready() - b.board.Closed() - b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Stalled })
}

// deliveries books what the phase brought.
func (r *Result) deliveries(b *Bench, before usage, closedBefore int64) {
	r.Received = b.board.Delivered()
	r.account(before, b.usage(), r.Received)
	r.Reordered = b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Reordered })
	r.Duplicated = b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Duplicated })
	r.Refused = b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Refused })
	r.Lost = max(0, r.Expected-(r.Received-r.Duplicated))
	r.Closed = b.board.Closed() - closedBefore
	r.Latency = b.board.Latency()
}

// Echo makes clients call the app server, perSecond calls in all; invoke asks for a Completion, else the answer is a
// message.
func (b *Bench) Echo(ctx context.Context, size int, perSecond float64, d time.Duration, invoke bool) (Result, error) {
	r := b.result("echo")
	r.Size, r.Rate = size, perSecond
	n := int(b.board.Ready())
	return b.traffic(ctx, r, Traffic{Method: methodEcho, Invoke: invoke, Size: size, Clients: n, Senders: n}, perSecond, d)
}

// SendToConnection makes clients send to one another through the app server, perSecond messages in all.
func (b *Bench) SendToConnection(ctx context.Context, size int, perSecond float64, d time.Duration) (Result, error) {
	r := b.result("send to connection")
	r.Size, r.Rate = size, perSecond
	n := int(b.board.Ready())
	return b.traffic(ctx, r, Traffic{Method: methodConnection, Size: size, Clients: n, Senders: n}, perSecond, d)
}

// SendToGroup spreads the clients over groups and lets one member of each send to it, perSecond messages in all.
func (b *Bench) SendToGroup(ctx context.Context, groups, size int, perSecond float64, d time.Duration) (Result, error) {
	n := int(b.board.Ready())
	r := b.result(fmt.Sprintf("send to group (%d groups of %d)", groups, n/max(1, groups)))
	r.Size, r.Rate = size, perSecond
	if groups < 1 || groups > n {
		return r, fmt.Errorf("send to group: %d groups for %d clients", groups, n)
	}
	if err := b.app.call(ctx, opJoin, groups, nil); err != nil {
		return r, err
	}
	t := Traffic{Method: methodGroup, Size: size, Clients: n, Senders: groups, Groups: groups}
	return b.traffic(ctx, r, t, perSecond, d)
}

func (b *Bench) traffic(ctx context.Context, r Result, t Traffic, perSecond float64, d time.Duration) (Result, error) {
	closed := b.board.Closed()
	b.board.BeginPhase()
	before := b.usage()
	senders, count := t.Senders, max(1, int(perSecond*d.Seconds()))
	all := make(chan error, len(b.workers))
	for i, w := range b.workers {
		part := t
		part.Senders = share(senders, len(b.workers), i)
		if part.Senders == 0 {
			all <- nil
			continue
		}
		part.PerSecond = perSecond * float64(part.Senders) / float64(senders)
		part.Count = max(1, count*part.Senders/senders)
		go func() { all <- w.call(ctx, opTraffic, part, nil) }()
	}
	sent := make(chan error, 1)
	go func() {
		var first error
		for range b.workers {
			if err := <-all; err != nil && first == nil {
				first = err
			}
		}
		sent <- first
	}()
	expected := func() int64 { return b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Expected }) }
	if err := b.follow(ctx, r.Scenario, sent, d, expected); err != nil {
		return r, err
	}
	r.Sent, r.Expected = b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Sent }), expected()
	b.drain(ctx, r.Expected)
	r.deliveries(b, before, closed)
	return r, nil
}
