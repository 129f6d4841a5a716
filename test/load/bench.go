//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Options describe a run.
type Options struct {
	// Clients is the number of connections, spread over Processes worker processes.
	Clients, Processes int
	Hub                string
	// Protocol is json, messagepack or mixed.
	Protocol string
	// Negotiate posts to /client/negotiate before each upgrade.
	Negotiate bool
	// InFlight bounds handshakes under way, over all processes.
	InFlight int
	// ServerConnections and MigrationLevel are those of the bench's app server.
	ServerConnections int
	MigrationLevel    int32
	// PingEvery is the interval of each client's pings; 0 sends none.
	PingEvery time.Duration
	// ReceiveBuffer sets the clients' SO_RCVBUF in bytes; 0 leaves the system's.
	ReceiveBuffer int
	// ConnectTime bounds connecting all clients.
	ConnectTime time.Duration
	// Self is the command that runs this program again; worker or appserver is appended to it.
	Self []string
	// Log receives complaints and progress.
	Log io.Writer
	// Terminal says that Log shows progress lines that are written over.
	Terminal bool
}

// DefaultOptions are what the command line starts with.
func DefaultOptions() Options {
	return Options{
		Clients: 1000, Processes: 1, Hub: "bench", Protocol: "json", InFlight: 128, ServerConnections: 5,
		ConnectTime: time.Minute, Log: io.Discard,
	}
}

// sources is the number of source addresses: 8 times 28,000 ports.
const sources = 8

// Bench is a run in progress: a service, an app server and workers. Its methods are for one goroutine.
type Bench struct {
	opts      Options
	protocols []Protocol
	service   *Service
	board     *Board
	boardFile *os.File
	app       *child
	workers   []*child
	// base is what the edge used with the app server connected and no client.
	base Usage
	slab int64
	// drainLimit is how long deliveries may take to arrive after the last send.
	drainLimit time.Duration
}

// Open starts the app server and the workers against a service. The service stays the caller's to stop.
func Open(ctx context.Context, s *Service, opts Options) (_ *Bench, err error) {
	protocols, err := ParseMix(opts.Protocol)
	if err != nil {
		return nil, err
	}
	if opts.Processes < 1 || opts.Processes > MaxWorkers || opts.Clients < opts.Processes {
		return nil, fmt.Errorf("%d clients in %d processes: want 1 to %d processes with at least a client each",
			opts.Clients, opts.Processes, MaxWorkers)
	}
	if opts.Self == nil {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own program: %w", err)
		}
		opts.Self = []string{self}
	}
	b := &Bench{opts: opts, protocols: protocols, service: s, drainLimit: drainTime}
	if b.board, b.boardFile, err = NewBoard(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	if err := b.startApp(ctx); err != nil {
		return nil, err
	}
	for i := range opts.Processes {
		if err := b.startWorker(ctx, i); err != nil {
			return nil, err
		}
	}
	return b, b.readBase(ctx)
}

// readBase measures the edge before there are clients.
func (b *Bench) readBase(ctx context.Context) (err error) {
	b.slab = slabBytes()
	if b.service.PID == 0 {
		return nil
	}
	if b.service.Admin != "" {
		if err := b.service.CollectGarbage(ctx); err != nil {
			return err
		}
	}
	b.base, err = ReadUsage(b.service.PID)
	return err
}

func (b *Bench) startApp(ctx context.Context) error {
	app, err := startChild("app server", append(slices.Clip(b.opts.Self), "appserver"), b.boardFile)
	if err != nil {
		return err
	}
	b.app = app
	return app.call(ctx, opConfigure, AppServerConfig{
		Endpoint: b.service.Endpoint, Hub: b.opts.Hub, Connections: b.opts.ServerConnections,
		MigrationLevel: b.opts.MigrationLevel, Protocols: b.protocols,
	}, nil)
}

func (b *Bench) startWorker(ctx context.Context, i int) error {
	w, err := startChild(fmt.Sprintf("worker %d", i), append(slices.Clip(b.opts.Self), "worker"), b.boardFile)
	if err != nil {
		return err
	}
	b.workers = append(b.workers, w)
	return w.call(ctx, opConfigure, WorkerConfig{
		Endpoint: b.service.Endpoint, Hub: b.opts.Hub, Protocols: b.protocols, Negotiate: b.opts.Negotiate,
		Worker: i, Stride: b.opts.Processes, InFlight: max(1, b.opts.InFlight/b.opts.Processes), Sources: sources,
		ReceiveBuffer: b.opts.ReceiveBuffer, PingEvery: b.opts.PingEvery,
	}, nil)
}

