//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// SuiteOptions describe a run of all bars.
type SuiteOptions struct {
	// Program is the signalr-edge to measure.
	Program string
	// Quick runs everything small and short: it shows that all works, its figures mean nothing.
	Quick bool
	// Self, Log and Terminal are as in Options.
	Self     []string
	Log      io.Writer
	Terminal bool
}

// SuiteResult is all that the suite measured.
type SuiteResult struct {
	Machine string `json:"machine"`
	Quick   bool   `json:"quick"`
	Bars    []Bar  `json:"bars"`

	Connect        Result     `json:"connect"`
	Idle           Result     `json:"idle"`
	IdleMigratable Result     `json:"idleMigratable"`
	Pairs          []Pair     `json:"pairs"`
	Window         []Result   `json:"window"`
	Echo           Result     `json:"echo"`
	Slow           Result     `json:"slow"`
	Dev            []DevStart `json:"dev"`
	// Scenarios are the vendor's four at the size of its Unit10.
	Scenarios []Result `json:"scenarios"`
}

// Pair is one interleaved comparison of the edge with the C loop.
type Pair struct {
	Edge  Result   `json:"edge"`
	Floor FloorRun `json:"floor"`
	Ratio float64  `json:"ratio"`
}

// suiteSize holds the numbers that --quick makes small.
type suiteSize struct {
	clients, processes         int
	pairs, windows, devStarts  int
	pairTime, windowTime, idle time.Duration
	echoClients                int
	echoTime                   time.Duration
	slow                       SlowPlan
	scenarioClients            int
	scenarioTime               time.Duration
}

var (
	fullSize = suiteSize{
		clients: 18000, processes: 2, pairs: 5, windows: 5, devStarts: 11,
		pairTime: 6 * time.Second, windowTime: 5 * time.Second, idle: 5 * time.Second,
		echoClients: 1000, echoTime: 20 * time.Second,
		slow:            SlowPlan{Slow: 1000, Size: 2048, PerSecond: 20, Without: 15 * time.Second, With: 35 * time.Second},
		scenarioClients: 10000, scenarioTime: 10 * time.Second,
	}
	quickSize = suiteSize{
		clients: 400, processes: 2, pairs: 1, windows: 1, devStarts: 1,
		pairTime: time.Second, windowTime: time.Second, idle: 200 * time.Millisecond,
		echoClients: 100, echoTime: time.Second,
		// Large messages fill a queue, and so cut a slow client, within seconds.
		slow:            SlowPlan{Slow: 20, Size: 32 << 10, PerSecond: 20, Without: time.Second, With: 6 * time.Second},
		scenarioClients: 200, scenarioTime: time.Second,
	}
)

const (
	barSize    = 100 // bytes of the JSON record of the broadcast bars
	barRate    = 5   // broadcasts per second
	barWindow  = 32  // outstanding in the closed loop
	vendorSize = 2048
)

// suite is a run in progress.
type suite struct {
	SuiteOptions
	size suiteSize
	res  *SuiteResult
}

