package appserver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

func invoke(id, target, args string) string {
	return fmt.Sprintf("{\"target\":%q,\"arguments\":[%s],\"invocationId\":%q,\"type\":1}\x1e", target, args, id)
}

func completion(id, rest string) string {
	return fmt.Sprintf("{\"type\":3,\"invocationId\":%q%s}\x1e", id, rest)
}

func TestInvocations(t *testing.T) {
	f := newFakeService(t)
	_, conns := start(t, f, quick(f), ConformanceHub())
	c := conns[0]
	c.client("c1", "json")
	for name, tt := range map[string]struct{ target, args, want string }{
		"a value comes back verbatim": {"echo", `{"b":1.0,"a":"ü"}`, `,"result":{"b":1.0,"a":"ü"}`},
		"null is a value":             {"Echo", `null`, `,"result":null`},
		"numbers add":                 {"ADD", `1,2`, `,"result":3`},
		"a void method has no result": {"Others", `"m"`, ``},
		"a hub error shows its text": {
			"Throw", `"why"`, `,"error":"An unexpected error occurred invoking 'Throw' on the server. HubException: why"`,
		},
		"another error shows nothing": {
			"Fail", ``, `,"error":"An unexpected error occurred invoking 'Fail' on the server."`,
		},
		"an unknown method is named": {"Nope", ``, `,"error":"Unknown hub method 'Nope'"`},
		"too few arguments":          {"Add", `1`, `,"error":"Failed to invoke 'Add' due to an error on the server."`},
		"a wrong argument":           {"Add", `1,"x"`, `,"error":"Failed to invoke 'Add' due to an error on the server."`},
		"a stream called as invocation": {
			"Counter", `1,0`,
			`,"error":"The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation."`,
		},
	} {
		t.Run(name, func(*testing.T) {
			c.say("c1", invoke("7", tt.target, tt.args))
			c.expectData("c1", completion("7", tt.want), service.DataInvocation)
		})
	}
	t.Run("without an id nothing is answered", func(t *testing.T) {
		c.say("c1", "{\"type\":1,\"target\":\"Nope\",\"arguments\":[]}\x1e"+invoke("8", "Echo", "1"))
		c.expectData("c1", completion("8", `,"result":1`), service.DataInvocation)
	})
	t.Run("a message may come in pieces", func(*testing.T) {
		text := invoke("9", "Echo", `"piece"`)
		c.say("c1", text[:10])
		c.say("c1", text[10:]+text[:3])
		c.say("c1", text[3:])
		c.expectData("c1", completion("9", `,"result":"piece"`), service.DataInvocation)
		c.expectData("c1", completion("9", `,"result":"piece"`), service.DataInvocation)
	})
	t.Run("partial messages are gathered, and forgotten on reconnect", func(*testing.T) {
		text := invoke("10", "Echo", `"part"`)
		part := func(s string) *service.ConnectionData {
			return &service.ConnectionData{ConnectionID: "c1", Payload: []byte(s), IsPartial: true}
		}
		c.send(part("rubbish"), &service.ConnectionReconnect{ConnectionID: "c1"}, part(text[:5]), part(text[5:9]))
		c.say("c1", text[9:])
		c.expectData("c1", completion("10", `,"result":"part"`), service.DataInvocation)
	})
}

func TestMessagePack(t *testing.T) {
	f := newFakeService(t)
	_, conns := start(t, f, quick(f), ConformanceHub())
	c := conns[0]
	c.client("p1", "messagepack")
	c.client("j1", "json")
	// JavaScript's five items: [1, {}, "0", "Echo", ["hello"]].
	c.say("p1", unhex(t, frame("950180a130a44563686f91a568656c6c6f")))
	// The captured completion of stock SDK 1.34.0.
	c.expectData("p1", unhex(t, "0c950380a13003a568656c6c6f"), service.DataInvocation)
	c.say("p1", unhex(t, frame("950180a131a942726f616463617374 9182a16101a162c4020102")))
	b := next[*service.BroadcastData](c)
	json, _ := b.Payloads.Get("json")
	pack, _ := b.Payloads.Get("messagepack")
	want := "{\"type\":1,\"target\":\"Receive\",\"arguments\":[\"all\",{\"a\":1,\"b\":\"AQI=\"}]}\x1e"
	if string(json) != want {
		t.Errorf("want %s, got %s", want, json)
	}
	if want = unhex(t, frame("960180c0a75265636569766592a3616c6c82a16101a162c402010290")); string(pack) != want {
		t.Errorf("want %x, got %x", want, pack)
	}
	c.data("p1")
	c.say("j1", invoke("1", "Broadcast", `{"n":9007199254740993,"f":1.5,"l":[true,null]}`))
	pack, _ = next[*service.BroadcastData](c).Payloads.Get("messagepack")
	want = unhex(t, frame("960180c0a75265636569766592a3616c6c83"+
		"a166cb3ff8000000000000a16c92c3c0a16ecf002000000000000190"))
	if string(pack) != want {
		t.Errorf("want %x, got %x", want, pack)
	}
	c.say("p1", unhex(t, "03 92 07 c0"))
	c.expectData("p1", unhex(t, "049307c0c2"), service.DataClose) // as captured
	if m := next[*service.CloseConnection](c); hex.EncodeToString(service.AppendBody(nil, m)) != "9505a27031a08080" {
		t.Errorf("want the SDK's CloseConnection, got %+v", m)
	}
}

