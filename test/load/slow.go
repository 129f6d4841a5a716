//go:build linux

package load

import (
	"context"
	"sync/atomic"
	"time"
)

// SlowPlan describes clients that stop reading while broadcasts go on.
type SlowPlan struct {
	// Slow is how many clients stop reading, beside those that are connected already and go on.
	Slow int
	// Size and PerSecond are those of the broadcasts.
	Size      int
	PerSecond float64
	// Without is how long the readers are measured alone first, With how long broadcasts go on with the slow ones.
	Without, With time.Duration
}

// SlowPeers measures the readers alone, adds clients that never read again after their handshake, and goes on.
func (b *Bench) SlowPeers(ctx context.Context, p SlowPlan) (Result, error) {
	alone, err := b.Broadcast(ctx, p.Size, p.PerSecond, p.Without)
	if err != nil {
		return alone, err
	}
	total := int(b.board.Ready()) + p.Slow
	if connected, err := b.Connect(ctx, total); err != nil {
		return connected, err
	}
	for i, w := range b.workers {
		if err := w.call(ctx, opStall, share(p.Slow, len(b.workers), i), nil); err != nil {
			return alone, err
		}
	}
	r := b.result("slow peers")
	r.Clients, r.Size, r.Rate = total, p.Size, p.PerSecond
	slow := &Slow{
		Stalled: b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Stalled }),
		Without: alone.Latency,
	}
	before := b.service.Reasons(ctx)
	stop := b.watchMemory(&slow.PeakRSS)
	r, err = b.publish(ctx, r, Publish{
		Size: p.Size, PerSecond: p.PerSecond, Count: max(1, int(p.PerSecond*p.With.Seconds())),
	}, p.With)
	stop()
	if err != nil {
		return r, err
	}
	slow.Cut, slow.CutAfter = b.board.Server.Closed.Load()-r.Closed, Summarize(&b.board.Server.CloseAfter)
	slow.HungUp = b.sum(func(w *WorkerBoard) *atomic.Int64 { return &w.StalledClosed })
	if alone.Latency.P99 > 0 {
		slow.P99Ratio = r.Latency.P99 / alone.Latency.P99
	}
	slow.Reasons = since(before, b.service.Reasons(ctx))
	r.Slow = slow
	return r, nil
}

// watchMemory keeps the largest RSS of the edge in peak until the function it returns is called.
func (b *Bench) watchMemory(peak *int64) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			if b.service.PID != 0 {
				*peak = max(*peak, residentBytes(b.service.PID))
			}
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-ended }
}
