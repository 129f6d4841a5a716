package shard

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package when a goroutine of a shard or of a stream outlives its Shards.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
