package appserver

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

const (
	// headroom stands in front of every batch for its WebSocket header.
	headroom = 10
	// keepBuffer is the largest buffer that a writer keeps for its next batch.
	keepBuffer = 256 << 10
	// stallTimeout is how long one write to an app server may take.
	stallTimeout = time.Minute
	// closeTimeout is how long the last bytes and the close frame may take.
	closeTimeout = 5 * time.Second
)

// Conn is one server connection. Its methods may be called from any goroutine.
//
// Static after the handshake: the fields up to sock. Guarded by mu: the queue. The rest is atomic.
type Conn struct {
	registry   *Registry
	id         string
	hub        string
	serverID   string
	kind       service.ConnectionType
	migratable bool
	process    *process
	sock       net.Conn

	clients   atomic.Int64
	lastIn    atomic.Int64 // Unix seconds
	draining  atomic.Bool
	congested atomic.Bool
	ended     atomic.Uint32 // reason.Reason, the first one given
	code      atomic.Uint32 // websocket.Code of the close frame, 0 for that of ended

	bell chan struct{} // rings when the queue has something or ends

	mu sync.Mutex
	// queue is guarded by mu, as are the fields below: headroom bytes, then service frames.
	queue    []byte
	queued   int // frames in queue
	inFlight int // bytes that the writer has taken
	closing  bool
	room     sync.Cond // rings when the writer is done with a batch, or the connection ends
}

func newConn(r *Registry, sock net.Conn, req Request) *Conn {
	c := &Conn{
		registry: r, id: req.ID, hub: req.Hub, serverID: req.ServerID, sock: sock,
		bell: make(chan struct{}, 1), queue: make([]byte, headroom),
	}
	c.room.L = &c.mu
	c.lastIn.Store(r.now().Unix())
	return c
}

// ID returns the connection's cid.
func (c *Conn) ID() string { return c.id }

// ServerID returns the id of the app server's process (X-ASRS-Server-Id).
func (c *Conn) ServerID() string { return c.serverID }

// Hub returns the lower-case name of the hub.
func (c *Conn) Hub() string { return c.hub }

// Migratable reports whether the app server takes part in migration (spec 4.1).
func (c *Conn) Migratable() bool { return c.migratable }

// Draining reports whether the app server said fin.
func (c *Conn) Draining() bool { return c.draining.Load() }

// Congested reports whether the input of the connection's clients must pause.
func (c *Conn) Congested() bool { return c.congested.Load() }

// Attach adds delta to the number of clients that the connection carries.
func (c *Conn) Attach(delta int) { c.clients.Add(int64(delta)) }

// InvocationHold counts a ClientInvocation of this connection's server and returns how long the answer must be held
// back: the SDK registers the call after it has written it (spec 5.7, measured).
func (c *Conn) InvocationHold() time.Duration { return c.process.invocationHold(c.registry.now()) }

// Data appends a ConnectionData frame. It reports whether the queue was empty: then the caller owes a Flush.
func (c *Conn) Data(connectionID string, p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	empty := len(c.queue) == headroom
	c.queue = service.AppendConnectionData(c.queue, connectionID, p)
	c.queued++
	c.measure()
	return empty
}

// Send appends a message and reports like Data.
func (c *Conn) Send(m service.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	empty := len(c.queue) == headroom
	c.queue = service.Append(c.queue, m)
	c.queued++
	c.measure()
	return empty
}

// measure notices that too much waits. mu is held.
func (c *Conn) measure() {
	if len(c.queue)+c.inFlight > c.registry.settings.Load().MaxQueue {
		c.congested.Store(true)
	}
}

// deaf is how many times the congestion bound may wait for an app server before it is not listened to any more: it
// asks, and does not take the answers.
const deaf = 4

// awaitRoom keeps the reader from taking more questions while their answers fill the memory.
func (c *Conn) awaitRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closing && len(c.queue)+c.inFlight > deaf*c.registry.settings.Load().MaxQueue {
		c.room.Wait()
	}
}

// Flush wakes the writer.
func (c *Conn) Flush() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// say sends from outside of a shard's turn.
func (c *Conn) say(m service.Message) {
	if c.Send(m) {
		c.Flush()
	}
}

// Close ends the connection for r once what waits has been written. The first reason counts.
func (c *Conn) Close(r reason.Reason) {
	c.ended.CompareAndSwap(0, uint32(r))
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	c.room.Broadcast()
	c.mu.Unlock()
	if first { // a peer that does not answer has this time once
		_ = c.sock.SetDeadline(time.Now().Add(closeTimeout))
	}
	c.Flush()
}

// write empties the queue until the connection ends: everything that waits goes out as one WebSocket message, whose
// boundaries mean nothing (spec 2.2).
func (c *Conn) write() {
	spare := make([]byte, headroom)
	for range c.bell {
		for {
			c.mu.Lock()
			batch, frames, end := c.queue, c.queued, c.closing
			c.queue, c.queued, c.inFlight = spare[:headroom], 0, len(batch)-headroom
			c.mu.Unlock()
			c.registry.metrics.ServerMessagesOut.Add(float64(frames))
			if len(batch) == headroom {
				spare = batch
				if end {
					c.goodbye()
					return
				}
				break
			}
			if !c.writeBatch(batch, end) {
				return
			}
			spare = batch
			if cap(spare) > keepBuffer {
				spare = make([]byte, headroom)
			}
		}
	}
}

func (c *Conn) writeBatch(batch []byte, end bool) bool {
	n := len(batch) - headroom
	start := headroom - websocket.HeaderSize(n)
	websocket.PutHeader(batch[start:], websocket.OpBinary, n)
	if !end {
		_ = c.sock.SetWriteDeadline(time.Now().Add(stallTimeout))
	}
	written, err := c.sock.Write(batch[start:])
	c.registry.metrics.ServerBytesOut.Add(float64(written))
	if err != nil {
		r := reason.ServerConnGone
		if isTimeout(err) {
			r = reason.ServerConnStalled
		}
		c.Close(r)
		_ = c.sock.Close() // ends the reader
		return false
	}
	c.mu.Lock()
	c.inFlight = 0
	c.room.Broadcast()
	ready := len(c.queue) < c.registry.settings.Load().MaxQueue/2 && c.congested.Load()
	if ready {
		c.congested.Store(false)
	}
	c.mu.Unlock()
	if ready {
		c.registry.router.Ready(c)
	}
	return true
}

// goodbye sends the close frame: 1000 unless the peer broke the protocol, for the SDK logs any other code as an error.
func (c *Conn) goodbye() {
	code := websocket.Code(c.code.Load())
	if code == 0 {
		code = websocket.Code(reason.Reason(c.ended.Load()).Info().Code)
	}
	if code == 0 {
		code = websocket.CodeNormal
	}
	_, _ = c.sock.Write(websocket.AppendClose(nil, code, ""))
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
