package appserver

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func hello(kind service.ConnectionType, level service.MigrationLevel) *service.HandshakeRequest {
	return &service.HandshakeRequest{Version: 1, ConnectionType: kind, MigrationLevel: level}
}

func TestNothingOvertakesTheHandshakeAnswer(t *testing.T) {
	f := start(t)
	// A shard chooses the connection in the moment it arrives, and speaks at once.
	f.arrived = func(*Conn) {
		c, _ := f.Choose(Want{Hub: "chat"})
		c.say(&service.OpenConnection{ConnectionID: "x"})
	}
	stop := make(chan struct{})
	var pinging atomic.Bool
	done := make(chan struct{})
	go func() { // and somebody pings all the time
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				f.Announce(&service.Ping{})
				pinging.Store(true)
			}
		}
	}()
	waitFor(t, "the pings flow", pinging.Load)
	for i := range 50 {
		s := f.dial(Request{ID: fmt.Sprint(i)})
		s.send(hello(service.ConnectionDefault, 0))
		if m := s.next(); m.Type() != service.TypeHandshakeResponse {
			t.Errorf("the first message is a %s", m.Type())
		}
		s.ended()
	}
	close(stop)
	<-done
}

func TestBytesBehindTheUpgradeAreTheFirst(t *testing.T) {
	f := start(t)
	both := append(frame(hello(service.ConnectionWeak, 0)), frame(&service.Ping{Pairs: []string{"servers", ""}})...)
	s := f.dial(Request{ID: "1"}, both...)
	if m := s.next(); m.Type() != service.TypeHandshakeResponse {
		t.Errorf("got %+v", m)
	}
	p, ok := s.answer().(*service.Ping)
	if v, _ := p.Get(service.PingServers); !ok || !strings.HasSuffix(v, ":") {
		t.Errorf("servers is %q, want a number, a colon and nobody: Weak connections do not count", v)
	}
	if f.has("arrived") {
		t.Error("a Weak connection arrived for clients")
	}
	s.ended()
	waitFor(t, "it is lost", func() bool { return f.has("lost") })
}

func TestChoose(t *testing.T) {
	f := start(t)
	f.open(Request{ID: "w", ServerID: "weak"}, hello(service.ConnectionWeak, 0))
	if c, why := f.Choose(Want{Hub: "chat"}); c != nil || why != reason.NoServer {
		t.Errorf("with a Weak connection: %v, %s", c, why)
	}
	f.open(Request{ID: "a1", ServerID: "a"}, hello(service.ConnectionDefault, service.MigrationOff))
	f.open(Request{ID: "a2", ServerID: "a"}, hello(service.ConnectionOnDemand, service.MigrationOff))
	f.open(Request{ID: "b1", ServerID: "b"}, hello(service.ConnectionDefault, service.MigrationShutdown))
	f.open(Request{ID: "x", Hub: "other", ServerID: "x"}, hello(service.ConnectionDefault, service.MigrationShutdown))
	tests := map[string]struct {
		want Want
		id   string // "" any
		why  reason.Reason
	}{
		"any":                            {Want{Hub: "chat"}, "", reason.None},
		"a hub without servers":          {Want{Hub: "empty"}, "", reason.NoServer},
		"the named server":               {Want{Hub: "chat", ServerID: "b", Required: true}, "b1", reason.None},
		"the preferred server":           {Want{Hub: "chat", ServerID: "b"}, "b1", reason.None},
		"a preferred server that is not": {Want{Hub: "chat", ServerID: "c"}, "", reason.None},
		"a required server that is not":  {Want{Hub: "chat", ServerID: "c", Required: true}, "", reason.StickyServerMissing},
		"a required server elsewhere":    {Want{Hub: "chat", ServerID: "x", Required: true}, "", reason.StickyServerMissing},
		"a Weak one by name": {
			Want{Hub: "chat", ServerID: "weak", Required: true}, "", reason.StickyServerMissing,
		},
		"another than":           {Want{Hub: "chat", ExcludeServer: "a"}, "b1", reason.None},
		"one that migrates":      {Want{Hub: "chat", Migratable: true}, "b1", reason.None},
		"no other that migrates": {Want{Hub: "chat", Migratable: true, ExcludeServer: "b"}, "", reason.NoServer},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			c, why := f.Choose(tt.want)
			if why != tt.why || (c == nil) != (why != reason.None) {
				t.Fatalf("got %v, %s; want %s", c, why, tt.why)
			}
			if c == nil {
				return
			}
			c.Attach(-1)
			if tt.id != "" && c.ID() != tt.id {
				t.Errorf("got %s, want %s", c.ID(), tt.id)
			}
		})
	}
	load := map[string]int{}
	for range 30 {
		c, _ := f.Choose(Want{Hub: "chat"})
		load[c.ID()]++
	}
	if diff := cmp.Diff(map[string]int{"a1": 10, "a2": 10, "b1": 10}, load); diff != "" {
		t.Errorf("30 clients (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"chat": 4, "other": 1}, f.Hubs()); diff != "" {
		t.Errorf("hubs (-want +got):\n%s", diff)
	}
}

