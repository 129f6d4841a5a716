package appserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// ErrClosed is returned by operations on a Server that was closed.
var ErrClosed = errors.New("app server closed")

// ErrNotConnected is returned by sends when no server connection is up.
var ErrNotConnected = errors.New("no server connection")

// Server is one app server process: one server id, one table of clients, any number of hubs. Several may live in one Go
// process.
type Server struct {
	opts Options
	conn *ConnectionString
	id   string
	log  *slog.Logger
	http *http.Client

	hubs map[string]*HubServer // by wire name; fixed by New

	// run ends when the server closes; every goroutine of the server hangs on it. Start sets it, before any of them.
	run     context.Context
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	started atomic.Bool
	stopped atomic.Bool
	closing atomic.Bool

	ackID   atomic.Int64
	callID  atomic.Int64
	callTag string
	results results

	mu sync.Mutex
	// clients is guarded by mu: every client of the process by connection id, whatever hub (5.1).
	clients map[string]*client
}

// New returns a server for hubs that is not connected yet; Start connects it. It fails on a bad connection string or
// two hubs of one name.
func New(opts Options, hubs ...*Hub) (*Server, error) {
	opts = opts.withDefaults()
	cs, err := ParseConnectionString(opts.ConnectionString)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:    opts,
		conn:    cs,
		id:      opts.ServerID,
		log:     opts.Logger,
		http:    &http.Client{Transport: &http.Transport{}},
		hubs:    map[string]*HubServer{},
		clients: map[string]*client{},
		callTag: randomHex(16),
		cancel:  func() {},
	}
	s.results.init()
	for _, h := range hubs {
		name := HubName(opts.ApplicationName, h.Name)
		if _, twice := s.hubs[name]; twice {
			return nil, fmt.Errorf("hub %q appears twice", name)
		}
		s.hubs[name] = newHubServer(s, h, name)
	}
	return s, nil
}

// ID returns the server id.
func (s *Server) ID() string { return s.id }

// Hub returns the running hub of that name (class name or wire name, without case), or nil.
func (s *Server) Hub(name string) *HubServer {
	if h, ok := s.hubs[strings.ToLower(name)]; ok {
		return h
	}
	return s.hubs[HubName(s.opts.ApplicationName, name)]
}

// Start opens the server connections and returns when each hub has one, or with an error when ctx ends before. The
// connections are opened again whenever they end, until Shutdown or Close; one of them must be called after an error
// too.
func (s *Server) Start(ctx context.Context) error {
	if s.stopped.Load() {
		return ErrClosed
	}
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("app server started twice")
	}
	// The server outlives the call that starts it.
	s.run, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, h := range s.hubs {
		h.start()
	}
	s.goTask(s.heartbeat)
	return s.WaitConnected(ctx, min(1, s.opts.ConnectionCount))
}

// WaitConnected waits until each hub has at least n server connections.
func (s *Server) WaitConnected(ctx context.Context, n int) error {
	for _, h := range s.hubs {
		if err := h.waitFor(ctx, func() bool { return h.liveLocked() >= n }); err != nil {
			return fmt.Errorf("connect hub %q: %w", h.name, errors.Join(err, h.LastError()))
		}
	}
	return nil
}

// ClientCount returns the number of clients of the whole process.
func (s *Server) ClientCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Close ends every server connection at once, with WebSocket status 1000 and without saying goodbye first (the
// baseline's Off mode), runs the clients' OnDisconnected and waits for everything the server started.
func (s *Server) Close() error {
	if !s.stopped.CompareAndSwap(false, true) {
		s.tasks.Wait()
		return nil
	}
	s.closing.Store(true)
	for _, h := range s.hubs {
		h.closeConnections(false)
	}
	s.finish()
	return nil
}

// Kill cuts the TCP connections of every server connection as a crash would and waits like Close.
func (s *Server) Kill() {
	if !s.stopped.CompareAndSwap(false, true) {
		s.tasks.Wait()
		return
	}
	s.closing.Store(true)
	for _, h := range s.hubs {
		h.closeConnections(true)
	}
	s.finish()
}

func (s *Server) finish() {
	s.cancel()
	s.tasks.Wait()
	s.http.CloseIdleConnections()
}

// goTask runs f in a goroutine that Close waits for.
func (s *Server) goTask(f func()) { s.tasks.Go(f) }

// heartbeat is the framework's one-second tick: client pings and client timeouts.
func (s *Server) heartbeat() {
	t := time.NewTicker(s.opts.Heartbeat)
	defer t.Stop()
	for {
		select {
		case <-s.run.Done():
			return
		case now := <-t.C:
			for _, c := range s.snapshot() {
				c.tick(now)
			}
		}
	}
}

func (s *Server) snapshot() []*client {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*client, 0, len(s.clients))
	for _, c := range s.clients {
		all = append(all, c)
	}
	return all
}

func (s *Server) client(id string) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[id]
}

// addClient enters c and reports false when its connection id is taken already.
func (s *Server) addClient(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.clients[c.id]; taken {
		return false
	}
	s.clients[c.id] = c
	return true
}

func (s *Server) removeClient(c *client) {
	s.mu.Lock()
	if s.clients[c.id] == c {
		delete(s.clients, c.id)
	}
	s.mu.Unlock()
	c.h.notify()
}

// clientsWhere returns the clients that match.
func (s *Server) clientsWhere(match func(*client) bool) []*client {
	var some []*client
	for _, c := range s.snapshot() {
		if match(c) {
			some = append(some, c)
		}
	}
	return some
}

// Shutdown ends the server as the SDK does by Options.GracefulMode (4.7): it sends the fin ping on every connection
// until finack, runs the hooks of the hubs, waits for the clients to go and closes the sockets. ctx and
// Options.ShutdownTimeout bound it; what is left then is cut. It returns an error when the time ran out.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.stopped.Load() || !s.closing.CompareAndSwap(false, true) {
		return s.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.ShutdownTimeout)
	defer cancel()
	err := s.sayGoodbye(ctx)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (s *Server) sayGoodbye(ctx context.Context) error {
	fin := map[GracefulMode]string{
		GracefulOff: "fin:0", GracefulMigrateClients: "fin:1", GracefulWaitForClientsClose: "fin:2",
	}[s.opts.GracefulMode]
	var wg sync.WaitGroup
	for _, h := range s.hubs {
		for _, c := range h.connections() {
			if c.kind != service.ConnectionWeak {
				wg.Go(func() { c.sendFin(ctx, fin) })
			}
		}
	}
	wg.Wait()
	for _, h := range s.hubs {
		if h.hub.onShutdown != nil {
			h.hub.onShutdown(ctx, h)
		}
	}
	if s.opts.GracefulMode == GracefulOff {
		for _, c := range s.snapshot() {
			c.end(ending{tellService: true})
		}
	}
	for _, h := range s.hubs {
		gone := func() bool { return len(s.clientsWhere(func(c *client) bool { return c.h == h })) == 0 }
		if err := h.WaitFor(ctx, gone); err != nil {
			return fmt.Errorf("wait for clients: %w", err)
		}
	}
	for _, h := range s.hubs {
		for _, c := range h.connections() {
			c.flush(ctx)
		}
	}
	return nil
}
