package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

const (
	// usageInterval is the least time between two status writes for usage alone.
	usageInterval = time.Minute
	// messagesInterval is the same for the day's messages alone, which grow with every message: at constant load they
	// would be a write a minute for ever.
	messagesInterval = 10 * time.Minute
	// percentStep is what percentages are rounded to.
	percentStep = 5
)

// use is what an instance uses, exactly, as far as its edges say.
type use struct {
	edges     int // that have ever answered
	clients   int64
	servers   int64
	messages  int64 // of the present UTC day
	load      int   // of the busiest edge
	totalLoad int   // of all edges
}

// measure adds up what the edges said last.
func measure(edges []edgeView) use {
	var u use
	for _, e := range edges {
		if !e.known {
			continue
		}
		u.edges++
		u.clients += e.status.Connections.Client
		u.servers += e.status.Connections.Server
		u.load = max(u.load, e.status.Load.Percent)
		u.totalLoad += e.status.Load.Percent
	}
	return u
}

// quantise rounds a number to a multiple of step, but keeps what was shown before while that is nearly right: a number
// that hovers between two multiples must not be written again and again.
func quantise(shown, exact, step int64) int64 {
	if step < 1 {
		return exact
	}
	if distance := exact - shown; shown%step == 0 && 4*distance <= 3*step && -4*distance <= 3*step {
		return shown
	}
	return (exact + step/2) / step * step
}

// twoDigits returns the step that leaves two digits of a count.
func twoDigits(n int64) int64 {
	step := int64(1)
	for n/step >= 100 {
		step *= 10
	}
	return step
}

// usage returns what the status is to say of the use, given what it says now.
func usage(shown *signalrv1alpha1.UsageStatus, u use, quota signalrv1alpha1.QuotaStatus, now metav1.Time,
) *signalrv1alpha1.UsageStatus {
	if shown == nil {
		shown = &signalrv1alpha1.UsageStatus{}
	}
	exactPercent := percentOf(u.clients, quota.Connections)
	return &signalrv1alpha1.UsageStatus{
		Connections:        quantise(shown.Connections, u.clients, twoDigits(u.clients)),
		Servers:            quantise(shown.Servers, u.servers, twoDigits(u.servers)),
		UtilizationPercent: quantise(shown.UtilizationPercent, exactPercent, percentStep),
		MessagesToday:      quantise(shown.MessagesToday, u.messages, twoDigits(u.messages)),
		ServerLoadPercent:  quantise(shown.ServerLoadPercent, int64(u.load), percentStep),
		Time:               &now,
	}
}

// usageDue tells whether new usage is worth a write of its own, and when it will be if it is not yet.
func usageDue(shown, next *signalrv1alpha1.UsageStatus, now time.Time) (due bool, after time.Duration) {
	if next == nil || sameUsage(shown, next) {
		return false, 0
	}
	if shown == nil || shown.Time == nil {
		return true, 0
	}
	interval := usageInterval
	if others := *next; shown.MessagesToday <= next.MessagesToday {
		others.MessagesToday = shown.MessagesToday
		if sameUsage(shown, &others) {
			interval = messagesInterval
		}
	}
	left := shown.Time.Add(interval).Sub(now)
	return left <= 0, max(left, 0)
}

// sameUsage compares everything but the time.
func sameUsage(a, b *signalrv1alpha1.UsageStatus) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Time, y.Time = nil, nil
	return x == y
}

// tally adds up the messages of a day over edges that come and go: an edge counts from its own start, and what it had
// counted goes with it.
type tally struct {
	day  string // in UTC, as 2026-11-22
	gone int64  // counted by edges that are no more
	last map[string]int64
}

// add returns the messages of the day after a reading. After a restart of the operator there are two witnesses of edges
// that went before: carried is what the edges of now were told of them, and shown what the status says of the day.
func (t *tally) add(
	edges []edgeView, carried config.Carried, shown *signalrv1alpha1.UsageStatus, now time.Time,
) int64 {
	day := dayOf(now)
	fresh := t.last == nil
	if fresh || t.day != day {
		*t = tally{day: day, last: map[string]int64{}}
	}
	if fresh && carried.Day == day {
		t.gone = carried.Messages
	}
	var sum int64
	present := map[string]bool{}
	for _, e := range edges {
		if !e.known || e.status.Messages.ResetsAt.Before(now) && !e.status.Messages.ResetsAt.IsZero() {
			continue // a reading of yesterday
		}
		node, count := e.status.Node, e.status.Messages.Today
		present[node] = true
		if before := t.last[node]; count < before {
			t.gone += before
		}
		t.last[node] = count
		sum += count
	}
	for node, count := range t.last {
		if !present[node] && len(edges) == countKnown(edges) {
			t.gone += count
			delete(t.last, node)
		} else if !present[node] {
			sum += count
		}
	}
	if fresh && shown != nil && shown.Time != nil && dayOf(shown.Time.Time) == day {
		missing := shown.MessagesToday - sum - t.gone
		if missing > twoDigits(shown.MessagesToday) { // more than was rounded away
			t.gone += missing
		}
	}
	return sum + t.gone
}

// carried returns what edges that are gone have counted, for those that go on.
func (t *tally) carried() config.Carried {
	if t.gone == 0 {
		return config.Carried{}
	}
	return config.Carried{Day: t.day, Messages: t.gone}
}

// dayOf returns the UTC day of a time, as an edge's configuration names it.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func countKnown(edges []edgeView) int {
	n := 0
	for _, e := range edges {
		if e.known {
			n++
		}
	}
	return n
}
