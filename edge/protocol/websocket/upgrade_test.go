package websocket

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodKey = "dGhlIHNhbXBsZSBub25jZQ=="

// request parses an upgrade request after replacing or dropping (by a replacement that is empty) one of its lines.
func request(t *testing.T, line, replacement string) *http.Request {
	t.Helper()
	lines := []string{
		"GET /client/?hub=chat HTTP/1.1", "Host: h", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + goodKey,
	}
	var raw strings.Builder
	for _, l := range lines {
		if line != "" && strings.HasPrefix(l, line) {
			l = replacement
		}
		if l != "" {
			raw.WriteString(l + "\r\n")
		}
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String() + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckUpgrade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line, replacement string
		want              int
	}{
		"takes a plain upgrade":                 {"", "", 0},
		"takes lists and any case":              {"Connection", "Connection: keep-alive, UPGRADE", 0},
		"takes Connection in two lines":         {"Connection", "Connection: keep-alive\r\nConnection: upgrade", 0},
		"takes WebSocket among other protocols": {"Upgrade", "Upgrade: h2c, WebSocket", 0},
		"takes an offer of a subprotocol":       {"Host", "Host: h\r\nSec-WebSocket-Protocol: x", 0},
		"takes an offer of compression":         {"Host", "Host: h\r\nSec-WebSocket-Extensions: permessage-deflate", 0},
		"refuses POST":                          {"GET", "POST / HTTP/1.1", 405},
		"refuses HEAD":                          {"GET", "HEAD / HTTP/1.1", 405},
		"refuses HTTP/1.0":                      {"GET", "GET / HTTP/1.0", 400},
		"refuses no Connection":                 {"Connection", "", 400},
		"refuses Connection without Upgrade":    {"Connection", "Connection: keep-alive", 400},
		"refuses Upgrade as part of a token":    {"Connection", "Connection: no-upgrade", 400},
		"refuses no Upgrade":                    {"Upgrade", "", 400},
		"refuses another protocol":              {"Upgrade", "Upgrade: h2c", 400},
		"asks for version 13 instead of 8":      {"Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", 426},
		"asks for version 13 instead of none":   {"Sec-WebSocket-Version", "", 426},
		"asks for version 13 instead of 013":    {"Sec-WebSocket-Version", "Sec-WebSocket-Version: 013", 426},
		"asks for version 13 instead of a list": {"Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8", 426},
		"asks for version 13 instead of two": {
			"Sec-WebSocket-Version", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8", 426,
		},
		"refuses no key":                   {"Sec-WebSocket-Key", "", 400},
		"refuses an empty key":             {"Sec-WebSocket-Key", "Sec-WebSocket-Key:", 400},
		"refuses a key of 15 bytes":        {"Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA", 400},
		"refuses a key of 17 bytes":        {"Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=", 400},
		"refuses a key that is not base64": {"Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==", 400},
		"refuses a key in URL base64":      {"Sec-WebSocket-Key", "Sec-WebSocket-Key: ____________________-w==", 400},
		"refuses two keys": {
			"Sec-WebSocket-Key", "Sec-WebSocket-Key: " + goodKey + "\r\nSec-WebSocket-Key: " + goodKey, 400,
		},
		"refuses a body":                         {"Host", "Host: h\r\nContent-Length: 5", 400},
		"refuses a body in chunks":               {"Host", "Host: h\r\nTransfer-Encoding: chunked", 400},
		"takes an empty body that says it is so": {"Host", "Host: h\r\nContent-Length: 0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckUpgrade(request(t, c.line, c.replacement))
			if c.want == 0 {
				if err != nil {
					t.Fatalf("want no error, got %v", err)
				}
				return
			}
			refusal, ok := errors.AsType[*UpgradeError](err)
			if !ok || refusal.Status != c.want || refusal.Text == "" {
				t.Fatalf("want status %d with a text, got %v", c.want, err)
			}
			header := http.Header{}
			refusal.SetHeader(header)
			want := map[int]http.Header{
				405: {"Allow": {"GET"}},
				426: {"Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
				400: {},
			}[c.want]
			if diff := cmp.Diff(want, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsUpgrade(t *testing.T) {
	t.Parallel()
	if !IsUpgrade(request(t, "Sec-WebSocket-Version", "")) {
		t.Error("want an upgrade of a wrong version to be one")
	}
	if IsUpgrade(request(t, "Upgrade", "")) || IsUpgrade(request(t, "Connection", "")) {
		t.Error("want no upgrade without both headers")
	}
}

func TestUpgradeResponse(t *testing.T) {
	t.Parallel()
	// The key and its answer are those of RFC 6455 section 1.3.
	if want, got := "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", AcceptKey(goodKey); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	if got := string(AppendUpgradeResponse(nil, goodKey)); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	if key := strings.Repeat("k", 200); AcceptKey(key) == "" {
		t.Error("want an answer to a key of any length")
	}
}
