package appserver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

func flow(id string, target service.FlowTarget, op service.FlowOperation) *service.ConnectionFlowControl {
	return &service.ConnectionFlowControl{ConnectionID: id, ConnectionType: target, Operation: op}
}

func TestTakeover(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.ConnectionCount = 2
	events := make(chan string, 4)
	h := ConformanceHub().OnDisconnected(func(*Context, string) { events <- "disconnected" })
	s, conns := start(t, f, opts, h)
	old, fresh := conns[0], conns[1]
	old.client("c1", "json")
	old.send(flow("c1", service.FlowClient, service.FlowPause), flow("c1", service.FlowClient, service.FlowPause))
	if m := next[*service.ConnectionFlowControl](old); m.Operation != service.FlowPauseAck {
		t.Fatalf("want PauseAck, got %+v", m)
	}
	old.say("c1", invoke("1", "Echo", "1"))
	old.barrier()
	if has[*service.ConnectionFlowControl](old) || has[*service.ConnectionData](old) {
		t.Fatalf("want one PauseAck and held output, got %s", old.summary())
	}
	fresh.send(flow("c1", service.FlowClient, service.FlowResume))
	fresh.expectData("c1", completion("1", `,"result":1`), service.DataInvocation)
	fresh.say("c1", invoke("2", "ServerInfo", ""))
	fresh.expectData("c1", completion("2", fmt.Sprintf(`,"result":{"serverId":%q,"cid":%q}`, s.ID(), fresh.cid())),
		service.DataInvocation)
	_ = old.ws.CloseNow()
	again := f.accept()
	again.barrier()
	if s.client("c1") == nil || len(events) > 0 {
		t.Error("the client must outlive the connection that it left")
	}
	t.Run("resume on the same connection goes on", func(*testing.T) {
		fresh.send(flow("c1", service.FlowClient, service.FlowPause))
		next[*service.ConnectionFlowControl](fresh)
		fresh.say("c1", invoke("3", "Echo", "3"))
		fresh.send(flow("c1", service.FlowClient, service.FlowResume))
		fresh.expectData("c1", completion("3", `,"result":3`), service.DataInvocation)
	})
	t.Run("an offline connection is not written to", func(*testing.T) {
		fresh.send(flow(fresh.cid(), service.FlowServer, service.FlowOffline))
		fresh.say("c1", invoke("4", "Broadcast", "4"))
		next[*service.BroadcastData](again)
		fresh.data("c1") // the client stays bound
	})
	t.Run("neither is one with a service error", func(t *testing.T) {
		again.send(&service.ServiceError{ErrorMessage: "Maximum message count limit reached: 100000"})
		again.barrier()
		if err := s.Hub("conformance").Clients().All().Send("m"); !errors.Is(err, ErrNotConnected) {
			t.Errorf("want ErrNotConnected, got %v", err)
		}
	})
}

func TestMigration(t *testing.T) {
	f := newFakeService(t)
	events := make(chan string, 4)
	hub := func() *Hub {
		return ConformanceHub().
			OnConnected(func(c *Context) error {
				events <- "connected " + c.MigratedFrom()
				return nil
			}).
			OnDisconnected(func(_ *Context, err string) { events <- "disconnected" + err })
	}
	a, b := quick(f), quick(f)
	a.GracefulMode, b.GracefulMode, a.ServerID = GracefulMigrateClients, GracefulMigrateClients, "a"
	serverA, connsA := start(t, f, a, hub())
	_, connsB := start(t, f, b, hub())
	ca, cb := connsA[0], connsB[0]
	if got := hex.EncodeToString(service.AppendBody(nil, ca.handshake)); got != "97010100a00180c2" {
		t.Errorf("want migration level 1 as captured, got %s", got)
	}
	ca.client("c1", "json")
	if got := <-events; got != "connected " {
		t.Fatalf("want a plain connect, got %q", got)
	}
	down := make(chan error, 1)
	go func() { down <- serverA.Shutdown(context.WithoutCancel(t.Context())) }()
	ca.await("fin:1", func(m service.Message) bool {
		p, ok := m.(*service.Ping)
		return ok && slices.Equal(p.Pairs, []string{"shutdown", "fin:1"})
	})
	ca.send(&service.CloseConnection{ConnectionID: "c1", Headers: service.Headers{
		{Name: "Asrs-Migrate-To", Values: []string{"b"}},
	}})
	if got := <-events; got != "disconnected" {
		t.Fatalf("want OnDisconnected on A, got %q", got)
	}
	if err := <-down; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if has[*service.CloseConnection](ca) || has[*service.ConnectionData](ca) {
		t.Errorf("A must be silent about a migrated client, got %s", ca.summary())
	}
	cb.send(&service.OpenConnection{ConnectionID: "c1", Protocol: "json", Headers: service.Headers{
		{Name: "Asrs-Migrate-From", Values: []string{"a"}},
	}})
	cb.say("c1", "{\"protocol\":\"json\",\"version\":1}\x1e"+invoke("1", "Echo", "1"))
	// The handshake response is swallowed: the first data is the completion.
	cb.expectData("c1", completion("1", `,"result":1`), service.DataInvocation)
	if got := <-events; got != "connected a" {
		t.Fatalf("want OnConnected on B, got %q", got)
	}
}

