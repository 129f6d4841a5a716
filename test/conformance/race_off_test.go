//go:build !race

package conformance

// raceEnabled says that the tests were built with the race detector, and so are the programs they start.
const raceEnabled = false
