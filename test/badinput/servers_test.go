package badinput

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// bad is an app server that sends what it likes.
type bad struct {
	*peer.Client
	t  trial
	in []byte
}

// connect upgrades a server connection and sends nothing on it.
func (w *world) connect(t trial, query string) *bad {
	t.Helper()
	c := w.Dial(t)
	a := c.Request(peer.UpgradeRequest("/server/?hub=chat&cid=bad"+query,
		"Authorization: Bearer "+peer.ServerToken("chat"), "X-ASRS-Server-Id: bad"))
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: status %d, %s", a.Status, a.Body)
	}
	return &bad{Client: c, t: t}
}

// greet is connect and the handshake of a Weak connection, which never gets clients.
func (w *world) greet(t trial) *bad {
	t.Helper()
	b := w.connect(t, "")
	b.say(&service.HandshakeRequest{Version: 1, ConnectionType: service.ConnectionWeak})
	if m, ok := b.hear().(*service.HandshakeResponse); !ok || m.ErrorMessage != "" {
		t.Fatalf("handshake: %+v", m)
	}
	return b
}

func (b *bad) say(messages ...service.Message) {
	b.t.Helper()
	var out []byte
	for _, m := range messages {
		out = service.Append(out, m)
	}
	b.Frame(websocket.OpBinary, out)
}

// body sends one frame.
func (b *bad) body(body ...byte) {
	b.t.Helper()
	b.Frame(websocket.OpBinary, append([]byte{byte(len(body))}, body...))
}

// hear returns the next message but pings without anything, nil at the end of the connection; last is then set.
func (b *bad) hear() service.Message {
	b.t.Helper()
	m, _ := b.listen()
	return m
}

func (b *bad) listen() (service.Message, peer.Event) {
	b.t.Helper()
	for {
		body, rest, err := service.NextFrame(b.in, 0)
		if err != nil {
			b.t.Fatalf("the node sent a broken frame: %v", err)
		}
		if body == nil {
			ev := b.Next()
			if ev.Message == nil {
				return nil, ev
			}
			b.in = append(bytes.Clone(b.in), ev.Message...)
			continue
		}
		b.in = rest
		m, err := service.Decode(body)
		if err != nil {
			b.t.Fatalf("the node sent %x: %v", body, err)
		}
		if p, ok := m.(*service.Ping); ok && len(p.Pairs) == 0 {
			continue
		}
		return m, peer.Event{}
	}
}

// lives checks that the connection still answers.
func (b *bad) lives() {
	b.t.Helper()
	b.say(&service.Ping{Pairs: []string{service.PingStatus, "1"}})
	for {
		m, ev := b.listen()
		if m == nil {
			b.t.Fatalf("the connection ended: %+v", ev)
		}
		if p, ok := m.(*service.Ping); ok {
			if v, _ := p.Get(service.PingStatus); v == "1" {
				return
			}
		}
	}
}

// fall is how a server connection must end: with the text of a handshake answer or a ServiceError, and a close code.
type fall struct {
	do     func(b *bad)
	text   string
	code   websocket.Code
	gone   bool
	reason string
}

func (f fall) check(b *bad) {
	b.t.Helper()
	f.do(b)
	var text string
	for {
		m, ev := b.listen()
		switch m := m.(type) {
		case *service.HandshakeResponse:
			text = m.ErrorMessage
		case *service.ServiceError:
			text = m.ErrorMessage
		case nil:
			if ev.Code != f.code || ev.Gone != f.gone {
				b.t.Errorf("ended with %+v, want code %d, gone %t", ev, f.code, f.gone)
			}
			if !strings.Contains(text, f.text) || f.text == "" && text != "" {
				b.t.Errorf("text %q, want %q", text, f.text)
			}
			_ = b.Conn.Close()
			return
		default:
			b.t.Errorf("got %s", m.Type())
		}
	}
}

func bytesOf(b ...byte) func(*bad) { return func(p *bad) { p.Frame(websocket.OpBinary, b) } }
func wire(b ...byte) func(*bad)    { return func(p *bad) { p.Raw(b) } }

