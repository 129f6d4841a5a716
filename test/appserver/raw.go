package appserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// RawConn is a bare server connection for tests: whatever bytes or messages a test wants to send, and what came back.
// It answers nothing by itself, pings included. One goroutine may receive while others send.
type RawConn struct {
	ws   *websocket.Conn
	http *http.Client
	cid  string

	mu sync.Mutex
	in []byte // guarded by mu, which a receiver holds
}

// RawOptions say how DialRaw connects. Zero fields get the values of a well-behaved SDK.
type RawOptions struct {
	// ConnectionString names the service and its key.
	ConnectionString string
	// Hub is the hub's name on the wire.
	Hub string
	// ServerID is the X-ASRS-Server-Id.
	ServerID string
	// CID is the connection id in the address; a fresh GUID when empty.
	CID string
	// Target becomes the target query.
	Target string
	// Token replaces the bearer token; "-" sends none.
	Token string
	// Header is added to the upgrade's headers.
	Header http.Header
	// Handshake is sent by Handshake; nil means a Default connection as the SDK 1.34.0 asks for it.
	Handshake *service.HandshakeRequest
}

// DialRaw opens the WebSocket of a server connection and sends nothing on it. When the service refuses the upgrade, the
// status is returned with the error; it is 0 when there was no HTTP answer.
func DialRaw(ctx context.Context, o RawOptions) (c *RawConn, status int, err error) {
	cs, err := ParseConnectionString(o.ConnectionString)
	if err != nil {
		return nil, 0, err
	}
	o.ServerID = cmp.Or(o.ServerID, newServerID())
	o.CID = cmp.Or(o.CID, newGUID())
	if o.Token == "" {
		claims := []Claim{{Type: "nameid", Value: o.ServerID}}
		o.Token, err = signToken(cs.AccessKey, HS256, cs.ServerAudience(o.Hub), claims, time.Now(), time.Hour)
		if err != nil {
			return nil, 0, err
		}
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if o.Token != "-" {
		header.Set("Authorization", "Bearer "+o.Token)
	}
	header.Set("X-ASRS-Server-Id", o.ServerID)
	address := cs.ServerURL(o.Hub) + "&cid=" + o.CID
	if o.Target != "" {
		address += "&target=" + url.QueryEscape(o.Target)
	}
	c = &RawConn{cid: o.CID, http: &http.Client{Transport: &http.Transport{}}}
	ws, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: c.http, HTTPHeader: header})
	if resp != nil {
		status = resp.StatusCode
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		c.http.CloseIdleConnections()
		return nil, status, fmt.Errorf("dial service: %w", err)
	}
	ws.SetReadLimit(-1)
	c.ws = ws
	return c, status, nil
}

// OpenRaw is DialRaw and the handshake; it fails unless the service accepts both.
func OpenRaw(ctx context.Context, o RawOptions) (*RawConn, error) {
	c, _, err := DialRaw(ctx, o)
	if err != nil {
		return nil, err
	}
	request := o.Handshake
	if request == nil {
		no := false
		request = &service.HandshakeRequest{Version: service.ProtocolVersion, AllowStatefulReconnects: &no}
	}
	if err := c.Send(ctx, request); err != nil {
		c.Kill()
		return nil, err
	}
	m, err := c.Receive(ctx)
	if err != nil {
		c.Kill()
		return nil, err
	}
	response, ok := m.(*service.HandshakeResponse)
	if !ok || response.ErrorMessage != "" {
		c.Kill()
		return nil, fmt.Errorf("handshake refused: %+v", m)
	}
	return c, nil
}

// CID returns the connection id in the address.
func (c *RawConn) CID() string { return c.cid }

// Send writes messages in one WebSocket message.
func (c *RawConn) Send(ctx context.Context, messages ...service.Message) error {
	var b []byte
	for _, m := range messages {
		b = service.Append(b, m)
	}
	return c.SendBytes(ctx, b)
}

// SendBytes writes b as one binary WebSocket message.
func (c *RawConn) SendBytes(ctx context.Context, b []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, b)
}

// SendText writes b as a text message, which no SDK does.
func (c *RawConn) SendText(ctx context.Context, b []byte) error {
	return c.ws.Write(ctx, websocket.MessageText, b)
}

// Receive returns the next message of the service; the caller owns its memory.
func (c *RawConn) Receive(ctx context.Context) (service.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		body, rest, err := service.NextFrame(c.in, maxFrame)
		if err != nil {
			return nil, err
		}
		if body != nil {
			c.in = rest
			return service.Decode(body)
		}
		_, chunk, err := c.ws.Read(ctx)
		if err != nil {
			return nil, err
		}
		// A fresh slice each time: views of decoded messages stay valid.
		c.in = append(append(make([]byte, 0, len(c.in)+len(chunk)), c.in...), chunk...)
	}
}

// ReceiveMatch returns the next message for which match is true and drops those before it; nil matches any but pings.
func (c *RawConn) ReceiveMatch(ctx context.Context, match func(service.Message) bool) (service.Message, error) {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return nil, err
		}
		if match == nil && m.Type() != service.TypePing || match != nil && match(m) {
			return m, nil
		}
	}
}

// Expect returns the next message of type M on c and drops those before it.
func Expect[M service.Message](ctx context.Context, c *RawConn) (M, error) {
	var none M
	m, err := c.ReceiveMatch(ctx, func(m service.Message) bool {
		_, ok := m.(M)
		return ok
	})
	if err != nil {
		return none, err
	}
	return m.(M), nil //nolint:forcetypeassert // the match above
}

// Close closes the WebSocket with status 1000.
func (c *RawConn) Close() error {
	defer c.http.CloseIdleConnections()
	return c.ws.Close(websocket.StatusNormalClosure, "")
}

// Kill cuts the TCP connection.
func (c *RawConn) Kill() {
	_ = c.ws.CloseNow()
	c.http.CloseIdleConnections()
}
