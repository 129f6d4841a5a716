package shard

import (
	"bytes"
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func TestServerData(t *testing.T) {
	for _, protocol := range []string{"json", "messagepack", "blazorpack"} {
		each(t, protocol+" messages that an old SDK cut anywhere reach the client whole", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.client(l, protocol)
			wire := append(c.message("one"), c.message("two")...)
			for cut := 1; cut < len(wire); cut++ {
				e.says(l, c.data(wire[:cut]), c.data(wire[cut:]))
				var got []byte
				for len(got) < len(wire) {
					_, part, err := c.read()
					if err != nil {
						e.Fatal(err)
					}
					got = append(got, part...)
					if n := len(got); n != len(wire) && n != len(c.message("one")) {
						e.Fatalf("cut at %d: a WebSocket message ends inside a hub message", cut)
					}
				}
				if !bytes.Equal(got, wire) {
					e.Fatalf("cut at %d: got %q", cut, got)
				}
			}
		})
		each(t, protocol+" parts are gathered and multicasts go in front", func(e *stage) {
			l := e.server("chat", "s1")
			c := e.client(l, protocol)
			whole := c.message("whole")
			part := func(b []byte, more bool) *service.ConnectionData {
				return &service.ConnectionData{
					ConnectionID: c.id, Payload: b, DataType: service.DataInvocation, IsPartial: more,
				}
			}
			between := append(both("between"), service.Payload{Protocol: "blazorpack", Data: pack("between")})
			e.says(l, part(whole[:5], true), &service.BroadcastData{Payloads: between},
				part(whole[5:9], true), part(nil, true), part(whole[9:], false))
			c.wantCalls("between", "whole")
		})
	}
	each(t, "every type passes", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		ping := hubproto.AppendPing(nil, hubproto.JSON)
		e.says(l, c.typed(ping, service.DataOther), c.typed(text("call"), service.DataInvocation), c.data(ping),
			c.data(nil))
		c.want(ping)
		c.wantCalls("call")
		c.want(ping)
	})
	each(t, "a message is gathered to the service frame's limit and no further", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		half := bytes.Repeat([]byte{'x'}, 600)
		e.says(l, c.data(half), c.data(half))
		c.wantClose(1011)
		l.wantClosed(e, c)
		e.wantCounted(reason.InternalError, 1)
	}, func(l *Limits) { l.MaxServiceFrame = 1000 })
	each(t, "unknown connections and servers that do not carry the client are ignored", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		other := newFakeLink("chat", "s2")
		e.says(other, c.data(text("forged")))
		e.says(l, &service.ConnectionData{ConnectionID: "nobody", Payload: text("x")},
			&service.CloseConnection{ConnectionID: "nobody"},
			&service.MultiConnectionData{ConnectionIDs: []string{"nobody", c.id}, Payloads: both("one")},
			c.data(text("two")))
		c.wantCalls("one", "two")
		e.wantCounted(reason.DropNotCarrier, 1)
		e.wantCounted(reason.DropUnknownConnection, 2)
		e.wantNothing(l)
	})
	each(t, "an unknown protocol passes as it comes", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "custom")
		for _, b := range []string{"\x1e\x1e", "half of something", "\xff\xff\xff\xff\xff"} {
			e.says(l, c.data([]byte(b)))
			c.want([]byte(b))
			c.send([]byte(b))
			l.wantData(e, c, []byte(b))
		}
		e.says(l, &service.BroadcastData{Payloads: service.Payloads{{Protocol: "CUSTOM", Data: []byte("all")}}},
			&service.BroadcastData{Payloads: both("not mine")})
		c.want([]byte("all"))
		e.wantCounted(reason.DropNoPayload, 1)
		e.says(l, &service.CloseConnection{ConnectionID: c.id})
		c.wantClose(websocket.CodeNormal) // nobody knows how to write its hub Close
	})
}

