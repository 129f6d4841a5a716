package shard

import "sync"

const (
	// mailboxCommands and mailboxBytes bound what may wait for a shard: enough for bursts to be joined, little
	// enough that a stalled shard pushes back on the app servers instead of eating memory.
	mailboxCommands = 16384
	mailboxBytes    = 32 << 20
)

// command is one entry of a mailbox. A delivery carries what it delivers; everything rare is a function that runs in
// the shard.
type command struct {
	do       func(*shard)
	delivery *delivery
	// session, input belong to the stream driver.
	size int
}

// mailbox is the bounded queue in front of a shard: many producers, one consumer.
type mailbox struct {
	mu sync.Mutex
	// The fields below are guarded by mu.
	room     sync.Cond
	wake     func() // ends the shard's sleep; under mu, so that it is over when close returns
	queue    []command
	bytes    int
	sleeping bool
	closed   bool
}

func (m *mailbox) init(wake func()) {
	m.room.L = &m.mu
	m.wake = wake
}

// put appends c. With wait it blocks while the mailbox is full; must ignores the bound (for the few commands that may
// not be lost). It wakes the shard if that sleeps, and reports whether the command was taken.
func (m *mailbox) put(c command, wait, must bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.closed && !must && (len(m.queue) >= mailboxCommands || m.bytes > mailboxBytes) {
		if !wait {
			return false
		}
		m.room.Wait()
	}
	if m.closed {
		return false
	}
	m.queue = append(m.queue, c)
	m.bytes += c.size
	if m.sleeping {
		m.sleeping = false
		m.wake()
	}
	return true
}

// take swaps the waiting commands against the emptied slice spare. With sleep an empty mailbox is marked as having a
// sleeping consumer, so that the next put wakes it.
func (m *mailbox) take(spare []command, sleep bool) []command {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		m.sleeping = sleep
		return spare
	}
	m.sleeping = false
	full := len(m.queue) >= mailboxCommands || m.bytes > mailboxBytes
	taken := m.queue
	m.queue, m.bytes = spare, 0
	if full {
		m.room.Broadcast()
	}
	return taken
}

// close refuses everything from now on and frees who waits.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.room.Broadcast()
}
