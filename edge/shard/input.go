package shard

import (
	"errors"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// maxHandshake bounds the handshake request; the stock ones have some 40 bytes.
const maxHandshake = 4096

// received takes bytes that came from s's socket. b is the shard's buffer: it is unmasked in place and not kept.
func (sh *shard) received(s *session, b []byte) {
	sh.bytesIn += int64(len(b))
	s.lastIn = sh.now
	for len(b) > 0 {
		ev, rest, err := s.ws.Next(b)
		b = rest
		if err != nil {
			sh.protocolError(s, err)
			return
		}
		switch ev.Kind {
		case websocket.None:
			return
		case websocket.Data:
			if s.state < stateClosing {
				sh.input(s, ev.Payload)
			}
		case websocket.Ping:
			if s.state < stateClosing {
				sh.enqueue(s, newFrame(websocket.OpPong, ev.Payload, 0), dirtyFirst)
			}
		case websocket.Pong:
		case websocket.Close:
			s.peerDone = true
			if s.state == stateClosing {
				if s.out.first == nil {
					sh.closeSocket(s)
				}
				return
			}
			sh.end(s, reason.ClientClosed, "")
			return
		}
		if s.state == stateClosed {
			return
		}
	}
}

func (sh *shard) protocolError(s *session, err error) {
	r := reason.WebSocketProtocol
	if p, ok := errors.AsType[*websocket.ProtocolError](err); ok {
		switch p.Code { //nolint:exhaustive // the two that are not 1002
		case websocket.CodeInvalidPayload:
			r = reason.WebSocketUTF8
		case websocket.CodeTooBig:
			r = reason.WebSocketTooBig
		}
	}
	if s.state == stateClosing {
		sh.closeSocket(s)
		return
	}
	sh.end(s, r, "")
}

// input takes the client's bytes in the order they came. The opcode is no matter (client-protocol.md 2.2): they are
// one stream of hub messages.
func (sh *shard) input(s *session, p []byte) {
	if len(s.in) > 0 || s.hold != 0 {
		if len(s.in)+len(p) > sh.maxInput(s) {
			sh.tooMuchInput(s)
			return
		}
		seen := len(s.in)
		s.in = append(s.in, p...)
		if s.hold == 0 {
			sh.drainInput(s, seen)
		}
		return
	}
	if rest := sh.consume(s, p, 0); len(rest) > 0 && s.state < stateClosing {
		s.in = append([]byte(nil), rest...)
	}
}

// drainInput works on the kept input after more came or a hold ended. seen bytes of it are known to have no end of a
// message: a client that drips must not make us search them again each time.
func (sh *shard) drainInput(s *session, seen int) {
	if len(s.in) == 0 {
		return
	}
	in := s.in
	rest := sh.consume(s, in, seen)
	if s.state >= stateClosing {
		return
	}
	switch {
	case len(rest) == 0:
		s.in = nil
	case len(rest) < len(in):
		s.in = append(make([]byte, 0, len(rest)), rest...)
	}
}

// maxInput is how many bytes of input may be kept: one whole message, with room for what one read brings while the
// input is held.
func (sh *shard) maxInput(s *session) int {
	if s.state == stateHandshake {
		return maxHandshake + readBuffer
	}
	return sh.owner.limits.Load().MaxMessage + readBuffer
}

func (sh *shard) tooMuchInput(s *session) {
	if s.state == stateHandshake {
		sh.end(s, reason.HandshakeTimeout, "") // the framework answers an oversize handshake so (client-protocol.md 5)
		return
	}
	sh.end(s, reason.MessageTooLarge, "")
}

// consume takes what can be taken from b and returns the rest: an unfinished message, or everything behind a hold.
func (sh *shard) consume(s *session, b []byte, seen int) []byte {
	if s.state == stateHandshake {
		seen = 0
		n := sh.handshake(s, b)
		if n == 0 {
			return b
		}
		b = b[n:]
	}
	if s.hold != 0 || s.state >= stateClosing || len(b) == 0 {
		return b
	}
	return sh.forward(s, b, seen)
}

// forward sends whole hub messages to the app server: one ConnectionData for all that one read brought, never a part
// of a message, so that old SDKs and a migration always stand at a boundary.
func (sh *shard) forward(s *session, b []byte, seen int) []byte {
	whole, count, fault := sh.measure(s, b, seen)
	if whole > 0 {
		if s.state == stateOpening {
			s.opening.spoke = true
		}
		sh.countIn(count)
		if s.link.Data(s.id, b[:whole]) {
			sh.owe(s.link)
		}
	}
	if fault != reason.None {
		sh.end(s, fault, "")
		return nil
	}
	return b[whole:]
}

// measure returns how many bytes at the front of b are whole hub messages, and what they count.
func (sh *shard) measure(s *session, b []byte, seen int) (whole int, count int64, fault reason.Reason) {
	var f hubproto.Framing
	switch s.list.framing {
	case framingText:
		f = hubproto.TextRecords
	case framingPrefixed:
		f = hubproto.LengthPrefixed
	case framingOpaque:
		return len(b), int64(units(len(b))), reason.None
	}
	limit := sh.owner.limits.Load().MaxMessage
	for whole < len(b) {
		msg, _, err := hubproto.NextMessageFrom(f, b[whole:], seen, limit)
		seen = 0
		if err != nil {
			if errors.Is(err, hubproto.ErrTooLarge) {
				return whole, count, reason.MessageTooLarge
			}
			return whole, count, reason.MessageInvalid
		}
		if msg == nil {
			break
		}
		whole += len(msg)
		if billable(s.list, msg) {
			count += int64(units(len(msg)))
		}
	}
	return whole, count, reason.None
}

// billable reports whether a hub message counts: not pings, acks, sequences and closes, which are small. What the
// edge cannot read is the app server's to judge; it counts.
func billable(l *memberList, msg []byte) bool {
	if l.framing == framingOpaque || len(msg) > messageUnit {
		return true
	}
	t, err := hubproto.TypeOf(l.proto(), msg)
	return err != nil || t < hubproto.TypePing
}

// handshake looks for the client's handshake request at the front of b and acts on it. It returns the length of the
// request, 0 while it is not whole or after it ended the session.
func (sh *shard) handshake(s *session, b []byte) int {
	h, n, err := hubproto.ParseHandshake(b)
	if err != nil {
		sh.end(s, reason.HandshakeInvalid, err.Error())
		return 0
	}
	if n == 0 {
		if len(b) > maxHandshake {
			sh.tooMuchInput(s)
		}
		return 0
	}
	o := s.opening
	h0 := sh.hub(o.hub)
	s.list = h0.list(h.Protocol)
	s.list.sessions++
	o.handshake = append([]byte(nil), b[:n]...)
	if o.refuse != reason.None {
		sh.end(s, o.refuse, "")
		return n
	}
	s.state = stateWaiting
	s.deadline = sh.now + seconds(sh.owner.limits.Load().NoServerWait)
	sh.assign(s)
	return n
}
