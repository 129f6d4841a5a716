package appserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// HubServer is one hub of a running Server: its server connections and the operations outside hub calls (the SDK's
// IHubContext and its management operations).
type HubServer struct {
	srv  *Server
	hub  *Hub
	name string

	// retry holds one token: whoever probes a failed service has it, the others wait (4.2).
	retry chan struct{}

	mu sync.Mutex
	// changed is closed and replaced at each notify; guarded by mu, like all fields below.
	changed  chan struct{}
	conns    map[*serverConn]struct{}
	byKey    map[string]*serverConn
	acks     map[int32]*pendingAck
	attempts int
	lastErr  error
	status   map[string]string
	shut     bool
}

type pendingAck struct {
	conn *serverConn
	done chan ackResult // one result, so one slot
}

type ackResult struct {
	ack *service.Ack
	err error
}

func newHubServer(s *Server, h *Hub, name string) *HubServer {
	hs := &HubServer{
		srv: s, hub: h, name: name,
		retry:   make(chan struct{}, 1),
		changed: make(chan struct{}),
		conns:   map[*serverConn]struct{}{},
		byKey:   map[string]*serverConn{},
		acks:    map[int32]*pendingAck{},
		status:  map[string]string{},
	}
	hs.retry <- struct{}{}
	return hs
}

// Name returns the hub's name on the wire.
func (h *HubServer) Name() string { return h.name }

// Server returns the server that runs the hub.
func (h *HubServer) Server() *Server { return h.srv }

// LastError returns why the last attempt to open a server connection failed, or nil after a success.
func (h *HubServer) LastError() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lastErr
}

// ConnectionCount returns the number of live server connections.
func (h *HubServer) ConnectionCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.liveLocked()
}

// ConnectionIDs returns the cids of the live server connections.
func (h *HubServer) ConnectionIDs() []string {
	var ids []string
	for _, c := range h.connections() {
		ids = append(ids, c.cid)
	}
	return ids
}

// Answered returns the value that the service gave last for a ping key: status, clientcount, servercount, capacity or
// servers. It is "" when none came yet.
func (h *HubServer) Answered(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status[key]
}

// Ask sends a ping with one question on a random connection, for instance status "1" or servers "".
func (h *HubServer) Ask(key, value string) error {
	c := h.pick("")
	if c == nil {
		return ErrNotConnected
	}
	return c.send(&service.Ping{Pairs: []string{key, value}})
}

// CutConnection breaks the TCP connection of server connection cid as a network failure would; with graceful it closes
// with status 1000 instead. It reports whether there was one. A fixed connection is opened again by the back-off.
func (h *HubServer) CutConnection(cid string, graceful bool) bool {
	for _, c := range h.connections() {
		if c.cid == cid {
			c.close(!graceful)
			return true
		}
	}
	return false
}

// WaitFor calls cond now and after each change of connections or clients until it is true or ctx ends. cond must not
// call blocking methods.
func (h *HubServer) WaitFor(ctx context.Context, cond func() bool) error {
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitFor is WaitFor with cond run under h.mu.
func (h *HubServer) waitFor(ctx context.Context, cond func() bool) error {
	return h.WaitFor(ctx, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return cond()
	})
}

func (h *HubServer) notify() {
	h.mu.Lock()
	h.notifyLocked()
	h.mu.Unlock()
}

func (h *HubServer) notifyLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *HubServer) liveLocked() int { return len(h.conns) }

func (h *HubServer) connections() []*serverConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*serverConn, 0, len(h.conns))
	for c := range h.conns {
		all = append(all, c)
	}
	return all
}

func (h *HubServer) start() {
	for range h.srv.opts.ConnectionCount {
		h.srv.goTask(h.keepConnected)
	}
	if h.srv.opts.StatusInterval > 0 && h.srv.opts.ConnectionCount > 0 {
		h.srv.goTask(h.askStatus)
	}
}

// askStatus asks the service every 10 s, on a random connection, whether the hub has clients (4.4).
func (h *HubServer) askStatus() {
	t := time.NewTicker(h.srv.opts.StatusInterval)
	defer t.Stop()
	for {
		select {
		case <-h.srv.run.Done():
			return
		case <-t.C:
			_ = h.Ask("status", "1") // no connection: asked again next time
		}
	}
}

