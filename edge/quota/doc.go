// Package quota counts what an instance may have of: client connections that live at once, and messages per UTC day.
//
// It decides nothing but whether a number is reached: who is refused, and in which words, is said elsewhere. It has no
// clock (callers pass the time), no goroutine, and does not know other edges: with several of them each counts against
// its own share.
//
// Concurrency: everything may be called by everybody at any time. The counters that every message and connection
// touches are single atomics on cache lines of their own.
package quota

// Unlimited is, as any negative number, the limit that is never reached.
const Unlimited = -1

// cacheLine keeps hot counters apart: 128 bytes, as processors fetch lines of 64 in pairs.
const cacheLine = 128
