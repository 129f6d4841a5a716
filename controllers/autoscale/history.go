package autoscale

import (
	"slices"
	"time"
)

// History is what a decision has to know of those before it. The zero value is that of an operator which has just
// started. It belongs to one instance, and not to a later one of the same name.
type History struct {
	// Units is what the last decision put in force, 0 when there was none.
	Units int32

	fresh           bool             // the status was empty at first, and no edge was seen yet
	recommendations []recommendation // oldest first
	events          []event          // oldest first
	counters        []counter        // one per edge
}

// recommendation is what the metrics asked for at a time, before windows and policies.
type recommendation struct {
	at    time.Time
	units int32
}

// event is a change of the units that this package decided. A floor or bound that moved is none.
type event struct {
	at     time.Time
	change int32
}

// counter is an edge's message counter, and the rate that its last two readings gave.
type counter struct {
	node      string
	at        time.Time
	messages  int64
	perSecond float64
	known     bool
}

// rateEvery is the least time between two readings that give a rate: reconciles may follow each other at once, and two
// readings a moment apart say nothing.
const rateEvery = 10 * time.Second

// remember returns the history without what no rule looks at any more. One that is empty begins with the units in
// force, so that a restart scales in nothing before a whole window has passed. What a clock that was put back makes the
// future counts as of now: it must not stay in every window until the clock has caught up.
func (h History) remember(now time.Time, current int32, longest time.Duration) History {
	since := now.Add(-longest)
	out := History{Units: h.Units}
	for _, r := range h.recommendations {
		if r.at = earlier(r.at, now); r.at.After(since) {
			out.recommendations = append(out.recommendations, r)
		}
	}
	for _, e := range h.events {
		if e.at = earlier(e.at, now); e.at.After(since) {
			out.events = append(out.events, e)
		}
	}
	if len(h.recommendations) == 0 {
		out.recommendations = []recommendation{{at: now, units: current}}
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// record returns the history with a decision added. Of equal recommendations in a row the newest stands for all:
// windows ask for the largest and the least only, and those it has.
func (h History) record(now time.Time, want, change, units int32) History {
	out := History{
		Units: units, counters: h.counters,
		recommendations: slices.Clone(h.recommendations), events: slices.Clone(h.events),
	}
	if last := len(out.recommendations) - 1; last >= 0 && out.recommendations[last].units == want {
		out.recommendations[last].at = now
	} else {
		out.recommendations = append(out.recommendations, recommendation{at: now, units: want})
	}
	if change != 0 {
		out.events = append(out.events, event{at: now, change: change})
	}
	return out
}

// stabilise returns the units nearest to those in force that lie between the least which was asked for during the
// window of a scale-out and the most which was asked for during that of a scale-in.
func (h History) stabilise(now time.Time, current, want int32, up, down time.Duration) int32 {
	least, most := want, want
	for _, r := range h.recommendations {
		if r.at.After(now.Add(-up)) {
			least = min(least, r.units)
		}
		if r.at.After(now.Add(-down)) {
			most = max(most, r.units)
		}
	}
	return min(max(current, least), most)
}

// before returns the units at the beginning of a period: those in force without what was changed since.
func (h History) before(current int32, now time.Time, periodSeconds int32) int64 {
	units, since := int64(current), now.Add(-time.Duration(periodSeconds)*time.Second)
	for _, e := range h.events {
		if e.at.After(since) {
			units -= int64(e.change)
		}
	}
	return units
}

// count returns the counters after a reading of the edges; edges that are gone are forgotten.
func (h History) count(edges []Edge, now time.Time) []counter {
	out := make([]counter, 0, len(edges))
	for _, e := range edges {
		c := counter{node: e.Node, at: now, messages: e.MessagesToday}
		if i := slices.IndexFunc(h.counters, func(c counter) bool { return c.node == e.Node }); i >= 0 {
			c = h.counters[i].read(e.MessagesToday, now)
		}
		out = append(out, c)
	}
	return out
}

// read returns the counter after a reading.
func (c counter) read(messages int64, now time.Time) counter {
	passed := now.Sub(c.at)
	switch {
	case passed < 0: // the clock was put back
		c.at, c.messages = now, messages
		return c
	case passed < rateEvery:
		return c
	}
	grown := messages - c.messages
	if grown < 0 { // midnight UTC, or another process under the same name: it counted up from 0
		grown = messages
	}
	return counter{
		node: c.node, at: now, messages: messages, perSecond: float64(grown) / passed.Seconds(), known: true,
	}
}

// rate returns the messages per second of all edges; known is false when no edge has a rate, complete when every edge
// has one.
func rate(counters []counter) (perSecond int64, known, complete bool) {
	var sum float64
	complete = true
	for _, c := range counters {
		sum += c.perSecond
		known = known || c.known
		complete = complete && c.known
	}
	return int64(sum + 0.5), known, complete
}