func TestClientData(t *testing.T) {
	each(t, "parts of messages are kept until they are whole", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		wire := append(c.message("one"), c.message("two")...)
		for cut := 1; cut < len(wire); cut += 7 {
			c.send(wire[:cut])
			c.send(wire[cut:])
			l.wantData(e, c, wire)
		}
		c.send(wire[:3])
		c.goodbye()
		l.wantClosed(e, c)
		e.wantNothing(l)
	})
	each(t, "fragments of a WebSocket message are joined", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "messagepack")
		b := c.message("hello")
		wire := websocket.AppendMaskedFrame(nil, websocket.OpBinary, false, b[:4], maskKey)
		wire = websocket.AppendMaskedFrame(wire, websocket.OpPing, true, []byte("in between"), maskKey)
		wire = websocket.AppendMaskedFrame(wire, websocket.OpContinuation, true, b[4:], maskKey)
		c.raw(wire)
		c.wantFrame(websocket.OpPong, []byte("in between"))
		l.wantData(e, c, b)
	})
	each(t, "ping is answered, pong is not", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		c.frame(websocket.OpPong, []byte("unasked"))
		c.frame(websocket.OpPing, nil)
		c.wantFrame(websocket.OpPong, nil)
		e.wantNothing(l)
	})
	each(t, "large messages pass up to the limit", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		big := append(bytes.Repeat([]byte{'x'}, 64<<10-1), 0x1e)
		c.send(big)
		l.wantData(e, c, big)
	})

	closes := map[string]struct {
		send func(c *client)
		hub  bool
		code websocket.Code
		why  reason.Reason
	}{
		"a message above the limit": {
			func(c *client) { c.send(append(bytes.Repeat([]byte{'x'}, 64<<10+1), 0x1e)) },
			true, websocket.CodeNormal, reason.MessageTooLarge,
		},
		"a length above the limit": {
			func(c *client) {
				c.protocol = "messagepack"
				c.send([]byte{0xff, 0xff, 0xff, 0x07})
			},
			true, websocket.CodeNormal, reason.MessageTooLarge,
		},
		"a broken length": {
			func(c *client) { c.send([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) },
			true, websocket.CodeNormal, reason.MessageInvalid,
		},
		"an unmasked frame": {
			func(c *client) { c.raw(websocket.AppendFrame(nil, websocket.OpText, []byte("x"))) },
			false, websocket.CodeProtocolError, reason.WebSocketProtocol,
		},
		"text that is no UTF-8": {
			func(c *client) { c.frame(websocket.OpText, []byte{0xff, 0xfe}) },
			false, websocket.CodeInvalidPayload, reason.WebSocketUTF8,
		},
		"a WebSocket message above its limit": {
			func(c *client) {
				c.raw([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4})
			},
			false, websocket.CodeTooBig, reason.WebSocketTooBig,
		},
	}
	for name, tc := range closes {
		each(t, name+" closes", func(e *stage) {
			l := e.server("chat", "s1")
			protocol := "json"
			if name == "a length above the limit" || name == "a broken length" {
				protocol = "messagepack"
			}
			c := e.client(l, protocol)
			tc.send(c)
			if tc.hub {
				c.wantHubClose(tc.why.Info().Text, true)
				c.wantClose(tc.code)
			} else { // nothing more can be read: the client may go first, or is cut
				c.wantFrame(websocket.OpClose, websocket.AppendClose(nil, tc.code, "")[2:])
				e.tick(closeWait * time.Second)
				c.wantCut()
			}
			l.wantClosed(e, c)
			e.wantNothing(l)
			e.wantCounted(tc.why, 1)
		})
	}
}

func TestCongestion(t *testing.T) {
	each(t, "input pauses until the server connection takes data again", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		l.congested.Store(true)
		c.send(c.message("one"))
		e.until("paused", func() bool { return e.holds(c) == holdCongested })
		c.send(c.message("two"))
		e.says(l, &service.BroadcastData{Payloads: both("output goes on")})
		c.wantCalls("output goes on")
		l.congested.Store(false)
		e.x.ServerReady(newFakeLink("chat", "another"))
		e.sync()
		if e.holds(c) != holdCongested {
			e.Fatal("another server connection released it")
		}
		e.x.ServerReady(l)
		l.wantData(e, c, append(c.message("one"), c.message("two")...))
		c.send(c.message("three"))
		l.wantData(e, c, c.message("three"))
	})
	each(t, "a paused client that is reset is noticed", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		l.congested.Store(true)
		c.send(c.message("one"))
		e.until("paused", func() bool { return e.holds(c) == holdCongested })
		c.reset()
		if e.driver.name == "stream" { // its reader is not reading
			l.congested.Store(false)
			e.x.ServerReady(l)
		}
		e.until("released", func() bool { return c.gone.Load() == 1 })
	})
}
