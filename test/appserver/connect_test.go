package appserver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

func TestParseConnectionString(t *testing.T) {
	type want struct{ client, server, audience, key string }
	for name, tt := range map[string]struct {
		in   string
		want want
		bad  bool
	}{
		"plain": {in: "Endpoint=https://h;AccessKey=a=b==;Version=1.0;", want: want{
			"https://h/client/?hub=x", "wss://h/server/?hub=x", "https://h/", "a=b==",
		}},
		"port is not in the audience": {in: "endpoint=http://h:8080/; accesskey = k ;version=1.1-preview", want: want{
			"http://h:8080/client/?hub=x", "ws://h:8080/server/?hub=x", "http://h/", "k",
		}},
		"Port replaces the port of Endpoint only": {
			in: "Endpoint=http://h:1;AccessKey=k;Port=2;ServerEndpoint=http://s:3", want: want{
				"http://h:2/client/?hub=x", "ws://s:3/server/?hub=x", "http://h/", "k",
			},
		},
		"a path without a final slash breaks as in the SDK": {in: "Endpoint=https://h/bar;AccessKey=k", want: want{
			"https://h/barclient/?hub=x", "wss://h/barserver/?hub=x", "https://h/", "k",
		}},
		"unknown keys and pieces without = are ignored": {in: "Foo=1;junk;Endpoint=http://h;AccessKey=k", want: want{
			"http://h/client/?hub=x", "ws://h/server/?hub=x", "http://h/", "k",
		}},
		"key twice":         {in: "Endpoint=http://h;endpoint=http://g;AccessKey=k", bad: true},
		"one piece":         {in: "Endpoint=http://h", bad: true},
		"no key":            {in: "Endpoint=http://h;Version=1.0", bad: true},
		"no endpoint":       {in: "AccessKey=k;Version=1.0", bad: true},
		"wrong scheme":      {in: "Endpoint=ftp://h;AccessKey=k", bad: true},
		"version 2":         {in: "Endpoint=http://h;AccessKey=k;Version=2.0", bad: true},
		"version 1.x":       {in: "Endpoint=http://h;AccessKey=k;Version=1.x", bad: true},
		"port out of range": {in: "Endpoint=http://h;AccessKey=k;Port=70000", bad: true},
		"Entra mode":        {in: "Endpoint=http://h;AccessKey=k;AuthType=azure.msi", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			cs, err := ParseConnectionString(tt.in)
			if tt.bad {
				if !errors.Is(err, ErrConnectionString) {
					t.Fatalf("want ErrConnectionString, got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := want{cs.ClientURL("x"), cs.ServerURL("x"), cs.AudienceBase(), cs.AccessKey}
			if got != tt.want {
				t.Errorf("want %+v, got %+v", tt.want, got)
			}
		})
	}
}

func TestServerConnection(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.ConnectionCount, opts.ApplicationName, opts.ServerID = 3, "App", "vm_1"
	_, conns := start(t, f, opts, NewHub("Chat"))
	seen := map[string]bool{}
	for _, c := range conns {
		q := c.request.URL.Query()
		if q.Get("hub") != "app_chat" {
			t.Errorf("want hub app_chat, got %q", q.Get("hub"))
		}
		guid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
		if cid := q.Get("cid"); !guid.MatchString(cid) || seen[cid] {
			t.Errorf("cid %q is not a fresh GUID", cid)
		}
		seen[q.Get("cid")] = true
		if got := c.request.Header.Get("X-ASRS-Server-Id"); got != "vm_1" {
			t.Errorf("want server id vm_1, got %q", got)
		}
		// HandshakeRequest-7-0-0-False of the captured frames.
		if got := hex.EncodeToString(service.AppendBody(nil, c.handshake)); got != "97010100a00080c2" {
			t.Errorf("want the captured handshake, got %s", got)
		}
		claims := verify(t, strings.TrimPrefix(c.request.Header.Get("Authorization"), "Bearer "))
		if claims["nameid"] != "vm_1" || claims["aud"] != "http://127.0.0.1/server/?hub=app_chat" {
			t.Errorf("wrong server token: %v", claims)
		}
	}
}

func verify(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(testKey), nil })
	if err != nil {
		t.Fatalf("verify token: %v", err)
	}
	return claims
}

func negotiate(t *testing.T, s *Server, target string) (*httptest.ResponseRecorder, negotiateBody) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, nil))
	var body negotiateBody
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
	}
	return w, body
}

