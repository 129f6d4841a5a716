package shard

import (
	"net"

	"golang.org/x/sys/unix"
)

func init() {
	drivers = append(drivers, driver{name: "epoll", pair: tcpPair, bind: bindDescriptor})
}

// bindDescriptor hands over the socket as the front door does: duplicated, unknown to the runtime's poller.
func bindDescriptor(x *Shards, near net.Conn, buffered []byte, c *Client) bool {
	fd := -1
	if raw, err := near.(*net.TCPConn).SyscallConn(); err == nil {
		_ = raw.Control(func(s uintptr) { fd, _ = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	}
	_ = near.Close()
	return fd >= 0 && x.Bind(fd, buffered, c)
}
