package shard

import (
	"slices"
	"strings"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

const (
	// maxRules is how many group rules of one user are kept; the one updated longest ago falls out
	// (rest-and-serverless.md 1.10).
	maxRules = 100
	// ruleLife is how long a rule without a TTL lives, in seconds: one year (ibid.).
	ruleLife = 365 * 24 * 3600
	// maxPage is the most members of a group that one page of a listing has (rest-and-serverless.md 1.9).
	maxPage = 200
)

// userRules are the groups that connections of a user join by themselves. Every shard keeps its own copy: a rule is
// set and removed in all shards by the same command.
type userRules struct {
	rules []rule // least recently updated first
}

type rule struct {
	group   string
	expires uint32
}

// connection returns the session that a message of hub names, if it counts as a connection.
func (sh *shard) connection(hubName, id string) *session {
	s := sh.sessions[id]
	if s == nil || !s.exists() || s.list.hub.name != hubName {
		return nil
	}
	return s
}

func (sh *shard) applyRules(h *hub, s *session) {
	if r := h.liveRules(s.user, sh.now); r != nil {
		for _, x := range r.rules {
			h.join(s, x.group)
		}
	}
}

// liveRules returns the user's rules without those that have expired, nil if there are none.
func (h *hub) liveRules(user string, now uint32) *userRules {
	r := h.rules[user]
	if r == nil {
		return nil
	}
	r.rules = slices.DeleteFunc(r.rules, func(x rule) bool { return x.expires <= now })
	if len(r.rules) == 0 {
		delete(h.rules, user)
		return nil
	}
	return r
}

// sweptRules is how many users of a hub are looked at each second for rules that have expired.
const sweptRules = 1024

// sweepRules forgets the expired rules of users who do not come back. A map's iteration begins anywhere, so that all
// have their turn.
func (sh *shard) sweepRules() {
	for _, h := range sh.hubs {
		n := 0
		for user := range h.rules {
			h.liveRules(user, sh.now)
			if n++; n == sweptRules {
				break
			}
		}
	}
}

// userJoin adds the user's connections to a group, and future ones for ttl seconds (nil: a year; 0: none).
func (sh *shard) userJoin(hubName, user, groupName string, ttl *int32) {
	h := sh.hub(hubName)
	for s := h.users[user]; s != nil; s = s.nextOfUser {
		h.join(s, groupName)
	}
	life := uint32(ruleLife)
	if ttl != nil {
		if *ttl <= 0 {
			return
		}
		life = uint32(min(*ttl, ruleLife))
	}
	r := h.liveRules(user, sh.now)
	if r == nil {
		r = &userRules{}
		h.rules[strings.Clone(user)] = r
	}
	r.rules = slices.DeleteFunc(r.rules, func(x rule) bool { return x.group == groupName })
	if len(r.rules) == maxRules {
		r.rules = slices.Delete(r.rules, 0, 1)
	}
	r.rules = append(r.rules, rule{group: groupName, expires: sh.now + life})
}

// userLeave takes the user's connections out of a group and forgets the rule; all is every group and rule.
func (sh *shard) userLeave(hubName, user, groupName string, all bool) {
	h := sh.hubs[hubName]
	if h == nil {
		return
	}
	for s := h.users[user]; s != nil; s = s.nextOfUser {
		h.leaveNamed(s, groupName, all)
	}
	r := h.rules[user]
	if r == nil {
		return
	}
	if all {
		r.rules = nil
	} else {
		r.rules = slices.DeleteFunc(r.rules, func(x rule) bool { return x.group == groupName })
	}
	if len(r.rules) == 0 {
		delete(h.rules, user)
	}
}

func (h *hub) leaveNamed(s *session, groupName string, all bool) {
	for all && len(s.groups) > 0 {
		h.leave(s, len(s.groups)-1)
	}
	if i := s.find(groupName); !all && i >= 0 {
		h.leave(s, i)
	}
}

// userInGroup reports whether a live rule or a connection of the user says so.
func (sh *shard) userInGroup(hubName, user, groupName string) bool {
	h := sh.hubs[hubName]
	if h == nil {
		return false
	}
	for s := h.users[user]; s != nil; s = s.nextOfUser {
		if s.find(groupName) >= 0 {
			return true
		}
	}
	if r := h.liveRules(user, sh.now); r != nil {
		return slices.ContainsFunc(r.rules, func(x rule) bool { return x.group == groupName })
	}
	return false
}

func (sh *shard) groupExists(hubName, name string) bool {
	h := sh.hubs[hubName]
	return h != nil && h.groups[name] != nil
}

func (sh *shard) userExists(hubName, user string) bool {
	h := sh.hubs[hubName]
	return h != nil && h.users[user] != nil
}

// members returns up to n members of a group whose ids are above after, ordered by id.
func (sh *shard) members(hubName, groupName, after string, n int) []service.GroupMember {
	h := sh.hubs[hubName]
	if h == nil || h.groups[groupName] == nil {
		return nil
	}
	page := make([]*session, 0, n+1)
	for _, list := range h.groups[groupName].members {
		for _, s := range list {
			if s.id <= after || len(page) == n && s.id > page[n-1].id {
				continue
			}
			at, _ := slices.BinarySearchFunc(page, s.id, func(x *session, id string) int {
				return strings.Compare(x.id, id)
			})
			page = slices.Insert(page, at, s)
			if len(page) > n {
				page = page[:n]
			}
		}
	}
	out := make([]service.GroupMember, len(page))
	for i, s := range page {
		out[i] = service.GroupMember{ConnectionID: s.id, UserID: s.user}
	}
	return out
}

// pageOf orders what the shards found and cuts it to one page. The continuation token is the last id on it; there is
// none when nothing follows or the caller has all it wants.
func pageOf(found []service.GroupMember, size int, top *int32) service.GroupMemberPage {
	slices.SortFunc(found, func(a, b service.GroupMember) int { return strings.Compare(a.ConnectionID, b.ConnectionID) })
	if len(found) <= size {
		return service.GroupMemberPage{Members: found}
	}
	p := service.GroupMemberPage{Members: found[:size]}
	if size > 0 && (top == nil || int(*top) > size) {
		p.ContinuationToken = found[size-1].ConnectionID
	}
	return p
}

// closeMatching ends the connections that a management call names. Their carriers are told, the caller too.
func (sh *shard) closeMatching(sessions []*session, except []string, why string) {
	for _, s := range sessions {
		if s.exists() && !slices.Contains(except, s.id) {
			sh.end(s, reason.ClosedByManagement, why)
		}
	}
}

// closeOne ends a connection on behalf of from. The server that carries the client has said its own goodbye or
// wants none; anybody else's close is told to the carrier.
func (sh *shard) closeOne(from Link, s *session, why string) {
	if s.link != from {
		sh.end(s, reason.ClosedByManagement, why)
		return
	}
	if from.Draining() && !s.sentClose {
		sh.end(s, reason.ServerDraining, why)
		return
	}
	sh.end(s, reason.ServerClosed, why)
}

// everybody returns all sessions of the hub, those too that the lists do not have yet because their gate is shut.
func (sh *shard) everybody(h *hub) []*session {
	out := make([]*session, 0, h.live)
	for _, s := range sh.sessions {
		if s.indexed && s.list.hub == h {
			out = append(out, s)
		}
	}
	return out
}

func (h *hub) ofUser(user string) []*session {
	var out []*session
	for s := h.users[user]; s != nil; s = s.nextOfUser {
		out = append(out, s)
	}
	return out
}

func (h *hub) ofGroup(name string) []*session {
	g := h.groups[name]
	if g == nil {
		return nil
	}
	return slices.Concat(g.members...)
}