func TestShutdown(t *testing.T) {
	t.Run("off: fin:0, then every client ends with CloseConnection, then 1000", func(t *testing.T) {
		f := newFakeService(t)
		opts := quick(f)
		opts.FinInterval = 5 * time.Millisecond
		said := make(chan struct{}, 1)
		h := NewHub("chat").OnShutdown(func(_ context.Context, h *HubServer) {
			if err := h.Clients().All().Send("Bye"); err == nil {
				said <- struct{}{}
			}
		})
		s, conns := start(t, f, opts, h, NewHub("zoo"), NewHub("aquarium"))
		i := slices.IndexFunc(conns, func(c *fakeConn) bool { return c.request.URL.Query().Get("hub") == "chat" })
		c := conns[i]
		c.client("c1", "json")
		f.noFinAck.Store(true)
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.WithoutCancel(t.Context())) }()
		for range 3 { // repeated until finack
			if p := next[*service.Ping](c); !cmp.Equal(p.Pairs, []string{"shutdown", "fin:0"}) {
				t.Fatalf("want fin:0, got %v", p.Pairs)
			}
		}
		for _, c := range conns {
			c.send(&service.Ping{Pairs: []string{"shutdown", "finack"}})
		}
		if err := <-down; err != nil {
			t.Fatal(err)
		}
		if len(said) != 1 {
			t.Error("the hook must be able to send")
		}
		if err := c.awaitEnd(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("want status 1000, got %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if m, ok := c.got[len(c.got)-1].(*service.CloseConnection); !ok || m.ConnectionID != "c1" {
			t.Errorf("want CloseConnection last, got %+v", c.got)
		}
	})
	t.Run("wait: fin:2 and patience", func(t *testing.T) {
		f := newFakeService(t)
		opts := quick(f)
		opts.GracefulMode, opts.ShutdownTimeout = GracefulWaitForClientsClose, 50*time.Millisecond
		s, conns := start(t, f, opts, NewHub("chat"))
		conns[0].client("c1", "json")
		if err := s.Shutdown(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want a timeout while the client stays, got %v", err)
		}
		if has[*service.CloseConnection](conns[0]) {
			t.Error("the server must leave its clients alone")
		}
	})
}

