package peer

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
)

// Separator ends a text record of the hub protocol.
const Separator = "\x1e"

// HandshakeJSON and HandshakePack are the stock handshake requests.
const (
	HandshakeJSON = `{"protocol":"json","version":1}` + Separator
	HandshakePack = `{"protocol":"messagepack","version":1}` + Separator
)

// mask is any masking key.
var mask = [4]byte{0x11, 0x22, 0x33, 0x44}

// Client is a socket to a node, an upgraded one as a rule.
type Client struct {
	tb     testing.TB
	Conn   net.Conn
	br     *bufio.Reader
	ws     websocket.Reader
	in     []byte // not parsed yet
	half   []byte // a message of which parts came
	waits  [][]byte
	framed hub.Framing
}

// Dial connects and sends nothing.
func (n *Node) Dial(tb testing.TB) *Client {
	tb.Helper()
	conn, err := (&net.Dialer{Timeout: Patience}).DialContext(tb.Context(), "tcp", n.ClientAddr())
	if err != nil {
		tb.Fatalf("dial the node: %v", err)
	}
	return newClient(tb, conn)
}

// DialTLS connects with TLS.
func (n *Node) DialTLS(tb testing.TB, c *tls.Config) *Client {
	tb.Helper()
	conn, err := (&tls.Dialer{Config: c}).DialContext(tb.Context(), "tcp", n.ClientAddr())
	if err != nil {
		tb.Fatalf("dial the node: %v", err)
	}
	return newClient(tb, conn)
}

func newClient(tb testing.TB, conn net.Conn) *Client {
	tb.Helper()
	c := &Client{tb: tb, Conn: conn, br: bufio.NewReader(conn), ws: websocket.NewReader(false, 64<<20)}
	tb.Cleanup(func() { _ = conn.Close() })
	return c
}

// UpgradeRequest is the head of an upgrade of target; each of header ("Name: value") replaces the header of that name,
// or takes it out when the value is "-".
func UpgradeRequest(target string, header ...string) string {
	head := []string{
		"Host: node", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		kept := head[:0]
		for _, old := range head {
			if oldName, _, _ := strings.Cut(old, ": "); !strings.EqualFold(oldName, name) {
				kept = append(kept, old)
			}
		}
		if head = kept; value != "-" {
			head = append(head, h)
		}
	}
	return "GET " + target + " HTTP/1.1\r\n" + strings.Join(head, "\r\n") + "\r\n\r\n"
}

// Request sends the text of a request and reads its answer. After status 101 the client stands behind it.
func (c *Client) Request(text string) Answer {
	c.tb.Helper()
	c.Raw([]byte(text))
	method, _, _ := strings.Cut(text, " ")
	return c.Answer(method)
}

// Answer reads the answer to a request that was sent.
func (c *Client) Answer(method string) Answer {
	c.tb.Helper()
	_ = c.Conn.SetReadDeadline(time.Now().Add(Patience))
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.tb.Fatalf("read the answer: %v", err)
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			c.tb.Fatalf("read the answer's body: %v", err)
		}
		a.Body = string(b)
	}
	return a
}

// Raw writes bytes; the node may have gone.
func (c *Client) Raw(b []byte) {
	c.tb.Helper()
	_ = c.Conn.SetWriteDeadline(time.Now().Add(Patience))
	_, _ = c.Conn.Write(b)
}

// Frame writes one masked frame with FIN.
func (c *Client) Frame(op websocket.Opcode, payload []byte) {
	c.tb.Helper()
	c.Raw(websocket.AppendMaskedFrame(nil, op, true, payload, mask))
}

// Part writes one masked frame without FIN.
func (c *Client) Part(op websocket.Opcode, payload []byte) {
	c.tb.Helper()
	c.Raw(websocket.AppendMaskedFrame(nil, op, false, payload, mask))
}

// Text writes a text message.
func (c *Client) Text(s string) {
	c.tb.Helper()
	c.Frame(websocket.OpText, []byte(s))
}

// Event is what came: a message, a close frame (Code and Text, or Code 1005 without), or the end of the TCP
// connection, which is Gone.
type Event struct {
	Message []byte
	Op      websocket.Opcode
	Code    websocket.Code
	Text    string
	Gone    bool
}

