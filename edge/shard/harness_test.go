package shard

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// driver makes a pair of connected ends and gives the near one to the shards.
type driver struct {
	name string
	pair func(t testing.TB) (near, far net.Conn)
	bind func(x *Shards, near net.Conn, buffered []byte, c *Client) bool
}

func bindStream(x *Shards, near net.Conn, buffered []byte, c *Client) bool {
	return x.BindStream(near, buffered, c)
}

// drivers has the drivers that every behaviour is tested with; others adds those tested with a conversation only.
var drivers = []driver{{name: "stream", pair: tcpPair, bind: bindStream}}

// tcpPair is two ends of a loopback connection.
func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// stage is shards on a clock that only moves when told, with app servers that only do what they are told.
type stage struct {
	testing.TB
	x       *Shards
	driver  driver
	metrics *metrics.Metrics
	limits  Limits
	units   atomic.Int64
	tokens  map[string]string

	now     time.Time
	clients []*client

	mu sync.Mutex
	// links is guarded by mu.
	links []*fakeLink
}

func testLimits() Limits {
	return Limits{
		MaxMessage: 64 << 10, MaxWebSocketMessage: 1 << 20, MaxServiceFrame: 16 << 20, SendQueue: 1 << 20,
		SlowAfter: 10 * time.Second, HandshakeTimeout: 15 * time.Second, NoServerWait: 5 * time.Second,
		Idle: 30 * time.Minute,
	}
}

