package edge_test

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// attendant answers the handshake of every client of a server connection and keeps what else came.
type attendant struct {
	*appserver.RawConn
	t      *testing.T
	opened chan *service.OpenConnection
	others chan service.Message
	ended  chan error
}

func attend(t *testing.T, c *appserver.RawConn) *attendant {
	t.Helper()
	a := &attendant{
		RawConn: c, t: t, opened: make(chan *service.OpenConnection, 256), others: make(chan service.Message, 4096),
		ended: make(chan error, 1),
	}
	go func() {
		for {
			m, err := c.Receive(t.Context())
			if err != nil {
				a.ended <- err
				return
			}
			switch m := m.(type) {
			case *service.OpenConnection:
				a.opened <- m                                                           // before its client can know
				if _, migrated := m.Headers.Get(service.HeaderMigrateFrom); !migrated { // the SDK swallows that answer
					_ = c.Send(t.Context(), &service.ConnectionData{
						ConnectionID: m.ConnectionID, Payload: []byte("{}\x1e"), DataType: service.DataHandshake,
					})
				}
			default:
				a.others <- m
			}
		}
	}()
	return a
}

// next waits for a message that is no keep-alive.
func (a *attendant) next() service.Message {
	a.t.Helper()
	deadline := time.After(peer.Patience)
	for {
		select {
		case m := <-a.others:
			if p, ok := m.(*service.Ping); ok && len(p.Pairs) == 0 {
				continue
			}
			return m
		case <-deadline:
			a.t.Fatal("nothing came for the app server")
		}
	}
}

// client waits for the next client.
func (a *attendant) client() *service.OpenConnection {
	a.t.Helper()
	select {
	case m := <-a.opened:
		return m
	case <-time.After(peer.Patience):
		a.t.Fatal("no client came")
		return nil
	}
}

func sticky(serverID, mode string) string {
	return peer.Sign(peer.ClientClaims("chat").With("asrs.s.sn", serverID).With("asrs.s.ssticky", mode))
}

func TestStickyClients(t *testing.T) {
	n := peer.Start(t)
	one, two := attend(t, raw(t, n, "server-1", nil)), attend(t, raw(t, n, "server-2", nil))
	for range 5 {
		n.Join(t, "chat", sticky("server-2", "Required"), "json")
		n.Join(t, "chat", sticky("server-2", "Preferred"), "json")
	}
	if a, b := len(one.opened), len(two.opened); a != 0 || b != 10 {
		t.Errorf("server-1 has %d and server-2 has %d of 10 clients bound to server-2", a, b)
	}
	n.Join(t, "chat", sticky("server-3", "Preferred"), "json")
	one.client() // it has fewest clients

	late := n.Open(t, "chat", sticky("server-3", "Required"))
	late.Text(peer.HandshakeJSON)
	peer.Wait(t, "the client waits", func() bool { return n.NodeStatus(t).Connections.Client == 12 })
	three := attend(t, raw(t, n, "server-3", nil))
	three.client()
	if answer, _ := late.Record(); answer != "{}" {
		t.Errorf("the client that waited for its server gets %q", answer)
	}
}

func TestTheLeastLoadedConnectionGetsTheClient(t *testing.T) {
	n := peer.Start(t)
	var all []*attendant
	for range 3 {
		all = append(all, attend(t, raw(t, n, "server-1", nil)))
	}
	weak := attend(t, raw(t, n, "management", hello(service.ConnectionWeak)))
	var clients []*peer.Client
	for range 30 {
		clients = append(clients, n.Join(t, "chat", peer.ClientToken("chat", ""), "json"))
	}
	for i, a := range all {
		if got := len(a.opened); got != 10 {
			t.Errorf("connection %d has %d of 30 clients, want 10", i, got)
		}
	}
	if got := len(weak.opened); got != 0 {
		t.Errorf("the Weak connection has %d clients", got)
	}
	send(t, weak.RawConn, &service.BroadcastData{Payloads: service.Payloads{
		{Protocol: "json", Data: []byte(`{"type":1,"target":"x","arguments":["from management"]}` + peer.Separator)},
	}})
	for _, c := range clients {
		if m, ev := c.Record(); !strings.Contains(m, "from management") {
			t.Fatalf("a client got %q %+v", m, ev)
		}
	}
}

