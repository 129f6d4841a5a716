package shard

import (
	"strings"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// closeWait is how long the edge waits for the client's close frame, in seconds (client-protocol.md 2.2).
const closeWait = 5

// end ends s for reason r, whoever wants it: it leaves every registry, the app server is told, what was queued is
// flushed, then the hub's and the WebSocket's goodbye follow. detail is shown with detailed errors only.
func (sh *shard) end(s *session, r reason.Reason, detail string) {
	if s.state >= stateClosing {
		return
	}
	if s.link != nil && len(s.in) > 0 && (r == reason.ClientClosed || r == reason.ClientGone) {
		s.hold = 0
		sh.drainInput(s, 0) // what the client said before it left
		if s.state >= stateClosing {
			return
		}
	}
	opened := s.state >= stateOpening
	greeted := s.state == stateOpen
	sh.owner.metrics.Count(r, 1)
	sh.unindex(s)
	s.state = stateClosing
	if opened {
		sh.unlink(s, r)
	} else if s.link != nil {
		s.link.Attach(-1)
	}
	if s.extra != nil {
		sh.dropInvocations(s)
		sh.stay(s.extra)
		s.extra = nil
	}
	s.in, s.link = nil, nil

	info := r.Info()
	if info.Code == 0 {
		sh.closeSocket(s)
		return
	}
	if r != reason.ClientClosed && info.Code == uint16(websocket.CodeNormal) {
		if f := sh.farewell(s, r, detail, greeted); f != nil {
			sh.push(s, f)
		}
	}
	sh.push(s, &frame{b: websocket.AppendClose(nil, websocket.Code(info.Code), "")})
	s.opening = nil
	s.deadline = sh.now + closeWait
	s.hold = 0
	sh.setInterest(s)
	sh.watch(s)
	if s.stalledSince == 0 && s.dirty < dirtyFirst {
		sh.markDirty(s, dirtyFirst)
	}
}

// farewell is the hub's goodbye: a Close message behind a finished handshake, the handshake's error before it.
func (sh *shard) farewell(s *session, r reason.Reason, detail string, greeted bool) *frame {
	info := r.Info()
	text := strings.ReplaceAll(info.Text, reason.HubPlaceholder, s.hubName())
	if detail != "" && s.detailed {
		if text == "" {
			text = detail
		} else {
			text += " " + detail
		}
	}
	if !greeted {
		if text == "" {
			return nil
		}
		op := websocket.OpText
		if s.list != nil {
			op = s.list.opcode
		}
		return newFrame(op, hubproto.AppendHandshakeError(nil, text), 0)
	}
	if s.sentClose || s.list.framing == framingOpaque {
		return nil
	}
	again := info.AllowReconnect && !s.diagnos
	return newFrame(s.list.opcode, hubproto.AppendClose(nil, s.list.proto(), text, again), 0)
}

// unlink tells the app server that its client is gone, unless it said so itself or is gone too.
func (sh *shard) unlink(s *session, r reason.Reason) {
	s.link.Attach(-1)
	switch r { //nolint:exhaustive // every other reason is news to the app server
	case reason.ServerClosed, reason.ServerLost, reason.ServerDraining, reason.HandshakeRefused:
		return
	}
	text := r.Info().Text
	if r == reason.ClientClosed {
		text = ""
	}
	sh.send(s.link, &service.CloseConnection{ConnectionID: s.id, ErrorMessage: text})
}

// gone takes note that s's socket ended by itself.
func (sh *shard) gone(s *session) {
	if s.state < stateClosing {
		sh.end(s, reason.ClientGone, "")
		return
	}
	sh.closeSocket(s)
}

// lastFrameSent follows the close frame's way out.
func (sh *shard) lastFrameSent(s *session) {
	if s.peerDone {
		sh.closeSocket(s)
	}
}

// closeSocket frees s's socket and everything of it.
func (sh *shard) closeSocket(s *session) {
	if s.state == stateClosed {
		return
	}
	sh.dropSocket(s)
	sh.free(s)
}
