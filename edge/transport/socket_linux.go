package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

// duplicate returns a descriptor of the socket that the runtime's poller does not know, or -1 if sock is no plain TCP
// socket. Not File(): that has a finalizer and a second registration (design.md section 2).
func duplicate(sock net.Conn) int {
	tcp, ok := sock.(*net.TCPConn)
	if !ok {
		return -1
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1
	}
	fd := -1
	if err := raw.Control(func(s uintptr) {
		if n, err := unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			fd = n
		}
	}); err != nil {
		return -1
	}
	return fd
}

func closeSocket(fd int, sock net.Conn) {
	if sock != nil {
		_ = sock.Close()
	}
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
