//go:build !linux

package transport

import "net"

func duplicate(net.Conn) int { return -1 }

func closeSocket(_ int, sock net.Conn) {
	if sock != nil {
		_ = sock.Close()
	}
}
