//go:build linux

package load

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for signalr-bench: the parent starts it again as worker and app server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			exit(ServeWorker(os.Stdin, os.Stdout, os.Stderr))
		case "appserver":
			exit(ServeAppServer(os.Stdin, os.Stdout, os.Stderr))
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// openBench starts a bench against a fake edge and connects its clients.
func openBench(t *testing.T, e *fakeEdge, change func(*Options)) *Bench {
	t.Helper()
	opts := DefaultOptions()
	opts.Clients, opts.Processes, opts.ConnectTime, opts.Log = 20, 2, 20*time.Second, t.Output()
	if change != nil {
		change(&opts)
	}
	b, err := Open(t.Context(), &Service{Endpoint: startFakeEdge(t, e)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if _, err := b.Connect(t.Context(), opts.Clients); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestScenariosDeliverEverything(t *testing.T) {
	for _, protocol := range []string{"json", "mixed"} {
		t.Run(protocol, func(t *testing.T) {
			b := openBench(t, &fakeEdge{}, func(o *Options) { o.Protocol = protocol })
			const short = 300 * time.Millisecond
			ctx := t.Context()
			for name, scenario := range map[string]struct {
				run        func() (Result, error)
				sent, each int64
			}{
				"broadcast":     {func() (Result, error) { return b.Broadcast(ctx, 100, 50, short) }, 15, 20},
				"echo invoke":   {func() (Result, error) { return b.Echo(ctx, 2048, 200, short, true) }, 60, 1},
				"echo message":  {func() (Result, error) { return b.Echo(ctx, 100, 200, short, false) }, 60, 1},
				"to connection": {func() (Result, error) { return b.SendToConnection(ctx, 100, 200, short) }, 60, 1},
				"closed loop":   {func() (Result, error) { return b.BroadcastWindow(ctx, 100, 4, short) }, -1, 20},
			} {
				r, err := scenario.run()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if scenario.sent < 0 {
					scenario.sent = max(r.Sent, 1)
				}
				want := scenario.sent * scenario.each
				if r.Sent != scenario.sent || r.Received != want || r.Faults() != "" || r.Latency.Count != uint64(want) {
					t.Errorf("%s: want %d sent and %d received without faults, got %+v", name, scenario.sent, want, r)
				}
			}
			// Groups stay: last, and once only.
			r, err := b.SendToGroup(ctx, 4, 100, 100, short)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sent != 30 || r.Received != 30*5 || r.Faults() != "" {
				t.Errorf("group: want 30 sent and 150 received without faults, got %+v", r)
			}
		})
	}
}

func TestClientsLookLikeTheStockOnes(t *testing.T) {
	e := &fakeEdge{}
	openBench(t, e, func(o *Options) { o.Negotiate = true })
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.negotiated != 20 {
		t.Errorf("want 20 negotiations, got %d", e.negotiated)
	}
	if got := e.headers.Get("User-Agent"); !strings.HasPrefix(got, "Microsoft SignalR/10.0 (10.0.11; ") {
		t.Errorf("want the JS client's User-Agent, got %q", got)
	}
	for _, part := range []string{"hub=bench&asrs.op=%2Fbench&", "asrs_request_id=", "&id=secret"} {
		if !strings.Contains(e.query, part) {
			t.Errorf("want %q in the query, got %q", part, e.query)
		}
	}
}

func TestFaultsOfAServiceAreSeen(t *testing.T) {
	cases := map[string]struct {
		edge            *fakeEdge
		lost, reordered int64
	}{
		"a broadcast that is not delivered":      {&fakeEdge{lose: 3}, 20, 0},
		"a broadcast that comes behind the next": {&fakeEdge{swap: 3}, 0, 20},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := openBench(t, c.edge, nil)
			b.drainLimit = 300 * time.Millisecond
			r, err := b.Broadcast(t.Context(), 100, 50, 200*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if r.Lost != c.lost || r.Reordered != c.reordered || r.Faults() == "" {
				t.Errorf("want %d lost and %d reordered, got %+v", c.lost, c.reordered, r)
			}
		})
	}
}

func TestSlowPeersThatAreCutAreCounted(t *testing.T) {
	e := &fakeEdge{}
	b := openBench(t, e, nil)
	cut := time.AfterFunc(700*time.Millisecond, func() { e.cut(21, 22, 23) })
	defer cut.Stop()
	r, err := b.SlowPeers(t.Context(), SlowPlan{
		Slow: 4, Size: 100, PerSecond: 20, Without: 200 * time.Millisecond, With: 1500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Slow.Stalled != 4 || r.Slow.Cut != 3 || r.Slow.HungUp != 3 {
		t.Errorf("want 3 of 4 slow clients cut, got %+v", *r.Slow)
	}
	if r.Lost != 0 || r.Closed != 0 {
		t.Errorf("want no reader to notice, got %d lost and %d closed", r.Lost, r.Closed)
	}
	if !strings.Contains(r.Faults(), "1 slow clients not cut") {
		t.Errorf("want the one that was not cut in the faults, got %q", r.Faults())
	}
}

func TestAWrongKeyIsAnErrorAtOnce(t *testing.T) {
	endpoint := startFakeEdge(t, &fakeEdge{})
	endpoint.AccessKey = "wrong"
	b, err := Open(t.Context(), &Service{Endpoint: endpoint}, DefaultOptions())
	if err == nil {
		b.Close()
		t.Fatal("want an error, got none")
	}
	if !strings.Contains(err.Error(), "401") {
		t.Errorf("want status 401 in the error, got %v", err)
	}
}
