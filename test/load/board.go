//go:build linux

package load

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxWorkers bounds the worker processes of one run.
const MaxWorkers = 64

// Board is the memory that the processes of one run share: every counter has one writer, and anybody may read. It lets
// the publisher of a closed loop see deliveries within microseconds, and the parent show progress, without a message.
type Board struct {
	// Since is the CLOCK_MONOTONIC time from which stamps count; older messages belong to an earlier phase.
	Since atomic.Int64
	_     [56]byte
	// Server is written by the app server.
	Server ServerBoard
	// Workers are written by one worker each.
	Workers [MaxWorkers]WorkerBoard
}

// ServerBoard holds the app server's counters.
type ServerBoard struct {
	// Opened and Handshaken count clients so far.
	Opened, Handshaken atomic.Int64
	// Closed counts CloseConnection messages; CloseAfter is when they came, measured from Board.Since.
	Closed     atomic.Int64
	CloseAfter Histogram
	// Published counts messages of the running publish command.
	Published atomic.Int64
	// Joined counts acknowledged group joins.
	Joined atomic.Int64
	// Lost counts server connections that ended early.
	Lost atomic.Int64
	_    [64]byte
}

// WorkerBoard holds one worker's counters. Those of deliveries cover the current phase, the others the worker's life.
type WorkerBoard struct {
	Delivered, Bytes, Reads, Reordered, Duplicated atomic.Int64
	// Sent counts messages that clients sent, Expected the deliveries that these must cause, Refused those that could not
	// be sent because the socket was full.
	Sent, Expected, Refused atomic.Int64
	// Ready, Failed and Closed count connections: handshaken, never handshaken, and ended after their handshake.
	Ready, Failed, Closed atomic.Int64
	// Stalled counts connections that stopped reading, StalledClosed those of them that the service was seen to end.
	Stalled, StalledClosed atomic.Int64
	// Latency is from when a message was due to the read that brought it, Connect from connect(2) to the end of the
	// handshake.
	Latency, Connect Histogram
	_                [64]byte
}

// NewBoard makes a board and the descriptor by which children map it.
func NewBoard() (*Board, *os.File, error) {
	fd, err := unix.MemfdCreate("signalr-bench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create board: %w", err)
	}
	f := os.NewFile(uintptr(fd), "board")
	if err := f.Truncate(int64(unsafe.Sizeof(Board{}))); err != nil {
		return nil, nil, fmt.Errorf("size board: %w", err)
	}
	b, err := MapBoard(f)
	return b, f, err
}

// MapBoard maps the board behind f. The mapping lives as long as the process.
func MapBoard(f *os.File) (*Board, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(Board{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map board: %w", err)
	}
	return (*Board)(unsafe.Pointer(unsafe.SliceData(mem))), nil
}

// Sum adds one counter over all workers.
func (b *Board) Sum(counter func(*WorkerBoard) *atomic.Int64) int64 {
	var n int64
	for i := range b.Workers {
		n += counter(&b.Workers[i]).Load()
	}
	return n
}

// Delivered is the number of messages that clients received in this phase.
func (b *Board) Delivered() int64 {
	return b.Sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Delivered })
}

// Ready is the number of clients whose handshake is done.
func (b *Board) Ready() int64 { return b.Sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Ready }) }

// Failed is the number of clients that never got through their handshake.
func (b *Board) Failed() int64 { return b.Sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Failed }) }

// Closed is the number of reading clients that lost their connection.
func (b *Board) Closed() int64 { return b.Sum(func(w *WorkerBoard) *atomic.Int64 { return &w.Closed }) }

// BeginPhase empties the counters of deliveries and lets only what is stamped from now on count. Nothing may be under
// way.
func (b *Board) BeginPhase() {
	b.Since.Store(now())
	b.Server.CloseAfter.Reset()
	b.Server.Closed.Store(0)
	b.Server.Published.Store(0)
	for i := range b.Workers {
		w := &b.Workers[i]
		for _, c := range []*atomic.Int64{
			&w.Delivered, &w.Bytes, &w.Reads, &w.Reordered, &w.Duplicated, &w.Sent, &w.Expected, &w.Refused,
		} {
			c.Store(0)
		}
		w.Latency.Reset()
	}
}

// Latency summarizes the deliveries of this phase.
func (b *Board) Latency() Distribution {
	return b.summarize(func(w *WorkerBoard) *Histogram { return &w.Latency })
}

// ConnectLatency summarizes the handshakes of the whole run.
func (b *Board) ConnectLatency() Distribution {
	return b.summarize(func(w *WorkerBoard) *Histogram { return &w.Connect })
}

func (b *Board) summarize(of func(*WorkerBoard) *Histogram) Distribution {
	var hs []*Histogram
	for i := range b.Workers {
		hs = append(hs, of(&b.Workers[i]))
	}
	return Summarize(hs...)
}
