// Package controllers reconciles SignalRInstance objects: it reads an instance and all its children into one observed
// value, decides what should be, applies it with server-side apply under one field owner, writes status once and emits
// events. What a child looks like is said in controllers/resources, how many units there should be in
// controllers/autoscale; what a user may write is said in api/v1alpha1. It is never on the data path: when it is dead,
// edges serve on.
//
// The files are named after the questions: observe.go (what is there), decide.go (what should be), keys.go (which keys
// are in force), rollout.go (which template the edges run), scale.go (how many pods, which leave first), endpoint.go
// (whether clients can get there), apply.go (make it so), conditions.go and status.go (say it), events.go, metrics.go,
// edges.go (ask the edges).
//
// Concurrency: one Reconciler serves many instances at once, one instance is never reconciled twice at a time
// (controller-runtime sees to it). What instances share (memory between reconciles) is guarded by its own mutex.
package controllers
