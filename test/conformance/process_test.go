package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startLimit bounds how long a process may take to serve its first request, race detector and a busy machine included.
const startLimit = 30 * time.Second

// process is one child. Its life is watched by one goroutine; all methods are safe for concurrent use.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *logBuffer
	// done is closed when the process has ended; code is valid from then on: the exit code, or -1 for a signal.
	done chan struct{}
	code int
}

// start runs a program until the test ends. Its output is kept, and shown when the test fails.
func start(t testing.TB, name, program string, args ...string) (*process, error) {
	t.Helper()
	p := &process{name: name, log: &logBuffer{}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	p.cmd.Stdout = p.log
	p.cmd.Stderr = p.log
	p.cmd.WaitDelay = 10 * time.Second
	dieWithTest(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		var exit *exec.ExitError
		if err := p.cmd.Wait(); errors.As(err, &exit) {
			p.code = exit.ExitCode()
		} else if err != nil {
			p.code = -1
		}
	}()
	t.Cleanup(func() {
		p.stop()
		p.check(t)
	})
	return p, nil
}

// terminate asks the process to end.
func (p *process) terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
}

// kill ends the process at once, as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends the process within ten seconds, gently if it will.
func (p *process) stop() {
	p.terminate()
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

// check fails the test when the process reported what no program may: a data race or a panic.
func (p *process) check(t testing.TB) {
	t.Helper()
	out := p.log.String()
	for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if strings.Contains(out, sign) {
			t.Errorf("%s reported %q", p.name, sign)
		}
	}
	if t.Failed() {
		t.Logf("output of %s:\n%s", p.name, tail(out, 60))
	}
}

// ready waits until probe succeeds.
func (p *process) ready(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended with code %d before it was ready:\n%s", p.name, p.code, tail(p.log.String(), 40))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, tail(p.log.String(), 40))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers returns a probe that wants status 200 of a request.
func answers(method, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(io.LimitReader(res.Body, 512))
			return fmt.Errorf("%s %s: status %d: %s", method, url, res.StatusCode, body)
		}
		return nil
	}
}

// logBuffer keeps the last part of what a process wrote.
type logBuffer struct {
	mu sync.Mutex
	// b is guarded by mu.
	b bytes.Buffer
}

// logLimit is the number of bytes kept of a process's output.
const logLimit = 1 << 20

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > logLimit {
		l.b.Next(logLimit / 2)
	}
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tail returns the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// freeAddress returns a loopback address nobody listens on at the moment.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// build compiles programs of this module, named by folder, into a directory and returns that. They get the race
// detector when the test has it.
func build(t testing.TB, folders ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range folders {
		args := []string{"build", "-o", filepath.Join(dir, programName(folder))}
		if raceEnabled {
			args = append(args, "-race")
		}
		args = append(args, folder)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir
}

// programName is what a program of this module is called in bin.
func programName(folder string) string {
	if folder == edgeFolder {
		return "signalr-edge"
	}
	return filepath.Base(folder)
}

// root returns the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller information")
	}
	dir := filepath.Join(filepath.Dir(file), "..", "..")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("find the module: %v", err)
	}
	return dir
}

// npmInstall brings the packages of a folder's lock file into its node_modules, unless they are there.
func npmInstall(t testing.TB, dir string) {
	t.Helper()
	want, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatalf("find the lock file: %v", err)
	}
	have, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && !have.ModTime().Before(want.ModTime()) {
		return
	}
	npm := program(t, "npm")
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in %s: %v\n%s", filepath.Base(dir), err, out)
	}
}

// program finds one of several names of a program, or says what to install.
func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: these tests need Node 20 or newer with npm, and for the demo a Chromium "+
		"(Debian and Ubuntu: apt-get install nodejs npm chromium)", names[0])
	return ""
}
