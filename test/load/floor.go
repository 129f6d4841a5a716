//go:build linux

package load

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

//go:embed floor/floor.c
var floorSource []byte

// floorSources is the first source address of the floor's sinks, 127.0.0.x; the clients' begin at 127.0.0.10.
const floorSources = 32

// FloorRun is what the C loop paid.
type FloorRun struct {
	Calls            int64   `json:"calls"`
	Refused          int64   `json:"refused"`
	CPUMicrosPerCall float64 `json:"cpuMicrosPerCall"`
	UserShare        float64 `json:"userShare"`
	Seconds          float64 `json:"seconds"`
}

// Floor is a running pair of the C loop and its readers, connected and idle between runs.
type Floor struct {
	dir    string
	server *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	sinks  []*exec.Cmd
}

// StartFloor compiles the floor with cc and connects sockets, read by as many processes as the clients of the run it is
// compared with. Each write is of size bytes.
func StartFloor(ctx context.Context, sockets, processes, size int) (floor *Floor, err error) {
	dir, err := os.MkdirTemp("", "signalr-floor-")
	if err != nil {
		return nil, fmt.Errorf("prepare floor: %w", err)
	}
	f := &Floor{dir: dir}
	defer func() {
		if err != nil {
			f.Stop()
		}
	}()
	source, program := filepath.Join(dir, "floor.c"), filepath.Join(dir, "floor")
	if err := os.WriteFile(source, floorSource, 0o600); err != nil {
		return nil, fmt.Errorf("write floor: %w", err)
	}
	if text, err := exec.CommandContext(ctx, "cc", "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile floor with cc: %w\n%s", err, text)
	}
	return f, f.start(ctx, program, sockets, processes, size)
}

func (f *Floor) start(ctx context.Context, program string, sockets, processes, size int) error {
	cmd := exec.Command(program, "server", strconv.Itoa(sockets), strconv.Itoa(size)) //nolint:noctx // ended by Stop
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start floor: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start floor: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start floor: %w", err)
	}
	f.server, f.in, f.out = cmd, in, bufio.NewScanner(out)
	var hello struct{ Port, Connected int }
	if err := f.read(ctx, &hello); err != nil {
		return err
	}
	for i := range processes {
		n := share(sockets, processes, i)
		sink := exec.Command(program, "sink", strconv.Itoa(hello.Port), //nolint:noctx // ends with the server
			strconv.Itoa(n), strconv.Itoa(floorSources+8*i))
		sink.Stderr = os.Stderr
		if err := sink.Start(); err != nil {
			return fmt.Errorf("start floor's reader: %w", err)
		}
		f.sinks = append(f.sinks, sink)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return f.read(ctx, &hello)
}

func (f *Floor) read(ctx context.Context, into any) error {
	done := make(chan error, 1)
	go func() {
		if !f.out.Scan() {
			done <- errors.Join(errors.New("floor: the process ended"), f.out.Err())
			return
		}
		done <- json.Unmarshal(f.out.Bytes(), into)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("floor: %w", context.Cause(ctx))
	}
}

// Run writes rounds times to every socket, perSecond rounds a second, and returns the cost.
func (f *Floor) Run(ctx context.Context, rounds int, perSecond float64) (FloorRun, error) {
	var r FloorRun
	if _, err := fmt.Fprintf(f.in, "%d %g\n", rounds, perSecond); err != nil {
		return r, fmt.Errorf("floor: %w", err)
	}
	return r, f.read(ctx, &r)
}

// Stop ends the processes and removes the program.
func (f *Floor) Stop() {
	if f.server != nil {
		_ = f.in.Close()
		waitOrKill(f.server, 3*time.Second)
	}
	for _, s := range f.sinks {
		waitOrKill(s, 3*time.Second)
	}
	_ = os.RemoveAll(f.dir)
}

// share is the i-th of parts nearly equal parts of n.
func share(n, parts, i int) int {
	s := n / parts
	if i < n%parts {
		s++
	}
	return s
}