// Next returns the next message, close frame or end. Pings and pongs are skipped.
func (c *Client) Next() Event {
	c.tb.Helper()
	for {
		ev, rest, err := c.ws.Next(c.in)
		c.in = rest
		if err != nil {
			c.tb.Fatalf("the node broke RFC 6455: %v", err)
		}
		switch ev.Kind {
		case websocket.Data:
			c.half = append(c.half, ev.Payload...)
			if ev.Final {
				m := c.half
				c.half = nil
				return Event{Message: m, Op: ev.Opcode}
			}
			continue
		case websocket.Close:
			return Event{Code: ev.Code, Text: string(ev.Payload)}
		case websocket.Ping, websocket.Pong:
			continue
		case websocket.None:
		}
		b := make([]byte, 16<<10)
		_ = c.Conn.SetReadDeadline(time.Now().Add(Patience))
		n, err := c.br.Read(b)
		if n == 0 && err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				c.tb.Fatalf("nothing came from the node: %v", err)
			}
			return Event{Gone: true}
		}
		c.in = b[:n]
	}
}

// Record returns the next hub message, without its separator for JSON, or the text "" with the event that ended the
// connection.
func (c *Client) Record() (string, Event) {
	c.tb.Helper()
	for len(c.waits) == 0 {
		ev := c.Next()
		if ev.Message == nil {
			return "", ev
		}
		for b := ev.Message; len(b) > 0; {
			msg, rest, err := hub.NextMessage(c.framed, b, 64<<20)
			if err != nil || msg == nil {
				c.tb.Fatalf("the node split a hub message: %q", ev.Message)
			}
			c.waits = append(c.waits, msg)
			b = rest
		}
	}
	m := c.waits[0]
	c.waits = c.waits[1:]
	return strings.TrimSuffix(string(m), Separator), Event{}
}

// Handshake sends the request and returns the answer; a refused one is the text of its record.
func (c *Client) Handshake(request string) string {
	c.tb.Helper()
	c.framed = hub.TextRecords
	c.Text(request)
	answer, ev := c.Record()
	if answer == "" {
		c.tb.Fatalf("no answer to the handshake: %+v", ev)
	}
	if strings.Contains(request, `"messagepack"`) {
		c.framed = hub.LengthPrefixed
	}
	return answer
}

// Invoke sends an invocation with JSON arguments, "[1,2]".
func (c *Client) Invoke(id, target, arguments string) {
	c.tb.Helper()
	c.Frame(websocket.OpText, hub.AppendInvocation(nil, hub.JSON, id, target, []byte(arguments)))
}

// Echo checks that a text comes back from the app server, in the client's protocol; other messages are skipped.
func (c *Client) Echo(text string) {
	c.tb.Helper()
	if c.framed == hub.TextRecords {
		c.Invoke("e", "Echo", `["`+text+`"]`)
	} else {
		args := append([]byte{0x91, 0xd9, byte(len(text))}, text...)
		c.Frame(websocket.OpBinary, hub.AppendInvocation(nil, hub.MessagePack, "e", "Echo", args))
	}
	for {
		m, ev := c.Record()
		if m == "" {
			c.tb.Fatalf("the connection ended instead of an echo: %+v", ev)
		}
		if strings.Contains(m, text) {
			return
		}
	}
}

// End reads until the connection ends and returns the hub messages that came, the close frame, or Gone without one.
func (c *Client) End() (messages []string, last Event) {
	c.tb.Helper()
	for {
		ev := c.Next()
		if ev.Message == nil {
			return messages, ev
		}
		messages = append(messages, string(bytes.TrimSuffix(ev.Message, []byte(Separator))))
	}
}

// Close says goodbye with 1000 and waits for the answer.
func (c *Client) Close() {
	c.tb.Helper()
	c.Frame(websocket.OpClose, []byte{0x03, 0xe8})
	c.End()
	_ = c.Conn.Close()
}

// Open upgrades with a token in the query, no negotiation, and no handshake yet.
func (n *Node) Open(tb testing.TB, hubName, token string, header ...string) *Client {
	tb.Helper()
	c := n.Dial(tb)
	a := c.Request(UpgradeRequest("/client/?hub="+hubName+"&access_token="+token, header...))
	if a.Status != http.StatusSwitchingProtocols {
		tb.Fatalf("upgrade: status %d, %s", a.Status, a.Body)
	}
	return c
}

// Join is Open and the handshake with a protocol: json or messagepack.
func (n *Node) Join(tb testing.TB, hubName, token, protocol string) *Client {
	tb.Helper()
	c := n.Open(tb, hubName, token)
	if answer := c.Handshake(`{"protocol":"` + protocol + `","version":1}` + Separator); answer != "{}" {
		tb.Fatalf("handshake: %s", answer)
	}
	return c
}
