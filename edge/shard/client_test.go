package shard

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
)

// client is the far end of one connection.
type client struct {
	testing.TB
	e        *stage
	id       string
	protocol string
	conn     net.Conn
	in       []byte
	buf      []byte
	gone     atomic.Int32 // how often Done was called
}

// text and pack are an invocation of target in the two protocols.
func text(target string) []byte {
	return []byte(`{"type":1,"target":"` + target + `","arguments":[]}` + "\x1e")
}

func pack(target string) []byte {
	return hubproto.AppendInvocation(nil, hubproto.MessagePack, "", target, []byte{0x90})
}

// both is a payload map as the SDK makes it.
func both(target string) service.Payloads {
	return service.Payloads{{Protocol: "json", Data: text(target)}, {Protocol: "messagepack", Data: pack(target)}}
}

// message is an invocation in the client's protocol.
func (c *client) message(target string) []byte {
	switch c.protocol {
	case "json":
		return text(target)
	default:
		return pack(target)
	}
}

func (c *client) opcode() websocket.Opcode {
	if c.protocol == "json" {
		return websocket.OpText
	}
	return websocket.OpBinary
}

func (c *client) request() []byte {
	return hubproto.AppendHandshakeRequest(nil, hubproto.Handshake{Protocol: c.protocol, Version: 1})
}

// raw writes bytes to the socket as they are.
func (c *client) raw(b []byte) {
	c.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.Fatalf("client %s: write: %v", c.id, err)
	}
}

var maskKey = [4]byte{0xde, 0xad, 0xbe, 0xef}

// frame writes one WebSocket frame.
func (c *client) frame(op websocket.Opcode, payload []byte) {
	c.Helper()
	c.raw(websocket.AppendMaskedFrame(nil, op, true, payload, maskKey))
}

// send writes hub-protocol bytes as one WebSocket message.
func (c *client) send(b []byte) {
	c.Helper()
	c.frame(c.opcode(), b)
}

// fill reads until n bytes are there.
func (c *client) fill(n int) error {
	if c.buf == nil {
		c.buf = make([]byte, 64<<10)
	}
	for len(c.in) < n {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		got, err := c.conn.Read(c.buf)
		c.in = append(c.in, c.buf[:got]...)
		if err != nil && len(c.in) < n {
			return err
		}
	}
	return nil
}

// read returns the next frame. The edge neither fragments nor masks.
func (c *client) read() (op websocket.Opcode, payload []byte, err error) {
	if err := c.fill(2); err != nil {
		return 0, nil, err
	}
	head, size := 2, int(c.in[1])
	switch size {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	if err := c.fill(head); err != nil {
		return 0, nil, err
	}
	switch size {
	case 126:
		size = int(binary.BigEndian.Uint16(c.in[2:]))
	case 127:
		size = int(binary.BigEndian.Uint64(c.in[2:]))
	}
	if err := c.fill(head + size); err != nil {
		return 0, nil, err
	}
	first := c.in[0]
	payload = append([]byte(nil), c.in[head:head+size]...)
	c.in = append(c.in[:0], c.in[head+size:]...)
	if first&0xf0 != 0x80 {
		return 0, nil, errors.New("frame without FIN or with reserved bits")
	}
	return websocket.Opcode(first & 0x0f), payload, nil
}

func (c *client) wantFrame(op websocket.Opcode, want []byte) {
	c.Helper()
	gotOp, got, err := c.read()
	if err != nil {
		c.Fatalf("client %s: read: %v, want %.120q", c.id, err, want)
	}
	if gotOp != op || string(got) != string(want) {
		c.Fatalf("client %s got opcode %d %.120q, want opcode %d %.120q", c.id, gotOp, got, op, want)
	}
}

// want reads one message of the client's protocol.
func (c *client) want(b []byte) {
	c.Helper()
	c.wantFrame(c.opcode(), b)
}

// wantCalls reads invocations of targets, in order.
func (c *client) wantCalls(targets ...string) {
	c.Helper()
	for _, target := range targets {
		c.want(c.message(target))
	}
}

// wantHubClose reads the edge's hub Close.
func (c *client) wantHubClose(text string, again bool) {
	c.Helper()
	p := hubproto.MessagePack
	if c.protocol == "json" {
		p = hubproto.JSON
	}
	c.want(hubproto.AppendClose(nil, p, text, again))
}

// wantClose reads the WebSocket close frame, answers it and sees the socket end.
func (c *client) wantClose(code websocket.Code) {
	c.Helper()
	c.wantFrame(websocket.OpClose, websocket.AppendClose(nil, code, "")[2:])
	c.frame(websocket.OpClose, []byte{byte(code >> 8), byte(code)})
	c.wantCut()
}

// wantCut sees the socket end without another frame.
func (c *client) wantCut() {
	c.Helper()
	op, got, err := c.read()
	if err == nil {
		c.Fatalf("client %s got opcode %d %.120q, want the end", c.id, op, got)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrClosedPipe) {
		c.Fatalf("client %s: %v, want the end", c.id, err)
	}
}

// goodbye closes the WebSocket from the client's side.
func (c *client) goodbye() {
	c.Helper()
	c.frame(websocket.OpClose, []byte{0x03, 0xe8})
	c.wantFrame(websocket.OpClose, []byte{0x03, 0xe8})
	c.wantCut()
}

// reset ends the TCP connection the hard way.
func (c *client) reset() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
}
