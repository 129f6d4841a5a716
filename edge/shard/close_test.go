package shard

import (
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func detailed(c *Client) { c.DetailedErrors = true }

func TestCloseByServer(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack"} {
		each(t, protocol+" by its carrier: the edge says goodbye", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.client(l, protocol)
			e.says(l, c.data(c.message("last")), &service.CloseConnection{ConnectionID: c.id},
				c.data(c.message("too late")), &service.BroadcastData{Payloads: both("too late")})
			c.wantCalls("last")
			c.wantHubClose("", false)
			c.wantClose(websocket.CodeNormal)
			e.wantNothing(l)
			e.wantCounted(reason.ServerClosed, 1)
		})
		for name, about := range map[string]service.DataType{"typed": service.DataClose, "untyped": 0} {
			each(t, protocol+" by its carrier, which said goodbye itself, "+name, func(e *stage) {
				l := e.server("chat", "s1")
				c := e.client(l, protocol)
				p := hubproto.JSON
				if protocol != "json" {
					p = hubproto.MessagePack
				}
				bye := hubproto.AppendClose(nil, p, "boom", false)
				e.says(l, c.typed(bye, about), &service.CloseConnection{ConnectionID: c.id, ErrorMessage: "boom"})
				c.want(bye)
				c.wantClose(websocket.CodeNormal)
				e.wantNothing(l)
			})
		}
	}
	each(t, "by a management connection: the carrier is told, the reason is hidden", func(e *stage) {
		l, w := e.server("chat", "s1"), e.server("chat", "management", weak)
		c := e.client(l, "json")
		e.says(w, &service.CloseConnection{ConnectionID: c.id, ErrorMessage: "secret"})
		c.wantHubClose("", false)
		c.wantClose(websocket.CodeNormal)
		l.wantClosed(e, c)
		e.wantNothing(l)
		e.wantNothing(w)
		e.wantCounted(reason.ClosedByManagement, 1)
	})
	each(t, "by a management connection: the reason is shown with detailed errors", func(e *stage) {
		l, w := e.server("chat", "s1"), e.server("chat", "management", weak)
		c := e.client(l, "json", detailed)
		e.says(w, &service.CloseConnection{ConnectionID: c.id, ErrorMessage: "spam"})
		c.wantHubClose("spam", false)
		c.wantClose(websocket.CodeNormal)
		l.wantClosed(e, c)
	})
	each(t, "from another hub does nothing", func(e *stage) {
		l, other := e.server("chat", "s1"), e.server("other", "s2")
		c := e.client(l, "json")
		e.says(other, &service.CloseConnection{ConnectionID: c.id},
			&service.CloseConnectionWithAck{ConnectionID: c.id, AckID: 1},
			&service.CloseConnectionsWithAck{AckID: 2})
		next[*service.Ack](e, other)
		next[*service.Ack](e, other)
		if e.state(c) != stateOpen {
			e.Error("closed")
		}
	})
	each(t, "by a draining server lets the client come back", func(e *stage) {
		l := e.server("chat", "s1")
		c, d := e.client(l, "json"), e.client(l, "json", func(c *Client) { c.Diagnostic = true })
		l.draining.Store(true)
		e.says(l, &service.CloseConnection{ConnectionID: c.id}, &service.CloseConnection{ConnectionID: d.id})
		c.wantHubClose(reason.ServerDraining.Info().Text, true)
		c.wantClose(websocket.CodeNormal)
		d.wantHubClose(reason.ServerDraining.Info().Text, false)
		d.wantClose(websocket.CodeNormal)
		e.wantNothing(l)
	})
	each(t, "by hub, user and group, but the excluded ones", func(e *stage) {
		for name, tc := range map[string]struct {
			m    service.Message
			gone []string
		}{
			"hub": {
				&service.CloseConnectionsWithAck{AckID: 1, ExcludedConnectionIDs: []string{"bob"}},
				[]string{"ann", "ann2", "cat", "dan"},
			},
			"user": {
				&service.CloseUserConnectionsWithAck{UserID: "ann", AckID: 1, ExcludedConnectionIDs: []string{"ann2"}},
				[]string{"ann"},
			},
			"group": {
				&service.CloseGroupConnectionsWithAck{Group: "g", AckID: 1, ExcludedConnectionIDs: []string{"bob"}},
				[]string{"ann", "cat"},
			},
			"connection": {&service.CloseConnectionWithAck{ConnectionID: "dan", AckID: 1}, []string{"dan"}},
		} {
			e.Log(name)
			k := newCast(newStage(e, e.driver))
			k.says(k.server, tc.m) // the caller carries them: it must be told all the same
			ended := map[string]bool{}
			for len(ended) < len(tc.gone) {
				switch m := k.server.popWait(e).(type) {
				case *service.CloseConnection:
					ended[m.ConnectionID] = true
				case *service.Ack:
				}
			}
			for _, id := range tc.gone {
				if !ended[id] {
					e.Errorf("%s: the carrier was not told of %s", name, id)
				}
				k.all[id].wantHubClose("", false)
				k.all[id].wantClose(websocket.CodeNormal)
				delete(k.all, id)
			}
			k.wantTo()
		}
	})
	each(t, "of a whole hub takes those too that have no handshake answer yet", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		e.says(l, &service.CloseConnectionsWithAck{AckID: 1})
		c.wantClose(websocket.CodeNormal)
	})
}

