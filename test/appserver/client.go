package appserver

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// client is one client connection of the process. It outlives the server connection that opened it when another takes
// it over (5.10).
type client struct {
	h        *HubServer
	id       string
	protocol string // json or messagepack; "" for one this server does not speak
	wire     hub.Protocol

	claims     []Claim
	headers    http.Header
	query      string
	values     url.Values
	path       string
	remote     netip.Addr
	instanceID string
	migratedIn bool
	items      sync.Map
	created    time.Time

	// ctx ends when the connection does (Context.ConnectionAborted).
	ctx    context.Context
	cancel context.CancelFunc

	// rmu keeps one reader at a time: on takeover two server connections' readers may come.
	rmu sync.Mutex
	// partial, in and shaken are guarded by rmu.
	partial []byte
	in      []byte
	shaken  bool

	mu sync.Mutex
	// All below is guarded by mu.
	conn      *serverConn
	principal *Principal
	httpUser  *Principal
	userID    string
	paused    bool
	held      []heldData
	greeted   bool     // the handshake request was fine
	opened    bool     // OnConnected ran or runs
	ready     bool     // OnConnected is done
	early     []func() // what starts at once when it is: it does not wait in the queue
	ended     bool
	running   bool
	busy      bool // a method runs: the client timeout stands still
	queue     []func()
	calls     map[string]context.CancelFunc
	uploads   map[string]*Upload
	pinged    bool
	received  time.Time
	lastPing  time.Time
}

type heldData struct {
	payload  []byte
	dataType service.DataType
}

// ending says how a client ends.
type ending struct {
	closeFrame  bool   // send a hub Close first
	reconnect   bool   // allowReconnect of that Close
	closeError  string // error of that Close
	tellService bool   // send CloseConnection when OnDisconnected is done
	reason      string // error message of that CloseConnection
	err         string // what OnDisconnected is told
	silent      bool   // OnDisconnected does not run: OnConnected failed
}

func newClient(h *HubServer, c *serverConn, m *service.OpenConnection) *client {
	cl := &client{
		h: h, id: m.ConnectionID, conn: c,
		claims: m.Claims, headers: http.Header{}, query: m.QueryString,
		calls: map[string]context.CancelFunc{}, uploads: map[string]*Upload{},
		created: time.Now(), received: time.Now(), lastPing: time.Now(),
	}
	if i := slices.IndexFunc(h.srv.opts.Protocols, func(p string) bool { return equalFold(p, m.Protocol) }); i >= 0 {
		cl.protocol = h.srv.opts.Protocols[i]
		cl.wire = wireOf(cl.protocol)
	}
	for _, header := range m.Headers {
		for _, v := range header.Values {
			cl.headers.Add(header.Name, v)
		}
	}
	cl.instanceID = cl.headers.Get(service.HeaderInstanceID)
	cl.migratedIn = cl.headers.Get(service.HeaderMigrateFrom) != ""
	if q, ok := strings.CutPrefix(m.QueryString, "?"); ok {
		cl.values, _ = url.ParseQuery(q)
	}
	cl.path = cl.values.Get("asrs.op")
	first, _, _ := strings.Cut(cl.headers.Get(headerForwardedFor), ",")
	cl.remote, _ = netip.ParseAddr(strings.TrimSpace(first))
	cl.principal = principalOf(m.Claims)
	cl.httpUser = cl.principal
	cl.userID = cl.principal.UserID()
	cl.ctx, cl.cancel = context.WithCancel(h.srv.run)
	return cl
}

func (c *client) connection() *serverConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

func (c *client) boundTo(conn *serverConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn == conn
}

// write sends one hub message to the client as ConnectionData with its type (5.3). While the client is paused the
// output is held. It waits while too much is unwritten.
func (c *client) write(ctx context.Context, payload []byte, t service.DataType) error {
	if err := c.connection().room(ctx); err != nil {
		return err
	}
	return c.writeNow(payload, t)
}

func (c *client) writeNow(payload []byte, t service.DataType) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return ErrNotConnected
	}
	return c.writeLocked(payload, t)
}

func (c *client) writeLocked(payload []byte, t service.DataType) error {
	if c.paused {
		c.held = append(c.held, heldData{payload, t})
		return nil
	}
	return c.conn.send(&service.ConnectionData{ConnectionID: c.id, Payload: payload, DataType: t})
}

// pause answers PauseAck once, over the connection that carries the client; output waits from here on.
func (c *client) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused || c.ended {
		return
	}
	c.paused = true
	_ = c.conn.send(&service.ConnectionFlowControl{
		ConnectionID: c.id, ConnectionType: service.FlowClient, Operation: service.FlowPauseAck,
	})
}