// frame puts a one-byte length in front of a hexadecimal body.
func frame(body string) string {
	body = strings.ReplaceAll(body, " ", "")
	return fmt.Sprintf("%02x%s", len(body)/2, body)
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOneInvocationAtATime(t *testing.T) {
	f := newFakeService(t)
	release := make(chan struct{})
	h := ConformanceHub().Method("Wait", func(c *Context, _ Args) (any, error) {
		select {
		case <-release:
		case <-c.Context().Done():
		}
		return "waited", nil
	})
	_, conns := start(t, f, quick(f), h)
	c := conns[0]
	c.client("c1", "json")
	c.say("c1", invoke("1", "Wait", "")+invoke("2", "Echo", "2")+
		"{\"type\":4,\"invocationId\":\"3\",\"target\":\"Counter\",\"arguments\":[2,0]}\x1e")
	// The stream does not wait for the invocation that runs; the second invocation does.
	c.expectData("c1", "{\"type\":2,\"invocationId\":\"3\",\"item\":0}\x1e", service.DataInvocation)
	c.expectData("c1", "{\"type\":2,\"invocationId\":\"3\",\"item\":1}\x1e", service.DataInvocation)
	c.expectData("c1", completion("3", ""), service.DataInvocation)
	close(release)
	c.expectData("c1", completion("1", `,"result":"waited"`), service.DataInvocation)
	c.expectData("c1", completion("2", `,"result":2`), service.DataInvocation)
}

func TestStreams(t *testing.T) {
	f := newFakeService(t)
	_, conns := start(t, f, quick(f), ConformanceHub())
	c := conns[0]
	c.client("c1", "json")
	t.Run("cancel completes without an error", func(*testing.T) {
		c.say("c1", "{\"type\":4,\"invocationId\":\"1\",\"target\":\"Counter\",\"arguments\":[5,3600000]}\x1e")
		c.expectData("c1", "{\"type\":2,\"invocationId\":\"1\",\"item\":0}\x1e", service.DataInvocation)
		c.say("c1", "{\"type\":5,\"invocationId\":\"1\"}\x1e")
		c.expectData("c1", completion("1", ""), service.DataInvocation)
	})
	t.Run("an upload is summed", func(*testing.T) {
		c.say("c1", "{\"type\":1,\"invocationId\":\"5\",\"target\":\"Sum\",\"arguments\":[],\"streamIds\":[\"4\"]}\x1e"+
			"{\"type\":2,\"invocationId\":\"4\",\"item\":1}\x1e{\"type\":2,\"invocationId\":\"4\",\"item\":41}\x1e"+
			"{\"type\":3,\"invocationId\":\"4\"}\x1e")
		c.expectData("c1", completion("5", `,"result":42`), service.DataInvocation)
	})
	t.Run("an upload is streamed back", func(*testing.T) {
		c.say("c1", "{\"type\":4,\"invocationId\":\"7\",\"target\":\"EchoStream\",\"arguments\":[],"+
			"\"streamIds\":[\"6\"]}\x1e"+
			"{\"type\":2,\"invocationId\":\"6\",\"item\":\"x\"}\x1e")
		c.expectData("c1", "{\"type\":2,\"invocationId\":\"7\",\"item\":\"x\"}\x1e", service.DataInvocation)
		c.say("c1", "{\"type\":3,\"invocationId\":\"6\"}\x1e")
		c.expectData("c1", completion("7", ""), service.DataInvocation)
	})
	t.Run("an error in a stream is told", func(*testing.T) {
		c.say("c1", "{\"type\":4,\"invocationId\":\"8\",\"target\":\"FailingStream\",\"arguments\":[\"bad\"]}\x1e")
		c.data("c1")
		c.expectData("c1", completion("8",
			`,"error":"An error occurred on the server while streaming results. HubException: bad"`), service.DataInvocation)
	})
}

func TestHandshakeFailures(t *testing.T) {
	f := newFakeService(t)
	s, conns := start(t, f, quick(f), NewHub("chat"))
	c := conns[0]
	for name, tt := range map[string]struct{ request, want string }{
		"another protocol": {`{"protocol":"xml","version":1}`, "The protocol 'xml' is not supported."},
		"another version":  {`{"protocol":"json","version":9}`, hub.TextVersionNotSupported(9, "json")},
		"rubbish":          {`rubbish`, "An unexpected error occurred during connection handshake."},
	} {
		t.Run(name, func(t *testing.T) {
			c.send(&service.OpenConnection{ConnectionID: name, Protocol: "json"})
			c.say(name, tt.request+"\x1e")
			got, kind := c.data(name)
			if !strings.Contains(got, `"error":"`) || kind != service.DataHandshake {
				t.Errorf("want a handshake error, got %q type %d", got, kind)
			}
			next[*service.CloseConnection](c)
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			if err := s.Hub("chat").WaitFor(ctx, func() bool { return s.client(name) == nil }); err != nil {
				t.Error("the client is still there")
			}
		})
	}
	t.Run("no protocol in OpenConnection", func(*testing.T) {
		c.send(&service.OpenConnection{ConnectionID: "none"})
		next[*service.CloseConnection](c)
	})
}

func TestLifeOfAClient(t *testing.T) {
	f := newFakeService(t)
	events := make(chan string, 10)
	h := ConformanceHub().
		OnConnected(func(c *Context) error {
			if c.UserID() == "unwanted" {
				return errors.New("no")
			}
			events <- "connected " + c.ConnectionID() + " " + c.UserID()
			return nil
		}).
		OnDisconnected(func(c *Context, err string) { events <- "disconnected " + c.ConnectionID() + " " + err })
	opts := quick(f)
	s, conns := start(t, f, opts, h)
	c := conns[0]
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-events:
			if got != want {
				t.Fatalf("want event %q, got %q", want, got)
			}
		case <-time.After(testTimeout):
			t.Fatalf("no event %q", want)
		}
	}
	user := func(id string) func(*service.OpenConnection) {
		return func(o *service.OpenConnection) { o.Claims = service.Claims{{Type: "asrs.s.uid", Value: id}} }
	}
	t.Run("the service closes: nothing goes back", func(t *testing.T) {
		c.client("c1", "json", user("ann"))
		expect("connected c1 ann")
		c.send(&service.CloseConnection{ConnectionID: "c1", ErrorMessage: "gone"})
		expect("disconnected c1 gone")
		c.barrier()
		if has[*service.CloseConnection](c) || has[*service.ConnectionData](c) {
			t.Errorf("want silence, got %s", c.summary())
		}
	})
	t.Run("abort: Close, then CloseConnection", func(*testing.T) {
		c.client("c2", "json")
		expect("connected c2 ")
		c.say("c2", invoke("1", "Abort", ""))
		c.expectData("c2", "{\"type\":7}\x1e", service.DataClose)
		expect("disconnected c2 ")
		next[*service.CloseConnection](c)
	})
	t.Run("OnConnected fails: Close with the error, no OnDisconnected", func(*testing.T) {
		c.client("c3", "json", user("unwanted"))
		c.expectData("c3", "{\"type\":7,\"error\":\"Connection closed with an error.\"}\x1e", service.DataClose)
		next[*service.CloseConnection](c)
	})
	t.Run("rubbish from the client: Close that allows reconnecting", func(*testing.T) {
		c.client("c4", "json")
		expect("connected c4 ")
		c.say("c4", "rubbish\x1e")
		c.expectData("c4", "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e",
			service.DataClose)
		next[*service.CloseConnection](c)
		m := <-events
		if !strings.HasPrefix(m, "disconnected c4 InvalidDataException") {
			t.Errorf("want the reason, got %q", m)
		}
	})
	t.Run("a taken id is not added", func(t *testing.T) {
		c.client("c5", "json", user("first"))
		expect("connected c5 first")
		c.send(&service.OpenConnection{ConnectionID: "c5", Protocol: "json"})
		c.barrier()
		if got := s.client("c5").userID; got != "first" {
			t.Errorf("want the first client, got %q", got)
		}
	})
}

