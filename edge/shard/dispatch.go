package shard

import (
	"sync"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Dispatch takes a message that an app server, a management SDK or later another edge sent to a hub's clients. It may
// wait for room in a shard's mailbox, so it is for a server connection's reader only, and keeps the order of its
// calls. Views in m are copied. It reports false for a message that is not for clients.
func (x *Shards) Dispatch(from Link, m service.Message) bool {
	switch m := m.(type) {
	case *service.ConnectionData:
		b := append(make([]byte, headroom, headroom+len(m.Payload)), m.Payload...)
		id, t, partial := m.ConnectionID, m.DataType, m.IsPartial
		x.toOne(id, len(b), func(sh *shard) { sh.fromServer(from, id, b, t, partial) })
	case *service.CloseConnection:
		id, why := m.ConnectionID, m.ErrorMessage
		x.toOne(id, 0, func(sh *shard) {
			if s := sh.connection(from.Hub(), id); s != nil {
				sh.closeOne(from, s, why)
			}
		})
	case *service.MultiConnectionData:
		x.toConnections(from.Hub(), m)
	case *service.UserData:
		x.deliver(m.Filter, m.Payloads, delivery{hub: from.Hub(), target: toUsers, names: []string{m.UserID}})
	case *service.MultiUserData:
		x.deliver(m.Filter, m.Payloads, delivery{hub: from.Hub(), target: toUsers, names: m.UserIDs})
	case *service.BroadcastData:
		x.deliver(m.Filter, m.Payloads, delivery{hub: from.Hub(), target: toAll, except: m.ExcludedConnectionIDs})
	case *service.GroupBroadcastData:
		x.deliver(m.Filter, m.Payloads, delivery{
			hub: from.Hub(), target: toGroups, names: []string{m.Group},
			except: m.ExcludedConnectionIDs, exceptUsers: m.ExcludedUserIDs,
		})
	case *service.MultiGroupBroadcastData:
		x.deliver(m.Filter, m.Payloads, delivery{hub: from.Hub(), target: toGroups, names: m.Groups})
	case *service.ClientInvocation, *service.ClientCompletion, *service.ErrorCompletion:
		x.dispatchInvocation(from, m)
	default:
		return x.dispatchMembers(from, m) || x.dispatchChecks(from, m) || x.dispatchClose(from, m)
	}
	return true
}

// deliver sends a message to every shard.
func (x *Shards) deliver(filter string, payloads service.Payloads, d delivery) {
	if filter != "" {
		x.metrics.Count(reason.DropFilter, 1)
		return
	}
	d.payloads, d.size = encode(payloads)
	for _, sh := range x.shards {
		sh.post(command{delivery: &d, size: d.size})
	}
}

// toConnections sends a message to the shards of the connections that it names.
func (x *Shards) toConnections(hubName string, m *service.MultiConnectionData) {
	if m.Filter != "" {
		x.metrics.Count(reason.DropFilter, 1)
		return
	}
	payloads, size := encode(m.Payloads)
	one := func(sh *shard, ids []string) {
		sh.post(command{
			delivery: &delivery{hub: hubName, target: toConnections, names: ids, payloads: payloads, size: size},
			size:     size,
		})
	}
	if len(m.ConnectionIDs) == 1 {
		one(x.of(m.ConnectionIDs[0]), m.ConnectionIDs)
		return
	}
	parts := make([][]string, len(x.shards))
	for _, id := range m.ConnectionIDs {
		i := x.number(id)
		parts[i] = append(parts[i], id)
	}
	for i, ids := range parts {
		if len(ids) > 0 {
			one(x.shards[i], ids)
		}
	}
}

// toOne runs f in the shard that holds the connection.
func (x *Shards) toOne(id string, size int, f func(*shard)) {
	x.of(id).post(command{do: f, size: size})
}

// toAllShards runs f in every shard.
func (x *Shards) toAllShards(f func(*shard)) {
	for _, sh := range x.shards {
		sh.post(command{do: f})
	}
}

func status(ok bool) service.AckStatus {
	if ok {
		return service.AckOK
	}
	return service.AckNotFound
}

// dispatchMembers takes what changes groups.
func (x *Shards) dispatchMembers(from Link, m service.Message) bool {
	hubName := from.Hub()
	switch m := m.(type) {
	case *service.JoinGroup:
		x.join(from, m.ConnectionID, m.Group, 0, false)
	case *service.JoinGroupWithAck:
		x.join(from, m.ConnectionID, m.Group, m.AckID, true)
	case *service.LeaveGroup:
		x.leave(from, m.ConnectionID, m.Group, m.AllGroups, 0, false)
	case *service.LeaveGroupWithAck:
		x.leave(from, m.ConnectionID, m.Group, m.AllGroups, m.AckID, true)
	case *service.UserJoinGroup:
		x.toAllShards(func(sh *shard) { sh.userJoin(hubName, m.UserID, m.Group, m.TTL) })
	case *service.UserJoinGroupWithAck:
		x.gather(from, m.AckID, true, func(sh *shard) bool {
			sh.userJoin(hubName, m.UserID, m.Group, m.TTL)
			return true
		})
	case *service.UserLeaveGroup:
		x.toAllShards(func(sh *shard) { sh.userLeave(hubName, m.UserID, m.Group, m.AllGroups) })
	case *service.UserLeaveGroupWithAck:
		x.gather(from, m.AckID, true, func(sh *shard) bool {
			sh.userLeave(hubName, m.UserID, m.Group, m.AllGroups)
			return true
		})
	default:
		return false
	}
	return true
}

func (x *Shards) join(from Link, id, groupName string, ackID int32, ack bool) {
	x.toOne(id, 0, func(sh *shard) {
		s := sh.connection(from.Hub(), id)
		if s != nil {
			s.list.hub.join(s, groupName)
		}
		if ack {
			sh.send(from, &service.Ack{AckID: ackID, Status: status(s != nil)})
		}
	})
}

func (x *Shards) leave(from Link, id, groupName string, all bool, ackID int32, ack bool) {
	x.toOne(id, 0, func(sh *shard) {
		s := sh.connection(from.Hub(), id)
		if s != nil {
			s.list.hub.leaveNamed(s, groupName, all)
		}
		if ack {
			sh.send(from, &service.Ack{AckID: ackID, Status: status(s != nil)})
		}
	})
}

// dispatchChecks takes the questions.
func (x *Shards) dispatchChecks(from Link, m service.Message) bool {
	hubName := from.Hub()
	switch m := m.(type) {
	case *service.CheckUserInGroupWithAck:
		x.gather(from, m.AckID, false, func(sh *shard) bool { return sh.userInGroup(hubName, m.UserID, m.Group) })
	case *service.CheckGroupExistenceWithAck:
		x.gather(from, m.AckID, false, func(sh *shard) bool { return sh.groupExists(hubName, m.Group) })
	case *service.CheckUserExistenceWithAck:
		x.gather(from, m.AckID, false, func(sh *shard) bool { return sh.userExists(hubName, m.UserID) })
	case *service.CheckConnectionExistenceWithAck:
		x.toOne(m.ConnectionID, 0, func(sh *shard) {
			ok := sh.connection(hubName, m.ConnectionID) != nil
			sh.send(from, &service.Ack{AckID: m.AckID, Status: status(ok)})
		})
	case *service.GroupMemberQuery:
		x.list(from, m)
	case *service.RefreshAuth:
		x.refresh(from, m)
	case *service.GetConnectionClaims:
		x.claims(from, m)
	default:
		return false
	}
	return true
}

// dispatchClose takes the closes by user, group and hub.
func (x *Shards) dispatchClose(from Link, m service.Message) bool {
	closing := func(ackID int32, except []string, why string, pick func(*shard, *hub) []*session) bool {
		hubName := from.Hub()
		x.gather(from, ackID, true, func(sh *shard) bool {
			if h := sh.hubs[hubName]; h != nil {
				sh.closeMatching(pick(sh, h), except, why)
			}
			return true
		})
		return true
	}
	switch m := m.(type) {
	case *service.CloseConnectionWithAck:
		x.toOne(m.ConnectionID, 0, func(sh *shard) {
			s := sh.connection(from.Hub(), m.ConnectionID)
			if s != nil {
				sh.end(s, reason.ClosedByManagement, m.Reason)
			}
			sh.send(from, &service.Ack{AckID: m.AckID, Status: status(s != nil)})
		})
		return true
	case *service.CloseConnectionsWithAck:
		return closing(m.AckID, m.ExcludedConnectionIDs, m.Reason, (*shard).everybody)
	case *service.CloseUserConnectionsWithAck:
		return closing(m.AckID, m.ExcludedConnectionIDs, m.Reason,
			func(_ *shard, h *hub) []*session { return h.ofUser(m.UserID) })
	case *service.CloseGroupConnectionsWithAck:
		return closing(m.AckID, m.ExcludedConnectionIDs, m.Reason,
			func(_ *shard, h *hub) []*session { return h.ofGroup(m.Group) })
	}
	return false
}

// gather asks every shard and acknowledges when the last has answered: Ok if one said yes, or always.
func (x *Shards) gather(from Link, ackID int32, always bool, ask func(*shard) bool) {
	var (
		mu   sync.Mutex
		left = len(x.shards)
		ok   = always
	)
	x.toAllShards(func(sh *shard) {
		yes := ask(sh)
		mu.Lock()
		defer mu.Unlock()
		ok = ok || yes
		if left--; left == 0 {
			sh.send(from, &service.Ack{AckID: ackID, Status: status(ok)})
		}
	})
}

// list answers one page of a group's members, ordered by connection id over all shards (spec 3.8).
func (x *Shards) list(from Link, m *service.GroupMemberQuery) {
	size := maxPage
	if m.MaxPageSize != nil && *m.MaxPageSize > 0 {
		size = min(size, int(*m.MaxPageSize))
	}
	if m.Top != nil {
		size = min(size, max(int(*m.Top), 0))
	}
	after := m.ContinuationToken
	var (
		mu   sync.Mutex
		left = len(x.shards)
		all  []service.GroupMember
	)
	hubName := from.Hub()
	x.toAllShards(func(sh *shard) {
		part := sh.members(hubName, m.Group, after, size+1) // one more tells whether a page follows
		mu.Lock()
		defer mu.Unlock()
		all = append(all, part...)
		if left--; left > 0 {
			return
		}
		sh.send(from, &service.Ack{
			AckID: m.AckID, Status: service.AckOK, Payload: service.AppendGroupMemberPage(nil, pageOf(all, size, m.Top)),
		})
	})
}

// refresh puts a new expiry and new claims on a live connection (spec 3.7, unproven: no vectors).
func (x *Shards) refresh(from Link, m *service.RefreshAuth) {
	id, ok := x.resolve(m.ConnectionToken)
	if !ok {
		x.answer(from, &service.Ack{AckID: m.AckID, Status: service.AckNotFound})
		return
	}
	x.toOne(id, 0, func(sh *shard) {
		s := sh.connection(from.Hub(), id)
		if s == nil {
			sh.send(from, &service.Ack{AckID: m.AckID, Status: service.AckNotFound})
			return
		}
		if m.Claims != nil {
			s.claims = service.AppendClaimsPayload(nil, m.Claims)
			if s.opening != nil {
				s.opening.open.Claims = m.Claims
			}
		}
		if s.expires = 0; !m.ExpiresOn.IsZero() {
			s.expires = sh.owner.clockAfter(m.ExpiresOn)
			sh.watch(s)
		}
		sh.send(from, &service.Ack{AckID: m.AckID, Status: service.AckOK})
		sh.send(s.link, &service.UpdateConnectionClaims{ConnectionID: id, Claims: x.expand(s.claims)})
	})
}

func (x *Shards) claims(from Link, m *service.GetConnectionClaims) {
	id, ok := x.resolve(m.ConnectionToken)
	if !ok {
		x.answer(from, &service.Ack{AckID: m.AckID, Status: service.AckNotFound})
		return
	}
	x.toOne(id, 0, func(sh *shard) {
		ack := &service.Ack{AckID: m.AckID, Status: service.AckNotFound}
		if s := sh.connection(from.Hub(), id); s != nil {
			ack.Status, ack.Payload = service.AckOK, service.AppendClaimsPayload(nil, x.expand(s.claims))
		}
		sh.send(from, ack)
	})
}

// answer sends outside of a shard.
func (x *Shards) answer(to Sender, m service.Message) {
	if to.Send(m) {
		to.Flush()
	}
}