// Close ends all processes of the run but the service.
func (b *Bench) Close() {
	stopAll(b.workers) // first: clients that lose their app server would complain
	if b.app != nil {
		stopAll([]*child{b.app})
	}
	_ = b.boardFile.Close()
}

// usage adds up what edge, workers and app server have used.
type usage struct {
	at               int64
	edge             Usage
	clients, appHost float64
}

func (b *Bench) usage() usage {
	u := usage{at: now()}
	if b.service.PID != 0 {
		u.edge, _ = ReadUsage(b.service.PID)
	}
	for _, w := range b.workers {
		one, _ := ReadUsage(w.pid())
		u.clients += one.CPU
	}
	app, _ := ReadUsage(b.app.pid())
	u.appHost = app.CPU
	return u
}

// Connect opens clients until there are n in all, and waits for their handshakes.
func (b *Bench) Connect(ctx context.Context, n int) (Result, error) {
	r := b.result("connect")
	already := b.board.Ready()
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.ConnectTime,
		fmt.Errorf("not all clients connected within %v", b.opts.ConnectTime))
	defer cancel()
	before := b.usage()
	for i, w := range b.workers {
		if err := w.call(ctx, opConnect, share(n, len(b.workers), i), nil); err != nil {
			return r, err
		}
	}
	err := b.await(ctx, "connect", int64(n), func() int64 { return b.board.Ready() + b.board.Failed() })
	after := b.usage()
	r.Clients = n
	r.Connected, r.Failed = b.board.Ready(), b.board.Failed()
	r.account(before, after, r.Connected-already)
	r.Latency = b.board.ConnectLatency()
	if err != nil {
		return r, fmt.Errorf("connect: %w (%d ready, %d failed)", err, r.Connected, r.Failed)
	}
	if r.Failed > 0 {
		return r, fmt.Errorf("connect: %d of %d clients failed", r.Failed, n)
	}
	return r, nil
}

// await waits until count reaches want, showing progress.
func (b *Bench) await(ctx context.Context, what string, want int64, count func() int64) error {
	progress := newProgress(b.opts.Log, b.opts.Terminal, what)
	defer progress.done()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		n := count()
		progress.show(n, want)
		if n >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Idle measures the edge's memory per connection, before and after a forced collection, with nothing going on for a
// while.
func (b *Bench) Idle(ctx context.Context, wait time.Duration) (Result, error) {
	r := b.result("idle")
	if b.service.PID == 0 {
		return r, errors.New("idle: the edge's process is not known, see --edge-pid")
	}
	before := b.usage()
	if err := pause(ctx, wait); err != nil {
		return r, err
	}
	after := b.usage()
	r.account(before, after, 0)
	n := float64(b.board.Ready())
	memory := &Memory{
		Base: b.base.RSS, Before: after.edge.RSS,
		PerConnectionBefore: float64(after.edge.RSS-b.base.RSS) / n,
		KernelPerPair:       float64(slabBytes()-b.slab) / n,
	}
	r.Memory = memory
	memory.IdleCPUPercent = r.EdgeCores * 100
	if b.service.Admin == "" {
		fmt.Fprintln(b.opts.Log, "note: the edge's admin port is not known, so there is no figure after a forced collection")
		return r, nil
	}
	if err := b.service.CollectGarbage(ctx); err != nil {
		return r, err
	}
	collected, err := ReadUsage(b.service.PID)
	if err != nil {
		return r, err
	}
	memory.After = collected.RSS
	memory.PerConnection = float64(collected.RSS-b.base.RSS) / n
	return r, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// sum reads one counter of all workers.
func (b *Bench) sum(counter func(*WorkerBoard) *atomic.Int64) int64 { return b.board.Sum(counter) }

func (b *Bench) result(scenario string) Result {
	return Result{
		Scenario: scenario, Clients: b.opts.Clients, Processes: b.opts.Processes, Protocol: b.opts.Protocol,
		Machine: Machine(runtime.NumCPU(), runtime.Version(), runtime.GOARCH),
	}
}