func TestClaimsUpdate(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	updated := make(chan string, 1)
	opts.OnClaimsUpdated = func(id string, claims []Claim) { updated <- id + " " + claims[0].Value }
	_, conns := start(t, f, opts, NewHub("chat").Method("Names", func(c *Context, _ Args) (any, error) {
		return c.User().Name() + " " + c.HTTPUser().Name(), nil
	}))
	c := conns[0]
	named := func(name string) service.Claims { return service.Claims{{Type: ClaimTypeName, Value: name}} }
	c.client("c1", "json", func(o *service.OpenConnection) { o.Claims = named("old") })
	c.send(&service.UpdateConnectionClaims{ConnectionID: "c1", Claims: named("new")})
	if got := <-updated; got != "c1 new" {
		t.Errorf("want the hook called, got %q", got)
	}
	c.say("c1", invoke("1", "Names", ""))
	c.expectData("c1", completion("1", `,"result":"old new"`), service.DataInvocation)
}

func TestHandshakeTimeout(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.Heartbeat, opts.HandshakeTimeout = time.Millisecond, 10*time.Millisecond
	_, conns := start(t, f, opts, NewHub("chat"))
	conns[0].send(&service.OpenConnection{ConnectionID: "c1", Protocol: "json"})
	conns[0].expectData("c1", "{\"error\":\"Handshake was canceled.\"}\x1e", service.DataHandshake)
	next[*service.CloseConnection](conns[0])
}

