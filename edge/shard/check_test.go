package shard

import (
	"errors"
	"fmt"
	"slices"
)

// CheckForTest looks for inconsistencies in every shard while they run.
func (x *Shards) CheckForTest() error {
	answers := make(chan error, len(x.shards))
	for _, sh := range x.shards {
		if !sh.postMust(command{do: func(sh *shard) { answers <- sh.check() }}) {
			answers <- nil
		}
	}
	var all error
	for range x.shards {
		all = errors.Join(all, <-answers)
	}
	return all
}

// check reports what is inconsistent in a shard. It runs in the shard, or after its end.
func (sh *shard) check() error {
	return errors.Join(sh.checkSessions(), sh.checkSlots(), sh.checkHubs(), sh.checkQueues(), sh.checkInvocations())
}

// must collects the rules that do not hold.
type must struct{ err error }

func (m *must) hold(ok bool, format string, args ...any) {
	if !ok {
		m.err = errors.Join(m.err, fmt.Errorf(format, args...))
	}
}

func (sh *shard) checkSessions() error {
	var m must
	leaving := 0
	for id, s := range sh.sessions {
		m.hold(s.id == id, "%s stands under %s", s.id, id)
		m.hold(s.state != stateClosed, "%s is closed and registered", id)
		m.hold(s.indexed == s.exists(), "%s in state %d indexed %v", id, s.state, s.indexed)
		m.hold((s.link != nil) == s.exists(), "%s in state %d has link %v", id, s.state, s.link != nil)
		m.hold((s.pos >= 0) == (s.state == stateOpen), "%s in state %d at position %d", id, s.state, s.pos)
		m.hold(s.opening != nil || s.state >= stateOpen, "%s in state %d without opening", id, s.state)
		m.hold(s.state < stateClosing || s.opening == nil && s.extra == nil && s.in == nil, "%s closes with luggage", id)
		watched := s.deadline != 0 || s.expires != 0 || s.stalledSince != 0
		m.hold(!watched || s.pend >= 0, "%s in state %d needs the clock and is not watched", id, s.state)
		if s.extra != nil && s.extra.migrate {
			leaving++
		}
		if s.opening != nil {
			n := 0
			for _, f := range s.opening.held {
				n += len(f.b)
			}
			m.hold(n == s.opening.heldBytes, "%s holds %d bytes, says %d", id, n, s.opening.heldBytes)
		}
	}
	m.hold(leaving == sh.leaving, "%d sessions leave, %d counted", leaving, sh.leaving)
	for i, s := range sh.pending {
		m.hold(int(s.pend) == i, "%s at %d of pending says %d", s.id, i, s.pend)
		m.hold(sh.sessions[s.id] == s, "%s is watched and not registered", s.id)
	}
	return m.err
}

func (sh *shard) checkSlots() error {
	var m must
	used := 0
	for i, s := range sh.slots {
		if s == nil {
			m.hold(slices.Contains(sh.vacant, int32(i)), "slot %d is lost", i)
			continue
		}
		used++
		m.hold(int(s.slot) == i, "%s in slot %d says %d", s.id, i, s.slot)
		m.hold(sh.sessions[s.id] == s, "%s has a slot and is not registered", s.id)
	}
	m.hold(used+len(sh.vacant) == len(sh.slots), "%d slots used, %d vacant of %d", used, len(sh.vacant), len(sh.slots))
	m.hold(used == len(sh.sessions), "%d slots for %d sessions", used, len(sh.sessions))
	return m.err
}

