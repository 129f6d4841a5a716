//go:build !linux

package shard

import (
	"errors"
	"net"
)

// Native reports whether connections may be bound by descriptor on this system.
const Native = false

var errNoEpoll = errors.New("shard: no epoll on this system")

// poller without epoll: the loop sleeps on a channel, all connections use the stream driver.
type poller struct{ bell chan struct{} }

func newPoller() (*poller, error) { return &poller{bell: make(chan struct{}, 1)}, nil }

func (p *poller) events(_ *shard, sleep bool) {
	if sleep {
		<-p.bell
	}
}

func (p *poller) wake() {
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func (p *poller) add(*session) error { return errNoEpoll }
func (p *poller) change(*session)    {}
func (p *poller) close()             {}

func tune(int) {}

func writeFD(int, [][]byte) (int, bool, error) { return 0, false, errNoEpoll }

func closeRaw(_ int, conn net.Conn) {
	if conn != nil {
		_ = conn.Close()
	}
}
