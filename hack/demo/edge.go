package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	edgePackage = "github.com/signalr-operator/signalr-operator/edge/cmd/edge"
	edgeBinary  = "signalr-edge"

	// edgeKey is the dev service's default key, published by the vendor for its emulator and good on loopback only.
	edgeKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

	edgeReady = 20 * time.Second
	// edgeStop bounds the service's drain when the demo ends.
	edgeStop = 15 * time.Second
)

// edgeProcess is the dev service as a child process.
type edgeProcess struct {
	cmd      *exec.Cmd
	log      *lastLines
	endpoint string
	// done is closed when the process has ended; err is valid from then on.
	done chan struct{}
	err  error
}

// findEdge returns the path of the service's program: the given one, the one next to this program, or one that it
// builds into dir.
func findEdge(ctx context.Context, given, dir string) (string, error) {
	if given != "" {
		return given, nil
	}
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), edgeBinary)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	// Built, not "go run": that would not pass signals on.
	path := filepath.Join(dir, edgeBinary)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, edgePackage)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", edgeBinary, err, out)
	}
	return path, nil
}

// startEdge starts the service and returns when it answers. Its output goes to verbose when that is not nil.
func startEdge(ctx context.Context, path, listen, admin string, verbose io.Writer) (*edgeProcess, error) {
	e := &edgeProcess{log: &lastLines{also: verbose}, endpoint: "http://" + listen, done: make(chan struct{})}
	// Not bound to ctx: the process is asked to end by stop, and given time.
	e.cmd = exec.CommandContext(context.WithoutCancel(ctx), path,
		"dev", "--mode", "Default", "--listen", listen, "--admin", admin, "--key", edgeKey)
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	// In a group of its own: Ctrl-C reaches the demo, and the demo ends things in order.
	ownGroup(e.cmd)
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", edgeBinary, err)
	}
	go func() {
		e.err = e.cmd.Wait()
		close(e.done)
	}()
	if err := e.waitReady(ctx); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

func (e *edgeProcess) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, edgeReady)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.endpoint+"/api/health", http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		select {
		case <-e.done:
			return fmt.Errorf("%s ended at once: %w\n%s", edgeBinary, e.err, e.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", edgeBinary, err, e.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop asks the service to drain and waits; when it takes too long it is killed.
func (e *edgeProcess) stop() error {
	select {
	case <-e.done:
		return nil
	default:
	}
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", edgeBinary, err)
	}
	select {
	case <-e.done:
		if e.err != nil {
			return fmt.Errorf("%s: %w\n%s", edgeBinary, e.err, e.log)
		}
		return nil
	case <-time.After(edgeStop):
		_ = e.cmd.Process.Kill() // it ended in this moment, or it ends now
		<-e.done
		return fmt.Errorf("%s did not end within %s and was killed", edgeBinary, edgeStop)
	}
}

// lastLines keeps the end of a process's output, for when it fails.
type lastLines struct {
	also io.Writer // may be nil

	mu sync.Mutex
	// text is guarded by mu.
	text bytes.Buffer
}

func (l *lastLines) Write(b []byte) (int, error) {
	const keep = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.also != nil {
		_, _ = l.also.Write(b) // a closed terminal must not stop the service
	}
	if l.text.Len() > keep {
		l.text.Next(keep / 2)
	}
	return l.text.Write(b)
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.text.String())
}