// keepConnected holds one fixed server connection open for the life of the server (4.2).
func (h *HubServer) keepConnected() {
	ctx := h.srv.run
	c, err := h.open(ctx, h.srv.opts.ConnectionType, "")
	if err != nil {
		h.failed(err)
		c = h.reopen(ctx)
	}
	for c != nil {
		c.serve()
		c = h.reopen(ctx)
	}
}

// reopen probes with growing delays until a connection opens; nil says that the server is closing. Only one connection
// of the hub probes at a time.
func (h *HubServer) reopen(ctx context.Context) *serverConn {
	select {
	case <-h.retry:
	case <-ctx.Done():
		return nil
	}
	defer func() { h.retry <- struct{}{} }()
	for !h.stopping() {
		h.mu.Lock()
		delay := h.srv.opts.ReconnectDelay(h.attempts)
		h.attempts++
		h.mu.Unlock()
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		c, err := h.open(ctx, h.srv.opts.ConnectionType, "")
		if err == nil {
			return c
		}
		h.failed(err)
	}
	return nil
}

func (h *HubServer) failed(err error) {
	h.mu.Lock()
	h.lastErr = err
	h.mu.Unlock()
	h.srv.log.Warn("server connection failed", "hub", h.name, "err", err)
}

// openOnDemand answers a target ping: one connection with the target in its address, not reopened (4.6).
func (h *HubServer) openOnDemand(target string) {
	h.srv.goTask(func() {
		c, err := h.open(h.srv.run, service.ConnectionOnDemand, target)
		if err != nil {
			h.srv.log.Info("on-demand server connection refused", "hub", h.name, "err", err)
			return
		}
		c.serve()
	})
}

func (h *HubServer) stopping() bool {
	return h.srv.closing.Load()
}

// add enters an open connection; it reports false when the hub is shutting.
func (h *HubServer) add(c *serverConn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return false
	}
	h.conns[c] = struct{}{}
	h.attempts, h.lastErr = 0, nil
	h.notifyLocked()
	return true
}

// gone forgets a connection, fails its acknowledgements and ends the clients bound to it (4.5).
func (h *HubServer) gone(c *serverConn) {
	h.mu.Lock()
	delete(h.conns, c)
	for k, v := range h.byKey {
		if v == c {
			delete(h.byKey, k)
		}
	}
	for id, p := range h.acks {
		if p.conn == c {
			delete(h.acks, id)
			p.done <- ackResult{err: fmt.Errorf("wait for ack: %w", ErrNotConnected)}
		}
	}
	h.notifyLocked()
	h.mu.Unlock()
	for _, cl := range h.srv.clientsWhere(func(cl *client) bool { return cl.boundTo(c) }) {
		cl.end(ending{})
	}
}

func (h *HubServer) closeConnections(abrupt bool) {
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range h.connections() {
		wg.Go(func() { c.close(abrupt) })
	}
	wg.Wait()
}

// pick returns a live connection that may be written to: a random one, or for a key always the same one while it lives
// ([34] in 5.4). nil when there is none.
func (h *HubServer) pick(key string) *serverConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.byKey[key]; c != nil && c.writable() {
		return c
	}
	var some []*serverConn
	for c := range h.conns {
		if c.writable() {
			some = append(some, c)
		}
	}
	if len(some) == 0 {
		return nil
	}
	c := some[rand.IntN(len(some))]
	if key != "" {
		h.byKey[key] = c
	}
	return c
}

// route returns the connection for a write: the calling client's inside a hub call, else one by key.
func (h *HubServer) route(scope *client, key string) (*serverConn, error) {
	if scope != nil {
		if c := scope.connection(); c != nil && c.writable() {
			return c, nil
		}
	}
	if c := h.pick(key); c != nil {
		return c, nil
	}
	return nil, ErrNotConnected
}

// write sends m by route, waiting while too much is unwritten.
func (h *HubServer) write(ctx context.Context, scope *client, key string, m service.Message) error {
	c, err := h.route(scope, key)
	if err != nil {
		return err
	}
	return c.sendWait(ctx, m)
}

func (h *HubServer) answered(p *service.Ping) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range []string{"status", "servers", "clientcount", "servercount", "capacity"} {
		v, ok := p.Get(key)
		if !ok {
			continue
		}
		if key == "servers" && !strings.Contains(v, ":") {
			h.srv.log.Error("servers ping without a colon", "hub", h.name)
			continue
		}
		h.status[key] = v
	}
	h.notifyLocked()
}
