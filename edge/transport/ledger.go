package transport

import (
	"sync"
	"time"
)

// maxLedger bounds a ledger: with more entries the oldest go early, which costs an attacker's victims a retry at worst.
const maxLedger = 1 << 17

// ledger remembers keys for a short time, in the order in which they end: all entries live equally long.
type ledger struct {
	now func() time.Time

	mu sync.Mutex
	// The fields below are guarded by mu.
	entries map[string]entry
	order   []expiry
}

type entry struct {
	value string
	until time.Time
}

type expiry struct {
	key   string
	until time.Time
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{now: now, entries: map[string]entry{}}
}

// put remembers a key for a while, and reports whether it is new.
func (l *ledger) put(key, value string, life time.Duration) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.order) > 0 && (!now.Before(l.order[0].until) || len(l.order) > maxLedger) {
		if e, ok := l.entries[l.order[0].key]; ok && e.until.Equal(l.order[0].until) {
			delete(l.entries, l.order[0].key)
		}
		l.order = l.order[1:]
	}
	if _, ok := l.entries[key]; ok {
		return false
	}
	until := now.Add(life)
	l.entries[key] = entry{value: value, until: until}
	l.order = append(l.order, expiry{key: key, until: until})
	return true
}

// take removes a key if it is remembered with this value.
func (l *ledger) take(key, value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	if !ok || e.value != value || !l.now().Before(e.until) {
		return false
	}
	delete(l.entries, key)
	return true
}

// drop forgets a key.
func (l *ledger) drop(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, key)
}
