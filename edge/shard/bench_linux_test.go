package shard

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
)

// maxSessionSize bounds what an idle client costs in its session struct alone, in bytes. Go's allocator has classes
// of 288 and 320 bytes there: a field more can cost 32 bytes times 18,000 clients.
const maxSessionSize = 320

// TestSizes keeps the structs small that there is one of for each client, or for each few queued frames.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n > maxSessionSize {
		t.Errorf("a session has %d bytes, want at most %d", n, maxSessionSize)
	} else {
		t.Logf("a session has %d bytes, its WebSocket reader %d, its queue %d",
			n, unsafe.Sizeof(websocket.Reader{}), unsafe.Sizeof(outQueue{}))
	}
	if n := unsafe.Sizeof(chunk{}); n != 64 {
		t.Errorf("a chunk has %d bytes, want one cache line", n)
	}
}

// epollDriver is the driver that the figures are about.
func epollDriver() driver {
	for _, d := range drivers {
		if d.name == "epoll" {
			return d
		}
	}
	panic("no epoll driver")
}

// crowd is members of a hub whose sockets somebody drains.
type crowd struct {
	*stage
	link        *fakeLink
	got, target atomic.Int64
	reached     chan struct{}
	readers     sync.WaitGroup
}

func newCrowd(tb testing.TB, members int) *crowd {
	tb.Helper()
	w := &crowd{stage: newStage(tb, epollDriver()), reached: make(chan struct{}, 1)}
	w.link = w.server("chat", "s1")
	for range members {
		c := w.client(w.link, "json")
		w.readers.Go(func() {
			buf := make([]byte, 64<<10)
			for {
				n, err := c.conn.Read(buf)
				if w.got.Add(int64(n)) >= w.target.Load() {
					select {
					case w.reached <- struct{}{}:
					default:
					}
				}
				if err != nil {
					return
				}
			}
		})
	}
	tb.Cleanup(func() { // before the stage ends
		for _, c := range w.clients {
			_ = c.conn.Close()
		}
		w.readers.Wait()
	})
	for _, c := range w.clients {
		_ = c.conn.SetReadDeadline(noDeadline)
	}
	return w
}

// await returns when the members have taken n bytes in all.
func (w *crowd) await(n int64) {
	w.target.Store(n)
	for w.got.Load() < n {
		<-w.reached
	}
}

func (w *crowd) broadcast(size int) (m *service.BroadcastData, wire int64) {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = 'x'
	}
	payload[size-1] = 0x1e
	m = &service.BroadcastData{Payloads: service.Payloads{{Protocol: "json", Data: payload}}}
	return m, int64(websocket.HeaderSize(size) + size)
}

// BenchmarkBroadcast is a message of 100 bytes to 1,000 members, one after the other. An operation is a message.
func BenchmarkBroadcast(b *testing.B) {
	const members = 1000
	w := newCrowd(b, members)
	m, wire := w.broadcast(100)
	want := w.got.Load()
	b.ReportAllocs()
	for b.Loop() {
		w.x.Dispatch(w.link, m)
		want += wire * members
		w.await(want)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/delivery")
}

// BenchmarkUnicast is messages of 100 bytes to one client, up to 256 under way.
func BenchmarkUnicast(b *testing.B) {
	w := newCrowd(b, 1)
	m, wire := w.broadcast(100)
	data := w.clients[0].typed(m.Payloads[0].Data, service.DataInvocation)
	want := w.got.Load()
	b.ReportAllocs()
	for b.Loop() {
		w.x.Dispatch(w.link, data)
		want += wire
		w.await(want - 256*wire)
	}
	w.await(want)
}

// BenchmarkClientData is messages of 100 bytes from one client, each a write of its own.
func BenchmarkClientData(b *testing.B) {
	w := newCrowd(b, 1)
	w.link.quiet.Store(true)
	m, _ := w.broadcast(100)
	c := w.clients[0]
	wire := websocket.AppendMaskedFrame(nil, websocket.OpText, true, m.Payloads[0].Data, maskKey)
	_ = c.conn.SetWriteDeadline(noDeadline)
	want := w.link.bytes.Load()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.conn.Write(wire); err != nil {
			b.Fatal(err)
		}
		want += 100
		for w.link.bytes.Load() < want-256*100 {
			<-w.link.arrived
		}
	}
	for w.link.bytes.Load() < want {
		<-w.link.arrived
	}
}

// BenchmarkConnectSession is a client that connects, shakes hands and leaves: the shard's part and both sockets.
func BenchmarkConnectSession(b *testing.B) {
	e := newStage(b, epollDriver())
	l := e.server("chat", "s1")
	for b.Loop() {
		c := e.client(l, "json")
		_ = c.conn.Close()
		l.wantClosed(b, c)
	}
	b.ReportMetric(float64(unsafe.Sizeof(session{})), "bytes/session")
}
