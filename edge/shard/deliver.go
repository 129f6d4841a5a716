package shard

import (
	"bytes"
	"slices"
	"strings"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// target says which sessions of a hub a delivery is for.
type target uint8

const (
	toAll target = iota
	toGroups
	toUsers
	toConnections
)

// delivery is one message on its way to a shard's members. It is shared by all shards and never changed.
type delivery struct {
	hub         string
	target      target
	names       []string // of groups, users or connections
	except      []string // connection ids
	exceptUsers []string
	payloads    []encoded
	size        int
}

// encoded is a message in one hub protocol, framed.
type encoded struct {
	protocol string
	frame    *frame
}

// encode frames a payload map once for everybody.
func encode(payloads service.Payloads) (out []encoded, size int) {
	out = make([]encoded, 0, len(payloads))
	for _, p := range payloads {
		op := websocket.OpBinary
		if strings.EqualFold(p.Protocol, "json") {
			op = websocket.OpText
		}
		f := newFrame(op, p.Data, units(len(p.Data)))
		out = append(out, encoded{protocol: strings.ToLower(p.Protocol), frame: f})
		size += len(f.b)
	}
	return out, size
}

// frameFor picks the frame for a list's protocol, nil if the message has none.
func (d *delivery) frameFor(l *memberList) *frame { return frameFor(d.payloads, l) }

func frameFor(payloads []encoded, l *memberList) *frame {
	for i := range payloads {
		if payloads[i].protocol == l.protocol {
			return payloads[i].frame
		}
	}
	return nil
}

// bulkMembers: with more recipients than this a message is a fan-out, which is written in slices.
const bulkMembers = 64

// deliver hands d to its recipients in this shard. Nothing is allocated per recipient.
func (sh *shard) deliver(d *delivery) {
	h := sh.hubs[d.hub]
	if h == nil {
		if d.target == toConnections {
			sh.drops[reason.DropUnknownConnection] += len(d.names)
		}
		return
	}
	sh.stamp++
	excluding := sh.exclude(h, d)
	switch d.target {
	case toAll:
		for _, l := range h.lists {
			if len(l.members) > 0 {
				sh.deliverTo(l, l.members, d, excluding)
			}
		}
	case toGroups:
		// A connection in several of the groups gets the message as often (spec 3.6).
		for _, name := range d.names {
			if g := h.groups[name]; g != nil {
				sh.deliverToGroup(h, g, d, excluding)
			}
		}
	case toUsers:
		for _, name := range d.names {
			sh.deliverToUser(h.users[name], d)
		}
	case toConnections:
		for _, id := range d.names {
			sh.deliverToConnection(h, sh.sessions[id], d)
		}
	}
}

func (sh *shard) deliverToGroup(h *hub, g *group, d *delivery, excluding bool) {
	for i, members := range g.members {
		if len(members) > 0 {
			sh.deliverTo(h.lists[i], members, d, excluding)
		}
	}
}

// deliverToUser serves the list of a user's connections that begins with s.
func (sh *shard) deliverToUser(s *session, d *delivery) {
	for s != nil {
		next := s.nextOfUser // s may be cut, and leave the list
		sh.deliverOnce(s, d)
		s = next
	}
}

func (sh *shard) deliverToConnection(h *hub, s *session, d *delivery) {
	if s == nil || s.list == nil || s.list.hub != h || !s.exists() {
		sh.drops[reason.DropUnknownConnection]++
		return
	}
	sh.deliverOnce(s, d)
}

// exclude stamps the sessions that d leaves out.
func (sh *shard) exclude(h *hub, d *delivery) bool {
	for _, id := range d.except {
		if s := sh.sessions[id]; s != nil {
			s.mark = sh.stamp
		}
	}
	for _, user := range d.exceptUsers {
		for s := h.users[user]; s != nil; s = s.nextOfUser {
			s.mark = sh.stamp
		}
	}
	return len(d.except) > 0 || len(d.exceptUsers) > 0
}

// deliverTo is the inner loop of every fan-out. It goes backwards: a member whose queue overflows leaves the list,
// which moves the last one, served already, into its place.
func (sh *shard) deliverTo(l *memberList, members []*session, d *delivery, excluding bool) {
	f := d.frameFor(l)
	if f == nil {
		sh.drops[reason.DropNoPayload] += len(members)
		return
	}
	how := dirtyFirst
	if len(members) > bulkMembers {
		how = dirtyBulk
	}
	sh.work += len(members)
	for _, s := range slices.Backward(members) {
		if excluding && s.mark == sh.stamp {
			continue
		}
		if s.state != stateOpen {
			sh.holdBack(s, f)
			continue
		}
		sh.delivered++
		sh.enqueue(s, f, how)
	}
}

// deliverOnce serves one session, each once per delivery however often it is named (spec 3.6).
func (sh *shard) deliverOnce(s *session, d *delivery) {
	if s.mark == sh.stamp {
		return
	}
	s.mark = sh.stamp
	sh.work++
	f := d.frameFor(s.list)
	if f == nil {
		sh.drops[reason.DropNoPayload]++
		return
	}
	sh.deliverFrame(s, f)
}

func (sh *shard) deliverFrame(s *session, f *frame) {
	if s.state != stateOpen {
		sh.holdBack(s, f)
		return
	}
	sh.delivered++
	sh.enqueue(s, f, dirtyFirst)
}

// holdBack keeps what is addressed to a client whose gate is shut: nothing may reach it before its handshake answer
// (spec section 6).
func (sh *shard) holdBack(s *session, f *frame) {
	if s.state != stateOpening {
		return
	}
	o := s.opening
	if o.heldBytes+len(f.b) > sh.queueLimit && o.heldBytes > 0 {
		sh.drops[reason.DropBeforeHandshake]++
		sh.end(s, reason.SlowQueue, "") // a hole is worse than a reconnect
		return
	}
	o.held = append(o.held, f)
	o.heldBytes += len(f.b)
}

// fromServer takes ConnectionData: bytes for one client from the server connection that carries it. b has headroom
// in front of the payload and belongs to the shard.
func (sh *shard) fromServer(from Link, id string, b []byte, t service.DataType, partial bool) {
	s := sh.sessions[id]
	if s == nil || s.state < stateOpening || s.state >= stateClosing {
		sh.drops[reason.DropUnknownConnection]++
		return
	}
	if s.link != from {
		sh.lateFromServer(from, s, b, t, partial)
		return
	}
	sh.work++
	if s.extra != nil && len(s.extra.partial) > 0 {
		x := s.extra
		if len(x.partial)+len(b)-headroom > sh.owner.limits.Load().MaxServiceFrame {
			sh.end(s, reason.InternalError, "")
			return
		}
		b = append(x.partial, b[headroom:]...)
		if t == 0 {
			t = x.partialType
		}
		x.partial = nil
	}
	if partial || sh.unfinished(s, b[headroom:]) {
		x := s.rare()
		x.partial, x.partialType = b, t
		return
	}
	if s.state == stateOpening {
		sh.handshakeAnswer(from, s, b)
		return
	}
	sh.pass(s, b, t)
	if s.extra != nil && s.extra.migrate && s.state == stateOpen {
		sh.migrate(s)
	}
}

// lateFromServer passes on what the server from which the client migrated still had to say: whole messages only, for a
// part could mix with what the new one says. What it says of the end does not count.
func (sh *shard) lateFromServer(from Link, s *session, b []byte, t service.DataType, partial bool) {
	if s.extra == nil || s.extra.previous != from || t == service.DataClose || t == service.DataHandshake {
		sh.drops[reason.DropNotCarrier]++
		return
	}
	if partial || sh.unfinished(s, b[headroom:]) {
		s.extra.previous = nil
		sh.drops[reason.DropNotCarrier]++
		return
	}
	sh.work++
	sh.pass(s, b, t)
}

// unfinished reports whether b, which an old SDK may have cut anywhere, ends inside a hub message. Clients break on a
// message that is spread over WebSocket messages (client-protocol.md 2.2).
func (sh *shard) unfinished(s *session, b []byte) bool {
	if s.state == stateOpening { // the handshake's answer is a text record in every protocol
		return len(b) > 0 && len(b) < maxHandshake && bytes.IndexByte(b, hubproto.RecordSeparator) < 0
	}
	switch s.list.framing {
	case framingText:
		return len(b) > 0 && b[len(b)-1] != hubproto.RecordSeparator
	case framingPrefixed:
		for len(b) > 0 {
			msg, rest, err := hubproto.NextMessage(hubproto.LengthPrefixed, b, sh.owner.limits.Load().MaxServiceFrame)
			if err != nil {
				return false // not ours to repair
			}
			if msg == nil {
				return true
			}
			b = rest
		}
	case framingOpaque:
	}
	return false
}

// handshakeAnswer passes the app server's answer to the handshake and opens the gate, if it is a yes.
func (sh *shard) handshakeAnswer(from Link, s *session, b []byte) {
	payload := b[headroom:]
	end := bytes.IndexByte(payload, hubproto.RecordSeparator) + 1
	if end == 0 {
		end = len(payload)
	}
	_, refused := hubproto.HandshakeResponseError(payload[:end])
	sh.enqueueAlone(s, newFrame(s.list.opcode, payload[:end], 0))
	if refused {
		sh.end(s, reason.HandshakeRefused, "")
		return
	}
	sh.openGate(s)
	if rest := payload[end:]; len(rest) > 0 {
		sh.fromServer(from, s.id, append(make([]byte, headroom, headroom+len(rest)), rest...), 0, false)
	}
}

// pass sends a server's whole messages to the client.
func (sh *shard) pass(s *session, b []byte, t service.DataType) {
	n := len(b) - headroom
	if n == 0 {
		return
	}
	var count int32
	switch t {
	case service.DataHandshake, service.DataOther:
	case service.DataClose:
		s.sentClose = true
	case service.DataInvocation:
		count = units(n)
	default:
		count = sh.inspect(s, b[headroom:])
	}
	sh.delivered++
	sh.enqueueAlone(s, frameInPlace(s.list.opcode, b, count))
}

// inspect reads the messages of an SDK that does not say what they are.
func (sh *shard) inspect(s *session, b []byte) (count int32) {
	if s.list.framing == framingOpaque {
		return units(len(b))
	}
	f := hubproto.LengthPrefixed
	if s.list.framing == framingText {
		f = hubproto.TextRecords
	}
	for len(b) > 0 {
		msg, rest, err := hubproto.NextMessage(f, b, sh.owner.limits.Load().MaxServiceFrame)
		if err != nil || msg == nil {
			return count + units(len(b))
		}
		b = rest
		switch t, err := hubproto.TypeOf(s.list.proto(), msg); {
		case err != nil || t < hubproto.TypePing:
			count += units(len(msg))
		case t == hubproto.TypeClose:
			s.sentClose = true
		}
	}
	return count
}

func (sh *shard) enqueueAlone(s *session, f *frame) { sh.enqueue(s, f, dirtyFirst) }
