package shard

import (
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

func ask(c *client, id, caller string) *service.ClientInvocation {
	return &service.ClientInvocation{
		InvocationID: id, ConnectionID: c.id, CallerServerID: caller, Payloads: both("ask"),
	}
}

func completion(id string) []byte {
	return hubproto.AppendCompletion(nil, hubproto.JSON, id, []byte("42"), "")
}

func TestClientResults(t *testing.T) {
	each(t, "asked by the server that carries the client", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.says(l, ask(c, "i1", "s1"))
		c.wantCalls("ask")
		c.send(completion("i1"))
		l.wantData(e, c, completion("i1"))
		e.says(l, &service.ClientCompletion{InvocationID: "i1", ConnectionID: c.id, CallerServerID: "s1"})
		e.wantNothing(l)
	})
	each(t, "asked on another connection of the server that carries the client", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		second := newFakeLink("chat", "s1")
		e.says(second, ask(c, "i1", "s1"))
		c.wantCalls("ask")
		e.wantNothing(second)
		e.wantNothing(l)
	})
	each(t, "asked by another server", func(e *stage) {
		router, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
		c := e.client(router, "json")
		e.says(caller, ask(c, "i1", "s2"))
		told := next[*service.ClientInvocation](e, router)
		if told.InvocationID != "i1" || told.ConnectionID != c.id || told.CallerServerID != "s2" {
			e.Errorf("router got %+v", told)
		}
		mapping := next[*service.ServiceMapping](e, caller)
		if *mapping != (service.ServiceMapping{InvocationID: "i1", ConnectionID: c.id, InstanceID: "edge-1"}) {
			e.Errorf("caller got %+v", mapping)
		}
		c.wantCalls("ask")
		c.send(completion("i1"))
		router.wantData(e, c, completion("i1"))
		done := &service.ClientCompletion{
			InvocationID: "i1", ConnectionID: c.id, CallerServerID: "s1", Protocol: "json", Payload: completion("i1"),
		}
		e.says(router, done)
		got := next[*service.ClientCompletion](e, caller)
		if got.CallerServerID != "s2" || got.Protocol != "json" || string(got.Payload) != string(done.Payload) {
			e.Errorf("caller got %+v", got)
		}
		e.says(router, done) // once is enough
		e.wantNothing(caller)
		e.wantNothing(router)
	})
	each(t, "fails when the router says so", func(e *stage) {
		router, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
		c := e.client(router, "json")
		e.says(caller, ask(c, "i1", "s2"))
		next[*service.ServiceMapping](e, caller)
		e.says(router, &service.ErrorCompletion{InvocationID: "i1", ConnectionID: c.id, Error: "no"})
		if got := next[*service.ErrorCompletion](e, caller); got.InvocationID != "i1" || got.Error != "no" {
			e.Errorf("caller got %+v", got)
		}
	})
	each(t, "an unknown connection is answered", func(e *stage) {
		l := e.server("chat", "s1")
		e.says(l, &service.ClientInvocation{InvocationID: "i", ConnectionID: "x", CallerServerID: "s1"})
		got := next[*service.ErrorCompletion](e, l)
		if got.Error != "Connection 'x' is disconnected." || got.InvocationID != "i" || got.CallerServerID != "s1" {
			e.Errorf("caller got %+v", got)
		}
	})
	each(t, "a missing payload is answered", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "custom")
		e.says(l, ask(c, "i", "s1"))
		next[*service.ErrorCompletion](e, l)
	})
	each(t, "asked before the gate opens: held like all else", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.opening(l, "json")
		e.says(l, ask(c, "i1", "s1"))
		e.greet(l, c)
		c.wantCalls("ask")
	})
	each(t, "the client goes", func(e *stage) {
		router, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
		c := e.client(router, "json")
		e.says(caller, ask(c, "i1", "s2"), ask(c, "i2", "s2"))
		next[*service.ServiceMapping](e, caller)
		next[*service.ServiceMapping](e, caller)
		c.wantCalls("ask", "ask")
		c.reset()
		for _, id := range []string{"i1", "i2"} {
			if got := next[*service.ErrorCompletion](e, caller); got.InvocationID != id || got.CallerServerID != "s2" {
				e.Errorf("caller got %+v, want %s", got, id)
			}
		}
		e.wantNothing(caller)
	})
	each(t, "the caller goes", func(e *stage) {
		router, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
		c := e.client(router, "json")
		e.says(caller, ask(c, "i1", "s2"))
		next[*service.ServiceMapping](e, caller)
		e.lose(caller)
		e.says(router, &service.ClientCompletion{InvocationID: "i1", ConnectionID: c.id, CallerServerID: "s1"})
		e.wantNothing(caller)
	})
	each(t, "nobody answers for ten minutes", func(e *stage) {
		router, caller := e.server("chat", "s1"), e.server("chat", "s2", weak)
		c := e.client(router, "json")
		e.says(caller, ask(c, "i1", "s2"))
		next[*service.ServiceMapping](e, caller)
		e.tick(599 * time.Second)
		e.wantNothing(caller)
		e.tick(time.Second)
		if got := next[*service.ErrorCompletion](e, caller); got.InvocationID != "i1" {
			e.Errorf("caller got %+v", got)
		}
	})
	each(t, "the first answers are held back, in order", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		l.hold.Store(int64(100 * time.Millisecond))
		begin := time.Now()
		e.says(l, ask(c, "i1", "s1"))
		c.wantCalls("ask")
		c.send(completion("i1"))
		c.send(c.message("behind"))
		l.wantData(e, c, append(completion("i1"), c.message("behind")...))
		if d := time.Since(begin); d < 100*time.Millisecond {
			e.Errorf("held for %v only", d)
		}
	})
	each(t, "overlapping holds end with the last", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		begin := time.Now()
		l.hold.Store(int64(150 * time.Millisecond))
		e.says(l, ask(c, "i1", "s1"))
		e.sync()
		l.hold.Store(int64(2 * time.Millisecond))
		e.says(l, ask(c, "i2", "s1"))
		c.wantCalls("ask", "ask")
		c.send(completion("i2"))
		l.wantData(e, c, completion("i2"))
		if d := time.Since(begin); d < 150*time.Millisecond {
			e.Errorf("held for %v only", d)
		}
		l.hold.Store(int64(20 * time.Millisecond))
		e.says(l, ask(c, "i3", "s1"))
		c.wantCalls("ask")
		e.says(l, &service.CloseConnection{ConnectionID: c.id}) // the timer finds nobody
	})
}
