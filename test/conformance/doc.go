// Package conformance shows the behaviours of the service to its users: the stock JavaScript client, in Node and in
// Chromium, against an edge and the Go app server of test/appserver. Each behaviour is a sentence in suite/ and runs
// for JSON and for MessagePack; browser/ holds what a person sees of the demo.
//
// The Go tests only build, start, stop and watch the processes; what is expected is written in JavaScript. A child
// process that reports a data race or panics fails the test, whatever the clients saw.
//
// Concurrency: the tests start processes on free loopback ports and run beside other packages' tests; within this
// package they run one after the other.
package conformance
