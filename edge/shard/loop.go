package shard

import (
	"runtime"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

const (
	// readBuffer is what one read takes from a socket.
	readBuffer = 64 << 10
	// commandWork bounds what a turn does for the mailbox, in recipients, before sockets are looked at again.
	commandWork = 32 << 10
	// maxBacklog: while more queued frames than this, and than this per session, wait to be written, the mailbox
	// waits too and pushes back on the app servers.
	maxBacklog           = 64 << 10
	maxBacklogPerSession = 64
)

// shard is one event loop. Everything in it belongs to its goroutine, but for the mailbox.
type shard struct {
	owner *Shards
	box   mailbox
	poll  *poller

	now      uint32 // seconds since owner.start
	sessions map[string]*session
	hubs     map[string]*hub
	slots    []*session // by slot number, for the poller
	vacant   []int32
	pending  []*session // with a deadline or an expiry
	sweepAt  int        // next slot that the idle sweep looks at
	leaving  int        // sessions that wait to leave a draining server
	stopping bool

	invocations map[string]invocation

	commands []command // taken from the mailbox
	at       int       // next of commands

	first, bulk []*session // dirty sessions
	bulkAt      int
	owed        []Sender // writers to wake at the end of the turn

	chunks  *chunk // free list
	spare   int    // its length
	backlog int    // queued frames behind first ones, of sessions that are not stalled

	stamp      uint64 // of the present delivery
	queueLimit int
	vectors    [][]byte
	joined     []byte
	buffer     []byte

	// counted per turn, handed to the metrics at its end
	work               int
	delivered          int
	bytesIn, bytesOut  int64
	queuedUnits, inQty int64
	drops              [256]int
}

func newShard(x *Shards) (*shard, error) {
	sh := &shard{
		owner: x, sessions: map[string]*session{}, hubs: map[string]*hub{}, invocations: map[string]invocation{},
		buffer: make([]byte, readBuffer), joined: make([]byte, 0, joinBelow),
		queueLimit: x.limits.Load().SendQueue, now: 1,
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	sh.poll = poll
	sh.box.init(poll.wake)
	return sh, nil
}

// post puts a command into the mailbox, waiting for room: for readers of server connections.
func (sh *shard) post(c command) { sh.box.put(c, true, false) }

// postMust puts a command into the mailbox whatever waits there.
func (sh *shard) postMust(c command) bool { return sh.box.put(c, false, true) }

// tryPost puts a command into the mailbox if there is room.
func (sh *shard) tryPost(c command) bool { return sh.box.put(c, false, false) }

// run is the loop: sockets, mailbox, writes, and again. It sleeps only when there is nothing to do at all.
func (sh *shard) run() {
	defer sh.poll.close()
	for !sh.stopping {
		idle := !sh.takeCommands() && !sh.dirty()
		sh.poll.events(sh, idle)
		sh.runCommands()
		sh.flushDirty()
		sh.endTurn()
		if sh.dirty() {
			runtime.Gosched() // readers of server connections live on the same processors
		}
	}
	sh.box.close()
	// What was posted meanwhile is answered too: a waiting question, a socket that must be closed.
	for sh.takeCommands() {
		for ; sh.at < len(sh.commands); sh.at++ {
			if c := sh.commands[sh.at]; c.do != nil {
				c.do(sh)
			}
		}
	}
	sh.endTurn()
}

// takeCommands refills the list of commands and reports whether there are any. An empty mailbox marks the shard as
// sleeping: the next put wakes it.
func (sh *shard) takeCommands() bool {
	if sh.at < len(sh.commands) {
		return true
	}
	sh.commands, sh.at = sh.box.take(sh.commands[:0], !sh.dirty()), 0
	return len(sh.commands) > 0
}

// dirty reports whether anything waits to be written.
func (sh *shard) dirty() bool { return len(sh.first) > 0 || sh.bulkAt < len(sh.bulk) }

// runCommands works on the mailbox within the turn's budget.
func (sh *shard) runCommands() {
	sh.work = 0
	for sh.at < len(sh.commands) && sh.work < commandWork && sh.backlog <= sh.maxBacklog() {
		c := &sh.commands[sh.at]
		sh.at++
		if c.delivery != nil {
			sh.deliver(c.delivery)
		} else {
			c.do(sh)
		}
		sh.work++
		*c = command{}
	}
}

func (sh *shard) maxBacklog() int { return max(maxBacklog, maxBacklogPerSession*len(sh.sessions)) }

// endTurn wakes the writers of server connections and hands over what was counted.
func (sh *shard) endTurn() {
	for i, to := range sh.owed {
		to.Flush()
		sh.owed[i] = nil
	}
	sh.owed = sh.owed[:0]
	m := sh.owner.metrics
	if sh.bytesIn > 0 {
		m.BytesIn.Add(float64(sh.bytesIn))
		sh.bytesIn = 0
	}
	if sh.bytesOut > 0 {
		m.BytesOut.Add(float64(sh.bytesOut))
		sh.bytesOut = 0
	}
	if sh.delivered > 0 {
		m.Deliveries.Add(float64(sh.delivered))
		sh.delivered = 0
	}
	if sh.queuedUnits > 0 || sh.inQty > 0 {
		m.MessagesOut.Add(float64(sh.queuedUnits))
		m.MessagesIn.Add(float64(sh.inQty))
		sh.owner.count(sh.queuedUnits + sh.inQty)
		sh.queuedUnits, sh.inQty = 0, 0
	}
	for r := reason.DropNoPayload; r <= reason.DropMalformed; r++ {
		if n := sh.drops[r]; n > 0 {
			m.Count(r, n)
			sh.drops[r] = 0
		}
	}
}

func (sh *shard) countIn(n int64) { sh.inQty += n }

// stop cuts everything; the loop ends after this turn.
func (sh *shard) stop() {
	for _, s := range sh.sessions {
		if s.state < stateClosing {
			sh.end(s, reason.Drain, "")
			if s.state != stateClosed {
				sh.flush(s)
			}
		}
		sh.closeSocket(s)
	}
	sh.stopping = true
}

// takeSlot gives s a number that the poller's events carry.
func (sh *shard) takeSlot(s *session) {
	if n := len(sh.vacant); n > 0 {
		s.slot = sh.vacant[n-1]
		sh.vacant = sh.vacant[:n-1]
		sh.slots[s.slot] = s
		return
	}
	s.slot = int32(len(sh.slots))
	sh.slots = append(sh.slots, s)
}

func (sh *shard) dropSlot(s *session) {
	sh.slots[s.slot] = nil
	sh.vacant = append(sh.vacant, s.slot)
	s.slot = -1
}
