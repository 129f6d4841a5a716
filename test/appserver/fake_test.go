package appserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

const (
	testKey     = "test-access-key-of-enough-length-for-hmac"
	testTimeout = 10 * time.Second // bounds a wait that a working server ends in milliseconds
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeService is the least service that app servers can talk to: handshakes, automatic acks and finacks, and the rest
// by the test's hand.
type fakeService struct {
	t        *testing.T
	web      *httptest.Server
	accepted chan *fakeConn
	refuse   atomic.Pointer[string] // handshake error for new connections
	status   atomic.Int32           // HTTP status for new connections, 0 accepts
	noAck    atomic.Bool
	noFinAck atomic.Bool
}

type fakeConn struct {
	service   *fakeService
	ws        *websocket.Conn
	request   *http.Request
	handshake *service.HandshakeRequest

	mu sync.Mutex
	// changed is closed and replaced when got or ended change; all three are guarded by mu.
	changed chan struct{}
	got     []service.Message
	ended   error
}

func newFakeService(t *testing.T) *fakeService {
	t.Helper()
	f := &fakeService{t: t, accepted: make(chan *fakeConn, 64)}
	f.web = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.web.Close)
	return f
}

func (f *fakeService) connectionString() string {
	return "Endpoint=" + f.web.URL + ";AccessKey=" + testKey + ";Version=1.0;"
}

func (f *fakeService) serve(w http.ResponseWriter, r *http.Request) {
	if status := f.status.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(-1)
	c := &fakeConn{service: f, ws: ws, request: r, changed: make(chan struct{})}
	c.read(r.Context())
}

func (c *fakeConn) read(ctx context.Context) {
	var in []byte
	for {
		_, chunk, err := c.ws.Read(ctx)
		if err != nil {
			c.add(nil, err)
			return
		}
		in = append(in, chunk...)
		for {
			body, rest, err := service.NextFrame(in, 0)
			if err != nil {
				c.add(nil, err)
				return
			}
			if body == nil {
				break
			}
			m, err := service.Decode(append([]byte(nil), body...))
			in = rest
			if err != nil {
				c.add(nil, err)
				return
			}
			c.react(m)
		}
	}
}

// react answers what every service answers and keeps the message for the test.
func (c *fakeConn) react(m service.Message) {
	switch m := m.(type) {
	case *service.HandshakeRequest:
		c.handshake = m
		refusal := c.service.refuse.Load()
		if refusal != nil {
			c.send(&service.HandshakeResponse{ErrorMessage: *refusal})
			return
		}
		c.send(&service.HandshakeResponse{ConnectionID: c.cid()})
		c.service.accepted <- c
		return
	case *service.Ping:
		if v, ok := m.Get(service.PingShutdown); ok && v != service.PingFinAck && !c.service.noFinAck.Load() {
			c.send(&service.Ping{Pairs: []string{service.PingShutdown, service.PingFinAck}})
		}
	case *service.JoinGroupWithAck:
		c.ack(m.AckID)
	case *service.LeaveGroupWithAck:
		c.ack(m.AckID)
	}
	c.add(m, nil)
}

func (c *fakeConn) ack(id int32) {
	if !c.service.noAck.Load() {
		c.send(&service.Ack{AckID: id, Status: service.AckOK})
	}
}

