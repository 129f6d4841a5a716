package shard

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// patience bounds every wait of these tests; none of them ever takes so long unless something is broken.
const patience = 10 * time.Second

// noDeadline takes a deadline away.
var noDeadline time.Time

// fakeLink is a server connection that keeps what it was sent. A message shows only after Flush, as on the wire: a
// shard that forgets what it owes fails its test.
type fakeLink struct {
	id, server, hub string
	migratable      bool

	draining, congested, weak atomic.Bool
	attached                  atomic.Int64
	hold                      atomic.Int64
	quiet                     atomic.Bool  // counts client data instead of keeping it
	bytes                     atomic.Int64 // of client data while quiet

	mu sync.Mutex
	// waiting is guarded by mu, as is sent.
	waiting, sent []service.Message
	arrived       chan struct{}
}

func newFakeLink(hub, server string) *fakeLink {
	return &fakeLink{id: server + "-1", server: server, hub: hub, arrived: make(chan struct{}, 1)}
}

func (l *fakeLink) ID() string                    { return l.id }
func (l *fakeLink) ServerID() string              { return l.server }
func (l *fakeLink) Hub() string                   { return l.hub }
func (l *fakeLink) Migratable() bool              { return l.migratable }
func (l *fakeLink) Draining() bool                { return l.draining.Load() }
func (l *fakeLink) Congested() bool               { return l.congested.Load() }
func (l *fakeLink) Attach(delta int)              { l.attached.Add(int64(delta)) }
func (l *fakeLink) InvocationHold() time.Duration { return time.Duration(l.hold.Load()) }

// Send keeps m as it would look on the other side.
func (l *fakeLink) Send(m service.Message) bool {
	got, err := service.Decode(service.AppendBody(nil, m))
	if err != nil {
		panic("a shard sent what cannot be decoded: " + err.Error())
	}
	return l.add(got)
}

func (l *fakeLink) Data(id string, p []byte) bool {
	if l.quiet.Load() {
		l.bytes.Add(int64(len(p)))
		l.ring()
		return false
	}
	return l.add(&service.ConnectionData{ConnectionID: id, Payload: slices.Clone(p)})
}

func (l *fakeLink) add(m service.Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, m)
	return len(l.waiting) == 1
}

func (l *fakeLink) Flush() {
	l.mu.Lock()
	l.sent = append(l.sent, l.waiting...)
	l.waiting = nil
	l.mu.Unlock()
	l.ring()
}

func (l *fakeLink) ring() {
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

// take returns what was sent and not taken yet.
func (l *fakeLink) take() []service.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	l.sent = nil
	return sent
}

func (l *fakeLink) pop() service.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sent) == 0 {
		return nil
	}
	m := l.sent[0]
	l.sent = l.sent[1:]
	return m
}

// next waits for the next message of the link, which must be a T.
func next[T service.Message](t testing.TB, l *fakeLink) T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if m := l.pop(); m != nil {
			want, ok := m.(T)
			if !ok {
				t.Fatalf("%s got %T %+v, want a %T", l.id, m, m, want)
			}
			return want
		}
		select {
		case <-l.arrived:
		case <-late.C:
			var want T
			t.Fatalf("%s got nothing, want a %T", l.id, want)
		}
	}
}

// wantData waits for the client's next bytes at the link, which may come in several messages.
func (l *fakeLink) wantData(t testing.TB, c *client, want []byte) {
	t.Helper()
	var got []byte
	for len(got) < len(want) {
		m := next[*service.ConnectionData](t, l)
		if m.ConnectionID != c.id {
			t.Fatalf("data of %s, want %s", m.ConnectionID, c.id)
		}
		got = append(got, m.Payload...)
	}
	if string(got) != string(want) {
		t.Fatalf("server got %q, want %q", got, want)
	}
}

// wantAck waits for the answer to a message that asked for one.
func (l *fakeLink) wantAck(t testing.TB, id int32, want service.AckStatus) *service.Ack {
	t.Helper()
	ack := next[*service.Ack](t, l)
	if ack.AckID != id || ack.Status != want {
		t.Fatalf("ack %d status %d, want ack %d status %d", ack.AckID, ack.Status, id, want)
	}
	return ack
}

// wantClosed waits for the news that the client is gone.
func (l *fakeLink) wantClosed(t testing.TB, c *client) *service.CloseConnection {
	t.Helper()
	m := next[*service.CloseConnection](t, l)
	if m.ConnectionID != c.id {
		t.Fatalf("close of %s, want %s", m.ConnectionID, c.id)
	}
	return m
}

// popWait waits for the next message of the link, whatever it is.
func (l *fakeLink) popWait(t testing.TB) service.Message {
	t.Helper()
	return next[service.Message](t, l)
}
