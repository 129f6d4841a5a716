// Package resources builds the children of a SignalRInstance: one file per kind, each a pure function from Input to
// the object as it should be, or nil when there should be none. It also holds what those objects are computed from:
// the edges' configuration, the number of edges, addresses and connection strings, and the revision that says when
// pods have to be replaced.
//
// It reads no cluster and applies nothing: package controllers does. Every object is complete: server-side apply under
// one field owner makes the live one equal in the fields that stand here, and removes those that no longer do. What a
// builder leaves out belongs to others or to the API server's defaults.
//
// A changed builder must not restart anybody's edges: whether a Deployment's pod template is applied is decided by
// Revision, which hashes what the template is made from, never what it is made into.
//
// Concurrency: functions of values. Input is not changed; objects that are returned share nothing with it.
package resources
