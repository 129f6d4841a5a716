package shard

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func TestHandshake(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack"} {
		each(t, protocol+" is told to the app server and passed on unchanged", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.connect("chat", protocol)
			c.send(c.request())
			open := next[*service.OpenConnection](e, l)
			if id, _ := open.Headers.Get(service.HeaderInstanceID); open.Protocol != protocol || id != "edge-1" ||
				open.ConnectionID != c.id || open.QueryString != "?hub=chat" {
				e.Errorf("OpenConnection %+v", open)
			}
			l.wantData(e, c, c.request())
			e.greet(l, c)
			c.send(c.message("hello"))
			l.wantData(e, c, c.message("hello"))
			e.says(l, c.data(c.message("welcome")))
			c.wantCalls("welcome")
		})
		each(t, protocol+" with a message behind it in the same WebSocket message", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.connect("chat", protocol)
			c.send(append(c.request(), c.message("early")...))
			next[*service.OpenConnection](e, l)
			l.wantData(e, c, append(c.request(), c.message("early")...))
		})
	}
	each(t, "arrives byte by byte", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.connect("chat", "json")
		wire := websocket.AppendMaskedFrame(nil, websocket.OpText, true, c.request(), maskKey)
		wire = websocket.AppendMaskedFrame(wire, websocket.OpText, true, c.message("one"), maskKey)
		for i := range wire {
			c.raw(wire[i : i+1])
		}
		next[*service.OpenConnection](e, l)
		l.wantData(e, c, append(c.request(), c.message("one")...))
	})
	each(t, "came with the upgrade request", func(e *stage) {
		l := e.server("chat", "s1")
		c := &client{protocol: "json"}
		wire := websocket.AppendMaskedFrame(nil, websocket.OpText, true, c.request(), maskKey)
		c = e.connectWith("chat", "json", wire)
		next[*service.OpenConnection](e, l)
		l.wantData(e, c, c.request())
	})
	each(t, "is refused by the app server", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		refusal := hubproto.AppendHandshakeError(nil, "no such protocol")
		e.says(l, c.typed(refusal, service.DataHandshake))
		c.want(refusal)
		c.wantClose(websocket.CodeNormal)
		e.until("released", func() bool { return c.gone.Load() == 1 })
		e.wantNothing(l)
		e.wantCounted(reason.HandshakeRefused, 1)
	})
	each(t, "is answered together with the next message", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "messagepack")
		e.says(l, c.data(append(hubproto.AppendHandshakeOK(nil), pack("first")...)))
		c.want(hubproto.AppendHandshakeOK(nil))
		c.wantCalls("first")
	})
	each(t, "is answered together with a part of the next message", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		whole := append(hubproto.AppendHandshakeOK(nil), text("first")...)
		e.says(l, c.data(whole[:9]), c.data(whole[9:20]), c.data(whole[20:]))
		c.want(hubproto.AppendHandshakeOK(nil))
		c.wantCalls("first")
	})
	each(t, "is answered in pieces", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		answer := hubproto.AppendHandshakeOK(nil)
		e.says(l, c.data(answer[:1]), c.data(answer[1:2]), c.data(answer[2:]))
		c.want(answer)
	})
}