func (c *fakeConn) add(m service.Message, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m != nil {
		c.got = append(c.got, m)
	}
	if err != nil {
		c.ended = err
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *fakeConn) cid() string { return c.request.URL.Query().Get("cid") }

func (c *fakeConn) send(messages ...service.Message) {
	var b []byte
	for _, m := range messages {
		b = service.Append(b, m)
	}
	// A connection that the test has ended takes nothing any more; tests notice by what is missing.
	_ = c.ws.Write(c.request.Context(), websocket.MessageBinary, b)
}

// await removes and returns the first message for which match is true, waiting for it. Others stay.
func (c *fakeConn) await(what string, match func(service.Message) bool) service.Message {
	c.service.t.Helper()
	deadline := time.After(testTimeout)
	for {
		c.mu.Lock()
		for i, m := range c.got {
			if match(m) {
				c.got = append(c.got[:i:i], c.got[i+1:]...)
				c.mu.Unlock()
				return m
			}
		}
		changed, ended := c.changed, c.ended
		c.mu.Unlock()
		if ended != nil {
			c.service.t.Fatalf("waiting for %s: connection ended: %v", what, ended)
		}
		select {
		case <-changed:
		case <-deadline:
			c.service.t.Fatalf("no %s came; there are %v", what, c.summary())
		}
	}
}

// next is await for the first message of type M.
func next[M service.Message](c *fakeConn) M {
	c.service.t.Helper()
	m := c.await(fmt.Sprintf("%T", *new(M)), func(m service.Message) bool {
		_, ok := m.(M)
		return ok
	})
	return m.(M)
}

// data awaits the next ConnectionData of a client and returns its payload and type.
func (c *fakeConn) data(id string) (string, service.DataType) {
	c.service.t.Helper()
	m := c.await("ConnectionData for "+id, func(m service.Message) bool {
		d, ok := m.(*service.ConnectionData)
		return ok && d.ConnectionID == id
	}).(*service.ConnectionData)
	return string(m.Payload), m.DataType
}

// expectData fails unless the next ConnectionData of the client is that text and type.
func (c *fakeConn) expectData(id, want string, wantType service.DataType) {
	c.service.t.Helper()
	got, gotType := c.data(id)
	if got != want || gotType != wantType {
		c.service.t.Fatalf("data for %s: want %q type %d, got %q type %d", id, want, wantType, got, gotType)
	}
}

func (c *fakeConn) awaitEnd() error {
	c.service.t.Helper()
	deadline := time.After(testTimeout)
	for {
		c.mu.Lock()
		changed, ended := c.changed, c.ended
		c.mu.Unlock()
		if ended != nil {
			return ended
		}
		select {
		case <-changed:
		case <-deadline:
			c.service.t.Fatal("connection did not end")
		}
	}
}

// has reports whether a message of type M waits.
func has[M service.Message](c *fakeConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.got {
		if _, ok := m.(M); ok {
			return true
		}
	}
	return false
}

func (c *fakeConn) summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, m := range c.got {
		fmt.Fprintf(&b, "%v ", m.Type())
	}
	return b.String()
}

// barrier returns when the server has acted on everything sent to it before on c.
func (c *fakeConn) barrier() {
	c.service.t.Helper()
	mark := newGUID()
	ping := &service.Ping{Pairs: []string{service.PingEcho, mark}}
	c.send(ping)
	c.await("echo ping", func(m service.Message) bool {
		p, ok := m.(*service.Ping)
		v, _ := "", 0
		if ok {
			v, _ = p.Get(service.PingEcho)
		}
		return ok && v == mark
	})
}

// client sends OpenConnection and the hub handshake and eats the handshake's answer.
func (c *fakeConn) client(id, protocol string, change ...func(*service.OpenConnection)) {
	c.service.t.Helper()
	open := &service.OpenConnection{ConnectionID: id, Protocol: protocol, QueryString: "?asrs.op=%2Fchat"}
	for _, f := range change {
		f(open)
	}
	c.send(open)
	c.say(id, fmt.Sprintf("{\"protocol\":%q,\"version\":1}\x1e", protocol))
	c.expectData(id, "{}\x1e", service.DataHandshake)
}

// say sends bytes as if the client had sent them.
func (c *fakeConn) say(id, text string) {
	c.send(&service.ConnectionData{ConnectionID: id, Payload: []byte(text)})
}

// quick are options for tests: one connection, no idle traffic, immediate reconnect.
func quick(f *fakeService) Options {
	return Options{
		ConnectionString: f.connectionString(),
		ConnectionCount:  1,
		StatusInterval:   -1,
		ReconnectDelay:   func(int) time.Duration { return time.Millisecond },
		ShutdownTimeout:  testTimeout,
	}
}

// start runs a server with opts and returns it with its server connections.
func start(t *testing.T, f *fakeService, opts Options, hubs ...*Hub) (*Server, []*fakeConn) {
	t.Helper()
	s, err := New(opts, hubs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitConnected(ctx, s.opts.ConnectionCount); err != nil {
		t.Fatal(err)
	}
	conns := make([]*fakeConn, s.opts.ConnectionCount*len(hubs))
	for i := range conns {
		conns[i] = f.accept()
	}
	return s, conns
}

func (f *fakeService) accept() *fakeConn {
	f.t.Helper()
	select {
	case c := <-f.accepted:
		return c
	case <-time.After(testTimeout):
		f.t.Fatal("no server connection came")
		return nil
	}
}