func TestPingsOfAppServers(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Quota.Connections = 5000 })
	b, a := raw(t, n, "server-b", nil), raw(t, n, "server-a", nil)
	raw(t, n, "server-a", nil)
	raw(t, n, "management", hello(service.ConnectionWeak))
	peer.Wait(t, "all are known", func() bool { return n.NodeStatus(t).Connections.Server == 4 })

	if _, got := ask(t, a, service.PingStatus, "1", service.PingStatus); got != "0" {
		t.Errorf("status without clients is %q, want 0", got)
	}
	join(t, n, raw(t, n, "zz-carrier", nil), sticky("zz-carrier", "Required"))
	answer, got := ask(t, a, service.PingStatus, "1", service.PingStatus)
	if got != "1" {
		t.Errorf("status with a client is %q, want 1", got)
	}
	for key, want := range map[string]string{
		service.PingClientCount: "1", service.PingServerCount: "5", service.PingCapacity: "5000",
	} {
		if got, _ := answer.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}

	var last int64
	for range 3 {
		_, value := ask(t, b, service.PingServers, "", service.PingServers)
		number, ids, ok := strings.Cut(value, ":")
		at, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || at <= last || ids != "server-a;server-b;zz-carrier" {
			t.Errorf("servers is %q after %d: want a greater number and the sorted ids", value, last)
		}
		last = at
	}
	// An echo is the SDK's answer to one of ours: it is not sent back, or it would never end.
	send(t, b, &service.Ping{Pairs: []string{service.PingEcho, "1"}})
	send(t, b, &service.Ping{Pairs: []string{service.PingClientsInHub, "3", service.PingClients, "1"}})
	send(t, b, &service.Ping{Pairs: []string{service.PingStatus, "1"}})
	for {
		m, err := b.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, ok := m.(*service.Ping)
		if !ok {
			t.Fatalf("got %s", m.Type())
		}
		if _, echoed := p.Get(service.PingEcho); echoed {
			t.Fatal("an echo was sent back")
		}
		if _, done := p.Get(service.PingStatus); done {
			break
		}
	}
}

func TestTheNodePingsAndNoticesSilence(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) {
		c.Timeouts.ServerPingSeconds, c.Timeouts.ServerSilenceSeconds = 1, 3
	})
	silent, alive := raw(t, n, "silent", nil), raw(t, n, "alive", nil)
	ctx, cancel := context.WithTimeout(t.Context(), peer.Patience)
	defer cancel()
	pings := 0
	for {
		if err := alive.Send(ctx, &service.Ping{}); err != nil {
			t.Fatal(err)
		}
		m, err := silent.Receive(ctx)
		if err != nil {
			if got := websocket.CloseStatus(err); got != websocket.StatusNormalClosure {
				t.Errorf("the silent connection ended with %v", err)
			}
			break
		}
		if m.Type() != service.TypePing {
			t.Errorf("got %s", m.Type())
		}
		pings++
	}
	if pings < 2 {
		t.Errorf("%d pings came in 3 s, one is due every second", pings)
	}
	peer.Wait(t, "the silence is counted", func() bool { return n.Metrics(t).Closed("server", "server-conn-silent") == 1 })
	ask(t, alive, service.PingStatus, "1", service.PingStatus)
}

