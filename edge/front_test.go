package edge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// opened connects a client with headers of its own and returns what the app server is told.
func opened(t *testing.T, n *peer.Node, target string, header ...string) *service.OpenConnection {
	t.Helper()
	server := raw(t, n, "server-1", nil)
	c := n.Dial(t)
	if a := c.Request(peer.UpgradeRequest(target, header...)); a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d %s", a.Status, a.Body)
	}
	c.Text(peer.HandshakeJSON)
	open := accept(t, server)
	c.Close()
	return open
}

func TestHeadersForTheAppServer(t *testing.T) {
	n := peer.Start(t)
	open := opened(t, n, "/client/?hub=chat", "Authorization: Bearer "+peer.ClientToken("chat", ""),
		"Cookie: session=1", "User-Agent: Microsoft SignalR/10.0", "X-Custom: one\r\nX-Custom: two",
		"Origin: http://page.example",
		"X-Requested-With: XMLHttpRequest", "Accept-Language: de",
		// What must not arrive: what the edge says itself, what belongs to one hop, what is secret.
		"Asrs-Instance-Id: forged", "asrs-is-diagnostic-client: true", "Asrs-Migrate-From: forged",
		"X-ASRS-Server-Id: forged",
		"x-asrs-user-id: forged", "X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https", "Forwarded: for=8.8.8.8",
		"X-Real-IP: 8.8.8.8", "Proxy-Authorization: Basic x", "Keep-Alive: 5", "TE: trailers",
		"Connection: Upgrade, X-Hop", "X-Hop: forged",
	)
	got := map[string][]string{}
	for _, h := range open.Headers {
		if _, twice := got[h.Name]; twice {
			t.Errorf("header %s stands twice", h.Name)
		}
		got[h.Name] = h.Values
	}
	want := map[string][]string{
		"Cookie": {"session=1"}, "User-Agent": {"Microsoft SignalR/10.0"}, "X-Custom": {"one", "two"},
		"Origin": {"http://page.example"}, "X-Requested-With": {"XMLHttpRequest"}, "Accept-Language": {"de"},
		"Asrs-Instance-Id": {"node-under-test"}, "X-Forwarded-For": {"127.0.0.1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestADiagnosticClientIsMarked(t *testing.T) {
	n := peer.Start(t)
	token := peer.Sign(peer.ClientClaims("chat").With("asrs.s.dc", "true"))
	open := opened(t, n, "/client/?hub=chat&access_token="+token)
	if v, _ := open.Headers.Get("Asrs-Is-Diagnostic-Client"); v != "true" {
		t.Errorf("the mark is %q", v)
	}
}

func TestForwardedForOfTrustedProxies(t *testing.T) {
	tests := map[string]struct {
		trusted []string
		header  []string
		want    string
	}{
		"nobody is trusted":   {nil, []string{"X-Forwarded-For: 8.8.8.8"}, "127.0.0.1"},
		"another is trusted":  {[]string{"10.0.0.0/8"}, []string{"X-Forwarded-For: 8.8.8.8"}, "127.0.0.1"},
		"the peer is trusted": {[]string{"127.0.0.1"}, []string{"X-Forwarded-For: 8.8.8.8"}, "8.8.8.8"},
		"the last of the chain counts": {
			[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 1.1.1.1, 8.8.8.8"}, "8.8.8.8",
		},
		"a trusted one in the chain is skipped": {
			[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For: 8.8.8.8, 10.1.1.1"}, "8.8.8.8",
		},
		"two headers are one chain": {
			[]string{"127.0.0.1"}, []string{"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 8.8.8.8"}, "8.8.8.8",
		},
		"the port is taken off": {
			[]string{"127.0.0.1"}, []string{"X-Forwarded-For: 8.8.8.8:1234"}, "8.8.8.8",
		},
		"IPv6 with brackets": {
			[]string{"127.0.0.1"}, []string{"X-Forwarded-For: [2001:db8::1]:443"}, "2001:db8::1",
		},
		"garbage is the proxy's own": {[]string{"127.0.0.1"}, []string{"X-Forwarded-For: unknown"}, "127.0.0.1"},
		"no header":                  {[]string{"127.0.0.1"}, nil, "127.0.0.1"},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			n := peer.Start(t, func(c *config.Config) { c.TrustedProxies = tt.trusted })
			open := opened(t, n, "/client/?hub=chat&access_token="+peer.ClientToken("chat", ""), tt.header...)
			if got, _ := open.Headers.Get("X-Forwarded-For"); got != tt.want {
				t.Errorf("X-Forwarded-For is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheQueryIsKeptWithoutTheToken(t *testing.T) {
	n := peer.Start(t)
	token := peer.ClientToken("chat", "")
	tests := map[string]struct{ query, want string }{
		"all of the SDK's parts": {
			"hub=chat&asrs.op=%2Fchat&a=b&negotiateVersion=1&asrs_request_id=abc%3D&access_token=" + token,
			"?hub=chat&asrs.op=%2Fchat&a=b&negotiateVersion=1&asrs_request_id=abc%3D",
		},
		"the token in front":         {"access_token=" + token + "&hub=chat", "?hub=chat"},
		"the token in another case":  {"hub=chat&Access_Token=" + token, "?hub=chat"},
		"the token with an escape":   {"hub=chat&access%5Ftoken=" + token, "?hub=chat"},
		"parameters without a value": {"hub=chat&x&y=&access_token=" + token, "?hub=chat&x&y="},
		"escapes as they came":       {"hub=chat&x=%C3%A4+%2f&access_token=" + token, "?hub=chat&x=%C3%A4+%2f"},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got := opened(t, n, "/client/?"+tt.query).QueryString; got != tt.want {
				t.Errorf("query %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClaimsReachTheHub(t *testing.T) {
	n := peer.Start(t)
	seen := make(chan *appserver.Principal, 1)
	hub := appserver.NewHub("chat").OnConnected(func(c *appserver.Context) error {
		seen <- c.User()
		return nil
	})
	app := n.AppOf(t, hub)
	token, err := app.ClientToken("chat", appserver.Identity{UserID: "anna", Claims: []appserver.Claim{
		{Type: appserver.ClaimTypeName, Value: "Anna"},
		{Type: appserver.ClaimTypeRole, Value: "admin"},
		{Type: appserver.ClaimTypeRole, Value: "writer"},
		{Type: "iss", Value: "their own"},
		{Type: "color", Value: "red"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	n.Join(t, "chat", token, "messagepack")
	p := <-seen
	if p.UserID() != "anna" {
		t.Errorf("the user is %q", p.UserID())
	}
	for _, role := range []string{"admin", "writer"} {
		if !p.IsInRole(role) {
			t.Errorf("the user is not in the role %s: %+v", role, p)
		}
	}
	if p.IsInRole("other") {
		t.Error("the user is in every role")
	}
}

func TestCORS(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.CORS.AllowedOrigins = []string{"https://chat.example"} })
	n.App(t)
	bearer := "Authorization: Bearer " + peer.ClientToken("chat", "")
	tests := map[string]struct {
		method, path string
		header       []string
		status       int
		allow        string
	}{
		"a preflight": {
			"OPTIONS", "/client/negotiate?hub=chat", []string{"Origin: https://chat.example"}, 204, "https://chat.example",
		},
		"a preflight of another origin": {
			"OPTIONS", "/client/negotiate?hub=chat", []string{"Origin: https://evil.example"}, 204, "",
		},
		"a preflight of the connection": {
			"OPTIONS", "/client/?hub=chat", []string{"Origin: https://chat.example"}, 204, "https://chat.example",
		},
		"negotiate": {
			"POST", "/client/negotiate?hub=chat",
			[]string{"Origin: https://chat.example", bearer},
			200,
			"https://chat.example",
		},
		"negotiate of another origin": {
			"POST", "/client/negotiate?hub=chat", []string{"Origin: https://evil.example", bearer}, 403, "",
		},
		"negotiate of null":           {"POST", "/client/negotiate?hub=chat", []string{"Origin: null", bearer}, 403, ""},
		"negotiate without an origin": {"POST", "/client/negotiate?hub=chat", []string{bearer}, 200, ""},
		"a refusal shows its text": {
			"POST", "/client/negotiate?hub=chat", []string{"Origin: https://chat.example"}, 401, "https://chat.example",
		},
		"a bad request shows its text": {
			"POST", "/client/negotiate", []string{"Origin: https://chat.example"}, 400, "https://chat.example",
		},
		"big headers show their text": {
			"POST", "/client/negotiate",
			[]string{"Origin: https://chat.example", "X: " + strings.Repeat("x", 17<<10)},
			431,
			"https://chat.example",
		},
		"the origin compares without case": {
			"POST", "/client/negotiate?hub=chat",
			[]string{"Origin: https://CHAT.example", bearer},
			200,
			"https://CHAT.example",
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			a := n.Ask(t, tt.method, tt.path, tt.header...)
			if a.Status != tt.status {
				t.Errorf("status %d %s, want %d", a.Status, a.Body, tt.status)
			}
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != tt.allow {
				t.Errorf("allowed origin %q, want %q", got, tt.allow)
			}
			if credentials := a.Header.Get("Access-Control-Allow-Credentials"); (credentials == "true") != (tt.allow != "") {
				t.Errorf("credentials %q", credentials)
			}
			if !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
				t.Errorf("Vary is %q", a.Header.Values("Vary"))
			}
		})
	}
	c := n.Dial(t)
	target := "/client/?hub=chat&access_token=" + peer.ClientToken("chat", "")
	a := c.Request(peer.UpgradeRequest(target, "Origin: https://evil.example"))
	if a.Status != http.StatusForbidden {
		t.Errorf("a WebSocket of another origin gets %d, want 403", a.Status)
	}
	asked := n.Ask(t, "OPTIONS", "/client/negotiate?hub=chat", "Origin: https://chat.example",
		"Access-Control-Request-Headers: authorization,x-my-own")
	if got := asked.Header.Get("Access-Control-Allow-Headers"); got != "authorization,x-my-own" {
		t.Errorf("allowed headers %q", got)
	}
}

func TestTheStreamDriverServesBothProtocols(t *testing.T) {
	n := peer.StartWith(t, edge.Options{Stream: true})
	n.App(t)
	for _, protocol := range []string{"json", "messagepack"} {
		c := n.Join(t, "chat", peer.ClientToken("chat", ""), protocol)
		c.Echo("over the stream driver")
		c.Close()
	}
}

func TestTLS(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	n := peer.Start(t, func(c *config.Config) { c.Listen.TLS = &config.TLS{CertFile: certFile, KeyFile: keyFile} })
	// The app server's HTTP client knows nothing of the certificate: it comes in by a raw socket as the client does.
	s := n.DialTLS(t, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
	a := s.Request(peer.UpgradeRequest("/server/?hub=chat", "Authorization: Bearer "+peer.ServerToken("chat")))
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("app server: %d %s", a.Status, a.Body)
	}
	s.Frame(2, service.Append(nil, hello(service.ConnectionDefault)))
	receive := serviceReader(t, s)
	receive(service.TypeHandshakeResponse)

	c := n.DialTLS(t, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	a = c.Request(peer.UpgradeRequest("/client/?hub=chat&access_token=" + peer.ClientToken("chat", "")))
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("client: %d %s", a.Status, a.Body)
	}
	c.Text(peer.HandshakeJSON)
	id := receive(service.TypeOpenConnection).(*service.OpenConnection).ConnectionID
	say := func(payload []byte, t service.DataType) {
		s.Frame(2, service.Append(nil, &service.ConnectionData{ConnectionID: id, Payload: payload, DataType: t}))
	}
	receive(service.TypeConnectionData)
	say([]byte("{}\x1e"), service.DataHandshake)
	if answer, _ := c.Record(); answer != "{}" {
		t.Fatalf("handshake: %q", answer)
	}
	text := `{"type":1,"target":"x","arguments":["` + strings.Repeat("t", 100<<10) + `"]}`
	c.Text(text + peer.Separator)
	var got []byte
	for len(got) < len(text)+1 {
		got = append(got, receive(service.TypeConnectionData).(*service.ConnectionData).Payload...)
	}
	say(got, service.DataInvocation)
	if back, ev := c.Record(); back != text {
		t.Errorf("of %d bytes %d came back, %+v", len(text), len(back), ev)
	}
	c.Close()
	_ = receive(service.TypeCloseConnection)
	_ = s.Conn.Close()
}

// serviceReader returns a function that reads until a message of a type comes.
func serviceReader(t *testing.T, s *peer.Client) func(service.Type) service.Message {
	t.Helper()
	var in []byte
	return func(want service.Type) service.Message {
		t.Helper()
		for {
			body, rest, err := service.NextFrame(in, 0)
			if err != nil {
				t.Fatal(err)
			}
			if body == nil {
				ev := s.Next()
				if ev.Message == nil {
					t.Fatalf("the server connection ended: %+v", ev)
				}
				in = append(slices.Clip(in), ev.Message...)
				continue
			}
			in = rest
			m, err := service.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if m.Type() == want {
				return m
			}
		}
	}
}

// certificate writes a self-signed one for loopback into files.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, b := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestABadCertificateStopsTheStart(t *testing.T) {
	cfg := config.Default()
	cfg.Listen = config.Listen{
		Client: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: &config.TLS{CertFile: "none", KeyFile: "none"},
	}
	cfg.Auth.Keys = []config.Key{{Name: "primary", Value: peer.Key}}
	_, err := edge.Start(t.Context(), cfg, edge.Options{Log: discard})
	if err == nil || !strings.Contains(err.Error(), "listen.tls") {
		t.Errorf("start says %v, want listen.tls", err)
	}
}
