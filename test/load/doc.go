// Package load is the library behind signalr-bench: it drives a SignalR service in Default mode with many cheap client
// connections and an app server of its own, and says what the service delivered, how late, and at what price.
//
// It is a ruler, not a client library: connections are raw non-blocking sockets behind one epoll loop per process,
// frames are prepared once and patched in place, and nothing is checked on the receive path beyond the stamp, the
// sender and the sequence number inside each payload. It is not a conformance test either; test/conformance is.
//
// Three kinds of process take part. The parent ([Bench]) starts and measures the edge, starts the others and merges
// their figures. A worker ([ServeWorker]) holds clients. The app server ([ServeAppServer]) speaks the server side of
// the service protocol, so that the pace of broadcasts is controlled exactly and the CPU time of the edge is measured
// alone. They talk over JSON lines on stdin and stdout, and share one page set of counters ([Board]).
//
// Concurrency: a worker's loop is one goroutine locked to its thread and owns all its connections; only the counters of
// the Board, all atomics, are read by others. The app server has one reader goroutine per server connection. The
// package is Linux only: epoll, timerfd, memfd and /proc.
package load
