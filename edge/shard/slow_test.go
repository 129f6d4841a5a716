package shard

import (
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

func kib(n int) func(*Limits) { return func(l *Limits) { l.SendQueue = n << 10 } }

// stallSize is the size of the messages that stall sends.
const stallSize = 64 << 10

// stall fills what the system takes for a client that does not read, until its queue begins and does not move any
// more. It returns how many messages of stallSize were sent.
func (e *stage) stall(l *fakeLink, c *client) (n int) {
	e.Helper()
	still := 0
	e.until("stalled", func() bool {
		stalled := false
		e.session(c, func(_ *shard, s *session) { stalled = s != nil && s.stalledSince != 0 })
		if stalled {
			still++
			return still == 30
		}
		for still = 0; !stalled; n++ {
			e.says(l, c.data(text(strings.Repeat("x", stallSize))))
			e.session(c, func(sh *shard, s *session) {
				sh.flush(s)
				stalled = s.stalledSince != 0
			})
		}
		return false
	})
	return n
}

// wantStalled reads what stall sent.
func (c *client) wantStalled(n int) {
	c.Helper()
	for range n {
		c.wantCalls(strings.Repeat("x", stallSize))
	}
}

func TestSlowClients(t *testing.T) {
	each(t, "over the bound the connection is cut and others are not hurt", func(e *stage) {
		l := e.server("chat", "s1")
		slow, good := e.client(l, "json"), e.client(l, "json")
		e.stall(l, slow)
		two := strings.Repeat("y", 2<<10)
		for range 40 {
			e.says(l, &service.BroadcastData{Payloads: both(two)})
		}
		for range 40 {
			good.wantCalls(two)
		}
		e.until("cut", func() bool { return slow.gone.Load() == 1 })
		l.wantClosed(e, slow)
		e.wantCounted(reason.SlowQueue, 1)
		if e.state(good) != stateOpen {
			e.Error("the good one was cut too")
		}
	}, kib(64))
	each(t, "an empty queue takes any single message", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		big := strings.Repeat("x", 9<<20)
		e.says(l, c.data(text(big)), c.data(text("behind")))
		c.wantCalls(big, "behind")
	}, kib(1))
	each(t, "a burst over the bound that the socket can take is no reason", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		two := strings.Repeat("y", 2<<10)
		e.session(c, func(sh *shard, s *session) { // all in one turn
			f := encodeOne(text(two))
			for range 30 {
				sh.enqueue(s, f, dirtyFirst)
			}
		})
		for range 30 {
			c.wantCalls(two)
		}
	}, kib(4))
	each(t, "a client that took what it was sent is not slow, whether the shard knows it or not", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		n := e.stall(l, c)
		two := strings.Repeat("y", 20<<10)
		e.session(c, func(sh *shard, s *session) {
			f := encodeOne(text(two))
			sh.enqueue(s, f, dirtyFirst)
			sh.enqueue(s, f, dirtyFirst)
			read := make(chan struct{})
			go func() { // the shard stands still meanwhile
				defer close(read)
				c.wantStalled(n - 3) // the last ones may not have left the edge
			}()
			<-read
			sh.enqueue(s, f, dirtyFirst)
		})
		c.wantStalled(3)
		c.wantCalls(two, two, two)
	}, kib(50))
	each(t, "no byte taken for long: cut", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.stall(l, c)
		e.tick(9 * time.Second)
		if e.state(c) != stateOpen {
			e.Fatal("cut too early")
		}
		e.until("cut", func() bool { e.tick(time.Second); return c.gone.Load() == 1 })
		l.wantClosed(e, c)
		e.wantCounted(reason.SlowStalled, 1)
	})
	each(t, "a slow client that takes something in time stays and gets everything", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		n := e.stall(l, c)
		e.says(l, c.data(text("behind")))
		e.tick(9 * time.Second)
		c.wantStalled(n)
		c.wantCalls("behind")
		e.until("flowing", func() (yes bool) {
			e.session(c, func(_ *shard, s *session) { yes = s.stalledSince == 0 })
			return yes
		})
		e.tick(9 * time.Second)
		if e.state(c) != stateOpen {
			e.Error("cut")
		}
	})
	each(t, "a stalled client that is closed is cut after the wait for its close", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		e.stall(l, c)
		e.says(l, &service.CloseConnection{ConnectionID: c.id})
		e.tick(closeWait * time.Second)
		e.until("cut", func() bool { return c.gone.Load() == 1 })
	})
	each(t, "many stalled clients with small messages do not stop the shard", func(e *stage) {
		l := e.server("chat", "s1")
		good := e.client(l, "json")
		var slow []*client
		for range 3 {
			c := e.client(l, "json")
			e.stall(l, c)
			slow = append(slow, c)
		}
		f := encodeOne([]byte("{}\x1e"))
		for _, c := range slow { // more frames than a shard lets wait for itself
			e.session(c, func(sh *shard, s *session) {
				for range maxBacklog + 1 {
					sh.enqueue(s, f, dirtyFirst)
				}
			})
		}
		e.says(l, &service.BroadcastData{Payloads: both("on")})
		good.wantCalls("on")
		for _, c := range slow {
			e.until("cut", func() bool { e.tick(time.Second); return c.gone.Load() == 1 })
		}
		e.wantCounted(reason.SlowStalled, 3)
	})
}

