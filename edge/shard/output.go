package shard

import (
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// frame is one WebSocket message as it goes on the wire, immutable and shared by all its recipients.
type frame struct {
	b     []byte
	units int32 // billable messages (rest-and-serverless.md 5.3); 0 for what is free
}

// messageUnit is the size of which each started one counts a billable message.
const messageUnit = 2048

func units(n int) int32 { return int32(max((n+messageUnit-1)/messageUnit, 1)) }

// headroom is left in front of a payload whose WebSocket opcode is not known yet.
const headroom = 10

// newFrame frames a payload.
func newFrame(op websocket.Opcode, payload []byte, units int32) *frame {
	b := make([]byte, 0, websocket.HeaderSize(len(payload))+len(payload))
	b = websocket.AppendHeader(b, op, len(payload))
	return &frame{b: append(b, payload...), units: units}
}

// frameInPlace puts the header in front of the payload that stands at b[headroom:].
func frameInPlace(op websocket.Opcode, b []byte, units int32) *frame {
	n := len(b) - headroom
	start := headroom - websocket.HeaderSize(n)
	websocket.PutHeader(b[start:], op, n)
	return &frame{b: b[start:], units: units}
}

// chunkFrames makes a chunk one cache line.
const chunkFrames = 6

// chunk is a piece of an output queue. Chunks are pooled by the shard: queueing allocates nothing per recipient.
type chunk struct {
	next   *chunk
	frames [chunkFrames]*frame
	n      int32
}

// outQueue is what waits for one client. The first frame is the one being written; the rest is bounded in bytes.
type outQueue struct {
	first      *frame
	head, tail *chunk
	written    int32 // bytes of first that the socket took
	behind     int32 // bytes behind first
}

// enqueue appends f to s's queue; a full queue of a socket that takes nothing ends the connection.
func (sh *shard) enqueue(s *session, f *frame, how dirty) {
	if s.state >= stateClosing {
		return
	}
	if s.out.first != nil && int(s.out.behind)+len(f.b) > sh.queueLimit && !sh.makeRoom(s, f) {
		return
	}
	sh.push(s, f)
	sh.queuedUnits += int64(f.units)
	if s.stalledSince == 0 && s.dirty < how {
		sh.markDirty(s, how)
	}
}

// makeRoom deals with a full queue: it may only not be written yet, or its socket may take data again and the shard
// not know yet. If the socket takes too little, the client is too slow and is cut.
func (sh *shard) makeRoom(s *session, f *frame) bool {
	sh.flush(s)
	if s.state >= stateClosing {
		return false
	}
	if s.out.first != nil && int(s.out.behind)+len(f.b) > sh.queueLimit {
		sh.end(s, reason.SlowQueue, "")
		return false
	}
	return true
}

// push appends f behind the first frame; with an emptied queue it becomes the first.
func (sh *shard) push(s *session, f *frame) {
	q := &s.out
	if q.first == nil {
		q.first = f
		return
	}
	c := q.tail
	if c == nil || c.n == chunkFrames {
		c = sh.newChunk()
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail = c
	}
	c.frames[c.n] = f
	c.n++
	q.behind += int32(len(f.b))
	if s.stalledSince == 0 {
		sh.backlog++
	}
}

func (sh *shard) newChunk() *chunk {
	c := sh.chunks
	if c == nil {
		return &chunk{}
	}
	sh.chunks, c.next = c.next, nil
	sh.spare--
	return c
}

// freeChunk takes back a chunk of s, whose frames were written or are thrown away.
func (sh *shard) freeChunk(s *session, c *chunk) {
	if s.stalledSince == 0 {
		sh.backlog -= int(c.n)
	}
	if sh.spare >= max(4096, len(sh.sessions)) {
		return
	}
	clear(c.frames[:c.n])
	c.n = 0
	c.next, sh.chunks = sh.chunks, c
	sh.spare++
}

// releaseQueue forgets what waits for s.
func (sh *shard) releaseQueue(s *session) {
	for c := s.out.head; c != nil; {
		next := c.next
		sh.freeChunk(s, c)
		c = next
	}
	s.out = outQueue{}
}

func (sh *shard) markDirty(s *session, how dirty) {
	s.dirty = how
	if how == dirtyFirst {
		sh.first = append(sh.first, s)
	} else {
		sh.bulk = append(sh.bulk, s)
	}
}

const (
	// flushSlice is how many sessions a fan-out writes before the loop looks for other work (design.md section 2).
	flushSlice = 512
	// maxVectors bounds one writev; what is behind goes with the next.
	maxVectors = 64
	// joinBelow: queues of small frames are copied together, which costs less than the kernel's walk over vectors.
	joinBelow = 16 << 10
)

// flushDirty writes the sessions that were addressed alone, then a slice of the fan-outs.
func (sh *shard) flushDirty() {
	for i, s := range sh.first {
		sh.first[i] = nil
		if s.dirty == dirtyFirst {
			s.dirty = dirtyNo
			sh.flush(s)
		}
	}
	sh.first = sh.first[:0]
	n := min(len(sh.bulk)-sh.bulkAt, flushSlice)
	for range n {
		s := sh.bulk[sh.bulkAt]
		sh.bulk[sh.bulkAt] = nil
		sh.bulkAt++
		if s.dirty == dirtyBulk {
			s.dirty = dirtyNo
			sh.flush(s)
		}
	}
	if sh.bulkAt == len(sh.bulk) {
		sh.bulk, sh.bulkAt = sh.bulk[:0], 0
	} else if sh.bulkAt > 1<<16 {
		kept := copy(sh.bulk, sh.bulk[sh.bulkAt:])
		clear(sh.bulk[kept:])
		sh.bulk, sh.bulkAt = sh.bulk[:kept], 0
	}
}

// flush writes what waits for s until the queue is empty or the socket takes no more.
func (sh *shard) flush(s *session) {
	q := &s.out
	for q.first != nil && s.state != stateClosed {
		total := sh.gather(q)
		n, blocked, err := sh.write(s)
		if err != nil {
			sh.gone(s)
			return
		}
		sh.bytesOut += int64(n)
		if n > 0 {
			s.lastOut = sh.now
			if s.stalledSince != 0 {
				s.stalledSince = sh.now
			}
			sh.consumed(s, n)
		}
		if blocked || n < total {
			if s.stalledSince == 0 {
				sh.stall(s)
			}
			return
		}
	}
	if s.stalledSince != 0 {
		s.stalledSince = 0
		sh.setInterest(s)
	}
	if s.state == stateClosing {
		sh.lastFrameSent(s)
	}
}

// stall waits until s's socket takes something again. What waits with it is no backlog: the mailbox must go on.
func (sh *shard) stall(s *session) {
	for c := s.out.head; c != nil; c = c.next {
		sh.backlog -= int(c.n)
	}
	s.stalledSince = sh.now
	sh.setInterest(s)
}

// gather puts the head of the queue into sh.vectors (one or several slices) and returns its size.
func (sh *shard) gather(q *outQueue) int {
	v := sh.vectors[:0]
	v = append(v, q.first.b[q.written:])
	total := len(v[0])
	for c := q.head; c != nil && len(v) < maxVectors; c = c.next {
		for _, f := range c.frames[:c.n] {
			if f == nil { // moved to the front already
				continue
			}
			if len(v) == maxVectors {
				break
			}
			v = append(v, f.b)
			total += len(f.b)
		}
	}
	if len(v) > 1 && total <= joinBelow {
		joined := sh.joined[:0]
		for _, b := range v {
			joined = append(joined, b...)
		}
		v = append(v[:0], joined)
	}
	sh.vectors = v
	return total
}

// consumed takes n written bytes from the queue's head.
func (sh *shard) consumed(s *session, n int) {
	q := &s.out
	left := len(q.first.b) - int(q.written)
	if n < left {
		q.written += int32(n)
		return
	}
	n -= left
	q.first, q.written = nil, 0
	for q.head != nil {
		c := q.head
		for i := range c.n {
			f := c.frames[i]
			if f == nil {
				continue
			}
			q.behind -= int32(len(f.b))
			c.frames[i] = nil
			if n < len(f.b) {
				q.first, q.written = f, int32(n)
				return
			}
			n -= len(f.b)
		}
		q.head = c.next
		if q.head == nil {
			q.tail = nil
		}
		sh.freeChunk(s, c)
	}
}