func TestServerLost(t *testing.T) {
	each(t, "its clients may come back, others stay", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.mu.Lock()
		e.links = e.links[:0:0]
		e.mu.Unlock()
		other := e.server("chat", "s2")
		stays := e.client(other, "messagepack")
		e.says(l, c.data(text("last")))
		e.lose(l)
		c.wantCalls("last")
		c.wantHubClose("ServerOffline", true)
		c.wantClose(websocket.CodeNormal)
		e.says(other, &service.BroadcastData{Payloads: both("on")})
		stays.wantCalls("on")
		e.wantNothing(l)
		e.wantNothing(other)
	})
	each(t, "after fin: another text", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		l.draining.Store(true)
		e.lose(l)
		c.wantHubClose(reason.ServerDraining.Info().Text, true)
		c.wantClose(websocket.CodeNormal)
	})
}

func TestCloseByClient(t *testing.T) {
	ends := map[string]func(c *client){
		"WebSocket close": (*client).goodbye,
		"TCP reset":       (*client).reset,
		"TCP end":         func(c *client) { _ = c.conn.Close() },
	}
	for name, end := range ends {
		each(t, name+": the server gets what it said and one close", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.client(l, "json", user("ann"))
			c.send(c.message("one"))
			l.wantData(e, c, c.message("one"))
			c.send(append(c.message("two"), "half"...))
			l.wantData(e, c, c.message("two"))
			end(c)
			if m := l.wantClosed(e, c); m.ErrorMessage != "" || len(m.Headers) > 0 {
				e.Errorf("close %+v", m)
			}
			e.until("released", func() bool { return c.gone.Load() == 1 })
			e.says(l, &service.CloseConnection{ConnectionID: c.id}, c.data(text("late")),
				&service.UserData{UserID: "ann", Payloads: both("late")})
			e.wantNothing(l)
		})
		each(t, name+": what was held back is passed on before", func(e *stage) {
			l, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
			c := e.client(l, "json")
			caller.hold.Store(int64(time.Hour))
			e.says(caller, &service.ClientInvocation{InvocationID: "i", ConnectionID: c.id, Payloads: both("ask")})
			c.wantCalls("ask")
			next[*service.ClientInvocation](e, l)
			e.session(c, func(sh *shard, s *session) { // as if one read had brought it with the message before the hold
				sh.received(s, websocket.AppendMaskedFrame(nil, websocket.OpText, true, c.message("answer"), maskKey))
				if name == "WebSocket close" {
					sh.received(s, websocket.AppendMaskedFrame(nil, websocket.OpClose, true, nil, maskKey))
				} else {
					sh.gone(s)
				}
			})
			l.wantData(e, c, c.message("answer"))
			l.wantClosed(e, c)
		})
	}
	each(t, "hub close: the server ends it", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "messagepack")
		bye := hubproto.AppendClose(nil, hubproto.MessagePack, "", false)
		c.send(bye)
		l.wantData(e, c, bye)
		e.says(l, &service.CloseConnection{ConnectionID: c.id})
		c.wantHubClose("", false)
		c.wantClose(websocket.CodeNormal)
		e.wantNothing(l)
	})
	each(t, "a message and a close in one packet", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		wire := websocket.AppendMaskedFrame(nil, websocket.OpText, true, text("bye"), maskKey)
		c.raw(websocket.AppendMaskedFrame(wire, websocket.OpClose, true, nil, maskKey))
		l.wantData(e, c, text("bye"))
		l.wantClosed(e, c)
		c.wantFrame(websocket.OpClose, []byte{0x03, 0xe8})
		c.wantCut()
	})
	each(t, "a client that does not answer a close is cut", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.says(l, &service.CloseConnection{ConnectionID: c.id})
		c.wantHubClose("", false)
		c.wantFrame(websocket.OpClose, []byte{0x03, 0xe8})
		c.send(c.message("still talking"))
		e.tick(closeWait*time.Second - time.Second)
		if e.state(c) != stateClosing {
			e.Error("cut too early")
		}
		e.tick(time.Second)
		e.until("released", func() bool { return c.gone.Load() == 1 })
		e.wantNothing(l)
	})
}