// encodeOne frames a JSON message.
func encodeOne(b []byte) *frame {
	all, _ := encode(service.Payloads{{Protocol: "json", Data: b}})
	return all[0].frame
}

func TestIdle(t *testing.T) {
	each(t, "a connection without a byte is closed, any byte counts", func(e *stage) {
		l := e.server("chat", "s1")
		var quiet []*client
		for range 10 {
			quiet = append(quiet, e.client(l, "json"))
		}
		told, speaks := e.client(l, "json"), e.client(l, "json")
		e.tick(50 * time.Second)
		speaks.frame(9, nil)
		speaks.wantFrame(10, nil)
		e.says(l, told.data(text("hello")))
		told.wantCalls("hello")
		for range 10 + sweepParts { // to the limit, and once over all
			e.tick(time.Second)
		}
		for _, c := range quiet {
			c.wantHubClose(reason.IdleTimeout.Info().Text, true)
			c.wantClose(1000)
		}
		for _, c := range []*client{told, speaks} {
			if e.state(c) != stateOpen {
				e.Errorf("%s was closed", c.id)
			}
		}
		e.wantCounted(reason.IdleTimeout, 10)
	}, func(l *Limits) { l.Idle = time.Minute })
	each(t, "no idle limit", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		for range 2 * sweepParts {
			e.tick(24 * time.Hour)
		}
		if e.state(c) != stateOpen {
			e.Error("closed")
		}
	}, func(l *Limits) { l.Idle = 0 })
	each(t, "limits may change while clients are connected", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json")
		limits := e.limits
		limits.Idle, limits.MaxMessage = time.Second, 100
		e.x.SetLimits(limits)
		c.send(text(strings.Repeat("x", 100)))
		c.wantHubClose(reason.MessageTooLarge.Info().Text, true)
		c.wantClose(1000)
		l.wantClosed(e, c)
	})
	each(t, "authentication expires", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json", func(c *Client) { c.Expires = e.now.Add(30 * time.Second) })
		e.tick(29 * time.Second)
		if e.state(c) != stateOpen {
			e.Fatal("closed too early")
		}
		e.tick(time.Second)
		c.wantHubClose(reason.AuthExpired.Info().Text, true)
		c.wantClose(1000)
		l.wantClosed(e, c)
		e.wantCounted(reason.AuthExpired, 1)
	})
}

func TestAccounting(t *testing.T) {
	each(t, "each started 2 KiB is a message, in both directions; pings, closes and handshakes are free", func(e *stage) {
		l := e.server("chat", "s1")
		c, d := e.client(l, "json"), e.client(l, "messagepack")
		e.sync()
		if n := e.units.Load(); n != 0 {
			e.Fatalf("%d messages after the handshakes", n)
		}
		want := func(what string, units int64) {
			e.Helper()
			e.sync()
			if got := e.units.Swap(0); got != units {
				e.Errorf("%s: %d messages, want %d", what, got, units)
			}
		}
		sized := func(n int) []byte { return text(strings.Repeat("x", n-len(text("")))) }
		for n, units := range map[int]int64{100: 1, 2048: 1, 2049: 2, 4097: 3} {
			c.send(sized(n))
			l.wantData(e, c, sized(n))
			want("in", units)
			e.says(l, c.data(sized(n)))
			c.want(sized(n))
			want("out untyped", units)
			e.says(l, c.typed(sized(n), service.DataInvocation))
			c.want(sized(n))
			want("out typed", units)
		}
		ping := []byte(`{"type":6}` + "\x1e")
		c.send(append(ping, text("one")...))
		l.wantData(e, c, append(ping, text("one")...))
		want("ping and call", 1)
		e.says(l, c.data(ping), c.typed(ping, service.DataOther))
		c.want(ping)
		c.want(ping)
		want("pings out", 0)
		e.says(l, &service.BroadcastData{Payloads: both("x")})
		c.wantCalls("x")
		d.wantCalls("x")
		want("broadcast", 2)
		bye := []byte(`{"type":7}` + "\x1e")
		c.send(bye)
		l.wantData(e, c, bye)
		e.says(l, c.data(bye))
		c.want(bye)
		want("close", 0)
		if in, out := value(e.metrics.MessagesIn), value(e.metrics.MessagesOut); in != 8 || out != 16 {
			e.Errorf("metrics count %v in, %v out, want 8 and 16", in, out)
		}
	})
}
