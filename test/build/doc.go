// Package build makes objects for tests: a SignalRInstance as the API server would hand it out, with every default, and
// changed in one line. It knows no API server; a test of package test/api holds its defaults against the schema.
//
//	build.Instance("chat").Units(10).Tier(signalrv1alpha1.TierPremium).Obj()
//
// Concurrency: a builder belongs to one goroutine. Obj returns a copy each time.
package build
