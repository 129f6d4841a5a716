//go:build linux

package load

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// WorkerConfig is what a worker needs to know before it connects anything.
type WorkerConfig struct {
	Endpoint  Endpoint
	Hub       string
	Protocols []Protocol
	// Negotiate posts to /client/negotiate before the upgrade, on the same TCP connection.
	Negotiate bool
	// Worker numbers this process; it uses the indexes Worker, Worker+Stride, Worker+2*Stride, …
	Worker, Stride int
	// InFlight bounds handshakes under way.
	InFlight int
	// Sources is how many source addresses are used, from 127.0.0.10 on, so that ports do not run out.
	Sources int
	// ReceiveBuffer sets SO_RCVBUF in bytes; 0 leaves the system's.
	ReceiveBuffer int
	// PingEvery is the interval of client pings, each client's own; 0 sends none.
	PingEvery time.Duration
}

const (
	// receiveSize is the buffer that all clients of a loop read into.
	receiveSize = 512 << 10
	// sendBatch bounds the messages sent between two looks at the sockets.
	sendBatch = 64
	// bindAddressNoPort is IP_BIND_ADDRESS_NO_PORT: choose the port at connect, so that ports are per destination.
	bindAddressNoPort = 24
	// maxComplaints bounds what a worker prints about connections that went wrong.
	maxComplaints = 5
)

// loop is a worker's only goroutine that touches its clients.
type loop struct {
	cfg     WorkerConfig
	board   *WorkerBoard
	shared  *Board
	errors  io.Writer
	epoll   int
	wakeup  int // eventfd: a command waits
	alarm   int // timerfd: something is due
	clients []*client
	byFD    []*client
	buf     []byte
	remote  *unix.SockaddrInet4
	tokens  []string

	commands  chan func()
	stopped   bool
	want      int // clients to have opened
	pending   int // handshakes under way
	since     int64
	delivered int64 // of the current batch of events
	plan      *sendPlan
	pings     pacer
	complains int
}

func newLoop(cfg WorkerConfig, shared *Board, errors io.Writer) (*loop, error) {
	remote, err := net.ResolveTCPAddr("tcp4", cfg.Endpoint.Address)
	if err != nil {
		return nil, fmt.Errorf("resolve service: %w", err)
	}
	l := &loop{
		cfg: cfg, shared: shared, board: &shared.Workers[cfg.Worker], errors: errors,
		byFD: make([]*client, 1024), buf: make([]byte, receiveSize),
		remote: &unix.SockaddrInet4{Port: remote.Port, Addr: [4]byte(remote.IP.To4())},
		// One command at a time comes from the control connection.
		commands: make(chan func(), 1),
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	if l.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	if l.alarm, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	for _, fd := range []int{l.wakeup, l.alarm} {
		interest := &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, interest); err != nil {
			return nil, fmt.Errorf("watch descriptor: %w", err)
		}
	}
	return l, nil
}

// do runs f on the loop and waits for it.
func (l *loop) do(f func()) {
	done := make(chan struct{})
	l.commands <- func() { f(); close(done) }
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(l.wakeup, one[:])
	<-done
}

// run handles events until stopped is set.
func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, 1024)
	for !l.stopped {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for events: %w", err)
		}
		l.since = l.shared.Since.Load()
		for i := range max(n, 0) {
			l.event(&events[i])
		}
		if l.delivered > 0 {
			l.board.Delivered.Add(l.delivered)
			l.delivered = 0
		}
		l.open()
		l.sendDue()
		l.setAlarm()
	}
	for _, c := range l.clients {
		if c.state != stateGone {
			_ = unix.Close(int(c.fd))
		}
	}
	for _, fd := range []int{l.epoll, l.wakeup, l.alarm} {
		_ = unix.Close(fd)
	}
	return nil
}

func (l *loop) event(e *unix.EpollEvent) {
	var counter [8]byte
	switch int(e.Fd) {
	case l.wakeup:
		_, _ = unix.Read(l.wakeup, counter[:])
		for len(l.commands) > 0 {
			(<-l.commands)()
		}
		return
	case l.alarm:
		_, _ = unix.Read(l.alarm, counter[:])
		return
	}
	c := l.byFD[e.Fd]
	if c == nil {
		return
	}
	switch c.state {
	case stateConnecting:
		l.connected(c, e.Events)
	case stateStalled:
		if e.Events&(unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 {
			l.board.StalledClosed.Add(1)
			l.forget(c)
		}
	case stateGone:
	case stateNegotiating, stateUpgrading, stateHandshaking, stateReady:
		l.receive(c)
	}
}

func (l *loop) connected(c *client, events uint32) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		errno, _ := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
		l.drop(c, "connect: "+unix.Errno(errno).Error())
		return
	}
	l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	l.begin(c)
}

