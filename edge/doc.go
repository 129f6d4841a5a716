// Package edge assembles a node: it joins the shards, the registry of app servers, the front door and the admin port
// from a configuration, and owns their life: start, ready, reload, drain, stop.
//
// What it is not: it has no behaviour of its own on the way of a message. The rooms do not know each other; the
// adapters here are the only place that knows all of them.
//
// Concurrency: a [Node] is started once and stopped once; [Node.Reload] may be called at any time in between. Its own
// goroutines are the clock (one tick a second), the registry's ticker and the two HTTP servers.
package edge