func TestHandshakeRefusals(t *testing.T) {
	const failed = "An unexpected error occurred during connection handshake."
	refused := func(e *stage, c *client, text string, r reason.Reason) {
		e.Helper()
		op, got, err := c.read()
		if err != nil || op != websocket.OpText {
			e.Fatalf("opcode %d, %v, want a handshake answer", op, err)
		}
		if why, isError := hubproto.HandshakeResponseError(got); !isError || !strings.HasPrefix(why, text) {
			e.Errorf("refused with %q, want %q", why, text)
		}
		c.wantClose(websocket.CodeNormal)
		e.until("released", func() bool { return c.gone.Load() == 1 })
		e.wantCounted(r, 1)
	}
	each(t, "no JSON", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.connect("chat", "json")
		c.send([]byte("hello\x1e"))
		refused(e, c, failed, reason.HandshakeInvalid)
		e.wantNothing(l)
	})
	each(t, "no end within 4 KiB", func(e *stage) {
		c := e.connect("chat", "json")
		c.send(bytes.Repeat([]byte{' '}, 5000))
		refused(e, c, "Handshake was canceled.", reason.HandshakeTimeout)
	})
	each(t, "not allowed to be served", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.connect("chat", "json", func(c *Client) { c.Refuse = reason.ModeNotDefault })
		c.send(append(c.request(), c.message("more")...))
		refused(e, c, reason.ModeNotDefault.Info().Text[:20], reason.ModeNotDefault)
		e.wantNothing(l)
	})
	each(t, "no app server within the patience", func(e *stage) {
		c := e.connect("chat", "json")
		c.send(append(c.request(), c.message("early")...))
		e.until("waiting", func() bool { return e.state(c) == stateWaiting })
		e.tick(4 * time.Second)
		if e.state(c) != stateWaiting {
			e.Fatal("refused too early")
		}
		e.tick(time.Second)
		refused(e, c, "Hub 'chat' is in Default mode", reason.NoServer)
	})
	each(t, "the app server that it is bound to is not there", func(e *stage) {
		e.server("chat", "s1")
		c := e.connect("chat", "json", func(c *Client) { c.Sticky, c.ServerID = StickyRequired, "s2" })
		c.send(c.request())
		e.until("waiting", func() bool { return e.state(c) == stateWaiting })
		e.tick(5 * time.Second)
		refused(e, c, "The app server that this client is bound to", reason.StickyServerMissing)
	})
	each(t, "no request in time", func(e *stage) {
		c := e.connect("chat", "json", func(c *Client) { c.HandshakeTimeout = 3 * time.Second })
		e.until("bound", func() bool { return e.state(c) == stateHandshake })
		e.tick(2 * time.Second)
		if e.state(c) != stateHandshake {
			e.Fatal("refused too early")
		}
		e.tick(time.Second)
		refused(e, c, "Handshake was canceled.", reason.HandshakeTimeout)
	})
	each(t, "no answer in time", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		e.tick(14 * time.Second)
		if e.state(c) != stateOpening {
			e.Fatal("refused too early")
		}
		e.tick(time.Second)
		refused(e, c, "Handshake was canceled.", reason.HandshakeTimeout)
		l.wantClosed(e, c)
		e.wantNothing(l)
	})
	each(t, "its app server goes before it answers and the client said more", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		c.send(c.message("more"))
		l.wantData(e, c, c.message("more"))
		e.lose(l)
		refused(e, c, "ServerOffline", reason.ServerLost)
		e.wantNothing(l)
	})
	each(t, "leaves before its request", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.connect("chat", "json")
		c.goodbye()
		e.until("released", func() bool { return c.gone.Load() == 1 })
		e.wantNothing(l)
	})
}

func TestProtocolNames(t *testing.T) {
	each(t, "clients cannot fill the memory with them", func(e *stage) {
		l := e.server("chat", "s1")
		stays := e.client(l, "messagepack")
		for i := range 50 {
			c := e.client(l, fmt.Sprint("made up ", i))
			e.says(l, &service.JoinGroup{ConnectionID: c.id, Group: "g"})
			c.goodbye()
			l.wantClosed(e, c)
			e.until("released", func() bool { return c.gone.Load() == 1 })
		}
		for _, sh := range e.x.shards {
			n := make(chan int)
			sh.postMust(command{do: func(sh *shard) { n <- len(sh.hub("chat").lists) }})
			if got := <-n; got > 2 {
				e.Errorf("%d lists for one client", got)
			}
		}
		late := e.client(l, "json")
		e.says(l, &service.BroadcastData{Payloads: both("x")})
		stays.wantCalls("x")
		late.wantCalls("x")
	})
}

