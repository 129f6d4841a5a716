package shard

import (
	"slices"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// previousGrace is how long, in seconds, late messages of the server that a client migrated from are passed on.
const previousGrace = 5

// assign looks for a server connection for a session that waits for one, and opens the client there.
func (sh *shard) assign(s *session) {
	o := s.opening
	link, why := sh.owner.choose(Want{Hub: o.hub, ServerID: o.serverID, Sticky: o.sticky})
	if link == nil {
		if sh.now >= s.deadline {
			sh.end(s, why, "")
			return
		}
		sh.keep(s, holdNoServer)
		return
	}
	s.link = link
	s.state = stateOpening
	s.deadline = sh.now + seconds(o.timeout)
	o.open.Protocol = s.list.protocol
	sh.send(link, o.open)
	sh.data(s, o.handshake)
	sh.index(s)
	sh.release(s, holdNoServer)
}

// openGate lets everything through to a client whose handshake answer has been passed on.
func (sh *shard) openGate(s *session) {
	o := s.opening
	s.state = stateOpen
	s.deadline = 0
	s.joinAll()
	for _, f := range o.held {
		sh.delivered++
		sh.enqueue(s, f, dirtyFirst)
		if s.state != stateOpen {
			return
		}
	}
	o.held, o.heldBytes = nil, 0
	if !s.link.Migratable() {
		s.opening = nil
	}
	if s.extra != nil && s.extra.migrate {
		sh.migrate(s)
	}
}

// serverArrived gives waiting sessions of the hub another chance, and those that want to leave a draining server.
func (sh *shard) serverArrived(name string) {
	h := sh.hubs[name]
	if h == nil {
		return
	}
	for i := len(sh.pending) - 1; i >= 0 && i < len(sh.pending); i-- {
		if s := sh.pending[i]; s.state == stateWaiting && s.list.hub == h {
			sh.assign(s)
		}
	}
	if sh.leaving == 0 {
		return
	}
	for _, s := range sh.sessions {
		if s.state == stateOpen && s.list.hub == h && s.extra != nil && s.extra.migrate {
			sh.migrate(s)
		}
	}
}

// serverLost ends the clients of a server connection that ended: its SDK has forgotten them (spec 4.5).
func (sh *shard) serverLost(link Link) {
	r := reason.ServerLost
	if link.Draining() {
		r = reason.ServerDraining
	}
	for _, s := range sh.sessions {
		switch {
		case s.link == link && s.state == stateOpening && !s.opening.spoke:
			sh.reopen(s)
		case s.link == link && s.state < stateClosing:
			sh.end(s, r, "")
		case s.extra != nil && s.extra.previous == link:
			s.extra.previous = nil
		}
	}
	sh.forgetCaller(link)
}

// reopen looks for another server for a client whose handshake the lost one has not answered: nobody need notice.
func (sh *shard) reopen(s *session) {
	sh.unindex(s)
	s.link.Attach(-1)
	s.link = nil
	if x := s.extra; x != nil {
		x.partial = nil
		sh.dropInvocations(s)
		sh.stay(x)
	}
	s.state = stateWaiting
	sh.keep(s, holdNoServer) // first: what is kept has no link to go to
	s.hold &^= holdCongested
	s.deadline = sh.now + seconds(sh.owner.limits.Load().NoServerWait)
	sh.assign(s)
}

// serverReady lets clients speak again whose app server had fallen behind.
func (sh *shard) serverReady(link Link) {
	for _, s := range sh.sessions {
		if s.hold&holdCongested != 0 && s.link == link {
			sh.release(s, holdCongested)
		}
	}
}

// serverLeaves moves the clients of a server connection that asked for it (fin:1) to other app servers.
func (sh *shard) serverLeaves(link Link) {
	for _, s := range sh.sessions {
		if s.link != link || !s.exists() || !link.Migratable() {
			continue
		}
		if x := s.rare(); !x.migrate {
			x.migrate = true
			sh.leaving++
		}
		if s.state == stateOpen {
			sh.migrate(s)
		}
	}
}

// migrate moves s to another app server if there is one (spec 4.8). Whole messages only are ever forwarded, so the
// client's side stands at a boundary; the server's side does when no part is missing.
func (sh *shard) migrate(s *session) {
	x, o, old := s.extra, s.opening, s.link
	if len(x.partial) > 0 {
		return // completed by the next part, which comes back here
	}
	next, _ := sh.owner.choose(Want{
		Hub: s.list.hub.name, ExcludeServer: old.ServerID(), Migratable: true,
	})
	if next == nil {
		return // serverArrived comes back here
	}
	sh.send(old, &service.CloseConnection{ConnectionID: s.id, Headers: []service.Header{
		{Name: service.HeaderMigrateTo, Values: []string{next.ServerID()}},
	}})
	old.Attach(-1)
	sh.stay(x)
	x.previous, x.previousEnd = old, sh.now+previousGrace
	s.link = next
	again := *o.open
	again.Headers = append(slices.Clip(again.Headers), service.Header{
		Name: service.HeaderMigrateFrom, Values: []string{old.ServerID()},
	})
	sh.send(next, &again)
	sh.data(s, o.handshake) // its answer is swallowed by the SDK
	sh.owner.metrics.Migrations.Inc()
	if s.hold&holdCongested != 0 {
		sh.release(s, holdCongested)
	}
}

// stay takes back a session's wish to leave its server.
func (sh *shard) stay(x *extra) {
	if x.migrate {
		x.migrate = false
		sh.leaving--
	}
}

// keep holds s's input back for h.
func (sh *shard) keep(s *session, h hold) {
	if s.hold&h == h {
		return
	}
	s.hold |= h
	sh.setInterest(s)
}

// release ends a hold; what was kept goes on in order.
func (sh *shard) release(s *session, h hold) {
	if s.hold&h == 0 {
		return
	}
	s.hold &^= h
	if s.hold != 0 || s.state >= stateClosing {
		return
	}
	sh.drainInput(s, 0)
	if s.state < stateClosed {
		sh.setInterest(s)
	}
}

// send appends m to a server connection's queue and owes it a flush.
func (sh *shard) send(to Sender, m service.Message) {
	if to.Send(m) {
		sh.owe(to)
	}
}

// data appends client bytes to the queue of s's link.
func (sh *shard) data(s *session, p []byte) {
	if s.link.Data(s.id, p) {
		sh.owe(s.link)
	}
}

// owe remembers that a writer must be woken at the end of the turn.
func (sh *shard) owe(to Sender) { sh.owed = append(sh.owed, to) }