func TestBurst(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.maxUnwritten = 1 << 10
	_, conns := start(t, f, opts, ConformanceHub())
	c := conns[0]
	c.client("c1", "json")
	const n = 500 // of 100 bytes: much more than may wait unwritten
	c.say("c1", invoke("1", "Burst", fmt.Sprintf("%d,100", n)))
	for i := range n {
		text, _ := next[*service.MultiConnectionData](c).Payloads.Get("json")
		if want := fmt.Sprintf(`"arguments":["burst",%d,"x`, i); !strings.Contains(string(text), want) {
			t.Fatalf("want message %d in order, got %.80s", i, text)
		}
	}
	c.expectData("c1", completion("1", fmt.Sprintf(`,"result":%d`, n)), service.DataInvocation)
}

func TestClientTimers(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.Heartbeat, opts.KeepAliveInterval = time.Millisecond, 20*time.Millisecond
	opts.ClientTimeout = 100 * time.Millisecond
	_, conns := start(t, f, opts, NewHub("chat"))
	c := conns[0]
	c.client("quiet", "messagepack")
	for range 8 { // well beyond the timeout: it never pinged
		c.expectData("quiet", "\x02\x91\x06", service.DataOther)
	}
	c.client("c1", "json")
	c.say("c1", "{\"type\":6}\x1e")
	for {
		text, kind := c.data("c1")
		if kind == service.DataOther {
			continue
		}
		want := "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e"
		if text != want {
			t.Fatalf("want the timeout's Close, got %s", text)
		}
		break
	}
}

func TestWhoAmI(t *testing.T) {
	f := newFakeService(t)
	_, conns := start(t, f, quick(f), ConformanceHub().Method("Me", func(c *Context, _ Args) (any, error) {
		return []any{
			c.User().Name(), c.User().IsInRole("b"), c.RemoteIP().String(), c.Path(), c.UserID(), c.Query().Get("a"),
			c.User().AuthenticationType, len(c.User().Claims),
		}, nil
	}))
	c := conns[0]
	c.client("c1", "json", func(o *service.OpenConnection) {
		o.QueryString = "?a=b&asrs.op=%2Fchat"
		o.Headers = service.Headers{{Name: "x-forwarded-for", Values: []string{"1.2.3.4, 5.6.7.8"}}}
		o.Claims = service.Claims{
			{Type: "aud", Value: "x"},
			{Type: "asrs.s.sn", Value: "x"},
			{Type: "asrs.s.aut", Value: "Cookies"},
			{Type: ClaimTypeNameIdentifier, Value: "ann"},
			{Type: ClaimTypeName, Value: "Ann"},
			{Type: ClaimTypeRole, Value: "a"},
			{Type: ClaimTypeRole, Value: "b"},
			{Type: "asrs.u.exp", Value: "mine"},
		}
	})
	c.say("c1", invoke("1", "Me", ""))
	want := `,"result":["Ann",true,"1.2.3.4","/chat","ann","b","Cookies",5]`
	c.expectData("c1", completion("1", want), service.DataInvocation)
	c.say("c1", invoke("2", "WhoAmI", ""))
	if text, _ := c.data("c1"); !strings.Contains(text, `"claims":[["`+ClaimTypeNameIdentifier+`","ann"]`) {
		t.Errorf("want the claims, got %s", text)
	}
	anonymous := &Principal{NameType: ClaimTypeName, RoleType: ClaimTypeRole}
	if diff := cmp.Diff(anonymous, principalOf(nil), cmp.AllowUnexported(Principal{})); diff != "" {
		t.Errorf("anonymous principal (-want +got):\n%s", diff)
	}
}

