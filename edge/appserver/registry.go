package appserver

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Router is where an app server's words about clients go.
type Router interface {
	// Dispatch takes a message for clients. It may block; false means that the message is not for clients.
	Dispatch(from *Conn, m service.Message) bool
	// Arrived, Lost, Ready and Leaves tell of a connection: it may be chosen, it ended, it takes data again, its
	// server wants its clients moved.
	Arrived(c *Conn)
	Lost(c *Conn)
	Ready(c *Conn)
	Leaves(c *Conn)
}

// Settings are what may change while the edge runs.
type Settings struct {
	// MaxFrame is the largest service message, in bytes.
	MaxFrame int
	// MaxQueue is how many bytes may wait for one app server before its clients' input pauses; at half of it the
	// input goes on (design.md section 2).
	MaxQueue int
	// Ping is how often the edge pings; the SDK's own pings depend on it (spec 4.3).
	Ping time.Duration
	// Silence ends a connection on which nothing came.
	Silence time.Duration
	// Handshake is the time for the first message.
	Handshake time.Duration
}

// Config is what the registry needs of the rest of the edge.
type Config struct {
	// Node is this edge's instance id.
	Node     string
	Router   Router
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Settings Settings
	// Admit refuses a server connection with a text for its handshake; an empty one admits it.
	Admit func(t service.ConnectionType) (reason.Reason, string)
	// Clients returns how many clients a hub has here.
	Clients func(hub string) int64
	// Capacity is the connection quota, 0 if there is none.
	Capacity func() int64
	// Now is the clock.
	Now func() time.Time
}

// Registry is all server connections of this edge.
type Registry struct {
	node     string
	router   Router
	metrics  *metrics.Metrics
	log      *slog.Logger
	settings atomic.Pointer[Settings]
	admit    func(service.ConnectionType) (reason.Reason, string)
	clients  func(string) int64
	capacity func() int64
	now      func() time.Time
	wait     sync.WaitGroup

	mu sync.Mutex
	// The fields below are guarded by mu.
	hubs     map[string]*hub
	greeting map[*Conn]struct{} // their handshake request has not come yet
	sequence int64              // of the last servers answer
	stopped  bool
}

// hub is the server connections of one hub.
type hub struct {
	conns     []*Conn
	processes map[string]*process
	lastSeen  time.Time // of a connection that may carry clients
	turn      int       // breaks ties between equally loaded connections
}

// process is one app server process in one hub.
type process struct {
	conns int
	first atomic.Int64 // Unix nanoseconds of its first ClientInvocation
}

// The holds of client results (spec 5.7).
const (
	holdFirst  = 100 * time.Millisecond
	holdYoung  = 2 * time.Millisecond
	youngUntil = 10 * time.Second
)

func (p *process) invocationHold(now time.Time) time.Duration {
	if p.first.CompareAndSwap(0, now.UnixNano()) {
		return holdFirst
	}
	if now.UnixNano()-p.first.Load() < int64(youngUntil) {
		return holdYoung
	}
	return 0
}

// NewRegistry returns an empty registry.
func NewRegistry(c Config) *Registry {
	r := &Registry{
		node: c.Node, router: c.Router, metrics: c.Metrics, log: c.Log, admit: c.Admit, clients: c.Clients,
		capacity: c.Capacity, now: c.Now, hubs: map[string]*hub{}, greeting: map[*Conn]struct{}{},
	}
	r.settings.Store(&c.Settings)
	return r
}

// SetSettings puts new settings in force.
func (r *Registry) SetSettings(s Settings) { r.settings.Store(&s) }

// Run pings the app servers and ends silent connections until ctx is done.
func (r *Registry) Run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	lastPing := r.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now, s := r.now(), r.settings.Load()
		ping := now.Sub(lastPing) >= s.Ping-time.Second/2
		if ping {
			lastPing = now
		}
		for _, c := range r.all() {
			if now.Unix()-c.lastIn.Load() > int64(s.Silence/time.Second) {
				c.Close(reason.ServerConnSilent)
			} else if ping {
				c.say(&service.Ping{})
			}
		}
	}
}

func (r *Registry) all() []*Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Conn
	for _, h := range r.hubs {
		out = append(out, h.conns...)
	}
	return out
}

// Stop ends every connection and waits until they have ended. Later ones are refused.
func (r *Registry) Stop(why reason.Reason) {
	r.mu.Lock()
	r.stopped = true
	for c := range r.greeting {
		_ = c.sock.SetReadDeadline(time.Now()) // ends the wait for the handshake request
	}
	r.mu.Unlock()
	r.CloseAll(why)
	r.wait.Wait()
}

// CloseAll ends every connection.
func (r *Registry) CloseAll(why reason.Reason) {
	for _, c := range r.all() {
		c.Close(why)
	}
}

// Announce says m to every app server.
func (r *Registry) Announce(m service.Message) {
	for _, c := range r.all() {
		c.say(m)
	}
}

// Refuse says why to every app server in a ServiceError, then ends the connections (spec 3.6, type 15).
func (r *Registry) Refuse(why reason.Reason, text string) {
	for _, c := range r.all() {
		c.say(&service.ServiceError{ErrorMessage: text})
		c.Close(why)
	}
}