// newStage starts shards; at the end of the test it checks that everything is consistent and was released.
func newStage(t testing.TB, d driver, change ...func(*Limits)) *stage {
	t.Helper()
	e := &stage{
		TB: t, driver: d, metrics: metrics.New("test"), limits: testLimits(), now: time.Unix(1e9, 0),
		tokens: map[string]string{},
	}
	for _, f := range change {
		f(&e.limits)
	}
	x, err := New(Config{
		Count: 3, Node: "edge-1", Metrics: e.metrics, Log: slog.New(slog.DiscardHandler), Limits: e.limits,
		Choose: e.choose, CountMessages: func(n int64) { e.units.Add(n) }, Start: e.now,
		Expand: func(b []byte) service.Claims {
			c, _ := service.DecodeClaimsPayload(b)
			return c
		},
		Resolve: func(token string) (string, bool) { id, ok := e.tokens[token]; return id, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.x = x
	t.Cleanup(e.end)
	return e
}

// end is the last part of every test.
func (e *stage) end() {
	if err := e.x.CheckForTest(); err != nil {
		e.Errorf("invariant broken: %v", err)
	}
	for _, c := range e.clients {
		_ = c.conn.Close()
	}
	e.x.Stop()
	for _, sh := range e.x.shards {
		if err := sh.check(); err != nil {
			e.Errorf("invariant broken after Stop: %v", err)
		}
		if n := len(sh.sessions); n > 0 {
			e.Errorf("%d sessions after Stop", n)
		}
	}
	for _, c := range e.clients {
		if n := c.gone.Load(); n != 1 {
			e.Errorf("Done of %s called %d times, want once", c.id, n)
		}
	}
	if n := value(e.metrics.ClientConnections); n != 0 {
		e.Errorf("%v client connections after Stop", n)
	}
	for _, l := range e.links {
		if n := l.attached.Load(); n != 0 {
			e.Errorf("%s carries %d clients after Stop", l.id, n)
		}
	}
}

// each runs a behaviour on every driver.
func each(t *testing.T, name string, f func(e *stage), change ...func(*Limits)) {
	t.Helper()
	for _, d := range drivers {
		t.Run(name+"/"+d.name, func(t *testing.T) { f(newStage(t, d, change...)) })
	}
}

// value reads a counter or gauge.
func value(c prometheus.Metric) float64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		return -1
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// counted is how often a reason was counted.
func (e *stage) counted(r reason.Reason) int {
	e.sync()
	return int(value(e.metrics.Counter(r)))
}

func (e *stage) wantCounted(r reason.Reason, want int) {
	e.Helper()
	if got := e.counted(r); got != want {
		e.Errorf("%v counted %d times, want %d", r, got, want)
	}
}

// sync returns when everything posted before has run, and the turn it ran in is over. The second round cannot run in
// the turn of the first.
func (e *stage) sync() {
	for range 2 {
		var wait sync.WaitGroup
		for _, sh := range e.x.shards {
			wait.Add(1)
			sh.postMust(command{do: func(*shard) { wait.Done() }})
		}
		wait.Wait()
	}
}

// tick moves the clock.
func (e *stage) tick(d time.Duration) {
	e.now = e.now.Add(d)
	e.x.Tick(e.now)
	e.sync()
}

// until waits for a condition that sockets bring about.
func (e *stage) until(what string, ok func() bool) {
	e.Helper()
	late, look := time.NewTimer(patience), time.NewTicker(time.Millisecond)
	defer late.Stop()
	defer look.Stop()
	for !ok() {
		select {
		case <-late.C:
			e.Fatalf("waited in vain for: %s", what)
		case <-look.C:
		}
	}
}

// session runs f with c's session, nil if there is none, in its shard.
func (e *stage) session(c *client, f func(sh *shard, s *session)) {
	done := make(chan struct{})
	e.x.of(c.id).postMust(command{do: func(sh *shard) {
		f(sh, sh.sessions[c.id])
		close(done)
	}})
	<-done
}

// state returns where c's session stands, stateClosed when there is none.
func (e *stage) state(c *client) state {
	at := stateClosed
	e.session(c, func(_ *shard, s *session) {
		if s != nil {
			at = s.state
		}
	})
	return at
}

// holds returns why c's input is held back.
func (e *stage) holds(c *client) (h hold) {
	e.session(c, func(_ *shard, s *session) {
		if s != nil {
			h = s.hold
		}
	})
	return h
}

// choose is the registry of app servers.
func (e *stage) choose(w Want) (Link, reason.Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	why := reason.NoServer
	var best *fakeLink
	for _, l := range e.links {
		if l.hub != w.Hub || l.Draining() || l.weak.Load() || w.Migratable && !l.migratable ||
			w.ExcludeServer != "" && l.server == w.ExcludeServer {
			continue
		}
		if w.Sticky == StickyRequired && l.server != w.ServerID {
			why = reason.StickyServerMissing
			continue
		}
		if best == nil || w.Sticky != StickyNone && l.server == w.ServerID {
			best = l
		}
	}
	if best == nil {
		return nil, why
	}
	best.Attach(1)
	return best, reason.None
}

// server connects an app server.
func (e *stage) server(hub, id string, change ...func(*fakeLink)) *fakeLink {
	l := newFakeLink(hub, id)
	for _, f := range change {
		f(l)
	}
	e.mu.Lock()
	e.links = append(e.links, l)
	e.mu.Unlock()
	e.x.ServerArrived(hub)
	return l
}

func migratable(l *fakeLink) { l.migratable = true }
func weak(l *fakeLink)       { l.weak.Store(true) }

// lose takes a server connection away.
func (e *stage) lose(l *fakeLink) {
	e.mu.Lock()
	for i, other := range e.links {
		if other == l {
			e.links = append(e.links[:i:i], e.links[i+1:]...)
			break
		}
	}
	e.mu.Unlock()
	e.x.ServerLost(l)
	e.sync()
}

// says dispatches messages of an app server.
func (e *stage) says(l *fakeLink, messages ...service.Message) {
	e.Helper()
	for _, m := range messages {
		if !e.x.Dispatch(l, m) {
			e.Fatalf("%T was not taken", m)
		}
	}
}

// data is ConnectionData for c without a type, as old SDKs send it.
func (c *client) data(b []byte) *service.ConnectionData {
	return &service.ConnectionData{ConnectionID: c.id, Payload: b}
}

func (c *client) typed(b []byte, t service.DataType) *service.ConnectionData {
	return &service.ConnectionData{ConnectionID: c.id, Payload: b, DataType: t}
}

// connect binds a client of a hub that has said nothing yet.
func (e *stage) connect(hub, protocol string, change ...func(*Client)) *client {
	e.Helper()
	return e.connectWith(hub, protocol, nil, change...)
}

func (e *stage) connectWith(hub, protocol string, buffered []byte, change ...func(*Client)) *client {
	e.Helper()
	near, far := e.driver.pair(e)
	c := &client{TB: e.TB, e: e, conn: far, protocol: protocol, id: fmt.Sprintf("%s-%04d", hub, len(e.clients))}
	about := &Client{
		ID: c.id, Hub: hub, Done: func() { c.gone.Add(1) },
		Open: &service.OpenConnection{ConnectionID: c.id, QueryString: "?hub=" + hub, Headers: service.Headers{
			{Name: service.HeaderInstanceID, Values: []string{"edge-1"}},
		}},
	}
	for _, f := range change {
		f(about)
	}
	c.id, about.Open.ConnectionID = about.ID, about.ID
	e.clients = append(e.clients, c)
	if !e.driver.bind(e.x, near, buffered, about) {
		e.Fatal("the shard took no client")
	}
	return c
}

func user(name string) func(*Client) { return func(c *Client) { c.User = name } }

// opening brings a new client to where its app server has its handshake request.
func (e *stage) opening(l *fakeLink, protocol string, change ...func(*Client)) *client {
	e.Helper()
	c := e.connect(l.hub, protocol, change...)
	c.send(c.request())
	open := next[*service.OpenConnection](e, l)
	if open.ConnectionID != c.id || open.Protocol != protocol {
		e.Fatalf("OpenConnection %+v, want id %s and protocol %s", open, c.id, protocol)
	}
	l.wantData(e, c, c.request())
	return c
}

// greet lets the app server accept the handshake.
func (e *stage) greet(l *fakeLink, c *client) {
	e.Helper()
	e.says(l, c.typed(hubproto.AppendHandshakeOK(nil), service.DataHandshake))
	c.want(hubproto.AppendHandshakeOK(nil))
}

// client connects a client that is through its handshake.
func (e *stage) client(l *fakeLink, protocol string, change ...func(*Client)) *client {
	e.Helper()
	c := e.opening(l, protocol, change...)
	e.greet(l, c)
	return c
}

// wantNothing fails if the app server was sent anything that was not looked at.
func (e *stage) wantNothing(l *fakeLink) {
	e.Helper()
	e.sync()
	for _, m := range l.take() {
		e.Errorf("%s got %T %+v, want nothing", l.id, m, m)
	}
}