func (w *world) serverConnections(t *testing.T) {
	const failed, refused = "Handshake failed: ", "server-conn-handshake"
	const noMessage = "the first message is not a handshake request"
	first := func(messages ...service.Message) func(*bad) { return func(b *bad) { b.say(messages...) } }
	hello := func(version int32, kind service.ConnectionType) func(*bad) {
		return first(&service.HandshakeRequest{Version: version, ConnectionType: kind})
	}
	const tooLong = "exceeds the limit"
	for name, f := range map[string]fall{
		"no handshake": {
			func(*bad) {}, failed + "no handshake request came", 1000, false, refused,
		},
		"half a handshake": {
			bytesOf(8, 0x97), failed + "no handshake request came", 1000, false, refused,
		},
		"a ping first": {first(&service.Ping{}), failed + noMessage, 1000, false, refused},
		"data first": {
			first(&service.ConnectionData{ConnectionID: "x"}), failed + noMessage, 1000, false, refused,
		},
		"a broadcast first": {
			first(&service.BroadcastData{}), failed + noMessage, 1000, false, refused,
		},
		"an answer first": {
			first(&service.HandshakeResponse{}), failed + noMessage, 1000, false, refused,
		},
		"an unknown type first":         {bytesOf(2, 0x91, 99), failed + noMessage, 1000, false, refused},
		"an empty frame first":          {bytesOf(0), failed + "malformed", 1000, false, refused},
		"no list first":                 {bytesOf(1, 0xc0), failed + "malformed", 1000, false, refused},
		"an empty list first":           {bytesOf(1, 0x90), failed + "malformed", 1000, false, refused},
		"a handshake without a version": {bytesOf(2, 0x91, 1), failed + "malformed", 1000, false, refused},
		"a version that is a text": {
			bytesOf(4, 0x92, 1, 0xa1, '1'), failed + "malformed", 1000, false, refused,
		},
		"version 2":                   {hello(2, 0), "Version mismatch.", 1000, false, "server-conn-version"},
		"version 0":                   {hello(0, 0), "Version mismatch.", 1000, false, "server-conn-version"},
		"version -1":                  {hello(-1, 0), "Version mismatch.", 1000, false, "server-conn-version"},
		"connection type 3":           {hello(1, 3), "Connection type 3 is not known.", 1000, false, refused},
		"connection type -1":          {hello(1, -1), "Connection type -1 is not known.", 1000, false, refused},
		"a length of six bytes first": {bytesOf(0xff, 0xff, 0xff, 0xff, 0xff, 1), failed, 1000, false, refused},
		"a fifth byte above 7 first":  {bytesOf(0x80, 0x80, 0x80, 0x80, 8), failed, 1000, false, refused},
		"a frame of 2 GiB first":      {bytesOf(0xff, 0xff, 0xff, 0xff, 7), failed, 1000, false, refused},
		"HTTP first":                  {wire([]byte("GET / HTTP/1.1\r\n\r\n")...), failed, 1002, false, refused},
		"an unmasked handshake":       {wire(0x82, 3, 2, 0x91, 1), failed, 1002, false, refused},
		"a close first": {
			func(b *bad) { b.Frame(websocket.OpClose, []byte{3, 232}) }, failed, 1000, false, refused,
		},
		"a text of broken UTF-8 first": {
			func(b *bad) { b.Frame(websocket.OpText, []byte{2, 0x91, 1}) }, failed, 1007, false, refused,
		},
		"a TCP connection that ends at once": {
			func(b *bad) { _ = b.Conn.(*net.TCPConn).CloseWrite() }, failed, 1000, false, refused,
		},
		"a TCP connection that ends in the middle": {
			func(b *bad) { b.Raw([]byte{0x82, 0x85}); _ = b.Conn.(*net.TCPConn).CloseWrite() }, failed, 1000, false, refused,
		},
	} {
		w.step(t, name, closed("server", f.reason), func(t trial) { f.check(w.connect(t, "")) })
	}
	w.step(t, "an on-demand connection for another node", closed("server", "server-conn-refused"), func(t trial) {
		fall{hello(1, service.ConnectionOnDemand), "This on-demand connection is not wanted here.", 1000, false, ""}.
			check(w.connect(t, "&target=another"))
	})
	const frame = "server-conn-frame"
	for name, f := range map[string]fall{
		"a length of six bytes": {
			bytesOf(0xff, 0xff, 0xff, 0xff, 0xff, 1), "malformed frame length", 1002, false, frame,
		},
		"a fifth byte above 7":           {bytesOf(0x80, 0x80, 0x80, 0x80, 8), "malformed frame length", 1002, false, frame},
		"a frame over the limit":         {bytesOf(0x80, 0x80, 0x20), tooLong, 1002, false, frame},
		"a frame of 2 GiB":               {bytesOf(0xff, 0xff, 0xff, 0xff, 7), tooLong, 1002, false, frame},
		"a frame over the limit in bits": {drip, tooLong, 1002, false, frame},
		"an unmasked frame":              {wire(0x82, 0), "not masked", 1002, false, frame},
		"a reserved bit":                 {wire(0xc2, 0x80, 1, 2, 3, 4), "reserved bit", 1002, false, frame},
		"a reserved opcode":              {wire(0x83, 0x80, 1, 2, 3, 4), "reserved opcode", 1002, false, frame},
		"a ping in parts":                {wire(0x09, 0x80, 1, 2, 3, 4), "fragmented", 1002, false, frame},
		"a continuation of nothing":      {wire(0x80, 0x80, 1, 2, 3, 4), "continuation", 1002, false, frame},
		"close code 1005": {
			func(b *bad) { b.Frame(websocket.OpClose, []byte{3, 237}) }, "close code", 1002, false, frame,
		},
		"a text of broken UTF-8": {
			func(b *bad) { b.Frame(websocket.OpText, []byte{0xff}) }, "UTF-8", 1007, false, frame,
		},
		"a close": {
			func(b *bad) { b.Frame(websocket.OpClose, []byte{3, 232}) }, "", 1000, false, "server-conn-closed",
		},
		"a close in the middle of a frame": {func(b *bad) {
			b.Frame(websocket.OpBinary, []byte{100, 0x91})
			b.Frame(websocket.OpClose, nil)
		}, "", 1000, false, "server-conn-closed"},
		"half a frame, then the end": {func(b *bad) {
			b.Frame(websocket.OpBinary, []byte{100, 0x91})
			_ = b.Conn.(*net.TCPConn).CloseWrite()
		}, "", 0, true, "server-conn-gone"},
	} {
		w.step(t, name+", after the handshake", closed("server", f.reason), func(t trial) { f.check(w.greet(t)) })
	}
}

