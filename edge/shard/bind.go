package shard

import (
	"net"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Bind takes over an upgraded connection whose descriptor the shard may own: non-blocking, close-on-exec, known to
// nobody else. buffered is what was read behind the upgrade request. It reports false when the shard cannot take it;
// then the descriptor is still the caller's. Only where [Native] is true.
func (x *Shards) Bind(fd int, buffered []byte, c *Client) bool {
	return x.of(c.ID).tryPost(command{do: func(sh *shard) { sh.bind(fd, nil, buffered, c) }})
}

// BindStream takes over an upgraded connection that is no plain TCP socket, or on a system without epoll. It costs
// two goroutines and their buffers.
func (x *Shards) BindStream(conn net.Conn, buffered []byte, c *Client) bool {
	return x.of(c.ID).tryPost(command{do: func(sh *shard) { sh.bind(-1, conn, buffered, c) }})
}

func (sh *shard) bind(fd int, conn net.Conn, buffered []byte, c *Client) {
	sh.owner.metrics.ClientsOpened.Inc()
	sh.owner.metrics.ClientConnections.Inc()
	var s *session
	if !sh.stopping {
		s = sh.newSession(c)
	}
	if s == nil {
		sh.owner.metrics.Count(reason.DuplicateConnection, 1)
		sh.owner.metrics.ClientConnections.Dec()
		closeRaw(fd, conn)
		if c.Done != nil {
			c.Done()
		}
		return
	}
	if conn != nil {
		sh.startStream(s, conn)
	} else {
		s.fd = int32(fd)
		tune(fd)
	}
	sh.takeSlot(s)
	if conn == nil {
		if err := sh.poll.add(s); err != nil {
			sh.end(s, reason.InternalError, "")
			return
		}
	}
	if len(buffered) > 0 {
		sh.received(s, buffered)
	}
}

// The bits of session.interest.
const (
	interestRead  = 1
	interestWrite = 2
)

// setInterest tells the driver what s waits for.
func (sh *shard) setInterest(s *session) {
	if s.state == stateClosed || s.slot < 0 {
		return
	}
	var want uint8
	if s.hold == 0 || s.state == stateClosing {
		want = interestRead
	}
	if s.stalledSince != 0 {
		want |= interestWrite
		sh.watch(s)
	}
	if want == s.interest {
		return
	}
	s.interest = want
	if s.stream != nil {
		s.stream.grant()
		return
	}
	sh.poll.change(s)
}

// readable takes what came, unless the app server has fallen behind.
func (sh *shard) readable(s *session) bool {
	if s.link != nil && s.state < stateClosing && s.link.Congested() {
		sh.keep(s, holdCongested)
		return false
	}
	return s.hold == 0 || s.state == stateClosing
}

// write offers sh.vectors to s's socket. It returns how many bytes were taken and whether the socket is full.
func (sh *shard) write(s *session) (n int, full bool, err error) {
	if s.stream != nil {
		n, full = s.stream.write(sh.vectors)
		return n, full, nil
	}
	return writeFD(int(s.fd), sh.vectors)
}

// dropSocket closes s's socket.
func (sh *shard) dropSocket(s *session) {
	if s.slot >= 0 {
		sh.dropSlot(s)
	}
	if s.stream != nil {
		s.stream.finish(s.out.first != nil)
		return
	}
	if s.fd >= 0 {
		closeRaw(int(s.fd), nil)
		s.fd = -1
	}
}
