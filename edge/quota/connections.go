package quota

import "sync/atomic"

// Connections counts live connections against a limit. A full quota refuses new ones and never cuts live ones.
type Connections struct {
	count atomic.Int64
	_     [cacheLine - 8]byte
	limit atomic.Int64
}

// NewConnections returns an empty count with a limit of connections, or without one if limit is negative.
func NewConnections(limit int64) *Connections {
	c := &Connections{}
	c.SetLimit(limit)
	return c
}

// Acquire takes one place and reports whether there was one. Each success needs one Release.
func (c *Connections) Acquire() bool {
	limit := c.limit.Load()
	if limit < 0 {
		c.count.Add(1)
		return true
	}
	for {
		n := c.count.Load()
		if n >= limit {
			return false
		}
		if c.count.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release gives one place back. One Release too many is ignored: a negative count would admit too many for ever.
func (c *Connections) Release() {
	for {
		n := c.count.Load()
		if n <= 0 || c.count.CompareAndSwap(n, n-1) {
			return
		}
	}
}

// Count returns the number of places taken. It is more than Limit after the limit was lowered, until enough left.
func (c *Connections) Count() int64 { return c.count.Load() }

// Limit returns the limit, Unlimited if there is none.
func (c *Connections) Limit() int64 { return c.limit.Load() }

// SetLimit changes the limit, a negative one to none. Lowering it takes nothing from those who are in.
func (c *Connections) SetLimit(limit int64) { c.limit.Store(max(limit, Unlimited)) }
