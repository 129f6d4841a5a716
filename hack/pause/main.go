// Command pause does nothing until it is told to end: it is the container that holds a pod's network in the clusters of
// hack/cluster, which cannot pull the usual one. It has no concurrency.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