// drip sends the length of a frame over the limit byte by byte.
func drip(b *bad) {
	for _, c := range []byte{0x81, 0x80, 0x10} {
		b.Frame(websocket.OpBinary, []byte{c})
	}
}

// serviceMessages are whole frames with the wrong thing in them: each is dropped and counted, the connection lives.
func (w *world) serviceMessages(t *testing.T) {
	drop := func(name, reason string, send func(b *bad)) {
		w.step(t, name, peer.Dropped(reason), func(t trial) {
			b := w.greet(t)
			send(b)
			b.lives()
			b.Close()
		})
	}
	for name, body := range map[string]string{
		"an empty frame": "", "a frame that is no list": "01", "a nil": "c0", "a text": "a178", "an empty list": "90",
		"a type that is a text": "91a133", "a type that is nil": "91c0", "a type over 32 bits": "91cf0000000100000003",
		"a byte that MessagePack has not": "91c1", "a list of 2^32 items in 5 bytes": "ddffffffff",
		"a list of 65535 items in 3 bytes": "dcffff", "a map instead of a list": "8103c0",
		"an id of 4 GiB in 7 bytes": "9306dbffffffff", "a payload of 4 GiB": "9306a178c6ffffffff",
		"ids of 2^32 items in 7 bytes": "9407ddffffffff80", "payloads of 2^32 entries": "940790dfffffffff80",
		"an ext of 2^32 entries": "9406a178c400dfffffffff", "headers of 2^32 entries": "9505a178a0dfffffffff80",
		"a payload that is a text": "9306a178a179", "ids that are numbers": "9407920102" + "8080",
		"payloads that are a list": "94079090" + "80", "a group that is a number": "940ba1780180",
		"an ack id that is a text": "9512a178a179a17a80", "a TTL over 32 bits": "951aa178a1790181" + "02cf0000000100000003",
		"lists in lists": "9406a178c400" + strings.Repeat("91", 100),
		"a nested ext":   "9406a178c4008163" + strings.Repeat("91", 100) + "01",
	} {
		b, err := hex.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		drop(name, "malformed", func(p *bad) { p.Frame(websocket.OpBinary, append([]byte{byte(len(b))}, b...)) })
	}
	for n := range 43 {
		drop(fmt.Sprintf("garbage in a %s", service.Type(n+1)), "malformed", func(b *bad) { b.body(0x92, byte(n+1), 0xc1) })
	}
	for name, m := range map[string]service.Message{
		"a second handshake": &service.HandshakeRequest{Version: 1}, "a handshake's answer": &service.HandshakeResponse{},
		"an OpenConnection": &service.OpenConnection{
			ConnectionID: "x",
		}, "a ServiceError": &service.ServiceError{
			ErrorMessage: "x",
		},
		"an Ack": &service.Ack{AckID: 1, Status: service.AckOK}, "a ServiceEvent": &service.ServiceEvent{ID: "x"},
		"an AccessKeyResponse": &service.AccessKeyResponse{}, "a ServiceMapping": &service.ServiceMapping{InvocationID: "x"},
		"a ConnectionReconnect":     &service.ConnectionReconnect{ConnectionID: "x"},
		"an UpdateConnectionClaims": &service.UpdateConnectionClaims{ConnectionID: "x"},
	} {
		drop(name+" from an app server", "unknown-type", func(b *bad) { b.say(m) })
	}
	for name, body := range map[string][]byte{
		"type 0": {0x91, 0}, "type 44": {0x91, 44}, "type 127": {0x92, 127, 0xc3}, "type -1": {0x91, 0xff},
		"type 2^31-1": {0x91, 0xce, 0x7f, 0xff, 0xff, 0xff},
	} {
		drop(name, "unknown-type", func(b *bad) { b.body(body...) })
	}
	json := service.Payloads{{Protocol: "json", Data: []byte("{\"type\":1,\"target\":\"x\",\"arguments\":[]}\x1e")}}
	for name, m := range map[string]service.Message{
		"connections": &service.MultiConnectionData{ConnectionIDs: []string{"x"}, Payloads: json, Filter: "f"},
		"a user":      &service.UserData{UserID: "good", Payloads: json, Filter: "f"},
		"users":       &service.MultiUserData{UserIDs: []string{"good"}, Payloads: json, Filter: "f"},
		"everybody":   &service.BroadcastData{Payloads: json, Filter: "f"},
		"a group":     &service.GroupBroadcastData{Group: "g", Payloads: json, Filter: "f"},
		"groups":      &service.MultiGroupBroadcastData{Groups: []string{"g"}, Payloads: json, Filter: "f"},
	} {
		drop("a filter on a message to "+name, "filter-unsupported", func(b *bad) { b.say(m) })
	}
	drop("data for an unknown connection", "unknown-connection", func(b *bad) {
		b.say(&service.ConnectionData{ConnectionID: "nobody", Payload: json[0].Data})
	})
	drop("data for many, all unknown but none", "unknown-connection", func(b *bad) {
		b.say(&service.MultiConnectionData{ConnectionIDs: []string{"nobody"}, Payloads: json})
	})
	drop("data for a client that another carries", "not-carrier", func(b *bad) {
		b.say(&service.ConnectionData{ConnectionID: w.goodID(b.t), Payload: json[0].Data})
	})
	drop("a message without the client's protocol", "no-payload-for-protocol", func(b *bad) {
		b.say(&service.UserData{UserID: "good", Payloads: service.Payloads{{Protocol: "blazorpack", Data: []byte("x")}}})
	})
	drop("a message without any payload", "no-payload-for-protocol", func(b *bad) { b.say(&service.BroadcastData{}) })
	w.unknownNames(t, json)
}

