//go:build !race

package shard

import "testing"

// TestAllocations: what a broadcast allocates does not depend on how many members it has, flush included.
func TestAllocations(t *testing.T) {
	count := func(members int) float64 {
		w := newCrowd(t, members)
		m, wire := w.broadcast(100)
		want := w.got.Load()
		send := func() {
			w.x.Dispatch(w.link, m)
			want += wire * int64(members)
			w.await(want)
		}
		for range 20 { // lists and chunks grow to their size
			send()
		}
		return testing.AllocsPerRun(50, send)
	}
	few, many := count(10), count(1000)
	t.Logf("a broadcast costs %v allocations", few)
	if few != many {
		t.Errorf("a broadcast to 10 members allocates %v times, to 1,000 members %v times", few, many)
	}
}
