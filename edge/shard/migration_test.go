package shard

import (
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// leaves lets an app server say fin:1.
func (e *stage) leaves(l *fakeLink) {
	l.draining.Store(true)
	e.x.ServerLeaves(l)
	e.sync()
}

// wantMoved checks what both servers are told of a migration, in order.
func (e *stage) wantMoved(c *client, from, to *fakeLink) {
	e.Helper()
	bye := from.wantClosed(e, c)
	if at, _ := bye.Headers.Get(service.HeaderMigrateTo); at != to.server || bye.ErrorMessage != "" {
		e.Errorf("old server got %+v", bye)
	}
	open := next[*service.OpenConnection](e, to)
	at, _ := open.Headers.Get(service.HeaderMigrateFrom)
	if n := len(open.Headers); at != from.server || open.ConnectionID != c.id || open.Protocol != c.protocol || n != 2 {
		e.Errorf("new server got %+v", open)
	}
	to.wantData(e, c, c.request())
}

func TestMigration(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack"} {
		each(t, protocol+" moves with its groups, the client notices nothing", func(e *stage) {
			a := e.server("chat", "s1", migratable)
			c := e.client(a, protocol, user("ann"))
			e.says(a, &service.JoinGroup{ConnectionID: c.id, Group: "g"})
			b := e.server("chat", "s2", migratable)
			whole := c.message("cut in two")
			c.send(append(c.message("before"), whole[:5]...))
			a.wantData(e, c, c.message("before"))
			e.leaves(a)
			e.wantMoved(c, a, b)
			c.send(whole[5:])
			b.wantData(e, c, whole)
			e.says(a, c.data(c.message("late")))
			e.says(b, c.data(c.message("new")), &service.GroupBroadcastData{Group: "g", Payloads: both("group")})
			c.wantCalls("late", "new", "group")
			e.lose(a)
			e.says(a, c.data(c.message("too late")))
			e.says(b, c.data(c.message("still here")))
			c.wantCalls("still here")
			if n, m := a.attached.Load(), b.attached.Load(); n != 0 || m != 1 {
				e.Errorf("servers carry %d and %d clients, want 0 and 1", n, m)
			}
			if n := value(e.metrics.Migrations); n != 1 {
				e.Errorf("%v migrations", n)
			}
			e.wantNothing(a)
		})
	}
	each(t, "what the old server says of the end does not count", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.client(a, "json")
		b := e.server("chat", "s2", migratable)
		e.leaves(a)
		e.wantMoved(c, a, b)
		e.says(a, c.typed(hubproto.AppendClose(nil, hubproto.JSON, "", false), service.DataClose),
			c.typed(hubproto.AppendHandshakeOK(nil), service.DataHandshake))
		e.says(b, c.data(text("still here")))
		c.wantCalls("still here")
		e.wantCounted(reason.DropNotCarrier, 2)
		for range previousGrace + sweepParts {
			e.tick(time.Second)
		}
		e.says(a, c.data(text("after the grace")))
		e.says(b, c.data(text("later")))
		c.wantCalls("later")
	})
	each(t, "waits for a server to go to", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.client(a, "json")
		e.server("chat", "s2") // not one that takes part
		e.leaves(a)
		c.send(text("goes on"))
		a.wantData(e, c, text("goes on"))
		b := e.server("chat", "s3", migratable)
		e.wantMoved(c, a, b)
		e.leaves(a) // as the SDK repeats it
		e.wantNothing(a)
	})
	each(t, "waits for the rest of a message", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.client(a, "json")
		b := e.server("chat", "s2", migratable)
		m := text("in parts")
		e.says(a, &service.ConnectionData{ConnectionID: c.id, Payload: m[:4], IsPartial: true})
		e.leaves(a)
		e.wantNothing(b)
		e.says(a, c.data(m[4:]))
		c.wantCalls("in parts")
		e.wantMoved(c, a, b)
	})
	each(t, "waits for the handshake's answer", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.opening(a, "json")
		b := e.server("chat", "s2", migratable)
		e.leaves(a)
		e.wantNothing(b)
		e.greet(a, c)
		e.wantMoved(c, a, b)
	})
	each(t, "ends a pause of the old server connection", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.client(a, "json")
		b := e.server("chat", "s2", migratable)
		a.congested.Store(true)
		m := websocket.AppendMaskedFrame(nil, websocket.OpText, true, text("paused"), maskKey)
		c.raw(m[:10])
		e.until("paused", func() bool { return e.holds(c) == holdCongested })
		e.leaves(a)
		e.wantMoved(c, a, b)
		c.raw(m[10:])
		b.wantData(e, c, text("paused"))
	})
	each(t, "twice", func(e *stage) {
		a := e.server("chat", "s1", migratable)
		c := e.client(a, "json")
		b := e.server("chat", "s2", migratable)
		e.leaves(a)
		e.wantMoved(c, a, b)
		d := e.server("chat", "s3", migratable)
		e.leaves(b)
		e.wantMoved(c, b, d)
		c.goodbye()
		d.wantClosed(e, c)
		e.wantNothing(a)
		e.wantNothing(b)
	})
	each(t, "not for servers that take no part, nor for what ends meanwhile", func(e *stage) {
		a := e.server("chat", "s1")
		c := e.client(a, "json")
		e.leaves(a)
		a.draining.Store(true)
		m := e.server("chat", "s2", migratable)
		d := e.client(m, "json")
		e.leaves(m)
		d.goodbye()
		m.wantClosed(e, d)
		e.server("chat", "s3", migratable)
		c.send(text("stays"))
		a.wantData(e, c, text("stays"))
		e.wantNothing(m)
	})
}
