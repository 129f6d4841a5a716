// Package shard is the heart of the edge: event loops that own client connections, their sessions and the index of
// hubs, groups and users, and that deliver messages to them (design.md section 2).
//
// What it is not: it knows no HTTP, no tokens and no sockets of app servers. A connection arrives upgraded
// ([Shards.Bind], [Shards.BindStream]); what app servers say arrives as decoded service messages
// ([Shards.Dispatch]); what clients say leaves through a [Link].
//
// # Concurrency
//
// A shard is one goroutine that owns everything in it: nothing in a shard is locked. Others reach it through its
// mailbox only, a bounded queue. What one sender says goes through the same mailboxes in the order it said it, so
// "join, then send" holds by construction. Only a server connection's reader may wait for room in a mailbox; a
// shard waits for nobody.
//
// A connection lives for life in the shard that the hash of its id names; no table maps ids to shards.
//
// # Delivery
//
// A message is framed once per hub protocol ([frame]) and shared by all its recipients. A command in the mailbox
// names the target; the shard appends the frame to each member's queue and marks the member dirty. At the end of a
// turn dirty sessions are written, each with one system call whatever waits for it: an idle edge adds no delay, a
// busy one joins messages by itself. Fan-outs are written in slices, and sessions that a message addressed alone go
// first, so that an echo never waits behind a broadcast.
package shard
