package transport

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseQuery(t *testing.T) {
	tests := map[string]struct {
		raw  string
		want query
		why  reason.Reason
	}{
		"everything": {
			"hub=Chat&id=i&access_token=t&negotiateVersion=1&cid=c&target=n&asrs_request_id=r",
			query{
				hub: "chat", id: "i", hasID: true, token: "t", negotiateVersion: "1", clientID: "c", target: "n", fromServer: true,
				forward: "?hub=Chat&id=i&negotiateVersion=1&cid=c&target=n&asrs_request_id=r",
			},
			reason.None,
		},
		"an empty request id is one": {
			"hub=a&asrs_request_id=", query{hub: "a", fromServer: true, forward: "?hub=a&asrs_request_id="}, reason.None,
		},
		"an empty id is one": {"hub=a&id=", query{hub: "a", hasID: true, forward: "?hub=a&id="}, reason.None},
		"the last version counts": {
			"hub=a&negotiateVersion=1&negotiateVersion=0",
			query{hub: "a", negotiateVersion: "0", forward: "?hub=a&negotiateVersion=1&negotiateVersion=0"},
			reason.None,
		},
		"empty parts are nothing": {"&&hub=a&&", query{hub: "a", forward: "?hub=a"}, reason.None},
		"a generic hub": {
			"hub=my%60hub[a,b].c_1", query{hub: "my`hub[a,b].c_1", forward: "?hub=my%60hub[a,b].c_1"}, reason.None,
		},
		"a plus is a space": {"hub=a+b", query{}, reason.HubInvalid},
		"an escaped name is that name": {
			"%68ub=a&access%5ftoken=t", query{hub: "a", token: "t", forward: "?%68ub=a"}, reason.None,
		},
		"a hub of 128 characters": {
			"hub=" + strings.Repeat("a", 128),
			query{hub: strings.Repeat("a", 128), forward: "?hub=" + strings.Repeat("a", 128)},
			reason.None,
		},
		"a hub of 129 characters": {"hub=" + strings.Repeat("a", 129), query{}, reason.HubInvalid},
		"the Kelvin sign is no k": {"hub=tal%E2%84%AA", query{}, reason.HubInvalid},
		"the Kelvin sign makes no token": {
			"hub=a&access_to%E2%84%AAen=t", query{hub: "a", forward: "?hub=a&access_to%E2%84%AAen=t"}, reason.None,
		},
		"no hub":                            {"", query{}, reason.HubMissing},
		"two hubs by different spellings":   {"hub=a&Hub=a", query{}, reason.ParameterRepeated},
		"two tokens by different spellings": {"hub=a&access_token=1&ACCESS_TOKEN=1", query{}, reason.ParameterRepeated},
		"a bad escape":                      {"hub=a&b=%g0", query{}, reason.ParameterInvalid},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, why := parseQuery(tt.raw)
			if why != tt.why {
				t.Fatalf("reason %s, want %s", why, tt.why)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(query{})); why == reason.None && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("hub=chat&access_token=t&id=i")
	f.Add("hub=%zz&&=&hub")
	f.Fuzz(func(t *testing.T, raw string) {
		q, why := parseQuery(raw)
		if why != reason.None {
			return
		}
		if !validHub(q.hub) || q.hub != strings.ToLower(q.hub) {
			t.Errorf("the hub %q passed", q.hub)
		}
		// What the app server is told parses to the same, but has no token.
		again, why := parseQuery(strings.TrimPrefix(q.forward, "?"))
		if q.token = ""; why != reason.None || again != q {
			t.Errorf("%+v forwards %+v (%s)", q, again, why)
		}
	})
}

func TestLedger(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLedger(func() time.Time { return now })
	if !l.put("a", "1", time.Minute) || l.put("a", "2", time.Minute) {
		t.Error("a key can be put twice")
	}
	if l.take("a", "2") || l.take("b", "1") || !l.take("a", "1") || l.take("a", "1") {
		t.Error("take gives what is not there, or twice")
	}
	l.put("c", "", time.Minute)
	l.drop("c")
	if !l.put("c", "", time.Minute) {
		t.Error("a dropped key is still there")
	}
	now = now.Add(time.Minute)
	if l.take("c", "") {
		t.Error("an expired key is given")
	}
	if !l.put("c", "", time.Minute) {
		t.Error("an expired key is still there")
	}
	for i := range maxLedger + 100 {
		l.put(strings.Repeat("x", 1)+string(rune(i)), "", time.Minute)
	}
	if len(l.entries) > maxLedger+1 || len(l.order) > maxLedger+1 {
		t.Errorf("%d entries, %d in order, want at most %d", len(l.entries), len(l.order), maxLedger+1)
	}
}

func TestHeadersThatAreOurs(t *testing.T) {
	for name, want := range map[string]bool{
		"Asrs-Instance-Id": true, "ASRS-X": true, "X-Asrs-Server-Id": true, "X-Forwarded-For": true, "X-Forwarded-Host": true,
		"Forwarded": true, "Authorization": true, "Connection": true, "Upgrade": true, "Sec-Websocket-Key": true,
		"Proxy-Authorization": true, "Content-Length": true, "Host": true,
		"Cookie": false, "User-Agent": false, "X-Requested-With": false, "X-Custom": false, "Asrs": false, "Origin": false,
	} {
		if got := ours(name); got != want {
			t.Errorf("%s is ours: %t, want %t", name, got, want)
		}
	}
}

func TestClientIP(t *testing.T) {
	h := NewHandler(Config{Quota: &rooms{}, Now: time.Now, Settings: Settings{Proxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}}})
	tests := map[string]struct{ remote, chain, want string }{
		"a stranger":                         {"8.8.8.8:1", "1.1.1.1", "8.8.8.8"},
		"a proxy":                            {"10.0.0.1:1", "1.1.1.1", "1.1.1.1"},
		"a proxy, mapped into IPv6":          {"[::ffff:10.0.0.1]:1", "1.1.1.1", "1.1.1.1"},
		"an IPv6 proxy":                      {"[fd00::1]:1", "2001:db8::5", "2001:db8::5"},
		"a zone is taken off":                {"[fe80::1%eth0]:1", "", "fe80::1"},
		"a forger behind a proxy":            {"10.0.0.1:1", "9.9.9.9, 1.1.1.1", "1.1.1.1"},
		"proxies all the way":                {"10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		"a broken chain stops there":         {"10.0.0.1:1", "1.1.1.1, junk, 10.0.0.2", "10.0.0.2"},
		"a remote address that is no IP":     {"pipe", "1.1.1.1", ""},
		"a remote address that is no number": {"host:1", "1.1.1.1", ""},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/client/?hub=a", http.NoBody)
			r.RemoteAddr = tt.remote
			r.Header.Set("X-Forwarded-For", tt.chain)
			if got := h.clientIP(r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// rooms are the rest of the edge.
type rooms struct {
	full   bool
	places atomic.Int64
	bound  chan *Client // nil: Bind takes nobody
	alive  map[string]bool
}

func (r *rooms) Client(token, _ string) (*Identity, error) {
	if token == "" {
		return nil, errors.New("no token")
	}
	return &Identity{User: token}, nil
}
func (r *rooms) Server(token, _ string) (string, error) { return token, nil }
func (r *rooms) Reason(error) string                    { return "token_missing" }
func (r *rooms) Mint(hub, user string) (id, token string, err error) {
	return "id-" + hub + "-" + user, "token-" + hub + "-" + user, nil
}

func (r *rooms) Open(token, hub, user string) (id string, expired, ok bool) {
	return "id-" + hub + "-" + user, false, token == "token-"+hub+"-"+user
}
func (r *rooms) Acquire() bool { r.places.Add(1); return !r.full }
func (r *rooms) Release()      { r.places.Add(-1) }
func (r *rooms) Full() bool    { return r.full }
func (r *rooms) Bind(_ int, conn net.Conn, _ []byte, c *Client) bool {
	if r.bound == nil {
		return false
	}
	_ = conn.Close()
	r.bound <- c
	return true
}
func (r *rooms) Exists(id string) bool { return r.alive[id] }

func door(t *testing.T, r *rooms) *Handler {
	t.Helper()
	return NewHandler(Config{
		Node: "node", Auth: r, Tokens: r, Sessions: r, Quota: r, Metrics: metrics.New("test"),
		Log:  slog.New(slog.DiscardHandler),
		Mode: func(string, bool) reason.Reason { return reason.None }, FirstUse: time.Second, Now: time.Now,
		Settings: Settings{AllowedOrigins: []string{"*"}},
	})
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, http.NoBody))
	return w
}

func TestADrainingDoorRefusesEverybody(t *testing.T) {
	h := door(t, &rooms{})
	targets := []string{
		"POST /client/negotiate?hub=a&access_token=t", "GET /api/health",
		"GET /client/?hub=a&access_token=t", "GET /server/?hub=a&access_token=t",
	}
	for _, target := range targets {
		method, path, _ := strings.Cut(target, " ")
		if got := ask(h, method, path).Code; got == http.StatusServiceUnavailable {
			t.Errorf("%s is refused before the drain", target)
		}
	}
	h.Drain()
	for _, target := range targets {
		method, path, _ := strings.Cut(target, " ")
		w := ask(h, method, path)
		if head := w.Header(); w.Code != http.StatusServiceUnavailable || head.Get("Retry-After") == "" ||
			head.Get("Connection") != "close" {
			t.Errorf("%s gives %d %v, want 503", target, w.Code, w.Header())
		}
	}
	if got := ask(h, "POST", "/client/negotiate?hub=a").Code; got != http.StatusUnauthorized {
		t.Errorf("without a token the answer is %d: strangers learn nothing", got)
	}
}

func TestNegotiateAnswers(t *testing.T) {
	h := door(t, &rooms{})
	const transports = `"availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]`
	const token = `"connectionToken":"token-a-t",`
	for query, want := range map[string]string{
		"":                    `{"negotiateVersion":0,"connectionId":"id-a-t",` + transports + `}`,
		"&negotiateVersion=0": `{"negotiateVersion":0,"connectionId":"id-a-t",` + transports + `}`,
		"&negotiateVersion=1": `{"negotiateVersion":1,"connectionId":"id-a-t",` + token + transports + `}`,
		"&negotiateVersion=7": `{"negotiateVersion":1,"connectionId":"id-a-t",` + token + transports + `}`,
		"&negotiateVersion=x": `{"negotiateVersion":0,"error":"The client requested a non-integer protocol version."}`,
	} {
		w := ask(h, "POST", "/client/negotiate?hub=a&access_token=t"+query)
		if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
}

func TestAClientThatNobodyTakes(t *testing.T) {
	upgrade := func(web *httptest.Server) int {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte("GET /client/?hub=a&access_token=t HTTP/1.1\r\nHost: a\r\n" +
			"Connection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		var b [4096]byte
		n, err := conn.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		status, _, _ := strings.Cut(strings.TrimPrefix(string(b[:n]), "HTTP/1.1 "), " ")
		if status == "101" {
			return 101
		}
		return 0
	}
	r := &rooms{}
	h := door(t, r)
	web := httptest.NewServer(h)
	if got := upgrade(web); got != 101 {
		t.Fatalf("status %d", got)
	}
	deadline := time.After(10 * time.Second)
	for r.places.Load() != 0 {
		select {
		case <-deadline:
			t.Fatalf("%d places are kept for a client that the full shard did not take", r.places.Load())
		case <-time.After(time.Millisecond):
		}
	}
	web.Close()

	r = &rooms{bound: make(chan *Client, 1)}
	web = httptest.NewServer(door(t, r))
	defer web.Close()
	upgrade(web)
	c := <-r.bound
	if r.places.Load() != 1 || c.Identity.User != "t" || c.Open.QueryString != "?hub=a" {
		t.Errorf("bound %+v, places %d", c, r.places.Load())
	}
}
