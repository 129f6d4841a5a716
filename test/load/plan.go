//go:build linux

package load

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Traffic is what clients send to the app server's hub methods, at an even pace.
type Traffic struct {
	// Method is echo, group or connection.
	Method string
	// Invoke asks for a Completion (echo only); else the app server sends the datum back as a message.
	Invoke bool
	// Size is that of the JSON record which a receiver gets, in bytes.
	Size int
	// Clients is the number of clients of the whole run, Senders how many of them send: the first of each worker.
	Clients, Senders int
	// Groups is the number of groups that clients are spread over (method group); client i is in group i modulo Groups.
	Groups int
	// PerSecond and Count are this worker's share.
	PerSecond float64
	Count     int
}

// GroupName is the name of a bench group; it has keyWidth bytes.
func GroupName(group int) string { return fmt.Sprintf("g%0*d", keyWidth-1, group) }

// groupSize is how many of the clients are in the group.
func groupSize(group, clients, groups int) int {
	n := clients / groups
	if group < clients%groups {
		n++
	}
	return n
}

// pacer says when the next of a row of evenly spaced events is due.
type pacer struct {
	start    int64
	interval float64 // nanoseconds
	done     int
	total    int // 0: without end
}

func newPacer(start int64, perSecond float64, total int) pacer {
	return pacer{start: start, interval: float64(time.Second) / perSecond, total: total}
}

// next is when the next event is due; ok is false when none is left.
func (p *pacer) next() (at int64, ok bool) {
	if p.interval == 0 || p.total > 0 && p.done >= p.total {
		return 0, false
	}
	return p.start + int64(float64(p.done)*p.interval), true
}

// sendPlan is traffic in progress.
type sendPlan struct {
	Traffic
	pace      pacer
	templates [2]template // by protocol
	finished  chan struct{}
}

// template is a client frame with the places to patch.
type template struct {
	frame      []byte
	key, stamp int // offsets
}

func (t Traffic) template(p Protocol) template {
	id := ""
	if t.Invoke {
		id = "1"
	}
	datum := datumFor(t.Size)
	args := []string{datum}
	key := string(bytes.Repeat([]byte("#"), keyWidth))
	if t.Method != methodEcho {
		args = []string{key, datum}
	}
	frame := clientFrame(p.opcode(), p.invocation(id, t.Method, args...))
	return template{
		frame: frame, key: bytes.Index(frame, []byte(key)),
		stamp: bytes.Index(frame, []byte(datum[:StampSize])),
	}
}

func newSendPlan(t Traffic) *sendPlan {
	plan := &sendPlan{Traffic: t, finished: make(chan struct{})}
	for _, p := range []Protocol{JSON, MessagePack} {
		plan.templates[p] = t.template(p)
	}
	plan.pace = newPacer(now(), t.PerSecond, t.Count)
	return plan
}

// sendDue sends what is due: messages of the plan, then pings.
func (l *loop) sendDue() {
	t := now()
	for range sendBatch {
		if l.plan == nil {
			break
		}
		due, more := l.plan.pace.next()
		if !more {
			close(l.plan.finished)
			l.plan = nil
			break
		}
		if due > t {
			break
		}
		l.sendOne(l.plan, due)
		l.plan.pace.done++
	}
	for range sendBatch {
		due, ok := l.pings.next()
		if !ok || due > t || len(l.clients) == 0 {
			break
		}
		if c := l.clients[l.pings.done%len(l.clients)]; c.state == stateReady {
			l.send(c, clientFrame(c.protocol.opcode(), c.protocol.ping()))
		}
		l.pings.done++
	}
}

// sendOne sends the plan's next message. It is stamped with the time it was due: a sender that falls behind must not
// hide it.
func (l *loop) sendOne(plan *sendPlan, due int64) {
	senders := min(plan.Senders, len(l.clients))
	if senders == 0 {
		return
	}
	c := l.clients[plan.pace.done%senders]
	if c.state != stateReady {
		l.board.Refused.Add(1)
		return
	}
	tpl := &plan.templates[c.protocol]
	fanOut := 1
	switch plan.Method {
	case methodGroup:
		group := int(c.index) % plan.Groups
		copy(tpl.frame[tpl.key:], GroupName(group))
		fanOut = groupSize(group, plan.Clients, plan.Groups)
	case methodConnection:
		target := (int(c.index) + plan.Clients/2) % plan.Clients
		putDigits(tpl.frame[tpl.key:tpl.key+keyWidth], uint64(target))
	}
	c.seq++
	putStamp(tpl.frame[tpl.stamp:], due, int(c.index), c.seq)
	n, err := unix.Write(int(c.fd), tpl.frame)
	if n <= 0 {
		l.board.Refused.Add(1)
		if err != unix.EAGAIN {
			l.drop(c, fmt.Sprintf("write: %v", err))
		}
		return
	}
	l.board.Sent.Add(1)
	l.board.Expected.Add(int64(fanOut))
	l.send(c, tpl.frame[n:])
}

// setAlarm makes the loop wake up when something is due next.
func (l *loop) setAlarm() {
	var at int64
	if l.plan != nil {
		if due, ok := l.plan.pace.next(); ok {
			at = due
		} else {
			at = 1 // finished: come round at once
		}
	}
	if due, ok := l.pings.next(); ok && (at == 0 || due < at) {
		at = due
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(at)}
	_ = unix.TimerfdSettime(l.alarm, unix.TFD_TIMER_ABSTIME, &spec, nil)
}
