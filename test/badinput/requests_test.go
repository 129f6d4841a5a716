package badinput

import (
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

const (
	textHubMissing  = "The query parameter 'hub' is required."
	textHubInvalid  = "The query parameter 'hub' is not a hub name"
	textRepeated    = "may stand once only"
	textQuery       = "The query string is not well-formed."
	textMethod      = "Method not allowed."
	textNoID        = "Connection ID required"
	textNotFound    = "Not found."
	textVersion     = "the Sec-WebSocket-Version header is not '13'"
	textKey         = "the Sec-WebSocket-Key header is not 16 bytes in base64"
	textBody        = "a request that opens a WebSocket has no body"
	textHTTP        = "a WebSocket opens over HTTP/1.1"
	textConnection  = "the Connection header does not contain 'Upgrade'"
	textAccessKeys  = "This service knows access keys only"
	textNotInteger  = `"error":"The client requested a non-integer protocol version."`
	textBigHeaders  = "The request's headers are above 16 KiB."
	textUnsupported = "transport not supported by this end point type"
)

// request is a wrong request: its text as it goes on the wire, and what is documented for it. counter is the reason of
// signalr_edge_requests_refused_total; empty where net/http answers before the edge sees anything, or where the answer
// is no refusal.
type request struct {
	text    string
	status  int
	body    string
	counter string
}

// plain is a request without a body.
func plain(method, target string, header ...string) string {
	head := append([]string{"Host: node"}, header...)
	return method + " " + target + " HTTP/1.1\r\n" + strings.Join(head, "\r\n") + "\r\n\r\n"
}

// negotiate is a negotiate request with a good token for the hub chat, whatever the query says.
func negotiate(query string, header ...string) string {
	return plain("POST", "/client/negotiate?"+query,
		append(header, "Content-Length: 0", "Authorization: Bearer "+peer.ClientToken("chat", ""))...)
}

// upgrade is an upgrade of a client with a good token; see peer.UpgradeRequest for header.
func upgrade(header ...string) string {
	return peer.UpgradeRequest("/client/?hub=chat&access_token="+peer.ClientToken("chat", ""), header...)
}

// serverUpgrade is that of an app server.
func serverUpgrade(header ...string) string {
	return peer.UpgradeRequest("/server/?hub=chat&cid=1", append(header,
		"Authorization: Bearer "+peer.ServerToken("chat"))...)
}

func (w *world) requests(t *testing.T) {
	for name, r := range merge(negotiations(), paths(), upgrades()) {
		counter := ""
		if r.counter != "" {
			counter = peer.Refused(r.counter)
		}
		w.step(t, name, counter, func(t trial) {
			c := w.Dial(t)
			answers(t, c.Request(r.text), r.status, r.body)
			_ = c.Conn.Close()
		})
	}
	w.step(t, "half a request's head is not waited for", "", func(t trial) {
		c := w.Dial(t)
		c.Raw([]byte("GET /client/?hub=chat HTTP/1.1\r\nHost: no"))
		ended{gone: true}.check(t, c)
	})
}

func merge(tables ...map[string]request) map[string]request {
	all := map[string]request{}
	for _, table := range tables {
		for name, r := range table {
			if _, twice := all[name]; twice {
				panic("two cases are called " + name)
			}
			all[name] = r
		}
	}
	return all
}

func negotiations() map[string]request {
	table := map[string]request{
		"negotiate without a hub":                 {negotiate(""), 400, textHubMissing, "hub-missing"},
		"negotiate with an empty hub":             {negotiate("hub="), 400, textHubMissing, "hub-missing"},
		"negotiate with a hub without a value":    {negotiate("hub"), 400, textHubMissing, "hub-missing"},
		"negotiate with a hub that begins with 1": {negotiate("hub=1chat"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a hub that begins with _": {negotiate("hub=_chat"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a hyphen in the hub":      {negotiate("hub=my-chat"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a space in the hub":       {negotiate("hub=my%20chat"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a slash in the hub":       {negotiate("hub=my%2Fchat"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a null in the hub":        {negotiate("hub=chat%00"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with an umlaut in the hub":     {negotiate("hub=ch%C3%A4t"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with the Kelvin sign in it":    {negotiate("hub=tal%E2%84%AA"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a hub of broken UTF-8":    {negotiate("hub=ch%FFt"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a semicolon in the hub":   {negotiate("hub=chat;b"), 400, textHubInvalid, "hub-invalid"},
		"negotiate with a hub of 129 characters": {
			negotiate("hub=" + strings.Repeat("a", 129)), 400, textHubInvalid, "hub-invalid",
		},
		"negotiate with two hubs": {negotiate("hub=chat&hub=chat"), 400, textRepeated, "parameter-repeated"},
		"negotiate with two hubs of other case": {
			negotiate("hub=chat&HUB=other"), 400, textRepeated, "parameter-repeated",
		},
		"negotiate with an escaped second hub": {
			negotiate("hub=chat&%68ub=other"), 400, textRepeated, "parameter-repeated",
		},
		"negotiate with two tokens in the query": {
			negotiate("hub=chat&access_token=a&access_token=b"), 400, textRepeated, "parameter-repeated",
		},
		"negotiate with two ids": {
			negotiate("hub=chat&id=a&id=b"), 400, textRepeated, "parameter-repeated",
		},
		"negotiate with a bad escape in a value":   {negotiate("hub=ch%zzat"), 400, textQuery, "parameter-invalid"},
		"negotiate with half an escape at the end": {negotiate("hub=chat%2"), 400, textQuery, "parameter-invalid"},
		"negotiate with a bad escape in a name":    {negotiate("h%ub=chat"), 400, textQuery, "parameter-invalid"},
		"negotiate with a bad escape elsewhere":    {negotiate("hub=chat&x=%"), 400, textQuery, "parameter-invalid"},
		"negotiate in version one and a half":      {negotiate("hub=chat&negotiateVersion=1.5"), 200, textNotInteger, ""},
		"negotiate in version abc":                 {negotiate("hub=chat&negotiateVersion=abc"), 200, textNotInteger, ""},
		"negotiate in a version beyond all bounds": {
			negotiate("hub=chat&negotiateVersion=99999999999999999999"), 200, textNotInteger, "",
		},
		"negotiate with 17 KiB of headers": {
			negotiate("hub=chat", "Cookie: "+strings.Repeat("c", 17<<10)), 431, textBigHeaders, "headers-too-large",
		},
		"negotiate with 17 KiB of small headers": {
			negotiate("hub=chat", slicesOf("X-A: "+strings.Repeat("b", 100), 170)...), 431, textBigHeaders, "headers-too-large",
		},
		"negotiate with 60 KiB of headers":  {negotiate("hub=chat", "Cookie: "+strings.Repeat("c", 60<<10)), 431, "", ""},
		"negotiate with a target of 60 KiB": {negotiate("hub=chat&x=" + strings.Repeat("c", 60<<10)), 431, "", ""},
		"a server's upgrade with 17 KiB": {
			serverUpgrade("X-A: " + strings.Repeat("c", 17<<10)), 431, textBigHeaders, "headers-too-large",
		},
		"negotiate without a Host":          {"POST /client/negotiate?hub=chat HTTP/1.1\r\n\r\n", 400, "", ""},
		"a request line without a version":  {"POST /client/negotiate?hub=chat\r\nHost: node\r\n\r\n", 400, "", ""},
		"a header without a colon":          {plain("POST", "/client/negotiate?hub=chat", "nonsense"), 400, "", ""},
		"a header with a space in its name": {plain("POST", "/client/negotiate?hub=chat", "X A: b"), 400, "", ""},
		"a length that is no number":        {plain("POST", "/client/negotiate?hub=chat", "Content-Length: x"), 400, "", ""},
		"two different lengths": {
			plain("POST", "/client/negotiate?hub=chat", "Content-Length: 1", "Content-Length: 2"), 400, "", "",
		},
		"a transfer coding nobody knows": {
			plain("POST", "/client/negotiate?hub=chat", "Transfer-Encoding: x"), 501, "", "",
		},
		"the preface of HTTP/2":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, textNotFound, "not-found"},
		"bytes of TLS":                       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "", ""},
		"a control character in the request": {"POST /client/negotiate?hub=\x01 HTTP/1.1\r\nHost: node\r\n\r\n", 400, "", ""},
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"} {
		body := textMethod
		if method == "HEAD" {
			body = ""
		}
		target := "/client/negotiate?hub=chat"
		table["negotiate by "+method] = request{plain(method, target, "Content-Length: 0"), 405, body, "method-not-allowed"}
	}
	// CONNECT names an authority, which a path is not.
	table["negotiate by CONNECT"] = request{
		plain("CONNECT", "node:80", "Content-Length: 0"), 404, textNotFound, "not-found",
	}
	return table
}

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func paths() map[string]request {
	table := map[string]request{
		"the access key of an Entra identity": {plain("GET", "/api/v1/auth/accessKey"), 401, textAccessKeys, "unauthorized"},
		"health by POST": {
			plain("POST", "/api/health", "Content-Length: 0"), 405, textMethod, "method-not-allowed",
		},
		"health by DELETE":            {plain("DELETE", "/api/health"), 405, textMethod, "method-not-allowed"},
		"a preflight for app servers": {plain("OPTIONS", "/server/?hub=chat"), 405, textMethod, "method-not-allowed"},
		"an app server by POST": {
			plain("POST", "/server/?hub=chat", "Content-Length: 0"), 405, textMethod, "method-not-allowed",
		},
		"an app server without a hub":  {peer.UpgradeRequest("/server/"), 400, textHubMissing, "hub-missing"},
		"an app server with a bad hub": {peer.UpgradeRequest("/server/?hub=a-b"), 400, textHubInvalid, "hub-invalid"},
		"an app server with two hubs": {
			peer.UpgradeRequest("/server/?hub=a&hub=b"), 400, textRepeated, "parameter-repeated",
		},
		"an app server with a bad escape": {peer.UpgradeRequest("/server/?hub=%q"), 400, textQuery, "parameter-invalid"},
		"a client by PUT": {
			plain("PUT", "/client/?hub=chat", "Content-Length: 0"), 405, textMethod, "method-not-allowed",
		},
		"a client by HEAD":        {plain("HEAD", "/client/?hub=chat"), 405, "", "method-not-allowed"},
		"a client without a hub":  {peer.UpgradeRequest("/client/"), 400, textHubMissing, "hub-missing"},
		"a client with a bad hub": {peer.UpgradeRequest("/client/?hub=a/b"), 400, textHubInvalid, "hub-invalid"},
	}
	for _, path := range []string{
		"/", "/chat", "/aspnetclient", "/aspnetclient/negotiate?hub=chat", "/aspnetserver/?hub=chat", "/client/x",
		"/clients/?hub=chat", "/CLIENT/?hub=chat", "/client/../server/?hub=chat", "/server/negotiate?hub=chat",
		"/api/hubs/chat/:send", "/api", "/api/health/", "/metrics", "/status", "/healthz", "/debug/pprof/", "//",
	} {
		table["the path "+path] = request{plain("GET", path), 404, textNotFound, "not-found"}
	}
	return table
}

func upgrades() map[string]request {
	const invalid = "upgrade-invalid"
	return map[string]request{
		"an upgrade without Connection":     {upgrade("Connection: -"), 400, textNoID, "connection-id-required"},
		"an upgrade with Connection: close": {upgrade("Connection: close"), 400, textNoID, "connection-id-required"},
		"an upgrade without Upgrade":        {upgrade("Upgrade: -"), 400, textNoID, "connection-id-required"},
		"an upgrade to h2c":                 {upgrade("Upgrade: h2c"), 400, textNoID, "connection-id-required"},
		"an upgrade without a version":      {upgrade("Sec-WebSocket-Version: -"), 426, textVersion, invalid},
		"an upgrade of version 12":          {upgrade("Sec-WebSocket-Version: 12"), 426, textVersion, invalid},
		"an upgrade of version 8":           {upgrade("Sec-WebSocket-Version: 8"), 426, textVersion, invalid},
		"an upgrade of two versions":        {upgrade("Sec-WebSocket-Version: 13, 8"), 426, textVersion, invalid},
		"an upgrade with a version twice": {
			upgrade("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"), 426, textVersion, invalid,
		},
		"an upgrade without a key":          {upgrade("Sec-WebSocket-Key: -"), 400, textKey, invalid},
		"an upgrade with an empty key":      {upgrade("Sec-WebSocket-Key: "), 400, textKey, invalid},
		"an upgrade with a short key":       {upgrade("Sec-WebSocket-Key: c2hvcnQ="), 400, textKey, invalid},
		"an upgrade with a key of 17 bytes": {upgrade("Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NTY="), 400, textKey, invalid},
		"an upgrade with a key not base64":  {upgrade("Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="), 400, textKey, invalid},
		"an upgrade with two keys": {
			upgrade("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
			400, textKey, invalid,
		},
		"an upgrade with a body": {upgrade("Content-Length: 5") + "hello", 400, textBody, invalid},
		"an upgrade with a chunked body": {
			upgrade("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, textBody, invalid,
		},
		"an upgrade over HTTP/1.0": {
			strings.Replace(upgrade(), "HTTP/1.1", "HTTP/1.0", 1), 400, textHTTP, invalid,
		},
		"an upgrade by POST": {
			strings.Replace(upgrade("Content-Length: 0"), "GET", "POST", 1), 400, textNoID, "connection-id-required",
		},
		"an upgrade by PUT": {
			strings.Replace(upgrade("Content-Length: 0"), "GET", "PUT", 1), 405, textMethod, "method-not-allowed",
		},
		"server-sent events without an id": {
			upgrade("Connection: -", "Upgrade: -", "Accept: text/event-stream"), 400, textNoID, "connection-id-required",
		},
		"an app server without Connection": {serverUpgrade("Connection: -"), 400, textConnection, invalid},
		"an app server without Upgrade":    {serverUpgrade("Upgrade: -"), 400, "the Upgrade header", invalid},
		"an app server of version 12":      {serverUpgrade("Sec-WebSocket-Version: 12"), 426, textVersion, invalid},
		"an app server without a key":      {serverUpgrade("Sec-WebSocket-Key: -"), 400, textKey, invalid},
		"an app server over HTTP/1.0": {
			strings.Replace(serverUpgrade(), "HTTP/1.1", "HTTP/1.0", 1), 400, textHTTP, invalid,
		},
		"an app server with a body": {serverUpgrade("Content-Length: 1") + "x", 400, textBody, invalid},
		"a client whose token has no WebSockets": {
			peer.UpgradeRequest("/client/?hub=chat&access_token=" +
				peer.Sign(peer.ClientClaims("chat").With("asrs.s.htt", "6"))),
			403, "does not allow the WebSockets transport", "transport-forbidden",
		},
	}
}
