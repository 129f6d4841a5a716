// Package websocket reads and writes RFC 6455 frames in memory: an incremental [Reader] that unmasks in place,
// appenders for the frames that go out, and the check and answer of the HTTP upgrade.
//
// It is not a connection: it does no I/O, answers no ping, keeps no time, starts no goroutine, and knows no extensions
// (permessage-deflate is declined by never being answered) and no subprotocols.
//
// Concurrency: a Reader belongs to one goroutine at a time; the functions keep no state.
package websocket