func TestWaitingForServer(t *testing.T) {
	each(t, "input waits too and goes on in order", func(e *stage) {
		c := e.connect("chat", "json")
		c.send(append(c.request(), c.message("one")...))
		e.until("waiting", func() bool { return e.state(c) == stateWaiting })
		other := e.server("other", "s0")
		e.sync()
		if e.state(c) != stateWaiting {
			e.Fatal("took another hub's app server")
		}
		l := e.server("chat", "s1")
		next[*service.OpenConnection](e, l)
		l.wantData(e, c, append(c.request(), c.message("one")...))
		e.greet(l, c)
		c.send(c.message("two"))
		l.wantData(e, c, c.message("two"))
		e.wantNothing(other)
	})
	each(t, "all that wait are let in at once", func(e *stage) {
		var all []*client
		for range 20 {
			c := e.connect("chat", "json")
			c.send(c.request())
			all = append(all, c)
		}
		for _, c := range all {
			e.until("waiting", func() bool { return e.state(c) == stateWaiting })
		}
		l := e.server("chat", "s1")
		e.sync()
		for _, c := range all {
			e.greet(l, c)
		}
		if got := e.x.Clients("chat"); got != 20 {
			e.Errorf("%d clients, want 20", got)
		}
	})
	each(t, "a client whose app server went before it answered is opened with another", func(e *stage) {
		first := e.server("chat", "s1", migratable)
		c := e.opening(first, "json", user("ann"))
		e.says(first, &service.JoinGroup{ConnectionID: c.id, Group: "of the first"})
		e.x.ServerLeaves(first)
		first.congested.Store(true)
		more := websocket.AppendMaskedFrame(nil, websocket.OpText, true, c.message("more"), maskKey)
		c.raw(more[:20])
		e.until("held", func() bool { return e.holds(c) == holdCongested })
		e.lose(first)
		if e.state(c) != stateWaiting {
			e.Fatal("does not wait for another app server")
		}
		second := e.server("chat", "s2")
		c.raw(more[20:])
		next[*service.OpenConnection](e, second)
		second.wantData(e, c, append(c.request(), c.message("more")...))
		e.greet(second, c)
		e.says(second, &service.CheckGroupExistenceWithAck{Group: "of the first", AckID: 1})
		second.wantAck(e, 1, service.AckNotFound)
		c.send(c.message("again"))
		second.wantData(e, c, c.message("again"))
	})
	each(t, "a client that leaves while it waits leaves nothing", func(e *stage) {
		c := e.connect("chat", "json")
		c.send(c.request())
		e.until("waiting", func() bool { return e.state(c) == stateWaiting })
		c.reset()
		l := e.server("chat", "s1")
		e.tick(5 * time.Second)
		e.until("released", func() bool { e.tick(time.Second); return c.gone.Load() == 1 })
		_ = l
	})
}

func TestGate(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack"} {
		each(t, "what "+protocol+" was sent before its answer follows it, All does not", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.opening(l, protocol, user("ann"))
			e.says(l,
				&service.JoinGroup{ConnectionID: c.id, Group: "g"},
				&service.GroupBroadcastData{Group: "g", Payloads: both("group")},
				&service.UserData{UserID: "ann", Payloads: both("user")},
				&service.MultiConnectionData{ConnectionIDs: []string{c.id}, Payloads: both("connection")},
				&service.BroadcastData{Payloads: both("all")},
				&service.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{c.id}, Payloads: both("excluded")},
			)
			e.greet(l, c)
			c.wantCalls("group", "user", "connection")
			e.says(l, &service.BroadcastData{Payloads: both("later")})
			c.wantCalls("later")
		})
	}
	each(t, "more than the queue's bound ends the connection", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		big := strings.Repeat("x", 600<<10)
		one := &service.MultiConnectionData{ConnectionIDs: []string{c.id}, Payloads: both(big)}
		e.says(l, one, one)
		e.wantCounted(reason.DropBeforeHandshake, 1)
		c.wantCut()
		l.wantClosed(e, c)
	})
}
