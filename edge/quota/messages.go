package quota

import (
	"sync"
	"sync/atomic"
	"time"
)

// unitBytes is the size of one counted message: each started 2,048 bytes of a message count as one.
const unitBytes = 2048

// Units returns what a message of so many bytes counts: each started 2,048 bytes one, and at least 1.
func Units(bytes int) int64 {
	if bytes <= unitBytes {
		return 1
	}
	return (int64(bytes)-1)/unitBytes + 1
}

// Transition is what happened to a message quota since the owner asked last.
type Transition uint8

// The transitions of a message quota.
const (
	// TransitionNone says that nothing changed.
	TransitionNone Transition = iota
	// TransitionExceeded says that the quota is used up now and was not before.
	TransitionExceeded
	// TransitionRestored says that there is quota again: a new day began, or the limit was raised.
	TransitionRestored
)

// String returns a lower-case name for logs.
func (t Transition) String() string {
	switch t {
	case TransitionExceeded:
		return "exceeded"
	case TransitionRestored:
		return "restored"
	case TransitionNone:
	}
	return "none"
}

// Messages counts the messages of a UTC day against a limit. The owner calls Tick about once a second; the count
// begins anew with the first Tick, or Today, of a new day, so messages of the moments in between count for either day.
type Messages struct {
	used  atomic.Int64
	_     [cacheLine - 8]byte
	limit atomic.Int64
	hard  atomic.Bool
	day   atomic.Int64 // days since 1970 in UTC

	// mu guards exceeded and carried, and a roll of the day against another.
	mu       sync.Mutex
	exceeded bool  // as of the last Tick
	carried  int64 // part of used
}

// NewMessages returns a count that begins at now, with a limit of messages per day, or without one if limit is
// negative. A hard limit blocks, a soft one is only counted.
func NewMessages(limit int64, hard bool, now time.Time) *Messages {
	m := &Messages{}
	m.day.Store(dayOf(now))
	m.SetLimit(limit, hard)
	return m
}

// Add counts n messages, see Units. It is cheap: one atomic addition.
func (m *Messages) Add(n int64) { m.used.Add(n) }

// Exceeded reports whether the day's messages have reached the limit: from then on each one is over it.
func (m *Messages) Exceeded() bool {
	limit := m.limit.Load()
	return limit >= 0 && m.used.Load() >= limit
}

// Blocked reports whether messages must be refused: the quota is used up and its limit is hard.
func (m *Messages) Blocked() bool { return m.hard.Load() && m.Exceeded() }

// Limit returns the messages per day, Unlimited if there is no limit.
func (m *Messages) Limit() int64 { return m.limit.Load() }

// Hard reports whether the limit blocks.
func (m *Messages) Hard() bool { return m.hard.Load() }

// SetLimit changes the limit, a negative one to none, and whether it blocks. The day's count stays. Blocked follows at
// once, the transition is told by the next Tick.
func (m *Messages) SetLimit(limit int64, hard bool) {
	m.limit.Store(max(limit, Unlimited))
	m.hard.Store(hard)
}

// Carry sets what others that are gone counted in the UTC day of day: this count goes on from there. It counts against
// the limit, and replaces what was carried before. What is of another day than the present one counts nothing.
func (m *Messages) Carry(messages int64, day, now time.Time) {
	m.roll(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	if dayOf(day) != m.day.Load() {
		messages = 0
	}
	m.used.Add(messages - m.carried)
	m.carried = messages
}

// Today returns the messages counted in the UTC day of now, without what is carried.
func (m *Messages) Today(now time.Time) int64 {
	m.roll(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used.Load() - m.carried
}

// Carried returns what is carried of the present day, see Carry.
func (m *Messages) Carried() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.carried
}

// Tick begins a new day if now is in one, and returns what changed since the last Tick. Exceeded and restored
// alternate: each is told once.
func (m *Messages) Tick(now time.Time) Transition {
	m.roll(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	exceeded := m.Exceeded()
	switch {
	case exceeded == m.exceeded:
		return TransitionNone
	case exceeded:
		m.exceeded = true
		return TransitionExceeded
	default:
		m.exceeded = false
		return TransitionRestored
	}
}

// roll begins the day of now unless it is the current one. A clock that steps back over midnight stays in the day
// that had begun, or the count would be lost twice; one that steps back further was wrong before and is believed.
func (m *Messages) roll(now time.Time) {
	day := dayOf(now)
	if current := m.day.Load(); day == current || day == current-1 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if current := m.day.Load(); day == current || day == current-1 {
		return
	}
	m.used.Store(0)
	m.carried = 0
	m.day.Store(day)
}

// ResetsAt returns the next midnight UTC after now, when the count begins anew.
func ResetsAt(now time.Time) time.Time {
	return time.Unix((dayOf(now)+1)*secondsPerDay, 0).UTC()
}

const secondsPerDay = 86_400

// dayOf returns the number of the UTC day of t, counted from 1970-01-01.
func dayOf(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= secondsPerDay - 1 // round down, not towards zero
	}
	return s / secondsPerDay
}
