package appserver

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// readBuffer is what one read takes: many messages at once on a busy connection.
const readBuffer = 64 << 10

// textStopping refuses who comes while the edge stops.
const textStopping = "The service is shutting down."

// Request is what the upgrade request said.
type Request struct {
	// ID is the query's cid, or what the edge made in its place.
	ID string
	// Hub is the lower-case hub name.
	Hub string
	// ServerID is the header X-ASRS-Server-Id, else the token's name identifier.
	ServerID string
	// Target is the edge that an on-demand connection is meant for.
	Target string
}

// Serve speaks the service protocol on an upgraded socket until it ends, and closes it. buffered is what was read
// behind the upgrade request.
func (r *Registry) Serve(sock net.Conn, buffered []byte, req Request) {
	defer func() { _ = sock.Close() }()
	c := newConn(r, sock, req)
	_ = sock.SetDeadline(time.Now().Add(r.settings.Load().Handshake))
	if !r.enter(c) {
		r.metrics.Count(reason.ServerConnDrain, 1)
		return
	}
	defer r.leave(c)
	// The boundaries of WebSocket messages mean nothing (spec 2.2), so neither does their size: frames are bounded.
	rd := reader{conn: c, ws: websocket.NewReader(true, math.MaxInt32), buf: make([]byte, readBuffer)}
	hello, err := rd.hello(buffered)
	switch {
	case !r.greeted(c):
		r.refuse(c, reason.ServerConnDrain, textStopping)
		return
	case err != nil:
		c.blame(err)
		r.refuse(c, reason.ServerConnHandshake, "Handshake failed: "+err.Error())
		return
	}
	if why, text := r.judge(hello, req); why != reason.None {
		r.refuse(c, why, text)
		return
	}
	c.kind, c.migratable = hello.ConnectionType, hello.MigrationLevel != service.MigrationOff
	_ = sock.SetDeadline(time.Time{})
	// The answer is in the queue before anybody can know the connection: nothing may overtake it (spec 4.1).
	c.Send(&service.HandshakeResponse{ConnectionID: c.id})
	if !r.add(c) {
		r.refuse(c, reason.ServerConnDrain, textStopping)
		return
	}
	r.wait.Go(c.write)
	c.Flush()
	r.log.Debug("server connection open", "hub", c.hub, "connectionID", c.id, "serverID", c.serverID)
	if c.kind != service.ConnectionWeak {
		r.router.Arrived(c)
	}
	rd.run()
	r.remove(c)
	r.router.Lost(c)
	why := reason.Reason(c.ended.Load())
	r.metrics.Count(why, 1)
	r.log.Debug("server connection closed", "hub", c.hub, "connectionID", c.id, "reason", why.String())
	c.Close(why)
	r.linger(c)
}

// linger lets the writer send its last bytes before the socket is closed.
func (r *Registry) linger(c *Conn) {
	if reason.Reason(c.ended.Load()) == reason.ServerConnGone {
		return
	}
	var b [1024]byte
	for {
		if _, err := c.sock.Read(b[:]); err != nil {
			return
		}
	}
}

// judge decides about a handshake request (spec 4.1).
func (r *Registry) judge(m *service.HandshakeRequest, req Request) (reason.Reason, string) {
	switch {
	case m.Version != service.ProtocolVersion:
		return reason.ServerConnVersion, reason.ServerConnVersion.Info().Text
	case m.ConnectionType < service.ConnectionDefault || m.ConnectionType > service.ConnectionWeak:
		return reason.ServerConnHandshake, fmt.Sprintf("Connection type %d is not known.", m.ConnectionType)
	case m.ConnectionType == service.ConnectionOnDemand && req.Target != "" && req.Target != r.node:
		return reason.ServerConnRefused, reason.ServerConnRefused.Info().Text
	}
	return r.admit(m.ConnectionType)
}

// refuse answers the handshake with an error and ends the connection.
func (r *Registry) refuse(c *Conn, why reason.Reason, text string) {
	r.metrics.Count(why, 1)
	r.log.Debug("server connection refused", "hub", c.hub, "connectionID", c.id, "reason", why.String())
	b := service.Append(nil, &service.HandshakeResponse{ErrorMessage: text})
	b = websocket.AppendFrame(nil, websocket.OpBinary, b)
	code := websocket.Code(c.code.Load())
	if code == 0 {
		code = websocket.CodeNormal
	}
	b = websocket.AppendClose(b, code, "")
	_ = c.sock.SetDeadline(time.Now().Add(closeTimeout))
	if _, err := c.sock.Write(b); err == nil {
		r.linger(c)
	}
}

// reader takes service frames out of the WebSocket, whose message boundaries mean nothing.
type reader struct {
	conn  *Conn
	ws    websocket.Reader
	buf   []byte
	rest  []byte   // an unfinished frame
	ready [][]byte // bodies that came with the handshake, to be worked on by run
	first *service.HandshakeRequest
}

var errNotHandshake = errors.New("the first message is not a handshake request")

// hello reads the handshake request, which must be the first message.
func (rd *reader) hello(buffered []byte) (*service.HandshakeRequest, error) {
	for b := buffered; ; {
		if err := rd.feed(b, rd.greet); err != nil {
			return nil, err
		}
		if rd.first != nil {
			return rd.first, nil
		}
		n, err := rd.conn.sock.Read(rd.buf)
		if err != nil {
			return nil, errors.New("no handshake request came")
		}
		b = rd.buf[:n]
	}
}

