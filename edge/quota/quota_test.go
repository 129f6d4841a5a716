package quota

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestUnits(t *testing.T) {
	for bytes, want := range map[int]int64{
		-1: 1, 0: 1, 1: 1, 2047: 1, 2048: 1, 2049: 2, 4096: 2, 4097: 3, 1 << 20: 512, 1<<20 + 1: 513,
		math.MaxInt: math.MaxInt/2048 + 1,
	} {
		if got := Units(bytes); got != want {
			t.Errorf("Units(%d): want %d, got %d", bytes, want, got)
		}
	}
}

func TestConnections(t *testing.T) {
	c := NewConnections(2)
	acquire := func(want bool) {
		t.Helper()
		if got := c.Acquire(); got != want {
			t.Fatalf("Acquire at %d of %d: want %v, got %v", c.Count(), c.Limit(), want, got)
		}
	}
	count := func(want int64) {
		t.Helper()
		if got := c.Count(); got != want {
			t.Fatalf("Count: want %d, got %d", want, got)
		}
	}
	acquire(true)
	acquire(true)
	acquire(false)
	count(2)
	c.Release()
	acquire(true)

	c.SetLimit(4) // raised: two more
	acquire(true)
	acquire(true)
	acquire(false)
	c.SetLimit(1) // lowered: nobody is cut, nobody comes in before all but none have left
	count(4)
	c.Release()
	c.Release()
	c.Release()
	count(1)
	acquire(false)
	c.Release()
	acquire(true)

	c.SetLimit(0)
	acquire(false)
	c.SetLimit(-7)
	if c.Limit() != Unlimited {
		t.Errorf("Limit: want none, got %d", c.Limit())
	}
	for range 100 {
		acquire(true)
	}
	count(101)
}

func TestReleaseWithoutAcquireAdmitsNobody(t *testing.T) {
	c := NewConnections(1)
	c.Release()
	c.Release()
	if got := c.Count(); got != 0 {
		t.Errorf("Count: want 0, got %d", got)
	}
	if !c.Acquire() || c.Acquire() {
		t.Error("a limit of 1 after two releases too many: want one place")
	}
}

func TestConnectionsAreNeverOverTheLimit(t *testing.T) {
	const limit, workers, rounds = 10, 8, 2000
	c := NewConnections(limit)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				got := 0
				for range 3 {
					if c.Acquire() {
						got++
						n := inside.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
					}
				}
				for range got {
					inside.Add(-1)
					c.Release()
				}
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > limit {
		t.Errorf("most at once: want at most %d, got %d", limit, got)
	}
	if got := c.Count(); got != 0 {
		t.Errorf("Count when all left: want 0, got %d", got)
	}
}

func TestMessagesAreCountedPerDay(t *testing.T) {
	m := NewMessages(10, false, noon)
	today := func(now time.Time, want int64) {
		t.Helper()
		if got := m.Today(now); got != want {
			t.Errorf("Today at %v: want %d, got %d", now, want, got)
		}
	}
	m.Add(3)
	today(noon, 3)
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	today(midnight.Add(-1), 3)
	today(midnight, 0)
	m.Add(4)
	today(midnight.In(time.FixedZone("", -8*3600)), 4)  // the day is that of UTC, wherever the clock is
	today(midnight.Add(-time.Second), 4)                // a clock that steps back over midnight loses nothing
	today(midnight.Add(time.Second), 4)                 // and forward again neither
	today(midnight.AddDate(0, 0, 5), 0)                 // days that nobody looked at
	m.Add(2)                                            //
	today(midnight.AddDate(0, 0, -3).Add(time.Hour), 0) // a clock that was wrong by days
	m.Add(1)
	today(midnight.AddDate(0, 0, -3).Add(2*time.Hour), 1)
}

func TestMessageTransitions(t *testing.T) {
	m := NewMessages(10, true, noon)
	step := func(now time.Time, want Transition, blocked bool) {
		t.Helper()
		if got := m.Tick(now); got != want {
			t.Errorf("Tick at %v: want %v, got %v", now, want, got)
		}
		if got := m.Blocked(); got != blocked {
			t.Errorf("Blocked at %v: want %v, got %v", now, blocked, got)
		}
	}
	day := 24 * time.Hour
	step(noon, TransitionNone, false)
	m.Add(9)
	step(noon, TransitionNone, false)
	m.Add(5) // one message may count for several
	if !m.Blocked() {
		t.Error("Blocked before the tick: want true at once")
	}
	step(noon, TransitionExceeded, true)
	step(noon, TransitionNone, true)
	step(noon.Add(day), TransitionRestored, false)
	step(noon.Add(day), TransitionNone, false)

	m.Add(10)
	step(noon.Add(day), TransitionExceeded, true)
	m.SetLimit(20, true)
	step(noon.Add(day), TransitionRestored, false)
	m.SetLimit(5, false)
	step(noon.Add(day), TransitionExceeded, false) // soft: told, not blocked
	if !m.Exceeded() || m.Hard() || m.Limit() != 5 {
		t.Errorf("a soft limit of 5: got exceeded %v, hard %v, limit %d", m.Exceeded(), m.Hard(), m.Limit())
	}
	m.SetLimit(5, true)
	step(noon.Add(day), TransitionNone, true)
	m.SetLimit(-9, true)
	step(noon.Add(day), TransitionRestored, false)
	if m.Limit() != Unlimited {
		t.Errorf("Limit: want none, got %d", m.Limit())
	}
	if got := m.Today(noon.Add(day)); got != 10 {
		t.Errorf("Today after changes of the limit: want 10, got %d", got)
	}
	// Used up again between two ticks that lie on both sides of midnight: nothing to tell.
	m.SetLimit(10, true)
	step(noon.Add(day), TransitionExceeded, true)
	m.Today(noon.Add(2 * day))
	m.Add(10)
	step(noon.Add(2*day), TransitionNone, true)
}