func TestClientResults(t *testing.T) {
	f := newFakeService(t)
	s, conns := start(t, f, quick(f), ConformanceHub())
	c := conns[0]
	c.client("c1", "json")
	h := s.Hub("conformance")
	type outcome struct {
		value string
		err   error
	}
	ask := func(id string) chan outcome {
		done := make(chan outcome, 1)
		go func() {
			v, err := h.Clients().Client(id).Invoke(t.Context(), "Ask", "q")
			done <- outcome{string(v.Bytes()), err}
		}()
		return done
	}
	t.Run("an own client answers", func(t *testing.T) {
		done := ask("c1")
		m := next[*service.ClientInvocation](c)
		want := fmt.Sprintf("{\"type\":1,\"invocationId\":%q,\"target\":\"Ask\",\"arguments\":[\"q\"]}\x1e", m.InvocationID)
		if got, _ := m.Payloads.Get("json"); string(got) != want || len(m.Payloads) != 1 || m.CallerServerID != s.ID() {
			t.Errorf("want %s, got %+v", want, m)
		}
		c.say("c1", completion(m.InvocationID, `,"result":{"a":1.0}`))
		if got := <-done; got.err != nil || got.value != `{"a":1.0}` {
			t.Errorf("want the answer, got %+v", got)
		}
		d := next[*service.ClientCompletion](c)
		if len(d.Payload) != 0 || d.Protocol != "json" || d.InvocationID != m.InvocationID {
			t.Errorf("want the empty completion, got %+v", d)
		}
	})
	t.Run("an own client errs", func(t *testing.T) {
		done := ask("c1")
		m := next[*service.ClientInvocation](c)
		c.say("c1", completion(m.InvocationID, `,"error":"Client didn't provide a result."`))
		var hubErr *HubError
		if got := <-done; !errors.As(got.err, &hubErr) || hubErr.Text != "Client didn't provide a result." {
			t.Errorf("want the client's error, got %+v", got)
		}
		next[*service.ClientCompletion](c)
	})
	t.Run("another server's client answers", func(t *testing.T) {
		done := ask("far")
		m := next[*service.ClientInvocation](c)
		if len(m.Payloads) != 2 {
			t.Errorf("want both protocols, got %+v", m.Payloads)
		}
		c.send(&service.ServiceMapping{InvocationID: m.InvocationID, ConnectionID: "far", InstanceID: "e1"},
			&service.ClientCompletion{
				InvocationID: m.InvocationID, ConnectionID: "far", CallerServerID: "other",
				Protocol: "messagepack", Payload: []byte("\x0a\x95\x03\x80\xa1x\x03\xa3abc"),
			})
		if got := <-done; got.err != nil || got.value != "\xa3abc" {
			t.Errorf("want the answer, got %+v", got)
		}
	})
	t.Run("the service knows no such client", func(t *testing.T) {
		done := ask("far")
		m := next[*service.ClientInvocation](c)
		c.send(&service.ErrorCompletion{InvocationID: m.InvocationID, Error: "gone"})
		if got := <-done; got.err == nil || got.err.Error() != "gone" {
			t.Errorf("want the error, got %+v", got)
		}
	})
	t.Run("the instance of the client goes offline", func(t *testing.T) {
		done := ask("far")
		m := next[*service.ClientInvocation](c)
		c.send(&service.ServiceMapping{InvocationID: m.InvocationID, ConnectionID: "far", InstanceID: "e1"},
			&service.Ping{Pairs: []string{"offline", "e1"}})
		if got := <-done; got.err == nil || got.err.Error() != "Connection 'far' is disconnected." {
			t.Errorf("want disconnected, got %+v", got)
		}
	})
	t.Run("the router passes a client's answer on, with its own server id", func(t *testing.T) {
		c.send(&service.ClientInvocation{InvocationID: "r1", ConnectionID: "c1", CallerServerID: "caller"})
		c.say("c1", completion("r1", `,"result":[1]`))
		want := &service.ClientCompletion{
			InvocationID: "r1", ConnectionID: "c1", CallerServerID: s.ID(), Protocol: "json",
			Payload: []byte(completion("r1", `,"result":[1]`)),
		}
		if diff := cmp.Diff(want, next[*service.ClientCompletion](c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("the router's client goes", func(t *testing.T) {
		c.client("c2", "json")
		c.send(&service.ClientInvocation{InvocationID: "r2", ConnectionID: "c2", CallerServerID: "caller"},
			&service.CloseConnection{ConnectionID: "c2"})
		if m := next[*service.ErrorCompletion](c); m.InvocationID != "r2" || m.Error != "Connection 'c2' is disconnected." {
			t.Errorf("want an error completion, got %+v", m)
		}
	})
	t.Run("within a hub method", func(*testing.T) {
		c.say("c1", invoke("1", "Ask", `"","how"`))
		m := next[*service.ClientInvocation](c)
		c.say("c1", completion(m.InvocationID, `,"result":"so"`))
		c.expectData("c1", completion("1", `,"result":"so"`), service.DataInvocation)
	})
}

func TestClientResultRace(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.ClientResultRegistrationDelay = 20 * time.Millisecond
	s, conns := start(t, f, opts, ConformanceHub())
	c := conns[0]
	c.client("c1", "json")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := s.Hub("conformance").Clients().Client("c1").Invoke(ctx, "Ask")
		done <- err
	}()
	c.say("c1", completion(next[*service.ClientInvocation](c).InvocationID, `,"result":1`))
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the answer that came too early lost, got %v", err)
	}
}

func TestManagement(t *testing.T) {
	f := newFakeService(t)
	opts := quick(f)
	opts.ConnectionType = service.ConnectionWeak
	s, conns := start(t, f, opts, NewHub("chat"))
	c := conns[0]
	if got := hex.EncodeToString(service.AppendBody(nil, c.handshake)); got != "96010102a00080" {
		t.Errorf("want the Management SDK's handshake as captured, got %s", got)
	}
	m, ctx := s.Hub("chat").Manage(), t.Context()
	yes := func(f func() (bool, error)) chan string {
		done := make(chan string, 1)
		go func() {
			ok, err := f()
			done <- fmt.Sprint(ok, err)
		}()
		return done
	}
	do := func(f func() error) chan string { return yes(func() (bool, error) { return true, f() }) }
	answer := func(id int32, status service.AckStatus) {
		c.send(&service.Ack{AckID: id, Status: status, Message: "text"})
	}
	t.Run("user to group with ttl", func(t *testing.T) {
		done := do(func() error { return m.UserAddToGroupFor(ctx, "u", "g", 300*time.Second) })
		got := next[*service.UserJoinGroupWithAck](c)
		if got.TTL == nil || *got.TTL != 300 {
			t.Errorf("want ttl 300, got %+v", got)
		}
		answer(got.AckID, service.AckOK)
		if s := <-done; s != "true <nil>" {
			t.Error(s)
		}
	})
	t.Run("from all groups", func(t *testing.T) {
		done := do(func() error { return m.UserRemoveFromAllGroups(ctx, "u") })
		got := next[*service.UserLeaveGroupWithAck](c)
		answer(got.AckID, service.AckOK)
		if s := <-done; s != "true <nil>" || !got.AllGroups {
			t.Error(s, got)
		}
	})
	for status, want := range map[service.AckStatus]string{
		service.AckOK: "true <nil>", service.AckNotFound: "false <nil>",
		service.AckTimeout: "false no acknowledgement in time", service.AckForbidden: "false acknowledgement status 5: text",
	} {
		t.Run(fmt.Sprint("connection exists, status ", status), func(t *testing.T) {
			done := yes(func() (bool, error) { return m.ConnectionExists(ctx, "c") })
			answer(next[*service.CheckConnectionExistenceWithAck](c).AckID, status)
			if got := <-done; got != want {
				t.Errorf("want %s, got %s", want, got)
			}
		})
	}
	t.Run("members by pages", func(t *testing.T) {
		done := make(chan string, 1)
		go func() {
			members, pages, err := m.GroupMembers(ctx, "g", 3, 2)
			done <- fmt.Sprint(members, pages, err)
		}()
		q := next[*service.GroupMemberQuery](c)
		page := service.GroupMemberPage{
			Members: []service.GroupMember{{ConnectionID: "a"}, {ConnectionID: "b"}}, ContinuationToken: "t",
		}
		c.send(&service.Ack{AckID: q.AckID, Status: service.AckOK, Payload: service.AppendGroupMemberPage(nil, page)})
		q = next[*service.GroupMemberQuery](c)
		if q.ContinuationToken != "t" || *q.Top != 1 || *q.MaxPageSize != 2 {
			t.Errorf("want the next page's query, got %+v", q)
		}
		page = service.GroupMemberPage{Members: []service.GroupMember{{ConnectionID: "c", UserID: "u"}}}
		c.send(&service.Ack{AckID: q.AckID, Status: service.AckOK, Payload: service.AppendGroupMemberPage(nil, page)})
		if got := <-done; got != "[{a } {b } {c u}] 2 <nil>" {
			t.Error(got)
		}
	})
	t.Run("refresh of the sign-in", func(t *testing.T) {
		done := make(chan string, 1)
		go func() {
			status, claims, err := m.RefreshAuth(ctx, "token", []Claim{{Type: "a", Value: "b"}}, time.Unix(5, 0))
			done <- fmt.Sprint(status, claims, err)
		}()
		got := next[*service.RefreshAuth](c)
		payload := service.AppendClaimsPayload(nil, got.Claims)
		c.send(&service.Ack{AckID: got.AckID, Status: service.AckOK, Payload: payload})
		if s := <-done; s != "1 [{a b}] <nil>" || got.ConnectionToken != "token" {
			t.Error(s, got)
		}
	})
	t.Run("close with a reason", func(t *testing.T) {
		if err := m.CloseConnection(ctx, "c", "why"); err != nil {
			t.Fatal(err)
		}
		if got := next[*service.CloseConnection](c); got.ErrorMessage != "why" {
			t.Errorf("want the reason, got %+v", got)
		}
	})
}

func TestRaw(t *testing.T) {
	f := newFakeService(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	o := RawOptions{ConnectionString: f.connectionString(), Hub: "chat", CID: "my-cid"}
	c, err := OpenRaw(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	peer := f.accept()
	b := service.Append(nil, &service.Ping{Pairs: []string{"a", "b"}})
	if err := errors.Join(c.SendBytes(ctx, b[:2]), c.SendBytes(ctx, b[2:])); err != nil {
		t.Fatal(err)
	}
	if p := next[*service.Ping](peer); len(p.Pairs) != 2 || peer.cid() != "my-cid" {
		t.Errorf("want the ping, got %v on %s", p.Pairs, peer.cid())
	}
	peer.send(&service.Ping{}, &service.Ack{AckID: 5, Status: service.AckOK})
	if m, err := Expect[*service.Ack](ctx, c); err != nil || m.AckID != 5 {
		t.Errorf("want the ack, got %+v, %v", m, err)
	}
	c.Kill()
	f.status.Store(403)
	if _, status, err := DialRaw(ctx, o); err == nil || status != 403 {
		t.Errorf("want 403, got %d %v", status, err)
	}
}
