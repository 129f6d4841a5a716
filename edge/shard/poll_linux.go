package shard

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Native reports whether connections may be bound by descriptor on this system.
const Native = true

const (
	maxEvents = 512
	// notSentLowat is how much the kernel may keep unsent for a client before it says that the socket is full.
	// Measured: without it a client that stops reading hides 4 MB in the kernel, with it 0.2 (design.md section 2).
	notSentLowat = 128 << 10
	wakeSlot     = -1
)

// poller waits for sockets with an epoll instance of its own. It sleeps in the Go runtime's poller, of which its
// epoll descriptor is a member: a sleeping shard occupies no thread and no processor.
type poller struct {
	ep, event int
	file      *os.File
	raw       syscall.RawConn
	list      [maxEvents]unix.EpollEvent
	n         int
	look      func(uintptr) bool
}

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{ep: ep}
	if p.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot}
	if err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, p.event, &ev); err == nil {
		err = unix.SetNonblock(ep, true) // os.NewFile hands non-blocking descriptors to the runtime's poller
	}
	if err == nil {
		p.file = os.NewFile(uintptr(ep), "epoll")
		p.raw, err = p.file.SyscallConn()
	}
	if err != nil {
		_ = unix.Close(ep)
		_ = unix.Close(p.event)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p.look = func(uintptr) bool {
		p.n = p.wait()
		return p.n > 0
	}
	return p, nil
}

// wait asks epoll without blocking. RawSyscall: the call returns at once, so the runtime need not know of it.
func (p *poller) wait() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.ep),
		uintptr(unsafe.Pointer(&p.list[0])), maxEvents, 0, 0, 0) //nolint:gosec // an address for the kernel
	if errno != 0 {
		return 0
	}
	return int(n)
}

// events handles what is ready; with sleep it waits until something is.
func (p *poller) events(sh *shard, sleep bool) {
	p.n = p.wait()
	if p.n == 0 && sleep {
		if err := p.raw.Read(p.look); err != nil {
			panic("shard: epoll descriptor closed under its loop: " + err.Error())
		}
	}
	for i := range p.n {
		ev := &p.list[i]
		if ev.Fd == wakeSlot {
			var b [8]byte
			_, _ = unix.Read(p.event, b[:])
			continue
		}
		s := sh.slots[ev.Fd]
		if s == nil || s.fd != ev.Pad {
			continue // closed by an earlier event of this batch
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			sh.flush(s)
		}
		if ev.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 && s.state != stateClosed {
			p.read(sh, s, ev.Events)
		}
	}
}

func (p *poller) read(sh *shard, s *session, events uint32) {
	if !sh.readable(s) {
		if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			sh.gone(s)
		}
		return
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(s.fd),
		uintptr(unsafe.Pointer(&sh.buffer[0])), readBuffer) //nolint:gosec // an address for the kernel
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0 || n == 0:
		sh.gone(s)
	default:
		sh.received(s, sh.buffer[:n])
	}
}

func (p *poller) add(s *session) error {
	s.interest = interestRead
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: s.slot, Pad: s.fd}
	return unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, int(s.fd), &ev)
}

func (p *poller) change(s *session) {
	ev := unix.EpollEvent{Fd: s.slot, Pad: s.fd}
	if s.interest&interestRead != 0 {
		ev.Events |= unix.EPOLLIN
	}
	if s.interest&interestWrite != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	// The descriptor is ours and registered: this cannot fail but for lack of memory, which ends the session later.
	_ = unix.EpollCtl(p.ep, unix.EPOLL_CTL_MOD, int(s.fd), &ev)
}

// wake ends the loop's sleep.
func (p *poller) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(p.event, one[:])
}

func (p *poller) close() {
	_ = p.file.Close()
	_ = unix.Close(p.event)
}

// tune sets what every client socket has.
func tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat)
}

// writeFD writes without blocking and without telling the runtime: measured 1.2 times cheaper than net.Conn.
func writeFD(fd int, v [][]byte) (n int, full bool, err error) {
	var (
		r     uintptr
		errno syscall.Errno
	)
	if len(v) == 1 {
		r, _, errno = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd),
			uintptr(unsafe.Pointer(&v[0][0])), uintptr(len(v[0]))) //nolint:gosec // an address for the kernel
	} else {
		var iov [maxVectors]unix.Iovec
		for i, b := range v {
			iov[i].Base = &b[0]
			iov[i].SetLen(len(b))
		}
		r, _, errno = unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd),
			uintptr(unsafe.Pointer(&iov[0])), uintptr(len(v))) //nolint:gosec // an address for the kernel
	}
	if errno == 0 {
		return int(r), false, nil
	}
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return 0, true, nil
	}
	return 0, false, errno
}

func closeRaw(fd int, conn net.Conn) {
	if conn != nil {
		_ = conn.Close()
		return
	}
	_ = unix.Close(fd)
}
