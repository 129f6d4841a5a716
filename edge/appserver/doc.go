// Package appserver is the edge's side of server connections: the sockets on which app servers speak the service
// protocol, who among them gets a client, and what they say about themselves (service-protocol.md section 4).
//
// What it is not: it does not know clients. What an app server says to them goes, decoded, to a [Router]; what they
// say arrives through [Conn.Data].
//
// # Concurrency
//
// A connection has two goroutines: Serve, which reads, is the caller's; a writer empties the outgoing queue, joining
// whatever waits into one WebSocket message. Any goroutine may append to the queue; appending never blocks. One
// ticker of the [Registry] pings all connections and looks for silent ones. Lock order: Registry.mu before Conn.mu.
package appserver
