package shard

import (
	"net"
	"sync"
	"time"
)

const (
	// streamBuffer is what may wait in a stream for its writer: the stream's counterpart of the kernel's buffer.
	streamBuffer = 128 << 10
	// streamRead is what one read of a stream takes.
	streamRead = 4 << 10
	// streamLinger is how long the rest may take to leave when the connection is closed.
	streamLinger = 5 * time.Second
)

// stream drives a connection that is no plain TCP socket: one goroutine reads, one writes, both bounded. The session
// and its behaviour are the same as with epoll.
//
// Static: conn, shard, session, credit, bell. Owned by the shard: owing. Guarded by mu: the rest.
type stream struct {
	conn    net.Conn
	shard   *shard
	session *session
	credit  chan struct{} // lets the reader read once more
	bell    chan struct{} // there is something to write, or to end

	owing bool // the reader waits for credit

	mu sync.Mutex
	// out is guarded by mu, as are the fields below.
	out       []byte
	inFlight  int
	full      bool
	finishing bool
}

// startStream starts the goroutines of s's connection. They end when the connection is closed.
func (sh *shard) startStream(s *session, conn net.Conn) {
	st := &stream{
		conn: conn, shard: sh, session: s, credit: make(chan struct{}, 1), bell: make(chan struct{}, 1),
	}
	s.stream, s.interest = st, interestRead
	st.credit <- struct{}{}
	sh.owner.done.Go(st.readLoop)
	sh.owner.done.Go(st.writeLoop)
}

// readLoop hands the shard one buffer at a time and waits until it is done with it.
func (st *stream) readLoop() {
	buf := make([]byte, streamRead)
	for range st.credit {
		n, err := st.conn.Read(buf)
		st.shard.postMust(command{do: func(sh *shard) { st.arrived(sh, buf[:n], err) }})
		if err != nil {
			return
		}
	}
}

// arrived runs in the shard.
func (st *stream) arrived(sh *shard, b []byte, err error) {
	s := st.session
	if s.state == stateClosed {
		return
	}
	if len(b) > 0 {
		sh.received(s, b) // a hold keeps what it must; the reader stops
	}
	if s.state == stateClosed {
		return
	}
	if err != nil {
		sh.gone(s)
		return
	}
	st.owing = true
	if sh.readable(s) {
		st.grant()
	}
}

// grant lets the reader go on if the session takes input. It runs in the shard.
func (st *stream) grant() {
	if st.owing && st.session.interest&interestRead != 0 {
		st.owing = false
		st.credit <- struct{}{}
	}
}

// write takes as much as there is room for. It runs in the shard and never blocks.
func (st *stream) write(v [][]byte) (n int, full bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range v {
		room := streamBuffer - len(st.out) - st.inFlight
		if room < len(b) {
			st.out = append(st.out, b[:max(room, 0)]...)
			n += max(room, 0)
			full = true
			st.full = true
			break
		}
		st.out = append(st.out, b...)
		n += len(b)
	}
	st.ring()
	return n, full
}

func (st *stream) ring() {
	select {
	case st.bell <- struct{}{}:
	default:
	}
}

// writeLoop writes what the shard left, and tells it when a full stream has room again.
func (st *stream) writeLoop() {
	var b []byte
	for range st.bell {
		var end bool
		for {
			if b, end = st.take(b); len(b) == 0 {
				break
			}
			if _, err := st.conn.Write(b); err != nil {
				_ = st.conn.Close() // the reader tells the shard
			}
			st.written()
		}
		if end {
			_ = st.conn.Close()
			return
		}
	}
}

// take swaps what waits against the emptied buffer spare, and reports whether the stream ends with it.
func (st *stream) take(spare []byte) (b []byte, end bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	b = st.out
	st.out, st.inFlight = spare[:0], len(b)
	return b, st.finishing
}

// written tells the shard of a full stream that there is room again.
func (st *stream) written() {
	st.mu.Lock()
	st.inFlight = 0
	tell := st.full
	st.full = false
	st.mu.Unlock()
	if tell {
		st.shard.postMust(command{do: func(sh *shard) {
			if st.session.state != stateClosed {
				sh.flush(st.session)
			}
		}})
	}
}

// finish ends the stream: at once if data is being thrown away, else when what it took has left.
func (st *stream) finish(cut bool) {
	_ = st.conn.SetDeadline(time.Now().Add(streamLinger))
	if cut {
		_ = st.conn.Close()
	}
	st.mu.Lock()
	st.finishing = true
	st.mu.Unlock()
	st.ring()
	close(st.credit)
}