func TestALimitOfNothingIsExceededAtOnce(t *testing.T) {
	m := NewMessages(0, true, noon)
	if !m.Blocked() || m.Tick(noon) != TransitionExceeded {
		t.Error("a limit of 0: want it used up from the start")
	}
}

func TestResetsAt(t *testing.T) {
	next := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, now := range []time.Time{
		noon, next.Add(-1), next.AddDate(0, 0, -1), noon.In(time.FixedZone("", 11*3600)),
	} {
		if got := ResetsAt(now); got != next || got.Location() != time.UTC {
			t.Errorf("ResetsAt(%v): want %v, got %v", now, next, got)
		}
	}
	before := time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)
	if got, want := ResetsAt(before), time.Unix(0, 0).UTC(); got != want {
		t.Errorf("ResetsAt(%v): want %v, got %v", before, want, got)
	}
}

func TestTransitionNames(t *testing.T) {
	for transition, want := range map[Transition]string{
		TransitionNone: "none", TransitionExceeded: "exceeded", TransitionRestored: "restored",
	} {
		if got := transition.String(); got != want {
			t.Errorf("String of %d: want %q, got %q", transition, want, got)
		}
	}
}

func TestMessagesConcurrently(t *testing.T) {
	const workers, each = 8, 5000
	m := NewMessages(workers*each, true, noon)
	var wg sync.WaitGroup
	var exceeded atomic.Int64
	for range workers {
		wg.Go(func() {
			for i := range each {
				m.Add(1)
				if i%500 == 0 && m.Tick(noon) == TransitionExceeded {
					exceeded.Add(1)
				}
				m.SetLimit(workers*each, true)
			}
		})
	}
	wg.Wait()
	if m.Tick(noon) == TransitionExceeded {
		exceeded.Add(1)
	}
	if got := m.Today(noon); got != workers*each {
		t.Errorf("Today: want %d, got %d", workers*each, got)
	}
	if got := exceeded.Load(); got != 1 {
		t.Errorf("told of the exceeded quota: want once, got %d times", got)
	}
	for range workers { // one midnight, seen by all: one reset
		wg.Go(func() {
			m.Today(noon.AddDate(0, 0, 1))
			m.Add(1)
			m.Today(noon.AddDate(0, 0, 1))
		})
	}
	wg.Wait()
	if got := m.Today(noon.AddDate(0, 0, 1)); got != workers {
		t.Errorf("Today after midnight: want %d, got %d", workers, got)
	}
}

func TestCarriedMessagesCountAsOwnOnTheirDay(t *testing.T) {
	m := NewMessages(10, true, noon)
	check := func(when string, now time.Time, today, carried int64, blocked bool) {
		t.Helper()
		if got := m.Today(now); got != today {
			t.Errorf("%s: Today: want %d, got %d", when, today, got)
		}
		if got := m.Carried(); got != carried {
			t.Errorf("%s: Carried: want %d, got %d", when, carried, got)
		}
		if got := m.Blocked(); got != blocked {
			t.Errorf("%s: Blocked: want %v, got %v", when, blocked, got)
		}
	}
	m.Carry(7, noon.Truncate(24*time.Hour), noon)
	m.Add(2)
	check("below the limit", noon, 2, 7, false)
	m.Add(1)
	check("at the limit", noon, 3, 7, true)
	m.Carry(7, noon, noon)
	check("told again", noon, 3, 7, true)
	m.Carry(6, noon, noon)
	check("told less", noon, 3, 6, false)
	m.Carry(20, noon.AddDate(0, 0, -1), noon)
	check("told of yesterday", noon, 3, 0, false)
	m.Carry(20, time.Time{}, noon)
	check("told of no day", noon, 3, 0, false)
	m.Carry(20, noon, noon)
	if got := m.Tick(noon); got != TransitionExceeded {
		t.Errorf("Tick when enough is carried: want exceeded, got %v", got)
	}
	tomorrow := noon.AddDate(0, 0, 1)
	if got := m.Tick(tomorrow); got != TransitionRestored {
		t.Errorf("Tick of the next day: want restored, got %v", got)
	}
	check("the next day", tomorrow, 0, 0, false)
	m.Carry(20, noon, tomorrow)
	check("the next day, told of the first again", tomorrow, 0, 0, false)
}