// enter notes a connection whose handshake begins, unless the registry has stopped. leave must follow.
func (r *Registry) enter(c *Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.wait.Add(1)
	r.greeting[c] = struct{}{}
	return true
}

func (r *Registry) leave(c *Conn) {
	r.greeted(c)
	r.wait.Done()
}

// greeted takes note that a connection's handshake request came, or will not come any more. False: the registry has
// stopped in the meantime.
func (r *Registry) greeted(c *Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.greeting, c)
	return !r.stopped
}

// add makes an accepted connection known: from here on it may be chosen.
func (r *Registry) add(c *Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	h := r.hubs[c.hub]
	if h == nil {
		h = &hub{processes: map[string]*process{}}
		r.hubs[c.hub] = h
	}
	p := h.processes[c.serverID]
	if p == nil {
		p = &process{}
		h.processes[c.serverID] = p
	}
	p.conns++
	c.process = p
	h.conns = append(h.conns, c)
	if c.kind != service.ConnectionWeak {
		h.lastSeen = r.now()
	}
	r.metrics.ServerConnections.Inc()
	r.metrics.ServersOpened.Inc()
	return true
}

func (r *Registry) remove(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hubs[c.hub]
	i := slices.Index(h.conns, c)
	h.conns = slices.Delete(h.conns, i, i+1)
	if c.process.conns--; c.process.conns == 0 {
		delete(h.processes, c.serverID)
	}
	if c.kind != service.ConnectionWeak {
		h.lastSeen = r.now()
	}
	r.metrics.ServerConnections.Dec()
}

// Want describes the connection that a client needs. The zero Want but for Hub takes any.
type Want struct {
	Hub string
	// ServerID names a server; with Required no other will do, else it is preferred.
	ServerID string
	Required bool
	// ExcludeServer names a server that must not be taken.
	ExcludeServer string
	// Migratable asks for a server that takes part in migration.
	Migratable bool
}

// Choose returns the connection that shall carry a client, and counts the client as attached: of the named server if
// there is one, else the one with the fewest clients. Weak and draining connections never get clients.
func (r *Registry) Choose(w Want) (*Conn, reason.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hubs[w.Hub]
	if h == nil {
		return nil, reason.NoServer
	}
	h.turn++
	var best *Conn
	bestNamed, bestLoad := false, int64(0)
	for i := range h.conns {
		c := h.conns[(i+h.turn)%len(h.conns)]
		named := w.ServerID != "" && c.serverID == w.ServerID
		switch {
		case c.kind == service.ConnectionWeak || c.draining.Load() || c.ended.Load() != 0,
			w.Required && !named,
			w.ExcludeServer != "" && c.serverID == w.ExcludeServer,
			w.Migratable && !c.migratable:
			continue
		}
		load := c.clients.Load()
		if best == nil || named && !bestNamed || named == bestNamed && load < bestLoad {
			best, bestNamed, bestLoad = c, named, load
		}
	}
	if best == nil {
		if w.Required && h.hasServer() {
			return nil, reason.StickyServerMissing
		}
		return nil, reason.NoServer
	}
	best.clients.Add(1)
	return best, reason.None
}

func (h *hub) hasServer() bool {
	return slices.ContainsFunc(h.conns, func(c *Conn) bool { return c.kind != service.ConnectionWeak })
}

// HasServer reports whether the hub has an app server, or lost its last within the time given.
func (r *Registry) HasServer(name string, within time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hubs[name]
	return h != nil && (h.hasServer() || within > 0 && !h.lastSeen.IsZero() && r.now().Sub(h.lastSeen) <= within)
}

// Hubs returns the number of server connections of each hub that has any.
func (r *Registry) Hubs() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for name, h := range r.hubs {
		if len(h.conns) > 0 {
			out[name] = len(h.conns)
		}
	}
	return out
}

// servers returns the value of a servers ping: an ever growing number and the sorted server ids (spec 4.4).
func (r *Registry) servers(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sequence = max(r.sequence+1, r.now().UnixMilli())
	var ids []string
	for _, c := range r.hubs[name].conns {
		if c.kind != service.ConnectionWeak && !slices.Contains(ids, c.serverID) {
			ids = append(ids, c.serverID)
		}
	}
	slices.Sort(ids)
	return strconv.FormatInt(r.sequence, 10) + ":" + strings.Join(ids, ";")
}

// status returns the answer to a status ping.
func (r *Registry) status(name string) []string {
	clients := r.clients(name)
	has := "0"
	if clients > 0 {
		has = "1"
	}
	r.mu.Lock()
	servers := len(r.hubs[name].conns)
	r.mu.Unlock()
	pairs := []string{
		service.PingStatus, has,
		service.PingClientCount, strconv.FormatInt(clients, 10),
		service.PingServerCount, strconv.Itoa(servers),
	}
	if n := r.capacity(); n > 0 {
		pairs = append(pairs, service.PingCapacity, strconv.FormatInt(n, 10))
	}
	return pairs
}