// greet takes the handshake request; what an eager peer sent behind it is kept.
func (rd *reader) greet(body []byte) error {
	if rd.first != nil {
		rd.ready = append(rd.ready, bytes.Clone(body))
		return nil
	}
	m, err := service.Decode(body)
	if err != nil {
		return err
	}
	hello, ok := m.(*service.HandshakeRequest)
	if !ok {
		return errNotHandshake
	}
	rd.first = hello
	return nil
}

// run reads until the connection ends, and sets why it ended.
func (rd *reader) run() {
	c := rd.conn
	for _, body := range rd.ready {
		rd.take(body)
	}
	rd.ready = nil
	for {
		c.awaitRoom()
		n, err := c.sock.Read(rd.buf)
		if n > 0 {
			c.lastIn.Store(c.registry.now().Unix())
			c.registry.metrics.ServerBytesIn.Add(float64(n))
			if ferr := rd.feed(rd.buf[:n], func(body []byte) error { rd.take(body); return nil }); ferr != nil {
				if !errors.Is(ferr, errClosed) {
					c.blame(ferr)
					c.say(&service.ServiceError{ErrorMessage: ferr.Error()})
				}
				c.ended.CompareAndSwap(0, uint32(whyOf(ferr)))
				return
			}
		}
		if err != nil {
			c.ended.CompareAndSwap(0, uint32(reason.ServerConnGone))
			return
		}
	}
}

// blame keeps the close code of a peer that broke RFC 6455.
func (c *Conn) blame(err error) {
	if violation, ok := errors.AsType[*websocket.ProtocolError](err); ok {
		c.code.Store(uint32(violation.Code))
	}
}

var errClosed = errors.New("closed by the app server")

func whyOf(err error) reason.Reason {
	if errors.Is(err, errClosed) {
		return reason.ServerConnClosed
	}
	return reason.ServerConnFrame
}

// feed passes the service frames in b to take. b is changed in place.
func (rd *reader) feed(b []byte, take func(body []byte) error) error {
	for {
		ev, rest, err := rd.ws.Next(b)
		if err != nil {
			return err
		}
		b = rest
		switch ev.Kind {
		case websocket.None:
			return nil
		case websocket.Data:
			if err := rd.frames(ev.Payload, take); err != nil {
				return err
			}
		case websocket.Ping:
			rd.pong(ev.Payload)
		case websocket.Pong:
		case websocket.Close:
			return errClosed
		}
	}
}

func (rd *reader) pong(payload []byte) {
	// The queue holds service frames only; a pong in between two writes of the writer is rare and small.
	_ = rd.conn.sock.SetWriteDeadline(time.Now().Add(stallTimeout))
	_, _ = rd.conn.sock.Write(websocket.AppendFrame(nil, websocket.OpPong, payload))
}

func (rd *reader) frames(p []byte, take func([]byte) error) error {
	if len(rd.rest) > 0 {
		rd.rest = append(rd.rest, p...)
		p = rd.rest
	}
	limit := rd.conn.registry.settings.Load().MaxFrame
	for {
		body, rest, err := service.NextFrame(p, limit)
		if err != nil {
			return fmt.Errorf("read service frame: %w", err)
		}
		if body == nil {
			break
		}
		if err := take(body); err != nil {
			return err
		}
		p = rest
	}
	switch {
	case len(p) == 0:
		if cap(rd.rest) > keepBuffer {
			rd.rest = nil
		}
		rd.rest = rd.rest[:0]
	default:
		rd.rest = append(rd.rest[:0], p...)
	}
	return nil
}

// take acts on one message. What cannot be decoded is dropped, as the SDK does: framing is intact.
func (rd *reader) take(body []byte) {
	c := rd.conn
	r := c.registry
	r.metrics.ServerMessagesIn.Inc()
	m, err := service.Decode(body)
	if err != nil {
		r.metrics.Count(reason.DropMalformed, 1)
		r.log.Warn("malformed service message", "hub", c.hub, "serverID", c.serverID, "err", err)
		return
	}
	switch m := m.(type) {
	case *service.Ping:
		c.ping(m)
	case *service.AccessKeyRequest:
		c.say(&service.AccessKeyResponse{
			ErrorType:    "NotSupportedException",
			ErrorMessage: "This service knows access keys only: use a connection string with an AccessKey.",
		})
	case *service.ConnectionFlowControl: // a late PauseAck: links are not moved this way yet
	default:
		if !r.router.Dispatch(c, m) {
			r.metrics.Count(reason.DropUnknownType, 1)
		}
	}
}

// ping answers what a ping asks. Of status, servers and d-m the first in the SDK's order acts (spec 4.4); an echo is
// the SDK's answer to one of ours and is never sent back, or it would go round forever.
func (c *Conn) ping(m *service.Ping) {
	if v, ok := m.Get(service.PingShutdown); ok && v != service.PingFinAck {
		c.draining.Store(true)
		c.say(&service.Ping{Pairs: []string{service.PingShutdown, service.PingFinAck}})
		if v == service.PingFinMigrate {
			c.registry.router.Leaves(c)
		}
	}
	if _, ok := m.Get(service.PingStatus); ok {
		c.say(&service.Ping{Pairs: c.registry.status(c.hub)})
		return
	}
	if _, ok := m.Get(service.PingServers); ok {
		c.say(&service.Ping{Pairs: []string{service.PingServers, c.registry.servers(c.hub)}})
	}
}