// goodID asks for the connection id of the good client.
func (w *world) goodID(t trial) string {
	t.Helper()
	w.good.Invoke("who", "WhoAmI", "[]")
	for {
		m, ev := w.good.Record()
		if m == "" {
			t.Fatalf("the good client's connection ended: %+v", ev)
		}
		if _, rest, ok := strings.Cut(m, `"connectionId":"`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			return id
		}
	}
}

// unknownNames are good messages about what is not there: ignored, or answered NotFound (spec 4.9).
func (w *world) unknownNames(t *testing.T, payloads service.Payloads) {
	t.Helper()
	for name, m := range map[string]service.Message{
		"an unknown user":           &service.UserData{UserID: "nobody", Payloads: payloads},
		"unknown users":             &service.MultiUserData{UserIDs: []string{"a", "b"}, Payloads: payloads},
		"an unknown group":          &service.GroupBroadcastData{Group: "nobody", Payloads: payloads},
		"a join of nobody":          &service.JoinGroup{ConnectionID: "nobody", Group: "g"},
		"a leave of nobody":         &service.LeaveGroup{ConnectionID: "nobody", Group: "g"},
		"a close of nobody":         &service.CloseConnection{ConnectionID: "nobody"},
		"a result nobody asked for": &service.ClientCompletion{InvocationID: "x", ConnectionID: "nobody", Protocol: "json"},
		"an error nobody asked for": &service.ErrorCompletion{InvocationID: "x", ConnectionID: "nobody"},
		"a PauseAck nobody asked for": &service.ConnectionFlowControl{
			ConnectionID: "nobody", ConnectionType: service.FlowClient, Operation: service.FlowPauseAck,
		},
	} {
		w.step(t, name, "", func(t trial) {
			b := w.greet(t)
			b.say(m)
			b.lives()
			b.Close()
		})
	}
	for name, m := range map[string]service.Message{
		"a join of nobody with ack":  &service.JoinGroupWithAck{ConnectionID: "nobody", Group: "g", AckID: 7},
		"a leave of nobody with ack": &service.LeaveGroupWithAck{ConnectionID: "nobody", Group: "g", AckID: 7},
		"a question for nobody":      &service.CheckConnectionExistenceWithAck{ConnectionID: "nobody", AckID: 7},
		"a question for no user":     &service.CheckUserExistenceWithAck{UserID: "nobody", AckID: 7},
		"a question for no group":    &service.CheckGroupExistenceWithAck{Group: "nobody", AckID: 7},
		"a question for no member":   &service.CheckUserInGroupWithAck{UserID: "nobody", Group: "g", AckID: 7},
		"a close of nobody with ack": &service.CloseConnectionWithAck{ConnectionID: "nobody", AckID: 7},
		"claims of a forged token":   &service.GetConnectionClaims{ConnectionToken: "forged", AckID: 7},
		"a refresh of a forged one":  &service.RefreshAuth{ConnectionToken: "forged", AckID: 7},
	} {
		w.step(t, name, "", func(t trial) {
			b := w.greet(t)
			b.say(m)
			if ack, ok := b.hear().(*service.Ack); !ok || ack.AckID != 7 || ack.Status != service.AckNotFound {
				t.Errorf("answer %+v, want NotFound for 7", ack)
			}
			b.Close()
		})
	}
	w.step(t, "an invocation of an unknown client", "", func(t trial) {
		b := w.greet(t)
		b.say(&service.ClientInvocation{InvocationID: "i", ConnectionID: "nobody", CallerServerID: "bad", Payloads: payloads})
		m, ok := b.hear().(*service.ErrorCompletion)
		if !ok || m.InvocationID != "i" || m.Error != "Connection 'nobody' is disconnected." {
			t.Errorf("answer %+v", m)
		}
		b.Close()
	})
	w.step(t, "a question for an access key", "", func(t trial) {
		b := w.greet(t)
		b.say(&service.AccessKeyRequest{Token: "entra"})
		m, ok := b.hear().(*service.AccessKeyResponse)
		if !ok || m.AccessKey != "" || m.ErrorType == "" || !strings.Contains(m.ErrorMessage, textAccessKeys) {
			t.Errorf("answer %+v", m)
		}
		b.Close()
	})
}