func TestOnDemandConnectionsForThisNode(t *testing.T) {
	n := peer.Start(t)
	c, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{
		ConnectionString: n.ConnectionString(), Hub: "chat", Target: "node-under-test",
		Handshake: hello(service.ConnectionOnDemand),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	join(t, n, c, peer.ClientToken("chat", ""))
}

func TestFin(t *testing.T) {
	for fin, stays := range map[string]string{
		service.PingFin: "fin:0 leaves its clients to the app server", service.PingFinWait: "fin:2 leaves its clients alone",
		service.PingFinMigrate: "fin:1 of a server without migration leaves its clients alone",
	} {
		t.Run(stays, func(t *testing.T) {
			n := peer.Start(t)
			going := raw(t, n, "server-1", nil)
			c, open := join(t, n, going, peer.ClientToken("chat", ""))
			for range 3 { // the SDK repeats it until it is answered
				if _, got := ask(t, going, service.PingShutdown, fin, service.PingShutdown); got != service.PingFinAck {
					t.Errorf("%s is answered %q, want finack", fin, got)
				}
			}
			other := raw(t, n, "server-2", nil)
			join(t, n, other, peer.ClientToken("chat", ""))
			join(t, n, other, peer.ClientToken("chat", "")) // though the other has fewer

			c.Text(`{"type":6}` + peer.Separator)
			if m := expect[*service.ConnectionData](t, going); string(m.Payload) != `{"type":6}`+peer.Separator {
				t.Errorf("the app server got %q", m.Payload)
			}
			send(t, going, &service.BroadcastData{Payloads: service.Payloads{
				{Protocol: "json", Data: []byte(`{"type":1,"target":"bye","arguments":[]}` + peer.Separator)},
			}, ExcludedConnectionIDs: []string{"nobody"}})
			if m, _ := c.Record(); !strings.Contains(m, "bye") {
				t.Errorf("the client got %q", m)
			}
			_ = going.Close()
			messages, ev := c.End()
			if want := `{"type":7,"error":"Application server closed the connection","allowReconnect":true}`; ev.Code != 1000 ||
				!slices.Contains(messages, want) {
				t.Errorf("client %s ended with %+v %q, want %s", open.ConnectionID, ev, messages, want)
			}
		})
	}
}

func TestMigration(t *testing.T) {
	n := peer.Start(t)
	from := attend(t, raw(t, n, "server-1", migratable()))
	c := n.Join(t, "chat", peer.ClientToken("chat", "anna"), "json")
	open := from.client()
	if m, ok := from.next().(*service.ConnectionData); !ok || string(m.Payload) != peer.HandshakeJSON {
		t.Fatalf("behind OpenConnection came %+v", m)
	}
	send(t, from.RawConn, &service.JoinGroup{ConnectionID: open.ConnectionID, Group: "g"})
	send(t, from.RawConn, &service.Ping{Pairs: []string{service.PingShutdown, service.PingFinMigrate}})
	if p, ok := from.next().(*service.Ping); !ok {
		t.Fatalf("fin:1 is answered %+v", p)
	}
	c.Text(`{"type":6}` + peer.Separator) // nobody to move to yet: it stays where it is
	if m, ok := from.next().(*service.ConnectionData); !ok || m.ConnectionID != open.ConnectionID {
		t.Fatalf("the old server got %+v", m)
	}

	to := attend(t, raw(t, n, "server-2", migratable()))
	bye, ok := from.next().(*service.CloseConnection)
	if !ok || bye.ConnectionID != open.ConnectionID {
		t.Fatalf("the old server got %+v", bye)
	}
	if target, _ := bye.Headers.Get(service.HeaderMigrateTo); target != "server-2" {
		t.Errorf("it is told that the client goes to %q", target)
	}
	again := to.client()
	source, _ := again.Headers.Get(service.HeaderMigrateFrom)
	if source != "server-1" || again.ConnectionID != open.ConnectionID ||
		again.Protocol != "json" || len(again.Claims) != len(open.Claims) || again.QueryString != open.QueryString {
		t.Errorf("the new server is told %+v, the old one was %+v", again, open)
	}
	if m, ok := to.next().(*service.ConnectionData); !ok || string(m.Payload) != peer.HandshakeJSON {
		t.Fatalf("the handshake is replayed as %+v", m)
	}
	c.Text(`{"type":1,"target":"hello","arguments":[]}` + peer.Separator)
	if m, ok := to.next().(*service.ConnectionData); !ok || !strings.Contains(string(m.Payload), "hello") {
		t.Fatalf("the client's words went to %+v", m)
	}
	// The group is kept, and the new server's words arrive.
	send(t, to.RawConn, &service.GroupBroadcastData{Group: "g", Payloads: service.Payloads{
		{Protocol: "json", Data: []byte(`{"type":1,"target":"moved","arguments":[]}` + peer.Separator)},
	}})
	if m, ev := c.Record(); !strings.Contains(m, "moved") {
		t.Fatalf("the client got %q %+v", m, ev)
	}
	_ = from.Close()
	send(t, to.RawConn, &service.ConnectionData{
		ConnectionID: open.ConnectionID, Payload: []byte(`{"type":1,"target":"alive","arguments":[]}` + peer.Separator),
		DataType: service.DataInvocation,
	})
	if m, ev := c.Record(); !strings.Contains(m, "alive") {
		t.Fatalf("after the old server's end the client got %q %+v", m, ev)
	}
	if got := n.Metrics(t)["signalr_edge_migrations_total"]; got != 1 {
		t.Errorf("%v migrations counted, want 1", got)
	}
}

func TestMigrationOfALiveClientIsInvisible(t *testing.T) {
	n := peer.Start(t)
	named := func(id string) func(*appserver.Options) {
		return func(o *appserver.Options) { o.ServerID, o.GracefulMode = id, appserver.GracefulMigrateClients }
	}
	first := n.App(t, named("server-1"))
	c := n.Join(t, "chat", peer.ClientToken("chat", "anna"), "json")
	c.Echo("with the first")
	second := n.App(t, named("server-2"))
	done := make(chan error, 1)
	go func() { done <- first.Shutdown(t.Context()) }()
	// No call is under way while it moves: the first server gives up what it runs for a client that leaves.
	for range 50 {
		c.Text(`{"type":6}` + peer.Separator)
	}
	if err := <-done; err != nil {
		t.Errorf("the first server's shutdown: %v", err)
	}
	c.Echo("with the second")
	if a, b := first.ClientCount(), second.ClientCount(); a != 0 || b != 1 {
		t.Errorf("the servers have %d and %d clients, want 0 and 1", a, b)
	}
}

func TestAppServerRestart(t *testing.T) {
	for how, stop := range map[string]func(*appserver.Server){
		"it crashes": (*appserver.Server).Kill, "it closes": func(s *appserver.Server) { _ = s.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			n := peer.Start(t)
			app := n.App(t)
			c := n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
			c.Echo("before")
			stop(app)
			messages, ev := c.End()
			want := `{"type":7,"error":"ServerOffline","allowReconnect":true}`
			if ev.Code != 1000 || !slices.Contains(messages, want) {
				t.Errorf("the client ended with %+v %q, want %s", ev, messages, want)
			}
			_ = c.Conn.Close()
			back := n.Open(t, "chat", peer.ClientToken("chat", ""))
			back.Text(peer.HandshakeJSON) // the client is back before its server
			n.App(t)
			if answer, ev := back.Record(); answer != "{}" {
				t.Fatalf("handshake: %q %+v", answer, ev)
			}
		})
	}
}

