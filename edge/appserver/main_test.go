package appserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait.
const patience = 10 * time.Second

// calls is a Router that notes what it is told.
type calls struct {
	mu sync.Mutex
	// The fields below are guarded by mu.
	names    []string
	messages []service.Message
	arrived  func(*Conn)
}

func (c *calls) note(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = append(c.names, name)
}

func (c *calls) has(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.names, name)
}

func (c *calls) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, have := range c.names {
		if have == name {
			n++
		}
	}
	return n
}

func (c *calls) Dispatch(_ *Conn, m service.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, m)
	_, known := m.(*service.ConnectionData)
	return known
}

func (c *calls) Arrived(conn *Conn) {
	c.note("arrived")
	if c.arrived != nil {
		c.arrived(conn)
	}
}
func (c *calls) Lost(*Conn)   { c.note("lost") }
func (c *calls) Ready(*Conn)  { c.note("ready") }
func (c *calls) Leaves(*Conn) { c.note("leaves") }

// fixture is a registry with its router.
type fixture struct {
	*Registry
	*calls
	t *testing.T
}

func start(t *testing.T, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{calls: &calls{}, t: t}
	c := Config{
		Node: "node", Router: f.calls, Metrics: metrics.New("test"), Log: slog.New(slog.DiscardHandler),
		Settings: Settings{
			MaxFrame: 1 << 20, MaxQueue: 64 << 10, Ping: time.Second, Silence: time.Minute, Handshake: patience,
		},
		Admit:    func(service.ConnectionType) (reason.Reason, string) { return reason.None, "" },
		Clients:  func(string) int64 { return 0 },
		Capacity: func() int64 { return 0 },
		Now:      time.Now,
	}
	for _, change := range change {
		change(&c)
	}
	f.Registry = NewRegistry(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		f.Stop(reason.ServerConnDrain)
	})
	return f
}

// server is the app server's end of a connection.
type server struct {
	t      *testing.T
	conn   net.Conn
	ws     websocket.Reader
	in     []byte
	closed bool // the close frame came
	served chan struct{}
}

// dial gives the registry one end of a TCP connection, as the front door does, and returns the other.
func (f *fixture) dial(req Request, buffered ...byte) *server {
	f.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(f.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := (&net.Dialer{}).DialContext(f.t.Context(), "tcp", l.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	sock, err := l.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	s := &server{t: f.t, conn: conn, ws: websocket.NewReader(false, 0), served: make(chan struct{})}
	f.t.Cleanup(func() { _ = conn.Close() })
	if req.Hub == "" {
		req.Hub = "chat"
	}
	go func() { defer close(s.served); f.Serve(sock, buffered, req) }()
	return s
}

// open is dial and the handshake.
func (f *fixture) open(req Request, hello *service.HandshakeRequest) *server {
	f.t.Helper()
	s := f.dial(req)
	s.send(hello)
	if m, ok := s.next().(*service.HandshakeResponse); !ok || m.ErrorMessage != "" || m.ConnectionID != req.ID {
		f.t.Fatalf("handshake: %+v", m)
	}
	return s
}

func frame(messages ...service.Message) []byte {
	var b []byte
	for _, m := range messages {
		b = service.Append(b, m)
	}
	return websocket.AppendMaskedFrame(nil, websocket.OpBinary, true, b, [4]byte{1, 2, 3, 4})
}

func (s *server) send(messages ...service.Message) {
	s.t.Helper()
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.conn.Write(frame(messages...)); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// next returns the next message; nil is the end, after a close frame or not.
func (s *server) next() service.Message {
	s.t.Helper()
	for {
		if body, rest, err := service.NextFrame(s.in, 0); err != nil {
			s.t.Fatal(err)
		} else if body != nil {
			s.in = rest
			m, err := service.Decode(body)
			if err != nil {
				s.t.Fatal(err)
			}
			return m
		}
		if s.closed {
			return nil
		}
		b := make([]byte, 64<<10)
		_ = s.conn.SetReadDeadline(time.Now().Add(patience))
		n, err := s.conn.Read(b)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.t.Fatalf("read: %v", err)
			}
			return nil
		}
		s.closed = s.feed(b[:n])
	}
}

// feed takes bytes and reports whether a close frame was among them.
func (s *server) feed(b []byte) (closed bool) {
	s.t.Helper()
	for {
		ev, rest, err := s.ws.Next(b)
		if err != nil {
			s.t.Fatal(err)
		}
		b = rest
		switch ev.Kind {
		case websocket.None:
			return closed
		case websocket.Data:
			s.in = append(slices.Clip(s.in), ev.Payload...)
		case websocket.Close:
			closed = true
		case websocket.Ping, websocket.Pong:
		}
	}
}

// answer skips keep-alives.
func (s *server) answer() service.Message {
	s.t.Helper()
	for {
		m := s.next()
		if p, ok := m.(*service.Ping); !ok || len(p.Pairs) > 0 {
			return m
		}
	}
}

func (s *server) ended() {
	s.t.Helper()
	_ = s.conn.Close()
	select {
	case <-s.served:
	case <-time.After(patience):
		s.t.Fatal("Serve does not return")
	}
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
