package edge_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// drain starts a drain and returns a channel that is closed at its end.
func drain(t *testing.T, n *peer.Node) <-chan struct{} {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*peer.Patience)
		defer cancel()
		n.Drain(ctx)
	}()
	return done
}

// finished waits for the end of a drain.
func finished(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(2 * peer.Patience):
		t.Fatal("the drain does not end")
	}
}

func TestDrainWithoutClientsIsImmediate(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Drain.Seconds = 60 })
	app := n.App(t)
	began := time.Now()
	finished(t, drain(t, n))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	peer.Wait(t, "the server connections end", func() bool { return app.Hub("chat").ConnectionCount() == 0 })
}

func TestDrainServesUntilTheReadinessDelayIsOver(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Drain = config.Drain{ReadinessDelaySeconds: 2, Seconds: 1} })
	n.App(t)
	if got := n.Admin(t, http.MethodGet, "/readyz").Status; got != http.StatusOK {
		t.Fatalf("/readyz is %d before the drain", got)
	}
	token := peer.ClientToken("chat", "")
	early := n.Join(t, "chat", token, "json")
	done := drain(t, n)
	peer.Wait(t, "the node is not ready", func() bool {
		return n.Admin(t, http.MethodGet, "/readyz").Status == http.StatusServiceUnavailable
	})
	if got := n.Admin(t, http.MethodGet, "/healthz").Status; got != http.StatusOK {
		t.Errorf("/healthz is %d while it drains", got)
	}
	if s := n.NodeStatus(t); s.Ready || !s.Draining {
		t.Errorf("status says ready %t, draining %t", s.Ready, s.Draining)
	}
	if n.Metrics(t)["signalr_edge_draining"] != 1 {
		t.Error("the metric does not say so")
	}
	late := n.Join(t, "chat", token, "json") // a balancer that has not noticed yet
	late.Echo("served")
	early.Echo("served as well")
	for _, c := range []*peer.Client{early, late} {
		messages, ev := c.End()
		want := `{"type":7,"error":"Service reloading, try reconnecting","allowReconnect":true}`
		if ev.Code != 1000 || len(messages) == 0 || messages[len(messages)-1] != want {
			t.Errorf("ended with %+v %q", ev, messages)
		}
		c.Frame(8, []byte{3, 232})
	}
	finished(t, done)
	if _, err := n.Try(t, http.MethodGet, "/api/health"); err == nil {
		t.Error("somebody answers after the drain")
	}
}

func TestDrainClosesEvenlyAndRefusesTheNew(t *testing.T) {
	const clients, seconds = 40, 2
	// More shards than are closed in one step: a step must not take one from each.
	n := peer.StartWith(t, edge.Options{Shards: 8}, func(c *config.Config) { c.Drain.Seconds = seconds })
	server := raw(t, n, "server-1", nil)
	connected := make([]*peer.Client, clients)
	for i := range connected {
		connected[i], _ = join(t, n, server, peer.ClientToken("chat", ""))
	}
	began := time.Now()
	done := drain(t, n)
	var mu sync.Mutex
	var ends []time.Duration
	var wait sync.WaitGroup
	for _, c := range connected {
		wait.Go(func() {
			messages, _ := c.End()
			at := time.Since(began)
			c.Frame(8, []byte{3, 232})
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, at)
			if len(messages) == 0 || !strings.Contains(messages[len(messages)-1], `"allowReconnect":true`) {
				t.Errorf("a client ended with %q", messages)
			}
		})
	}
	if m := expect[*service.ServiceEvent](t, server); m.Kind != service.EventReloading || m.ID != "node-under-test" {
		t.Errorf("app servers are told %+v", m)
	}
	if _, err := n.Try(t, http.MethodGet, "/api/health"); err == nil {
		t.Error("a new connection is taken in while the node drains")
	}
	wait.Wait()
	early := 0
	for _, at := range ends {
		if at < seconds*time.Second/2 {
			early++
		}
	}
	// Half of the time closes half of the clients; a busy machine is late, never early.
	if early > clients*7/10 {
		t.Errorf("%d of %d clients were closed in the first half of the drain: %v", early, clients, ends)
	}
	if last := ends[len(ends)-1]; last > (seconds+4)*time.Second {
		t.Errorf("the last client was closed after %v", last)
	}
	for {
		_, err := server.Receive(t.Context())
		if err == nil {
			continue
		}
		if got := websocket.CloseStatus(err); got != websocket.StatusNormalClosure {
			t.Errorf("the server connection ended with %v: %v", got, err)
		}
		break
	}
	finished(t, done)
}

func TestADrainThatIsHurriedCutsWhatIsLeft(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Drain.Seconds = 60 })
	n.App(t)
	for range 10 {
		n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.Drain(ctx)
	n.Drain(t.Context()) // a second one has nothing to do
	n.Stop()
}

func TestStopDoesNotWaitForServersThatSayNothing(t *testing.T) {
	n := peer.Start(t)
	c := n.Dial(t)
	a := c.Request(peer.UpgradeRequest("/server/?hub=chat&access_token=" + peer.ServerToken("chat")))
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", a.Status)
	}
	done := make(chan struct{})
	go func() { defer close(done); n.Stop() }()
	_, ev := c.End()
	if ev.Code != 1000 {
		t.Errorf("ended with %+v, want 1000", ev)
	}
	_ = c.Conn.Close()
	select {
	case <-done:
	case <-time.After(8 * time.Second): // the handshake's time-out is 15
		t.Error("Stop waits for a handshake")
	}
}
