// Command demo is a chat that runs on this machine with one command: the dev service as a child process, an app server
// (test/appserver) with the chat hub, and the page, which uses the stock SignalR client. Rooms are groups, direct
// messages go to users, and the app server knows who is here.
//
// It is an example and a smoke test, not a product: what was said lives in memory, and a name is all it takes to sign
// in.
//
// Concurrency: hub methods run in the app server's goroutines and share one board, which has one lock; nothing is sent
// while it is held.
package main
