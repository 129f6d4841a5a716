// Package badinput holds nothing but a table of wrong requests, frames and messages against a whole node with an app
// server behind it. Each has its documented answer and the series that counts it; after each the node still serves; in
// the end it has kept no memory and no goroutine of them.
//
// It is no test of what the node does right: that is in test/conformance and beside the code. The cases share one node
// and run one after the other.
package badinput

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maxMessage is the node's limit for a hub message: small, so that oversize ones are quick.
const maxMessage = 64 << 10

// maxFrame is the node's limit for a service frame.
const maxFrame = 256 << 10

// leastCases is what the issue asks for.
const leastCases = 150

// trial is one case. It is the test of the case.
type trial struct{ *testing.T }

// world is the node under test, its app server, and a client that must never notice anything.
type world struct {
	*peer.Node
	app   *appserver.Server
	good  *peer.Client
	cases int
}

// TestBadInput runs every table against one node.
func TestBadInput(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) {
		c.Limits.MaxMessageBytes = maxMessage
		c.Limits.MaxServiceFrameBytes = maxFrame
		c.Timeouts.HandshakeSeconds = 2
		c.Timeouts.NoServerWaitSeconds = 1
		c.Timeouts.ConnectSeconds = 2
		c.Timeouts.ReadHeaderSeconds = 1
	})
	w := &world{Node: n, app: n.App(t)}
	w.good = n.Join(t, "chat", peer.ClientToken("chat", "good"), "json")
	w.good.Echo("before")
	goroutines, heap := runtime.NumGoroutine(), heapInUse()

	t.Run("requests", w.requests)
	t.Run("tokens", w.tokens)
	t.Run("ids", w.ids)
	t.Run("handshakes", w.handshakes)
	t.Run("hub messages", w.hubMessages)
	t.Run("WebSocket frames", w.frames)
	t.Run("server connections", w.serverConnections)
	t.Run("service messages", w.serviceMessages)

	if w.cases < leastCases {
		t.Errorf("%d cases ran, want at least %d", w.cases, leastCases)
	}
	t.Logf("%d cases", w.cases)
	peer.Wait(t, "the goroutines of bad peers end", func() bool {
		return runtime.NumGoroutine() <= goroutines+20 // idle HTTP connections of this test itself come and go
	})
	if grown := int64(heapInUse()) - int64(heap); grown > 32<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// step runs one case and checks that the series called counter grew by one (unless it is empty) and that the node
// serves as before.
func (w *world) step(t *testing.T, name, counter string, run func(t trial)) {
	t.Helper()
	w.cases++
	t.Run(name, func(t *testing.T) {
		before := peer.Series{}
		if counter != "" {
			before = w.Metrics(t)
		}
		run(trial{t})
		if t.Failed() {
			return
		}
		if counter != "" {
			at := func(s peer.Series) float64 {
				if kind, why, ok := strings.Cut(counter, " closed "); ok {
					return s.Closed(kind, why)
				}
				return s[counter]
			}
			if _, ok := before[counter]; !ok && at(before) < 0 {
				t.Fatalf("no series %s at zero", counter)
			}
			peer.Wait(t, counter+" counts it", func() bool { return at(w.Metrics(t)) == at(before)+1 })
		}
		w.serves(trial{t})
	})
}

func closed(endpoint, why string) string { return endpoint + " closed " + why }

// serves checks that health answers, the good client still has its echo, and no other client is left.
func (w *world) serves(t trial) {
	t.Helper()
	if a := w.Ask(t, http.MethodGet, "/api/health"); a.Status != http.StatusOK {
		t.Errorf("health: status %d", a.Status)
	}
	w.good.Echo(fmt.Sprintf("echo-%d", w.cases))
	peer.Wait(t, "the app server has the good client alone", func() bool { return w.app.ClientCount() == 1 })
}

// ended is how a connection is expected to end: the last hub message, in part, and the close code; Gone for a cut.
type ended struct {
	last string
	code websocket.Code
	gone bool
}

func (want ended) check(t trial, c *peer.Client) {
	t.Helper()
	t.Helper()
	messages, ev := c.End()
	if want.gone != ev.Gone || ev.Code != want.code {
		t.Errorf("ended with %+v, messages %q; want %+v", ev, messages, want)
	}
	var last string
	if len(messages) > 0 {
		last = messages[len(messages)-1]
	}
	if want.last == "" && last != "" || !strings.Contains(last, want.last) {
		t.Errorf("last message %q, want %q in it", last, want.last)
	}
	_ = c.Conn.Close()
}

// answers checks an HTTP answer.
func answers(t trial, a peer.Answer, status int, text string) {
	t.Helper()
	t.Helper()
	if a.Status != status {
		t.Errorf("status %d (%s), want %d", a.Status, strings.TrimSpace(a.Body), status)
	}
	if !strings.Contains(a.Body, text) {
		t.Errorf("body -want in it +got: %s", cmp.Diff(text, a.Body))
	}
}
