// Command kubectl-signalr is a kubectl plugin for SignalRInstances: `kubectl signalr create`, `keys`, `scale` and so
// on, with the flags that `az signalr` gives the same things, and az-import for what lives in Azure today.
//
// It is a thin hand over the API: every command does what a few kubectl commands would, and the operator does the work.
// Keys and connection strings are printed by the commands of these names and by no other. Each command runs in one
// goroutine, but for forwarded ports, which it waits for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// version is set by the build.
var version = "dev"

// Exit codes.
const (
	exitError  = 1
	exitStrict = 2 // az-import --strict: something was dropped
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetLogger(logr.Discard()) // the client's own log; warnings of the API server are printed, see connectCluster
	c := &cli{
		streams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		config:  genericclioptions.NewConfigFlags(true),
		now:     time.Now,
		poll:    time.Second,
	}
	c.connect = c.connectCluster
	c.edges = c.forwardedEdges
	root := newRoot(c)
	if filepath.Base(os.Args[0]) == completer {
		root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, os.Args[1:]...))
	}
	if err := root.ExecuteContext(ctx); err != nil {
		code := exitError
		if errors.Is(err, errDropped) {
			code = exitStrict
		}
		fmt.Fprintln(os.Stderr, "error:", err)
		stop()
		os.Exit(code) //nolint:gocritic // stop was called by hand
	}
}
