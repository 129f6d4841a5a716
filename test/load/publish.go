//go:build linux

package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// Publish asks the app server to broadcast over its first server connection, so that all messages have one order.
type Publish struct {
	// Size is that of the JSON record which every client gets, in bytes.
	Size int
	// Clients is how many get it; a closed loop counts on it.
	Clients int
	// PerSecond and Count give an open loop: an even pace whatever happens.
	PerSecond float64
	Count     int
	// Window and For give a closed loop, used when PerSecond is 0: so many messages are kept outstanding for that time.
	Window int
	For    time.Duration
}

// PublishResult is what was done.
type PublishResult struct {
	Sent int
	// LateMillis is how far the publisher fell behind its pace at worst; it is part of every latency.
	LateMillis float64
}

const (
	// windowPoll is how often a closed loop looks at the deliveries.
	windowPoll = 100 * time.Microsecond
	// stuckAfter ends a closed loop that delivers nothing more.
	stuckAfter = 10 * time.Second
)

func (s *appServer) publish(p Publish) (PublishResult, error) {
	if len(s.conns) == 0 {
		return PublishResult{}, errors.New("the app server has no connection")
	}
	frame, stamps := dataFor(&service.BroadcastData{Payloads: s.payloads([]byte(datumFor(p.Size)))})
	send := func(at int64) error {
		s.seq++
		for _, o := range stamps {
			putStamp(frame[o:], at, publisherSender, s.seq)
		}
		s.board.Server.Published.Add(1)
		return s.conns[0].sendNow(frame)
	}
	if p.PerSecond > 0 {
		return s.publishPaced(p, send)
	}
	return s.publishWindow(p, send)
}

func (s *appServer) publishPaced(p Publish, send func(at int64) error) (r PublishResult, err error) {
	pace := newPacer(now(), p.PerSecond, p.Count)
	for {
		due, more := pace.next()
		if !more {
			return r, nil
		}
		if wait := due - now(); wait > 0 {
			time.Sleep(time.Duration(wait))
		}
		r.LateMillis = max(r.LateMillis, milliseconds(now()-due))
		if err := send(due); err != nil {
			return r, err
		}
		pace.done++
		r.Sent++
	}
}

func (s *appServer) publishWindow(p Publish, send func(at int64) error) (r PublishResult, err error) {
	end := now() + int64(p.For)
	moved, last := now(), int64(0)
	for now() < end {
		delivered := s.board.Delivered()
		if delivered != last {
			moved, last = now(), delivered
		}
		if delivered < int64(r.Sent-p.Window+1)*int64(p.Clients) {
			if now()-moved > int64(stuckAfter) {
				return r, fmt.Errorf("closed loop: %d of %d deliveries, and no more in %v",
					delivered, int64(r.Sent)*int64(p.Clients), stuckAfter)
			}
			time.Sleep(windowPoll)
			continue
		}
		if err := send(now()); err != nil {
			return r, err
		}
		r.Sent++
	}
	return r, nil
}

// join puts client i into group i modulo groups, each over the server connection that carries it, and waits for the
// acks.
func (s *appServer) join(groups int) error {
	s.board.Server.Joined.Store(0)
	s.mu.RLock()
	sent := int64(0)
	for index, client := range s.byIndex {
		sent++
		client.conn.append(&service.JoinGroupWithAck{
			ConnectionID: client.id, Group: GroupName(index % groups), AckID: int32(sent),
		})
	}
	s.mu.RUnlock()
	for _, c := range s.conns {
		if err := c.flush(); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(stuckAfter); s.board.Server.Joined.Load() < sent; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("join groups: %d of %d acknowledged", s.board.Server.Joined.Load(), sent)
		}
	}
	return nil
}