func TestHasServerForgets(t *testing.T) {
	var ahead atomic.Int64
	f := start(t, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	w := f.open(Request{ID: "w"}, hello(service.ConnectionWeak, 0))
	if f.HasServer("chat", time.Minute) {
		t.Error("a Weak connection counts as an app server")
	}
	w.ended()
	if f.HasServer("chat", time.Minute) {
		t.Error("a Weak connection is remembered as an app server")
	}
	s := f.open(Request{ID: "d"}, hello(service.ConnectionDefault, 0))
	if !f.HasServer("chat", 0) {
		t.Error("the app server does not count")
	}
	s.ended()
	if f.HasServer("chat", 0) || !f.HasServer("chat", time.Minute) {
		t.Error("the last app server is not remembered, or counts for longer than asked")
	}
	ahead.Store(int64(time.Minute + time.Second))
	if f.HasServer("chat", time.Minute) {
		t.Error("the last app server is never forgotten")
	}
}

func TestFin(t *testing.T) {
	for fin, leaves := range map[string]bool{
		service.PingFin: false, service.PingFinWait: false, service.PingFinMigrate: true,
	} {
		t.Run(fin, func(t *testing.T) {
			f := start(t)
			s := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, service.MigrationShutdown))
			s.send(&service.Ping{Pairs: []string{service.PingShutdown, fin}})
			want := []string{service.PingShutdown, service.PingFinAck}
			if p, ok := s.answer().(*service.Ping); !ok || !cmp.Equal(p.Pairs, want) {
				t.Errorf("the answer is %+v", p)
			}
			if c, why := f.Choose(Want{Hub: "chat"}); c != nil || why != reason.NoServer {
				t.Errorf("it still gets clients: %v %s", c, why)
			}
			if f.has("leaves") != leaves {
				t.Errorf("its clients are told to leave: %t, want %t", !leaves, leaves)
			}
		})
	}
}

func TestInvocationHold(t *testing.T) {
	now := time.Now()
	p := &process{}
	for _, step := range []struct {
		after, want time.Duration
	}{{0, holdFirst}, {time.Second, holdYoung}, {8 * time.Second, holdYoung}, {2 * time.Second, 0}, {time.Hour, 0}} {
		now = now.Add(step.after)
		if got := p.invocationHold(now); got != step.want {
			t.Errorf("%v after the last: hold %v, want %v", step.after, got, step.want)
		}
	}
}

