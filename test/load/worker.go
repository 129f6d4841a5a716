//go:build linux

package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Requests that a worker answers.
const (
	opConfigure = "configure" // WorkerConfig
	opConnect   = "connect"   // int: clients to have; returns at once, see WorkerBoard.Ready
	opTraffic   = "traffic"   // Traffic; returns when all is sent
	opStall     = "stall"     // int: so many of the newest clients stop reading
	opStop      = "stop"      // ends all connections
)

// ServeWorker is the main function of a worker process: it answers the parent's requests until in ends.
func ServeWorker(in io.Reader, out, errors io.Writer) error {
	board, err := MapBoard(os.NewFile(boardFD, "board"))
	if err != nil {
		return err
	}
	w := &worker{board: board, errors: errors}
	defer w.stop()
	return serve(in, out, w.handle)
}

type worker struct {
	board  *Board
	errors io.Writer
	loop   *loop
	ended  chan error
}

var errNotConfigured = errors.New("the worker is not configured")

func (w *worker) handle(op string, args json.RawMessage) (any, error) {
	if op == opConfigure {
		var cfg WorkerConfig
		if err := json.Unmarshal(args, &cfg); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		return nil, w.configure(cfg)
	}
	if w.loop == nil {
		return nil, errNotConfigured
	}
	switch op {
	case opConnect, opStall:
		var n int
		if err := json.Unmarshal(args, &n); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		if op == opConnect {
			return nil, w.connect(n)
		}
		w.loop.do(func() { w.loop.stall(n) })
		return nil, nil
	case opTraffic:
		var t Traffic
		if err := json.Unmarshal(args, &t); err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		plan := newSendPlan(t)
		w.loop.do(func() { w.loop.plan = plan })
		<-plan.finished
		return nil, nil
	case opStop:
		w.stop()
		return nil, nil
	}
	return nil, fmt.Errorf("unknown request %q", op)
}

func (w *worker) configure(cfg WorkerConfig) error {
	w.stop()
	l, err := newLoop(cfg, w.board, w.errors)
	if err != nil {
		return err
	}
	w.loop, w.ended = l, make(chan error, 1)
	go func() { w.ended <- l.run() }()
	return nil
}

func (w *worker) connect(n int) error {
	if err := raiseFileLimit(n); err != nil {
		return err
	}
	// Only the loop reads tokens, and only of clients it opens after this.
	var err error
	w.loop.do(func() { err = w.loop.makeTokens(n) })
	if err != nil {
		return err
	}
	w.loop.do(func() {
		w.loop.want = n
		if every := w.loop.cfg.PingEvery; every > 0 && n > 0 {
			w.loop.pings = newPacer(now()+int64(every), float64(n)/every.Seconds(), 0)
		}
	})
	return nil
}

func (w *worker) stop() {
	if w.loop == nil {
		return
	}
	w.loop.do(func() { w.loop.stopped = true })
	if err := <-w.ended; err != nil {
		fmt.Fprintln(w.errors, err)
	}
	w.loop = nil
}

// stall makes the newest n ready clients stop reading. They stay registered for hang-ups only.
func (l *loop) stall(n int) {
	for i := len(l.clients) - 1; i >= 0 && n > 0; i-- {
		c := l.clients[i]
		if c.state != stateReady {
			continue
		}
		c.state = stateStalled
		l.board.Stalled.Add(1)
		l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLRDHUP)
		n--
	}
}

// spareFiles is what a process needs beside its clients' sockets.
const spareFiles = 100

// raiseFileLimit lifts the soft limit of descriptors to the hard one and says so if that is not enough.
func raiseFileLimit(clients int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read descriptor limit: %w", err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("raise descriptor limit: %w", err)
		}
	}
	if uint64(clients+spareFiles) > limit.Max {
		return fmt.Errorf("%d clients in one process need %d file descriptors, the hard limit is %d: use more --processes",
			clients, clients+spareFiles, limit.Max)
	}
	return nil
}