// receive reads once; what did not fit in the buffer makes the level-triggered epoll report again.
func (l *loop) receive(c *client) {
	head := copy(l.buf, c.part)
	n, err := unix.Read(int(c.fd), l.buf[head:])
	if n <= 0 {
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			l.drop(c, "read: "+err.Error())
		default:
			l.drop(c, "read: the service ended the connection")
		}
		return
	}
	at := now()
	l.board.Reads.Add(1)
	l.board.Bytes.Add(int64(n))
	before := c.state
	rest := l.consume(c, l.buf[:head+n], at)
	if before < stateReady && c.state >= stateReady && c.state != stateGone {
		l.pending--
	}
	c.part = append(c.part[:0], rest...)
	if len(rest) == 0 {
		c.part = nil
	}
}

// open starts connections until enough are under way.
func (l *loop) open() {
	for len(l.clients) < l.want && l.pending < l.cfg.InFlight {
		if err := l.dial(); err != nil {
			l.complain(nil, err.Error())
			l.board.Failed.Add(int64(l.want - len(l.clients)))
			l.want = len(l.clients)
		}
	}
}

func (l *loop) dial() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	k := len(l.clients)
	c := &client{
		fd: int32(fd), index: int32(l.cfg.Worker + k*l.cfg.Stride),
		protocol: l.cfg.Protocols[k%len(l.cfg.Protocols)], started: now(),
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, bindAddressNoPort, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if l.cfg.ReceiveBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, l.cfg.ReceiveBuffer)
	}
	// A reset instead of FIN: tens of thousands of connections shall not linger in TIME_WAIT.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if l.remote.Addr[0] == 127 && l.cfg.Sources > 0 {
		source := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(10 + k%l.cfg.Sources)}}
		if err := unix.Bind(fd, source); err != nil {
			return fmt.Errorf("bind source address: %w", err)
		}
	}
	for fd >= len(l.byFD) {
		l.byFD = append(l.byFD, make([]*client, len(l.byFD))...)
	}
	l.clients, l.byFD[fd] = append(l.clients, c), c
	l.pending++
	if err := unix.Connect(fd, l.remote); err != nil && err != unix.EINPROGRESS {
		l.drop(c, "connect: "+err.Error())
		return nil
	}
	l.watch(c, unix.EPOLL_CTL_ADD, unix.EPOLLOUT)
	return nil
}

func (l *loop) watch(c *client, op int, events uint32) {
	if err := unix.EpollCtl(l.epoll, op, int(c.fd), &unix.EpollEvent{Events: events, Fd: c.fd}); err != nil {
		l.drop(c, "watch socket: "+err.Error())
	}
}

// drop ends a client and books it as failed or closed.
func (l *loop) drop(c *client, why string) {
	switch {
	case c.state == stateGone:
		return
	case c.state < stateReady:
		l.pending--
		l.board.Failed.Add(1)
	default:
		l.board.Closed.Add(1)
	}
	l.complain(c, why)
	l.forget(c)
}

func (l *loop) forget(c *client) {
	_ = unix.Close(int(c.fd))
	l.byFD[c.fd] = nil
	c.state, c.part = stateGone, nil
}

func (l *loop) complain(c *client, why string) {
	if l.complains++; l.complains > maxComplaints {
		return
	}
	who := "worker"
	if c != nil {
		who = UserID(int(c.index))
	}
	fmt.Fprintf(l.errors, "%s: %s\n", who, why)
}

// token makes the tokens of all clients ahead of the first use: signing must not be part of a connect.
func (l *loop) token(c *client) string { return l.tokens[(int(c.index)-l.cfg.Worker)/l.cfg.Stride] }

func (l *loop) makeTokens(n int) error {
	for k := len(l.tokens); k < n; k++ {
		t, err := l.cfg.Endpoint.ClientToken(l.cfg.Hub, l.cfg.Worker+k*l.cfg.Stride, time.Now())
		if err != nil {
			return err
		}
		l.tokens = append(l.tokens, t)
	}
	return nil
}
