// Package transport is the edge's front door: negotiate and the WebSocket upgrades of clients and app servers
// (client-protocol.md 1 and 2, service-protocol.md 2). It checks, authorises and answers requests with net/http, and
// hands upgraded sockets on: clients to the shards, app servers to their registry.
//
// What it is not: it moves no messages, and keeps nothing of a connection that it handed over but, for a few seconds,
// that its connection token was used.
//
// # Concurrency
//
// Everything here may be called by many request goroutines; what they share are atomics and two small maps, each
// behind its own mutex.
package transport
