package appserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

const (
	// maxFrame bounds one service message from the service.
	maxFrame = 64 << 20
	// maxFins is how often the fin ping is repeated before the SDK gives up (4.7).
	maxFins = 24
)

// ErrUnauthorized is returned when the service answers 401 to the upgrade of a server connection.
var ErrUnauthorized = errors.New("service answered 401 Unauthorized")

// serverConn is one server connection: one reader goroutine, one writer goroutine.
type serverConn struct {
	h      *HubServer
	cid    string
	target string
	kind   service.ConnectionType
	ws     *websocket.Conn

	// ctx ends when the connection does; reading and writing hang on it.
	ctx    context.Context
	cancel context.CancelFunc

	lastReceived atomic.Int64 // Unix nanoseconds
	lastPing     atomic.Int64
	clients      atomic.Int64
	closing      atomic.Bool

	in []byte // bytes read and not parsed; the reader's own

	finOnce sync.Once
	finack  chan struct{}

	mu sync.Mutex
	// wake is signalled when out gets bytes, drained when it is written out; all below is guarded by mu.
	wake    chan struct{}
	drained chan struct{}
	out     []byte
	writing bool
	closed  bool
	offline bool
	failure string
}

// open dials one server connection and performs the handshake (2.2, 4.1). The caller serves it.
func (h *HubServer) open(ctx context.Context, kind service.ConnectionType, target string) (*serverConn, error) {
	s := h.srv
	token, err := s.serverToken(h.name)
	if err != nil {
		return nil, err
	}
	cid := newGUID()
	address := s.conn.ServerURL(h.name) + "&cid=" + cid
	if target != "" {
		address += "&target=" + url.QueryEscape(target)
	}
	ws, err := dialService(ctx, s.http, address, token, s.id, s.opts.DialTimeout)
	if err != nil {
		return nil, err
	}
	c := &serverConn{
		h: h, cid: cid, target: target, kind: kind, ws: ws,
		wake: make(chan struct{}, 1), drained: make(chan struct{}), finack: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(s.run)
	c.lastReceived.Store(time.Now().UnixNano())
	c.lastPing.Store(time.Now().UnixNano())
	if err := c.handshake(); err != nil {
		_ = ws.CloseNow()
		c.cancel()
		return nil, err
	}
	return c, nil
}

func dialService(ctx context.Context, hc *http.Client, address, token, serverID string, timeout time.Duration) (
	*websocket.Conn, error,
) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	header := http.Header{}
	header.Set("Authorization", "Bearer "+token)
	header.Set("X-Requested-With", "XMLHttpRequest")
	header.Set("Asrs-User-Agent", "Microsoft.Azure.SignalR/1.34.0 (Go test app server)")
	header.Set("X-ASRS-Server-Id", serverID)
	ws, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: hc, HTTPHeader: header})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			return nil, ErrUnauthorized
		}
		return nil, fmt.Errorf("dial service: %w", err)
	}
	ws.SetReadLimit(-1)
	return ws, nil
}

// handshake sends the request at once; the first message back must be the response.
func (c *serverConn) handshake() error {
	o := &c.h.srv.opts
	ctx, cancel := context.WithTimeout(c.ctx, o.ServiceHandshakeTimeout)
	defer cancel()
	level := service.MigrationOff
	if o.GracefulMode == GracefulMigrateClients {
		level = service.MigrationShutdown
	}
	request := &service.HandshakeRequest{
		Version: service.ProtocolVersion, ConnectionType: c.kind, MigrationLevel: level,
	}
	if c.kind != service.ConnectionWeak {
		// The Management SDK's Weak connections write six items, the server SDK's seven.
		request.AllowStatefulReconnects = &o.StatefulReconnect
	}
	if err := c.ws.Write(ctx, websocket.MessageBinary, service.Append(nil, request)); err != nil {
		return fmt.Errorf("send handshake: %w", err)
	}
	var err error
	c.in, err = readHandshakeResponse(ctx, c.ws)
	return err
}

// readHandshakeResponse returns the bytes that came behind the response.
func readHandshakeResponse(ctx context.Context, ws *websocket.Conn) ([]byte, error) {
	var in []byte
	for {
		body, rest, err := service.NextFrame(in, maxFrame)
		if err != nil {
			return nil, fmt.Errorf("read handshake: %w", err)
		}
		if body == nil {
			_, chunk, err := ws.Read(ctx)
			if err != nil {
				return nil, fmt.Errorf("read handshake: %w", err)
			}
			in = append(in, chunk...)
			continue
		}
		m, err := service.Decode(body)
		if err != nil {
			return nil, fmt.Errorf("read handshake: %w", err)
		}
		response, ok := m.(*service.HandshakeResponse)
		if !ok {
			return nil, fmt.Errorf("read handshake: %T came first", m)
		}
		if response.ErrorMessage != "" {
			return nil, fmt.Errorf("handshake refused: %s", response.ErrorMessage)
		}
		return rest, nil
	}
}