// RunSuite measures all bars of a signalr-edge program. It goes on after a part that failed; the error joins them all.
func RunSuite(ctx context.Context, opts SuiteOptions) (*SuiteResult, error) {
	s := &suite{SuiteOptions: opts, size: fullSize, res: &SuiteResult{
		Machine: Machine(runtime.NumCPU(), runtime.Version(), runtime.GOARCH), Quick: opts.Quick,
	}}
	if opts.Quick {
		s.size = quickSize
	}
	var errs []error
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"dev start", s.devStarts},
		{"idle, broadcast and closed loop", s.crowd},
		{"idle with a migratable server", s.migratable},
		{"echo", s.echo},
		{"slow peers", s.slowPeers},
		{"vendor's scenarios", s.scenarios},
	} {
		fmt.Fprintf(s.Log, "== %s\n", part.name)
		if err := part.run(ctx); err != nil {
			err = fmt.Errorf("%s: %w", part.name, err)
			fmt.Fprintln(s.Log, err)
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	s.res.Bars = s.res.judge()
	return s.res, errors.Join(errs...)
}

// with runs f against a fresh edge.
func (s *suite) with(ctx context.Context, clients int, change func(*Options), f func(*Bench) error) error {
	service, err := StartEdge(ctx, s.Program)
	if err != nil {
		return err
	}
	defer service.Stop()
	opts := DefaultOptions()
	opts.Clients, opts.Processes, opts.Self, opts.Log, opts.Terminal = clients, s.size.processes, s.Self, s.Log, s.Terminal
	if change != nil {
		change(&opts)
	}
	b, err := Open(ctx, service, opts)
	if err != nil {
		return err
	}
	defer b.Close()
	connected, err := b.Connect(ctx, clients)
	if err != nil {
		return err
	}
	if s.res.Connect.Clients < clients {
		s.res.Connect = connected
		s.print(&connected)
	}
	return f(b)
}

// print shows a result at once: a long run must not be silent, nor lose what it has when it is interrupted.
func (s *suite) print(r *Result) {
	if err := r.WriteTable(s.Log); err != nil {
		fmt.Fprintln(s.Log, err)
	}
}

// check prints a result and makes an error of its faults.
func (s *suite) check(r *Result, err error) error {
	if err != nil {
		return err
	}
	s.print(r)
	if faults := r.Faults(); faults != "" {
		return errors.New(faults)
	}
	return nil
}

func (s *suite) crowd(ctx context.Context) error {
	return s.with(ctx, s.size.clients, nil, func(b *Bench) (err error) {
		s.res.Idle, err = b.Idle(ctx, s.size.idle)
		if err := s.check(&s.res.Idle, err); err != nil {
			return err
		}
		if err := s.pairs(ctx, b); err != nil {
			return err
		}
		for range s.size.windows {
			r, err := b.BroadcastWindow(ctx, barSize, barWindow, s.size.windowTime)
			if err := s.check(&r, err); err != nil {
				return err
			}
			s.res.Window = append(s.res.Window, r)
		}
		return nil
	})
}

// pairs measures edge and floor in turn, so that what the machine does meanwhile hits both.
func (s *suite) pairs(ctx context.Context, b *Bench) error {
	frame := barSize + 2 // the header of a server's frame below 126 bytes
	floor, err := StartFloor(ctx, s.size.clients, s.size.processes, frame)
	if err != nil {
		return err
	}
	defer floor.Stop()
	rounds := int(barRate * s.size.pairTime.Seconds())
	for i := range s.size.pairs + 1 {
		var p Pair
		p.Edge, err = b.Broadcast(ctx, barSize, barRate, s.size.pairTime)
		if err := s.check(&p.Edge, err); err != nil {
			return err
		}
		if p.Floor, err = floor.Run(ctx, rounds, barRate); err != nil {
			return err
		}
		p.Ratio = p.Edge.EdgeCPU / p.Floor.CPUMicrosPerCall
		fmt.Fprintf(s.Log, "  pair %d: edge %s µs, floor %s µs, ratio %.2f\n",
			i, figure(p.Edge.EdgeCPU), figure(p.Floor.CPUMicrosPerCall), p.Ratio)
		if i > 0 { // the first is for warming up
			s.res.Pairs = append(s.res.Pairs, p)
		}
	}
	return nil
}

func (s *suite) migratable(ctx context.Context) error {
	change := func(o *Options) { o.MigrationLevel = 1 }
	return s.with(ctx, s.size.clients, change, func(b *Bench) (err error) {
		s.res.IdleMigratable, err = b.Idle(ctx, s.size.idle)
		return s.check(&s.res.IdleMigratable, err)
	})
}

func (s *suite) echo(ctx context.Context) error {
	n := s.size.echoClients
	return s.with(ctx, n, nil, func(b *Bench) (err error) {
		s.res.Echo, err = b.Echo(ctx, vendorSize, float64(n), s.size.echoTime, true)
		return s.check(&s.res.Echo, err)
	})
}

func (s *suite) slowPeers(ctx context.Context) error {
	return s.with(ctx, s.size.echoClients, nil, func(b *Bench) (err error) {
		s.res.Slow, err = b.SlowPeers(ctx, s.size.slow)
		return s.check(&s.res.Slow, err)
	})
}

func (s *suite) devStarts(ctx context.Context) error {
	for range s.size.devStarts {
		d, err := MeasureDevStart(ctx, s.Program)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Log, "  ready after %.1f ms, RSS %.1f MiB\n", d.ReadyMillis, float64(d.RSS)/(1<<20))
		s.res.Dev = append(s.res.Dev, d)
	}
	return nil
}

// scenarios runs the vendor's four at the size of its Unit10 (performance guide): 2 KiB messages, that many in per
// second.
func (s *suite) scenarios(ctx context.Context) error {
	n, d := s.size.scenarioClients, s.size.scenarioTime
	perUnit := float64(n) / 10000
	return s.with(ctx, n, nil, func(b *Bench) error {
		for _, run := range []func() (Result, error){
			func() (Result, error) { return b.Echo(ctx, vendorSize, 10000*perUnit, d, false) },
			func() (Result, error) { return b.Broadcast(ctx, vendorSize, 2, d) },
			func() (Result, error) { return b.SendToGroup(ctx, n/10, vendorSize, 2500*perUnit, d) },
			func() (Result, error) { return b.SendToConnection(ctx, vendorSize, 8000*perUnit, d) },
		} {
			r, err := run()
			if err := s.check(&r, err); err != nil {
				return err
			}
			s.res.Scenarios = append(s.res.Scenarios, r)
		}
		return nil
	})
}

// spread is the median and range of a row of figures.
type spread struct{ median, low, high float64 }

func spreadOf[T any](items []T, value func(T) float64) (spread, bool) {
	if len(items) == 0 {
		return spread{}, false
	}
	var v []float64
	for _, item := range items {
		v = append(v, value(item))
	}
	slices.Sort(v)
	return spread{(v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[0], v[len(v)-1]}, true
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s to %s)", figure(s.median), figure(s.low), figure(s.high))
}
