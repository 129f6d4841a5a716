package shard

import (
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Sender is where answers to a service message go. Its methods only append to an outgoing queue: they never block.
type Sender interface {
	// Send appends m. It reports whether the queue was empty: then the caller owes a Flush at the end of its turn.
	Send(m service.Message) bool
	// Flush wakes the writer.
	Flush()
}

// Link is a server connection as a session sees it: where its bytes go and who is behind it.
type Link interface {
	Sender
	// ID is the connection's cid, for logs.
	ID() string
	// ServerID names the app server process (X-ASRS-Server-Id).
	ServerID() string
	// Hub is the lower-case name of the hub that the connection serves.
	Hub() string
	// Migratable reports whether the app server takes part in client migration (spec 4.8).
	Migratable() bool
	// Draining reports whether the app server said fin (spec 4.7).
	Draining() bool
	// Congested reports whether so much waits for the app server that its clients' input must pause.
	Congested() bool
	// Data appends a ConnectionData frame and reports like Send. p is copied.
	Data(connectionID string, p []byte) bool
	// Attach adds delta to the number of clients that the connection carries.
	Attach(delta int)
	// InvocationHold is how long a client's answer must be held back after this server's ClientInvocation
	// (spec 5.7, the SDK's own race). Calling it counts an invocation.
	InvocationHold() time.Duration
}

// Sticky says how firmly a client is bound to an app server (claim asrs.s.ssticky).
type Sticky uint8

// The sticky modes.
const (
	StickyNone Sticky = iota
	StickyPreferred
	StickyRequired
)

// Want describes the server connection that a session needs.
type Want struct {
	Hub      string
	ServerID string
	Sticky   Sticky
	// ExcludeServer names a server that must not be chosen: a migration leaves it.
	ExcludeServer string
	// Migratable asks for a connection whose server takes part in migration.
	Migratable bool
}

// Choose finds a server connection for a session and counts the session as one of its clients. Without one it
// returns nil and why: reason.NoServer may heal while the client waits. It is called by shards and must not block.
type Choose func(Want) (Link, reason.Reason)