func (sh *shard) checkHubs() error {
	var m must
	for name, h := range sh.hubs {
		m.hold(h.name == name, "hub %s stands under %s", h.name, name)
		indexed, open, withUser, memberships := 0, 0, 0, 0
		for _, s := range sh.sessions {
			if !s.indexed || s.list.hub != h {
				continue
			}
			indexed++
			memberships += len(s.groups)
			if s.pos >= 0 {
				open++
			}
			if s.user != "" {
				withUser++
			}
			for i, x := range s.groups {
				li := h.listIndex(s.list)
				ok := h.groups[x.group.name] == x.group && li < len(x.group.members) &&
					int(x.pos) < len(x.group.members[li]) && x.group.members[li][x.pos] == s
				m.hold(ok, "%s is not where it says in group %s", s.id, x.group.name)
				m.hold(s.find(x.group.name) == i, "%s is in group %s twice", s.id, x.group.name)
			}
		}
		m.hold(h.live == indexed, "hub %s: %d live, %d counted", name, indexed, h.live)
		for _, l := range h.lists {
			open -= len(l.members)
			named := 0
			for _, s := range sh.sessions {
				if s.list == l {
					named++
				}
			}
			m.hold(named == l.sessions, "list %s of %s has %d sessions, says %d", l.protocol, name, named, l.sessions)
			for i, s := range l.members {
				m.hold(int(s.pos) == i && s.list == l && sh.sessions[s.id] == s, "%s is misplaced in %s", s.id, l.protocol)
			}
		}
		m.hold(open == 0, "hub %s: %d receivers too few", name, open)
		for _, g := range h.groups {
			n := 0
			for _, list := range g.members {
				n += len(list)
			}
			memberships -= n
			m.hold(n == g.size && n > 0, "group %s of %s has %d members, says %d", g.name, name, n, g.size)
		}
		m.hold(memberships == 0, "hub %s: %d memberships too few in groups", name, memberships)
		m.hold(withUser == h.checkUsers(&m, sh), "hub %s: users incomplete, want %d", name, withUser)
		for user, r := range h.rules {
			m.hold(len(r.rules) > 0 && len(r.rules) <= maxRules, "user %s of %s has %d rules", user, name, len(r.rules))
		}
	}
	return m.err
}

func (h *hub) checkUsers(m *must, sh *shard) (n int) {
	for user, head := range h.users {
		m.hold(head != nil && head.prevOfUser == nil, "user %s has no head", user)
		for s := head; s != nil && n <= len(sh.sessions); s = s.nextOfUser {
			n++
			m.hold(s.user == user && s.indexed && s.list.hub == h, "%s is not of user %s", s.id, user)
			m.hold(s.nextOfUser == nil || s.nextOfUser.prevOfUser == s, "user %s is torn at %s", user, s.id)
		}
	}
	return n
}

func (sh *shard) checkQueues() error {
	var m must
	backlog := 0
	for id, s := range sh.sessions {
		q := &s.out
		behind, frames := 0, 0
		for c := q.head; c != nil; c = c.next {
			m.hold(c.n > 0 && c.n <= chunkFrames, "%s has a chunk of %d frames", id, c.n)
			m.hold(c.next != nil || q.tail == c, "%s has a lost tail", id)
			frames += int(c.n)
			for _, f := range c.frames[:c.n] {
				if f != nil {
					behind += len(f.b)
				}
			}
		}
		m.hold(behind == int(q.behind), "%s: %d bytes behind, says %d", id, behind, q.behind)
		m.hold(q.first != nil || q.head == nil && q.written == 0, "%s has a queue without a first frame", id)
		m.hold(q.first == nil || int(q.written) < len(q.first.b), "%s keeps a frame that was written", id)
		m.hold(q.first != nil || s.stalledSince == 0, "%s is stalled with nothing to write", id)
		listed := slices.Contains(sh.first, s) || slices.Contains(sh.bulk, s)
		m.hold(s.dirty == dirtyNo || listed, "%s is dirty and not listed", id)
		if s.stalledSince == 0 {
			backlog += frames
			m.hold(q.first == nil || s.dirty != dirtyNo, "%s has something to write that nobody writes", id)
		}
	}
	m.hold(backlog == sh.backlog, "%d frames wait to be written, says %d", backlog, sh.backlog)
	spare := 0
	for c := sh.chunks; c != nil; c = c.next {
		spare++
		m.hold(c.n == 0 && c.frames == [chunkFrames]*frame{}, "a spare chunk is not empty")
	}
	m.hold(spare == sh.spare, "%d spare chunks, says %d", spare, sh.spare)
	return m.err
}

func (sh *shard) checkInvocations() error {
	var m must
	for id, v := range sh.invocations {
		ok := sh.sessions[v.session.id] == v.session && v.session.extra != nil &&
			slices.Contains(v.session.extra.invocations, id)
		m.hold(ok, "invocation %s: its session does not know it", id)
	}
	for _, s := range sh.sessions {
		if s.extra == nil {
			continue
		}
		for _, id := range s.extra.invocations {
			m.hold(sh.invocations[id].session == s, "invocation %s of %s is not registered", id, s.id)
		}
	}
	return m.err
}
