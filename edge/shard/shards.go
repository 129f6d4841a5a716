package shard

import (
	"hash/maphash"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Limits are the bounds that may change while the edge runs. Sizes are bytes.
type Limits struct {
	// MaxMessage is the largest hub message from a client, envelope included.
	MaxMessage int
	// MaxWebSocketMessage is the largest WebSocket message from a client: many hub messages fit in one.
	MaxWebSocketMessage int
	// MaxServiceFrame is the largest message from an app server, gathered from its parts.
	MaxServiceFrame int
	// SendQueue is what may wait for a client behind the message being written.
	SendQueue int
	// SlowAfter is how long a client may take no byte while something waits.
	SlowAfter time.Duration
	// HandshakeTimeout is the time for the client's handshake request, and again for its answer.
	HandshakeTimeout time.Duration
	// NoServerWait is how long a client waits for an app server before it is refused.
	NoServerWait time.Duration
	// Idle closes a connection without a byte either way; 0 is never.
	Idle time.Duration
}

// Config is what the shards need of the rest of the edge.
type Config struct {
	// Count is the number of shards; 0 means GOMAXPROCS.
	Count int
	// Node is this edge's instance id.
	Node    string
	Metrics *metrics.Metrics
	Log     *slog.Logger
	Limits  Limits
	Choose  Choose
	// CountMessages takes billable messages, in batches.
	CountMessages func(n int64)
	// Resolve finds the connection of a connection token (spec 3.7).
	Resolve func(token string) (id string, ok bool)
	// Expand turns a client's kept claims into what app servers expect.
	Expand func(compact []byte) service.Claims
	// Start is the zero of the shards' clock.
	Start time.Time
}

// Shards is all event loops of an edge.
type Shards struct {
	shards  []*shard
	node    string
	seed    maphash.Seed
	limits  atomic.Pointer[Limits]
	metrics *metrics.Metrics
	log     *slog.Logger
	choose  Choose
	count   func(int64)
	resolve func(string) (string, bool)
	expand  func([]byte) service.Claims
	start   time.Time
	done    sync.WaitGroup

	mu sync.Mutex
	// hubs is guarded by mu; its entries are for good, bounded by the hubs that valid tokens name.
	hubs map[string]*hubStats
}

// hubStats counts a hub's clients over all shards.
type hubStats struct{ clients atomic.Int64 }

// New starts the event loops. Stop ends them.
func New(c Config) (*Shards, error) {
	x := &Shards{
		node: c.Node, seed: maphash.MakeSeed(), metrics: c.Metrics, log: c.Log, choose: c.Choose,
		count: c.CountMessages, resolve: c.Resolve, expand: c.Expand, start: c.Start, hubs: map[string]*hubStats{},
	}
	x.limits.Store(&c.Limits)
	n := c.Count
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	for range n {
		sh, err := newShard(x)
		if err != nil {
			x.Stop()
			return nil, err
		}
		x.shards = append(x.shards, sh)
		x.done.Go(sh.run)
	}
	return x, nil
}

// Stop cuts every connection and ends the loops. It returns when they have ended.
func (x *Shards) Stop() {
	for _, sh := range x.shards {
		sh.postMust(command{do: (*shard).stop})
	}
	x.done.Wait()
}

// SetLimits puts new limits in force for what happens from now on.
func (x *Shards) SetLimits(l Limits) { x.limits.Store(&l) }

// Tick moves the shards' clock: the owner calls it every second. now must not go back.
func (x *Shards) Tick(now time.Time) {
	at := x.clock(now)
	for _, sh := range x.shards {
		sh.postMust(command{do: func(sh *shard) { sh.tick(at) }})
	}
}

// clock turns a time into seconds of the shards' clock, which starts at 1: 0 stands for never. It ends after 68 years.
func (x *Shards) clock(t time.Time) uint32 {
	return uint32(min(max(t.Sub(x.start)/time.Second, 0), math.MaxInt32)) + 1
}

// clockAfter is the first second of the clock that does not lie before t: nobody is closed too early.
func (x *Shards) clockAfter(t time.Time) uint32 { return x.clock(t.Add(time.Second - 1)) }

// Clients returns how many clients the hub has on this edge.
func (x *Shards) Clients(hubName string) int64 { return x.hubStats(hubName).clients.Load() }

func (x *Shards) hubStats(name string) *hubStats {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := x.hubs[name]
	if h == nil {
		h = &hubStats{}
		x.hubs[name] = h
	}
	return h
}

// HubClients returns the number of clients of each hub that has any.
func (x *Shards) HubClients() map[string]int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[string]int64, len(x.hubs))
	for name, h := range x.hubs {
		if n := h.clients.Load(); n > 0 {
			out[name] = n
		}
	}
	return out
}

// Exists reports whether a connection with this id is alive. It waits for the shard: for rare questions.
func (x *Shards) Exists(id string) bool {
	answer := make(chan bool, 1)
	if !x.of(id).postMust(command{do: func(sh *shard) { answer <- sh.sessions[id] != nil }}) {
		return false
	}
	return <-answer
}

// ServerArrived says that the hub has a new server connection.
func (x *Shards) ServerArrived(hubName string) {
	x.must(func(sh *shard) { sh.serverArrived(hubName) })
}

// ServerLost says that a server connection ended. It must not be chosen any more when this is called.
func (x *Shards) ServerLost(link Link) { x.must(func(sh *shard) { sh.serverLost(link) }) }

// ServerReady says that a congested server connection takes data again.
func (x *Shards) ServerReady(link Link) { x.must(func(sh *shard) { sh.serverReady(link) }) }

// ServerLeaves moves the clients of a server connection to other app servers (fin:1, spec 4.7 and 4.8).
func (x *Shards) ServerLeaves(link Link) { x.must(func(sh *shard) { sh.serverLeaves(link) }) }

// CloseAll ends every client with r.
func (x *Shards) CloseAll(r reason.Reason) {
	x.must(func(sh *shard) {
		for _, s := range sh.sessions {
			sh.end(s, r, "")
		}
	})
}

// CloseSome ends n clients, whichever shards they are in, and returns at once.
func (x *Shards) CloseSome(n int, r reason.Reason) {
	left := new(atomic.Int64)
	left.Store(int64(n))
	x.must(func(sh *shard) {
		for _, s := range sh.sessions {
			if s.state >= stateClosing {
				continue
			}
			if left.Add(-1) < 0 {
				return
			}
			sh.end(s, r, "")
		}
	})
}

// must posts f to every shard whatever waits there.
func (x *Shards) must(f func(*shard)) {
	for _, sh := range x.shards {
		sh.postMust(command{do: f})
	}
}

// number is the shard of a connection id.
func (x *Shards) number(id string) int {
	return int(maphash.String(x.seed, id) % uint64(len(x.shards)))
}

func (x *Shards) of(id string) *shard { return x.shards[x.number(id)] }
