//go:build linux

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

const (
	// serverReadSize is the least room of a server connection's read buffer.
	serverReadSize = 64 << 10
	// sdkPingInterval is how old the SDK's last ping must be before it answers anything with a ping (service-protocol.md
	// 4.3).
	sdkPingInterval = 5 * time.Second
)

// serverConn is one server connection: a WebSocket whose binary messages are one stream of service frames.
type serverConn struct {
	conn net.Conn
	in   []byte // bytes read, from the first frame that is not handled
	// text are service bytes from the first frame that is not complete, spare the buffer it takes turns with.
	text, spare []byte
	// early are messages that came together with the handshake response.
	early [][]byte

	mu     sync.Mutex // guards what follows: the reader and publishers write
	out    []byte     // frames to send
	header []byte     // of the WebSocket message that carries out
	pinged time.Time
}

// dialServer opens a server connection and does both handshakes.
func dialServer(ctx context.Context, e Endpoint, hub, id, serverID string, migration int32) (*serverConn, error) {
	token, err := e.ServerToken(hub, serverID, time.Now())
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", e.Address)
	if err != nil {
		return nil, fmt.Errorf("open server connection: %w", err)
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	c := &serverConn{conn: conn, pinged: time.Now()}
	request := "GET /server/?hub=" + hub + "&cid=" + id + " HTTP/1.1\r\nHost: " + e.Address +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey +
		"\r\nAuthorization: Bearer " + token + "\r\nX-Requested-With: XMLHttpRequest" +
		"\r\nAsrs-User-Agent: signalr-bench\r\nX-ASRS-Server-Id: " + serverID + "\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		return nil, errors.Join(fmt.Errorf("open server connection: %w", err), conn.Close())
	}
	if err := c.accept(migration); err != nil {
		return nil, errors.Join(fmt.Errorf("open server connection: %w", err), conn.Close())
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

func (c *serverConn) accept(migration int32) error {
	for {
		if status, _, body, rest, ok := nextResponse(c.in); ok {
			if status != 101 {
				return fmt.Errorf("status %d: %.200s", status, body)
			}
			c.in = append(c.in[:0], rest...)
			break
		}
		if err := c.fill(); err != nil {
			return fmt.Errorf("read response: %w", err)
		}
	}
	c.append(&service.HandshakeRequest{
		Version: service.ProtocolVersion, MigrationLevel: service.MigrationLevel(migration),
	})
	if err := c.flush(); err != nil {
		return err
	}
	for {
		messages, err := c.read()
		if err != nil {
			return fmt.Errorf("read handshake: %w", err)
		}
		if len(messages) == 0 {
			continue
		}
		m, err := service.Decode(messages[0])
		if err != nil {
			return err
		}
		answer, ok := m.(*service.HandshakeResponse)
		if !ok {
			return fmt.Errorf("%T came before the handshake response", m)
		}
		if answer.ErrorMessage != "" {
			return fmt.Errorf("handshake refused: %s", answer.ErrorMessage)
		}
		c.early = messages[1:]
		return nil
	}
}

// read waits for bytes and returns the bodies of all complete service frames. They are views, valid until the next
// read.
func (c *serverConn) read() ([][]byte, error) {
	if len(c.early) > 0 {
		early := c.early
		c.early = nil
		return early, nil
	}
	if _, _, _, complete := nextFrame(c.in); !complete {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	rest := c.in
	for {
		op, payload, after, ok := nextFrame(rest)
		if !ok {
			break
		}
		rest = after
		switch op {
		case opClose:
			return nil, fmt.Errorf("the service closed the server connection: %.100q", payload)
		case opPing:
			if err := c.control(opPong, payload); err != nil {
				return nil, err
			}
		case opPong:
		default:
			c.text = append(c.text, payload...)
		}
	}
	c.in = append(c.in[:0], rest...)
	var bodies [][]byte
	stream := c.text
	for {
		body, after, err := service.NextFrame(stream, service.MaxFrame)
		if err != nil {
			return nil, fmt.Errorf("read service frame: %w", err)
		}
		if body == nil {
			break
		}
		bodies, stream = append(bodies, body), after
	}
	// The views stay where they are; what is incomplete moves to the other buffer.
	c.text, c.spare = c.spare[:0], c.text
	c.text = append(c.text, stream...)
	return bodies, nil
}

// fill reads once behind the bytes that wait.
func (c *serverConn) fill() error {
	c.in = slices.Grow(c.in, serverReadSize)
	n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	return err
}

// append queues a message; flush sends what is queued as one WebSocket message.
func (c *serverConn) append(m service.Message) {
	c.mu.Lock()
	c.out = service.Append(c.out, m)
	c.mu.Unlock()
}

func (c *serverConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

func (c *serverConn) flushLocked() error {
	if len(c.out) == 0 {
		return nil
	}
	c.header = appendClientHeader(c.header[:0], opBinary, len(c.out))
	buffers := net.Buffers{c.header, c.out}
	_, err := buffers.WriteTo(c.conn)
	c.out = c.out[:0]
	if err != nil {
		return fmt.Errorf("write to service: %w", err)
	}
	return nil
}

func (c *serverConn) control(op byte, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.conn.Write(clientFrame(op, payload)); err != nil {
		return fmt.Errorf("write to service: %w", err)
	}
	return nil
}

// sendNow sends a prepared WebSocket message behind what is queued.
func (c *serverConn) sendNow(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.flushLocked(); err != nil {
		return err
	}
	if _, err := c.conn.Write(frame); err != nil {
		return fmt.Errorf("write to service: %w", err)
	}
	return nil
}

// ping does what the SDK does upon anything received: it pings if its last ping is more than five seconds old.
func (c *serverConn) ping(at time.Time, clients int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Sub(c.pinged) <= sdkPingInterval {
		return
	}
	c.pinged = at
	count := fmt.Sprint(clients)
	c.out = service.Append(c.out, &service.Ping{
		Pairs: []string{service.PingClientsInHub, count, service.PingClients, count},
	})
}

// dataFor builds a ready WebSocket message around one service message and finds the stamps in it.
func dataFor(m service.Message) (frame []byte, stamps []int) {
	frame = clientFrame(opBinary, service.Append(nil, m))
	empty := []byte(emptyDatum(0))
	for at := 0; ; {
		i := bytes.Index(frame[at:], empty)
		if i < 0 {
			return frame, stamps
		}
		stamps = append(stamps, at+i)
		at += i + len(empty)
	}
}
