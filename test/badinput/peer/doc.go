// Package peer is what tests of a whole node speak with it: a node in this process on loopback, its metrics and
// status, tokens of every kind of wrong, and a hub client that sends whatever bytes a test wants.
//
// It is not a well-behaved client: it answers nothing by itself and checks nothing. Stock clients are in
// test/conformance.
//
// Concurrency: a Node may be used by many goroutines; a Client has one user at a time.
package peer
