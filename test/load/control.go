//go:build linux

package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// request and reply are the JSON lines between the parent and a child: one reply for each request, in order.
type request struct {
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args,omitempty"`
}

type reply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// boardFD is the descriptor by which a child finds the board: the first of exec.Cmd's ExtraFiles.
const boardFD = 3

// maxLine bounds a line between parent and child.
const maxLine = 1 << 20

// serve answers requests until in ends, which is also how a child learns that its parent is gone.
func serve(in io.Reader, out io.Writer, handle func(op string, args json.RawMessage) (any, error)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	answers := json.NewEncoder(out)
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		var rep reply
		result, err := handle(req.Op, req.Args)
		if err == nil {
			rep.Result, err = json.Marshal(result)
		}
		if err != nil {
			rep.Error = err.Error()
		}
		if err := answers.Encode(rep); err != nil {
			return fmt.Errorf("write reply: %w", err)
		}
	}
	return lines.Err()
}

// child is a process that answers requests.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// startChild runs argv with the board as descriptor 3.
func startChild(name string, argv []string, board *os.File) (*child, error) {
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // our own program; ended through its stdin, see stop
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{board}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	c.lines.Buffer(nil, maxLine)
	return c, nil
}

// call sends one request and waits for its reply. After a cancelled call the child is of no use but to be stopped.
func (c *child) call(ctx context.Context, op string, args, result any) error {
	done := make(chan error, 1)
	go func() { done <- c.roundTrip(op, args, result) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", c.name, op, context.Cause(ctx))
	}
}

func (c *child) roundTrip(op string, args, result any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.name, op, err)
	}
	if err := json.NewEncoder(c.in).Encode(request{Op: op, Args: raw}); err != nil {
		return fmt.Errorf("%s %s: %w", c.name, op, err)
	}
	if !c.lines.Scan() {
		return fmt.Errorf("%s %s: %w", c.name, op, errors.Join(errors.New("the process ended"), c.lines.Err()))
	}
	var rep reply
	if err := json.Unmarshal(c.lines.Bytes(), &rep); err != nil {
		return fmt.Errorf("%s %s: %w", c.name, op, err)
	}
	if rep.Error != "" {
		return fmt.Errorf("%s %s: %s", c.name, op, rep.Error)
	}
	if result == nil || rep.Result == nil {
		return nil
	}
	return json.Unmarshal(rep.Result, result)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stopAll closes the children's stdin, and kills those that do not end within three seconds.
func stopAll(children []*child) {
	for _, c := range children {
		_ = c.in.Close()
	}
	for _, c := range children {
		waitOrKill(c.cmd, 3*time.Second)
	}
}

// waitOrKill waits for a process that was asked to end.
func waitOrKill(cmd *exec.Cmd, grace time.Duration) {
	kill := time.AfterFunc(grace, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // the exit status of a process that is being thrown away says nothing
	kill.Stop()
}