func TestNegotiate(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.Sticky, opts.DetailedErrors, opts.Transports = StickyRequired, true, TransportWebSockets
	opts.HandshakeTimeout, opts.CloseOnAuthenticationExpiration = 7*time.Second, true
	expires := time.Now().Add(time.Minute)
	opts.Authenticate = func(r *http.Request) (Identity, error) {
		return Identity{
			UserID: r.URL.Query().Get("user"), Expires: expires, AuthenticationType: "Cookies",
			Claims: []Claim{
				{Type: ClaimTypeName, Value: "Ann"},
				{Type: ClaimTypeRole, Value: "a"},
				{Type: ClaimTypeRole, Value: "b"},
				{Type: "exp", Value: "mine"},
				{Type: "sub", Value: "s1"},
				{Type: "sub", Value: "s2"},
			},
		}, nil
	}
	s, _ := start(t, f, opts, NewHub("Chat"))
	_, body := negotiate(t, s, "/chat/negotiate?user=ann&negotiateVersion=1")
	prefix := f.web.URL + "/client/?hub=chat&asrs.op=%2Fchat&user=ann&negotiateVersion=1&asrs_request_id="
	if !strings.HasPrefix(body.URL, prefix) {
		t.Errorf("want %s..., got %s", prefix, body.URL)
	}
	id, err := url.QueryUnescape(strings.TrimPrefix(body.URL, prefix))
	if err != nil || len(id) != 12 {
		t.Errorf("request id %q is not base64 of 8 bytes", id)
	}
	claims := verify(t, body.AccessToken)
	want := map[string]any{
		"aud": "http://127.0.0.1/client/?hub=chat", "asrs.s.uid": "ann", "asrs.s.sn": s.ID(),
		"asrs.s.ssticky": "Required", "asrs.s.derror": "True", "asrs.s.htt": "1", "asrs.s.cht": "7",
		"asrs.s.coae": "true", "asrs.s.aut": "Cookies", "unique_name": "Ann", "role": []any{"a", "b"},
		"asrs.u.exp": "mine", "sub": "s1", "asrs.u.sub": "s2",
	}
	for name, value := range want {
		if diff := cmp.Diff(value, claims[name]); diff != "" {
			t.Errorf("claim %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNegotiateFailures(t *testing.T) {
	f := newFakeService(t)
	refusal := "no"
	f.refuse.Store(&refusal)
	opts := quick(f)
	opts.ReconnectDelay = func(int) time.Duration { return time.Hour }
	s, err := New(opts, NewHub("Chat"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Start(ctx); err == nil || !strings.Contains(err.Error(), "handshake refused: no") {
		t.Errorf("want the refusal, got %v", err)
	}
	if w, _ := negotiate(t, s, "/chat/negotiate"); w.Code != 500 || w.Body.String() != notConnectedText {
		t.Errorf("want 500 and the SDK's text, got %d %q", w.Code, w.Body)
	}
	if w, _ := negotiate(t, s, "/other/negotiate"); w.Code != 404 {
		t.Errorf("want 404, got %d", w.Code)
	}
}

func TestReconnect(t *testing.T) {
	f := newFakeService(t)
	ended := make(chan string, 1)
	h := NewHub("chat").OnDisconnected(func(c *Context, _ string) { ended <- c.ConnectionID() })
	s, conns := start(t, f, quick(f), h)
	conns[0].client("c1", "json")
	conns[0].barrier()
	if !s.Hub("chat").CutConnection(conns[0].cid(), false) {
		t.Fatal("no such connection")
	}
	if id := <-ended; id != "c1" {
		t.Errorf("want OnDisconnected of c1, got %s", id)
	}
	again := f.accept()
	if again.cid() == conns[0].cid() {
		t.Error("a new connection must have a new cid")
	}
	again.client("c1", "json") // the id is free again
}

func TestUnauthorized(t *testing.T) {
	f := newFakeService(t)
	f.status.Store(http.StatusUnauthorized)
	opts := quick(f)
	s, err := New(opts, NewHub("chat"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Start(ctx); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("want ErrUnauthorized, got %v", err)
	}
}

func TestPings(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.PingInterval = time.Nanosecond // every receipt lets it ping
	s, conns := start(t, f, opts, NewHub("chat"))
	c := conns[0]
	t.Run("its own ping answers a receipt with its client counts", func(t *testing.T) {
		c.client("c1", "json")
		c.send(&service.Ping{})
		c.await("#clientInHub ping", func(m service.Message) bool {
			p, ok := m.(*service.Ping)
			return ok && cmp.Equal(p.Pairs, []string{"#clientInHub", "1", "#client", "1"})
		})
	})
	t.Run("echo comes back identical", func(_ *testing.T) { c.barrier() })
	t.Run("servers and status answers are kept", func(t *testing.T) {
		c.send(&service.Ping{Pairs: []string{"servers", "17:a;b"}}, &service.Ping{Pairs: []string{"status", "1"}})
		c.barrier()
		if got := s.Hub("chat").Answered("servers") + s.Hub("chat").Answered("status"); got != "17:a;b1" {
			t.Errorf("want both answers, got %q", got)
		}
	})
	t.Run("target opens an on-demand connection", func(t *testing.T) {
		c.send(&service.Ping{Pairs: []string{"target", "edge 1"}})
		extra := f.accept()
		target := extra.request.URL.Query().Get("target")
		if extra.handshake.ConnectionType != service.ConnectionOnDemand || target != "edge 1" {
			t.Errorf("want an on-demand connection for edge 1, got %+v %s", extra.handshake, extra.request.URL)
		}
	})
	t.Run("offline ends the clients of that instance", func(t *testing.T) {
		c.client("c2", "json", func(o *service.OpenConnection) {
			o.Headers = service.Headers{{Name: "Asrs-Instance-Id", Values: []string{"e9"}}}
		})
		c.send(&service.Ping{Pairs: []string{"offline", "e9"}})
		c.barrier()
		if s.client("c2") != nil || s.client("c1") == nil {
			t.Error("want c2 gone and c1 there")
		}
	})
}

func TestSilence(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.ServiceTimeout, opts.ServiceTimeoutCheck = 50*time.Millisecond, 10*time.Millisecond
	_, conns := start(t, f, opts, NewHub("chat"))
	if err := conns[0].awaitEnd(); err == nil {
		t.Error("want an end")
	}
	if has[*service.Ping](conns[0]) {
		t.Error("a server that hears nothing must not ping")
	}
}

func TestStatusQuestion(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.StatusInterval = 5 * time.Millisecond
	_, conns := start(t, f, opts, NewHub("chat"))
	if p := next[*service.Ping](conns[0]); !cmp.Equal(p.Pairs, []string{"status", "1"}) {
		t.Errorf("want the status question, got %v", p.Pairs)
	}
}