// resume lets output go on, over conn: another connection than before takes the client over.
func (c *client) resume(conn *serverConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if c.conn != conn {
		c.conn.clients.Add(-1)
		conn.clients.Add(1)
		c.conn = conn
	}
	c.paused = false
	held := c.held
	c.held = nil
	for _, d := range held {
		_ = c.writeLocked(d.payload, d.dataType) // a dead connection ends the client by itself
	}
}

func (c *client) dropPartial() {
	c.rmu.Lock()
	c.partial = nil
	c.rmu.Unlock()
}

// updateClaims is 3.7: the connection's user and HTTP user change, the hub's Context.User stays.
func (c *client) updateClaims(claims []Claim) {
	p := principalOf(claims)
	c.mu.Lock()
	c.httpUser = p
	c.mu.Unlock()
	if f := c.h.srv.opts.OnClaimsUpdated; f != nil {
		f(c.id, slices.Clone(claims))
	}
}

// end ends the client once: whatever waits is dropped, what runs is cancelled, OnDisconnected runs behind it.
func (c *client) end(e ending) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if e.closeFrame {
		_ = c.writeLocked(hub.AppendClose(nil, c.wire, e.closeError, e.reconnect), service.DataClose)
	}
	c.ended = true
	c.conn.clients.Add(-1)
	uploads := c.uploads
	c.uploads = map[string]*Upload{}
	c.queue = append(c.queue[:0], func() { c.disconnect(e) })
	c.kickLocked()
	c.mu.Unlock()
	c.cancel()
	for _, u := range uploads {
		u.finish(context.Canceled)
	}
	if !e.tellService {
		// Gone as far as the service is concerned: the same id may come back by migration.
		c.h.srv.removeClient(c)
	}
	c.h.srv.results.clientGone(c)
}

// disconnect is the last thing that runs for a client.
func (c *client) disconnect(e ending) {
	c.mu.Lock()
	opened, conn := c.opened, c.conn
	c.mu.Unlock()
	if opened && !e.silent && c.h.hub.onDisconnected != nil {
		c.h.hub.onDisconnected(c.context(c.h.srv.run), e.err)
	}
	if e.tellService {
		_ = conn.send(&service.CloseConnection{ConnectionID: c.id, ErrorMessage: e.reason})
		c.h.srv.removeClient(c)
	}
}

// enqueue adds work that runs one at a time in the order it came.
func (c *client) enqueue(work func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.queue = append(c.queue, work)
	c.kickLocked()
}

func (c *client) kickLocked() {
	if !c.running {
		c.running = true
		c.h.srv.goTask(c.runQueue)
	}
}

func (c *client) runQueue() {
	for {
		c.mu.Lock()
		c.busy = false
		c.received = time.Now()
		if len(c.queue) == 0 {
			c.running = false
			c.mu.Unlock()
			return
		}
		work := c.queue[0]
		c.queue = c.queue[1:]
		c.busy = true
		c.mu.Unlock()
		work()
	}
}

// tick is the heartbeat: the limit of the handshake, a ping each KeepAliveInterval whatever else was sent, and the
// timeout of a client that has pinged once (the framework's rules).
func (c *client) tick(now time.Time) {
	o := &c.h.srv.opts
	c.mu.Lock()
	if c.ended || !c.opened {
		late := !c.ended && !c.greeted && now.Sub(c.created) >= o.HandshakeTimeout
		c.mu.Unlock()
		if late {
			c.refuse(hub.TextHandshakeCanceled)
		}
		return
	}
	timedOut := c.pinged && !c.busy && now.Sub(c.received) >= o.ClientTimeout
	if !timedOut && now.Sub(c.lastPing) >= o.KeepAliveInterval {
		c.lastPing = now
		_ = c.writeLocked(hub.AppendPing(nil, c.wire), service.DataOther)
	}
	c.mu.Unlock()
	if timedOut {
		c.fail("OperationCanceledException: " +
			"Client hasn't sent a message/ping within the configured ClientTimeoutInterval.")
	}
}

// fail ends the client for an error of the connection: Close with allowReconnect (client protocol 4.2).
func (c *client) fail(detail string) {
	text := "Connection closed with an error."
	if c.h.srv.opts.DetailedErrors && detail != "" {
		text += " " + detail
	}
	c.end(ending{closeFrame: true, reconnect: true, closeError: text, tellService: true, err: detail})
}