// serve runs the connection until it ends.
func (c *serverConn) serve() {
	if !c.h.add(c) {
		c.close(false)
		c.cancel()
		return
	}
	var wg sync.WaitGroup
	wg.Go(c.writeLoop)
	wg.Go(c.watch)
	err := c.readLoop()
	c.cancel()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	wg.Wait()
	_ = c.ws.CloseNow()
	c.h.gone(c)
	if !c.closing.Load() {
		c.h.srv.log.Info("server connection ended", "hub", c.h.name, "cid", c.cid, "err", err)
	}
}

// watch ends the connection after a silence (4.3).
func (c *serverConn) watch() {
	o := &c.h.srv.opts
	t := time.NewTicker(o.ServiceTimeoutCheck)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-t.C:
			if now.Sub(time.Unix(0, c.lastReceived.Load())) > o.ServiceTimeout {
				c.h.srv.log.Warn("service is silent", "hub", c.h.name, "cid", c.cid)
				c.cancel()
				return
			}
		}
	}
}

// readLoop treats the socket as one byte stream (2.2): frames may share or span WebSocket messages.
func (c *serverConn) readLoop() error {
	for {
		if err := c.parse(); err != nil {
			return err
		}
		_, r, err := c.ws.Reader(c.ctx)
		if err != nil {
			return err
		}
		if c.in, err = readInto(c.in, r); err != nil {
			return err
		}
		now := time.Now()
		c.lastReceived.Store(now.UnixNano())
		if now.Sub(time.Unix(0, c.lastPing.Load())) > c.h.srv.opts.PingInterval {
			c.lastPing.Store(now.UnixNano())
			c.ping()
		}
	}
}

// parse acts on every complete frame in c.in and keeps the rest.
func (c *serverConn) parse() error {
	rest := c.in
	for {
		body, behind, err := service.NextFrame(rest, maxFrame)
		if err != nil {
			return err
		}
		if body == nil {
			break
		}
		rest = behind
		m, err := service.Decode(body)
		if err != nil {
			// The SDK drops a frame that it cannot parse and goes on (3.4).
			c.h.srv.log.Error("bad frame from the service", "hub", c.h.name, "cid", c.cid, "err", err)
			continue
		}
		c.h.receive(c, m)
	}
	c.in = append(c.in[:0], rest...)
	if len(c.in) == 0 && cap(c.in) > 1<<20 {
		c.in = nil // do not keep the memory of a burst
	}
	return nil
}

// readInto appends what r gives to b.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		b = slices.Grow(b, 4096)
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// ping is the SDK's own keep-alive with its client counts.
func (c *serverConn) ping() {
	_ = c.send(&service.Ping{Pairs: []string{
		"#clientInHub", strconv.Itoa(c.h.srv.ClientCount()), "#client", strconv.FormatInt(c.clients.Load(), 10),
	}})
}

func (c *serverConn) writeLoop() {
	var spare []byte
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		batch := c.out
		c.out, c.writing = spare[:0], true
		c.mu.Unlock()
		if len(batch) > 0 {
			if err := c.ws.Write(c.ctx, websocket.MessageBinary, batch); err != nil {
				c.cancel()
				return
			}
		}
		c.mu.Lock()
		c.writing = false
		close(c.drained)
		c.drained = make(chan struct{})
		c.mu.Unlock()
		spare = batch
		if cap(spare) > 1<<20 {
			spare = nil // do not keep the memory of a burst
		}
	}
}

// send appends m to what the writer sends next, without waiting.
func (c *serverConn) send(m service.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrNotConnected
	}
	c.out = service.Append(c.out, m)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// room waits until less than Options.maxUnwritten bytes wait to be written.
func (c *serverConn) room(ctx context.Context) error {
	for {
		c.mu.Lock()
		full, drained := len(c.out) >= c.h.srv.opts.maxUnwritten, c.drained
		c.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-drained:
		case <-c.ctx.Done():
			return ErrNotConnected
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *serverConn) sendWait(ctx context.Context, m service.Message) error {
	if err := c.room(ctx); err != nil {
		return err
	}
	return c.send(m)
}

// flush waits until everything sent so far is written.
func (c *serverConn) flush(ctx context.Context) {
	for {
		c.mu.Lock()
		done, drained := len(c.out) == 0 && !c.writing, c.drained
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-drained:
		case <-c.ctx.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// writable reports whether the SDK would still write here: not closed, no ServiceError (15), not told Offline (39).
func (c *serverConn) writable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && !c.offline && c.failure == ""
}

// close ends the connection: with a WebSocket close 1000, or by cutting the TCP connection.
func (c *serverConn) close(abrupt bool) {
	c.closing.Store(true)
	if abrupt {
		_ = c.ws.CloseNow()
	} else {
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
	}
	c.cancel()
}

// sendFin sends the shutdown ping and repeats it until finack or the end of the connection (4.7).
func (c *serverConn) sendFin(ctx context.Context, fin string) {
	t := time.NewTicker(c.h.srv.opts.FinInterval)
	defer t.Stop()
	for range maxFins {
		if c.send(&service.Ping{Pairs: []string{"shutdown", fin}}) != nil {
			return
		}
		select {
		case <-c.finack:
			return
		case <-c.ctx.Done():
			return
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