func TestACongestedAppServerPausesItsClientsAlone(t *testing.T) {
	const message, messages = 64 << 10, 640 // 40 MiB: more than both kernels' buffers
	n := peer.Start(t, func(c *config.Config) { c.Limits.ServerQueueBytes = 256 << 10 })
	stuck, other := raw(t, n, "stuck", nil), attend(t, raw(t, n, "other", nil))
	c := n.Open(t, "chat", sticky("stuck", "Required"))
	c.Text(peer.HandshakeJSON)
	accept(t, stuck)
	if answer, _ := c.Record(); answer != "{}" {
		t.Fatalf("handshake: %q", answer)
	}
	text := strings.Repeat("x", message-1) + peer.Separator
	before := heap()
	var written atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range messages {
			c.Text(text)
			written.Add(1)
		}
	}()
	var last int64
	still := 0
	peer.Wait(t, "the client's input pauses", func() bool {
		now := written.Load()
		if still++; now != last {
			last, still = now, 0
		}
		return now > 0 && still > 200
	})
	if last == messages {
		t.Fatal("everything was taken for an app server that does not read")
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("%d messages made the heap grow by %d KiB", last, grown>>10)
	}
	for i := range 5 {
		n.Join(t, "chat", sticky("other", "Required"), "json")
		other.client()
		if got := n.Ask(t, http.MethodGet, "/api/health").Status; got != http.StatusOK {
			t.Errorf("health is %d beside it (%d)", got, i)
		}
	}
	got := 0
	for got < message*messages {
		got += len(expect[*service.ConnectionData](t, stuck).Payload)
	}
	<-done
	if got != message*messages {
		t.Errorf("%d bytes came, want %d", got, message*messages)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
