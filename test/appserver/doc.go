// Package appserver is a Go app server that speaks the server side of the service protocol, as the stock .NET server
// SDK 1.34.0 does: it answers the first leg of negotiation, holds server connections to the service, and runs hubs
// whose methods are Go functions. It exists for tests and for the demo.
//
// It is not a product: it follows the SDK closely (texts, order, timers) and offers knobs that only tests need. It is
// not a client of the hub protocol either; clients reach it through the service alone.
//
// Concurrency: every exported type is safe for use by many goroutines. One goroutine reads each server connection and
// one writes it; hub methods of one client run one at a time in a goroutine that exists only while there is work, so an
// idle client costs no goroutine. Close and Shutdown wait for everything the server started.
//
// References such as "4.7" in comments mean sections of the service protocol specification.
package appserver