func TestCloseByEdge(t *testing.T) {
	each(t, "all", func(e *stage) {
		k := newCast(e)
		waiting := e.connect("nobody's", "json")
		waiting.send(waiting.request())
		e.until("waiting", func() bool { return e.state(waiting) == stateWaiting })
		e.x.CloseAll(reason.Drain)
		for _, c := range k.all {
			c.wantHubClose(reason.Drain.Info().Text, true)
			c.wantClose(websocket.CodeNormal)
		}
		waiting.want(hubproto.AppendHandshakeError(nil, reason.Drain.Info().Text))
		waiting.wantClose(websocket.CodeNormal)
		e.sync()
		if n := len(k.server.take()); n != 5 {
			e.Errorf("%d closes sent, want 5", n)
		}
		e.until("no sessions", func() bool { return value(e.metrics.ClientConnections) == 0 })
	})
	each(t, "some, until none is left", func(e *stage) {
		l := e.server("chat", "s1")
		for range 30 {
			e.client(l, "json")
		}
		for left := 30; left > 0; {
			e.x.CloseSome(4, reason.Drain)
			e.sync()
			now := int(e.x.Clients("chat"))
			if now >= left || left-now > 6 {
				e.Fatalf("of %d clients %d are left after closing 4", left, now)
			}
			left = now
		}
	})
	each(t, "a repeated id is refused and the first stays", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		again := e.connect("chat", "json", func(a *Client) { a.ID = c.id })
		again.wantCut()
		e.until("refused", func() bool { return again.gone.Load() == 1 })
		e.wantCounted(reason.DuplicateConnection, 1)
		e.says(l, c.data(text("still here")))
		c.wantCalls("still here")
		if !e.x.Exists(c.id) || e.x.Exists("nobody") {
			e.Error("Exists is wrong")
		}
	})
	each(t, "Stop cuts everybody and turns late ones away", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.x.Stop()
		c.wantHubClose(reason.Drain.Info().Text, true)
		c.wantFrame(websocket.OpClose, []byte{0x03, 0xe8})
		near, far := e.driver.pair(e)
		defer near.Close()
		defer far.Close()
		if e.driver.bind(e.x, near, nil, &Client{ID: "late", Hub: "chat"}) || e.x.Exists("late") {
			e.Error("a stopped shard took a client")
		}
		e.x.Tick(e.now)
		e.x.Dispatch(l, &service.BroadcastData{Payloads: both("late")})
	})
}

func TestHubIsolation(t *testing.T) {
	each(t, "counts are per hub", func(e *stage) {
		k := newCast(e)
		if got := e.x.HubClients(); got["chat"] != 5 || got["other"] != 1 || len(got) != 2 {
			e.Errorf("clients %v", got)
		}
		e.says(k.elsewhere, &service.CloseConnectionsWithAck{AckID: 1})
		next[*service.CloseConnection](e, k.elsewhere)
		k.elsewhere.wantAck(e, 1, yes)
		if got := e.x.HubClients(); got["chat"] != 5 || got["other"] != 0 {
			e.Errorf("clients %v", got)
		}
	})
}
