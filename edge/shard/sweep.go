package shard

import (
	"time"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// sweepParts: the idle sweep looks at every session once in this many seconds.
const sweepParts = 15

// tick is the shard's only timer: once a second it looks at the sessions with a deadline, and at a part of the rest.
func (sh *shard) tick(now uint32) {
	if now <= sh.now {
		return
	}
	sh.now = now
	limits := sh.owner.limits.Load()
	sh.queueLimit = limits.SendQueue
	slow := seconds(limits.SlowAfter)
	for i := len(sh.pending) - 1; i >= 0; i-- { //nolint:modernize // the list shrinks under the loop
		if i < len(sh.pending) {
			sh.due(sh.pending[i], slow)
		}
	}
	if len(sh.invocations) > 0 {
		sh.expireInvocations()
	}
	sh.sweepRules()
	sh.sweep(uint32(limits.Idle / time.Second))
}

// due acts on what has passed: an expiry, a patience, a deadline. Who has none any more leaves the list.
func (sh *shard) due(s *session, slow uint32) {
	live := s.state < stateClosing
	switch {
	case live && s.expires != 0 && s.expires <= sh.now:
		sh.end(s, reason.AuthExpired, "")
		return
	case live && s.stalledSince != 0 && sh.now-s.stalledSince >= slow:
		sh.end(s, reason.SlowStalled, "")
		return
	case s.deadline == 0:
		if s.expires == 0 && s.stalledSince == 0 {
			sh.unwatch(s)
		}
		return
	case s.deadline > sh.now:
		return
	}
	switch s.state {
	case stateHandshake, stateOpening:
		sh.end(s, reason.HandshakeTimeout, "")
	case stateWaiting:
		sh.assign(s) // the last chance; it ends the session otherwise
	case stateClosing:
		sh.closeSocket(s)
	case stateOpen, stateClosed:
	}
}

// sweep looks for idle sessions in a part of the slots.
func (sh *shard) sweep(idle uint32) {
	n := (len(sh.slots) + sweepParts - 1) / sweepParts
	for range n {
		if sh.sweepAt >= len(sh.slots) {
			sh.sweepAt = 0
		}
		s := sh.slots[sh.sweepAt]
		sh.sweepAt++
		if s == nil || s.state >= stateClosing {
			continue
		}
		if x := s.extra; x != nil && x.previous != nil && x.previousEnd <= sh.now {
			x.previous = nil
		}
		if idle > 0 && sh.now-max(s.lastIn, s.lastOut) >= idle {
			sh.end(s, reason.IdleTimeout, "")
		}
	}
}