func TestAServerThatDoesNotListenIsNotListenedTo(t *testing.T) {
	f := start(t)
	s := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, 0))
	questions := make([]service.Message, 1000)
	for i := range questions {
		questions[i] = &service.Ping{Pairs: []string{service.PingStatus, "1"}}
	}
	flood := frame(questions...)
	var sent atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for { // until the connection is closed: it must come to a stand before
			if _, err := s.conn.Write(flood); err != nil {
				return
			}
			sent.Add(1)
		}
	}()
	c := f.all()[0]
	waiting := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.queue) + c.inFlight
	}
	bound := deaf * f.Registry.settings.Load().MaxQueue
	waitFor(t, "the answers fill the queue", func() bool { return waiting() > bound })
	last, still := int64(0), 0
	waitFor(t, "the node stops reading", func() bool {
		now := sent.Load()
		if still++; now != last {
			last, still = now, 0
		}
		return still > 300
	})
	if queued, most := waiting(), bound+1<<20; queued > most { // what one read asks for is answered
		t.Errorf("%d bytes wait, want at most about %d", queued, most)
	}
	if !c.Congested() {
		t.Error("it is not congested")
	}
	s.ended()
	<-done
}

func TestCongestion(t *testing.T) {
	f := start(t)
	s := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, 0))
	c := f.all()[0]
	chunk := bytes.Repeat([]byte{'x'}, 32<<10)
	sent, still := 0, 0
	waitFor(t, "it comes to a stand", func() bool { // the kernel takes some megabytes first
		for still++; !c.Congested(); still = 0 {
			c.Data("client", chunk)
			c.Flush()
			sent++
		}
		return still > 100
	})
	before := f.count("ready") // of times when the writer alone was behind
	for range sent {
		for {
			if m, ok := s.next().(*service.ConnectionData); ok {
				if !bytes.Equal(m.Payload, chunk) || m.ConnectionID != "client" {
					t.Fatalf("data was changed: %d bytes for %s", len(m.Payload), m.ConnectionID)
				}
				break
			}
		}
	}
	waitFor(t, "the clients may go on", func() bool { return !c.Congested() && f.count("ready") > before })
	s.ended()
	if c.Data("client", chunk) || c.Send(&service.Ping{}) {
		t.Error("an ended connection takes data")
	}
}

func TestPingAndSilence(t *testing.T) {
	f := start(t, func(c *Config) { c.Settings.Silence = 2 * time.Second })
	s := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, 0))
	pings := 0
	for m := s.next(); m != nil; m = s.next() {
		if m.Type() == service.TypePing {
			pings++
		}
	}
	if pings < 2 {
		t.Errorf("%d pings in the time of silence, want one a second", pings)
	}
	s.ended()
	if !f.has("lost") {
		t.Error("nobody was told")
	}
}

func TestRefuseSaysWhyBeforeTheEnd(t *testing.T) {
	f := start(t)
	s := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, 0))
	f.Refuse(reason.ServerConnMessageQuota, "enough")
	m, ok := s.answer().(*service.ServiceError)
	if !ok || m.ErrorMessage != "enough" {
		t.Errorf("got %+v", m)
	}
	if m := s.answer(); m != nil {
		t.Errorf("behind it came a %s", m.Type())
	}
	s.ended()
}

func TestStop(t *testing.T) {
	f := start(t)
	open, greeting := f.open(Request{ID: "1"}, hello(service.ConnectionDefault, 0)), f.dial(Request{ID: "2"})
	waitFor(t, "the second waits for its handshake", func() bool {
		f.Registry.mu.Lock()
		defer f.Registry.mu.Unlock()
		return len(f.greeting) == 1
	})
	done := make(chan struct{})
	go func() { defer close(done); f.Stop(reason.ServerConnDrain) }()
	if m := open.answer(); m != nil {
		t.Errorf("the open one got a %s", m.Type())
	}
	if m, ok := greeting.next().(*service.HandshakeResponse); !ok || m.ErrorMessage != textStopping {
		t.Errorf("the one that greets got %+v", m)
	}
	open.ended()
	greeting.ended()
	<-done
	late := f.dial(Request{ID: "3"})
	late.ended()
	if n := len(f.all()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