func TestGroupsKeepOrder(t *testing.T) {
	f := newFakeService(t)
	f.noAck.Store(true)
	opts := quick(f)
	opts.ConnectionCount, opts.AckTimeout = 4, 20*time.Millisecond
	_, conns := start(t, f, opts, ConformanceHub())
	c := conns[2]
	c.client("c1", "json")
	c.say("c1", invoke("1", "JoinAndSend", `"g","m"`))
	// Both go over the client's own server connection, the join first, without waiting for the ack.
	first := c.await("join or send", func(m service.Message) bool {
		switch m.(type) {
		case *service.JoinGroupWithAck, *service.GroupBroadcastData:
			return true
		}
		return false
	})
	join, ok := first.(*service.JoinGroupWithAck)
	if !ok || join.Group != "g" || join.ConnectionID != "c1" {
		t.Fatalf("want the join first, got %+v", first)
	}
	next[*service.GroupBroadcastData](c)
	c.expectData("c1", completion("1", `,"error":"An unexpected error occurred invoking 'JoinAndSend' on the server."`),
		service.DataInvocation)
	f.noAck.Store(false)
	c.say("c1", invoke("2", "Join", `"g"`))
	c.expectData("c1", completion("2", ""), service.DataInvocation)
}

func TestMulticasts(t *testing.T) {
	f := newFakeService(t)
	s, conns := start(t, f, quick(f), NewHub("chat"))
	c := conns[0]
	c.client("c1", "json")
	clients := s.Hub("chat").Clients()
	for name, tt := range map[string]struct {
		sender    Sender
		want      service.Message
		protocols int
	}{
		"all":        {clients.All(), &service.BroadcastData{}, 2},
		"all except": {clients.AllExcept("x"), &service.BroadcastData{ExcludedConnectionIDs: []string{"x"}}, 2},
		"own client": {clients.Client("c1"), &service.MultiConnectionData{ConnectionIDs: []string{"c1"}}, 1},
		"any client": {clients.Client("c9"), &service.MultiConnectionData{ConnectionIDs: []string{"c9"}}, 2},
		"clients":    {clients.Clients("a", "b"), &service.MultiConnectionData{ConnectionIDs: []string{"a", "b"}}, 2},
		"group":      {clients.Group("g"), &service.GroupBroadcastData{Group: "g"}, 2},
		"group but": {
			clients.GroupExcept("g", "x"),
			&service.GroupBroadcastData{Group: "g", ExcludedConnectionIDs: []string{"x"}}, 2,
		},
		"some groups": {clients.Groups("g", "h"), &service.MultiGroupBroadcastData{Groups: []string{"g", "h"}}, 2},
		"user":        {clients.User("u"), &service.UserData{UserID: "u"}, 2},
		"users":       {clients.Users("u", "v"), &service.MultiUserData{UserIDs: []string{"u", "v"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.sender.Send("Receive", "m"); err != nil {
				t.Fatal(err)
			}
			got := c.await(name, func(m service.Message) bool { return m.Type() == tt.want.Type() })
			protocols := []string{"json", "messagepack"}[:tt.protocols]
			p, err := payloads(protocols, "", "Receive", []any{"m"})
			if err != nil {
				t.Fatal(err)
			}
			set(tt.want, p)
			if want, got := service.AppendBody(nil, tt.want), service.AppendBody(nil, got); string(want) != string(got) {
				t.Errorf("want %x, got %x", want, got)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := clients.All().Send("Receive"); !errors.Is(err, ErrNotConnected) && !errors.Is(err, context.Canceled) {
		t.Errorf("want ErrNotConnected after Close, got %v", err)
	}
}

func set(m service.Message, p service.Payloads) {
	switch m := m.(type) {
	case *service.BroadcastData:
		m.Payloads = p
	case *service.MultiConnectionData:
		m.Payloads = p
	case *service.GroupBroadcastData:
		m.Payloads = p
	case *service.MultiGroupBroadcastData:
		m.Payloads = p
	case *service.UserData:
		m.Payloads = p
	case *service.MultiUserData:
		m.Payloads = p
	}
}
