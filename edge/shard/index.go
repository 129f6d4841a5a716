package shard

import (
	"strings"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
)

// framing says where one hub message of a protocol ends.
type framing uint8

const (
	// framingOpaque is a protocol that the edge does not know: bytes pass as they come (spec trap 41).
	framingOpaque framing = iota
	framingText
	framingPrefixed
)

// memberList is the sessions of one hub that speak one hub protocol, so that a fan-out picks its frame once.
type memberList struct {
	hub      *hub
	protocol string // lower case
	framing  framing
	opcode   websocket.Opcode
	members  []*session
	sessions int // that name the protocol, members or not
}

// proto returns the protocol in which the edge writes its own hub messages to the list's sessions.
func (l *memberList) proto() hubproto.Protocol {
	if l.framing == framingText {
		return hubproto.JSON
	}
	return hubproto.MessagePack
}

// hub is one shard's part of a hub: an isolated scope of connections, users and groups.
type hub struct {
	name   string
	lists  []*memberList
	users  map[string]*session // head of a list through session.nextOfUser
	groups map[string]*group
	rules  map[string]*userRules
	live   int // sessions in users or lists
	stats  *hubStats
}

// group is one shard's members of a group, one list per hub protocol in the order of hub.lists.
type group struct {
	name    string
	members [][]*session
	size    int
}

// membership is a session's place in a group.
type membership struct {
	group *group
	pos   int32
}

func (sh *shard) hub(name string) *hub {
	h := sh.hubs[name]
	if h == nil {
		h = &hub{
			name: name, users: map[string]*session{}, groups: map[string]*group{},
			rules: map[string]*userRules{}, stats: sh.owner.hubStats(name),
		}
		sh.hubs[name] = h
	}
	return h
}

// list returns the hub's list of a protocol, made at first use. Clients name protocols as they like: a list that
// nobody has any more is used again, so that there are never more than there are sessions.
func (h *hub) list(protocol string) *memberList {
	var l *memberList
	for _, x := range h.lists {
		if strings.EqualFold(x.protocol, protocol) {
			return x
		}
		if x.sessions == 0 {
			l = x
		}
	}
	if l == nil {
		l = &memberList{}
		h.lists = append(h.lists, l)
	}
	*l = memberList{hub: h, protocol: strings.Clone(strings.ToLower(protocol)), opcode: websocket.OpBinary}
	switch l.protocol {
	case "json":
		l.framing, l.opcode = framingText, websocket.OpText
	case "messagepack", "blazorpack":
		l.framing = framingPrefixed
	}
	return l
}

// index makes s addressable by its user and applies the user's group rules: the moment from which it exists.
func (sh *shard) index(s *session) {
	h := s.list.hub
	s.indexed = true
	h.live++
	h.stats.clients.Add(1)
	if s.user != "" {
		if head := h.users[s.user]; head != nil {
			s.nextOfUser = head
			head.prevOfUser = s
		}
		h.users[s.user] = s
		sh.applyRules(h, s)
	}
}

// joinAll puts s among the receivers of broadcasts: only after its handshake answer has passed (spec section 6).
func (s *session) joinAll() {
	s.pos = int32(len(s.list.members))
	s.list.members = append(s.list.members, s)
}

// unindex removes s from every registry. A client leaves them before its Close reaches it.
func (sh *shard) unindex(s *session) {
	if s.pos >= 0 {
		l := s.list
		last := len(l.members) - 1
		moved := l.members[last]
		l.members[s.pos] = moved
		moved.pos = s.pos
		l.members[last] = nil
		l.members = l.members[:last]
		s.pos = -1
	}
	if !s.indexed {
		return
	}
	s.indexed = false
	h := s.list.hub
	for len(s.groups) > 0 {
		h.leave(s, len(s.groups)-1)
	}
	s.groups = nil
	if s.user != "" {
		if s.nextOfUser != nil {
			s.nextOfUser.prevOfUser = s.prevOfUser
		}
		switch {
		case s.prevOfUser != nil:
			s.prevOfUser.nextOfUser = s.nextOfUser
		case s.nextOfUser != nil:
			h.users[s.user] = s.nextOfUser
		default:
			delete(h.users, s.user)
		}
		s.nextOfUser, s.prevOfUser = nil, nil
	}
	h.live--
	h.stats.clients.Add(-1)
}

// find returns s's membership of the group, or -1.
func (s *session) find(name string) int {
	for i := range s.groups {
		if s.groups[i].group.name == name {
			return i
		}
	}
	return -1
}

// join adds s to a group; again is no change.
func (h *hub) join(s *session, name string) {
	if s.find(name) >= 0 {
		return
	}
	g := h.groups[name]
	if g == nil {
		g = &group{name: strings.Clone(name)}
		h.groups[g.name] = g
	}
	li := h.listIndex(s.list)
	for len(g.members) <= li {
		g.members = append(g.members, nil)
	}
	s.groups = append(s.groups, membership{group: g, pos: int32(len(g.members[li]))})
	g.members[li] = append(g.members[li], s)
	g.size++
}

// leave removes s's i-th membership; the group goes with its last member.
func (h *hub) leave(s *session, i int) {
	m := s.groups[i]
	g, li := m.group, h.listIndex(s.list)
	members := g.members[li]
	last := len(members) - 1
	moved := members[last]
	members[m.pos] = moved
	for j := range moved.groups {
		if moved.groups[j].group == g {
			moved.groups[j].pos = m.pos
			break
		}
	}
	members[last] = nil
	g.members[li] = members[:last]
	g.size--
	end := len(s.groups) - 1
	s.groups[i] = s.groups[end]
	s.groups[end] = membership{}
	s.groups = s.groups[:end]
	if g.size == 0 {
		delete(h.groups, g.name)
	}
}

func (h *hub) listIndex(l *memberList) int {
	for i, x := range h.lists {
		if x == l {
			return i
		}
	}
	panic("shard: list of another hub")
}
