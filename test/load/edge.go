//go:build linux

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Service is the service under test.
type Service struct {
	Endpoint Endpoint
	// Admin is the base URL of the edge's admin port; empty if it is not known.
	Admin string
	// PID is the edge's process; 0 if it is not known or not on this machine: then no CPU and memory figures are made.
	PID int

	cmd *exec.Cmd
	dir string
}

// benchKey signs the tokens of an edge that the bench starts itself.
const benchKey = "signalr-bench-key-0123456789-0123456789-abcdef"

// benchConfig is the edge's configuration: 100 units, so no quota is near.
const benchConfig = `configVersion: 1
node: bench
listen:
  client: %s
  admin: %s
serviceMode: Default
tier: Standard
units: 100
auth:
  keys:
    - name: primary
      value: %s
drain:
  readinessDelaySeconds: 0
  seconds: 1
log:
  level: warn
`

func edgeConfig(client, admin string) []byte {
	return fmt.Appendf(nil, benchConfig, client, admin, benchKey)
}

const (
	// readyTime bounds the start of an edge.
	readyTime = 10 * time.Second
	// stopTime bounds its end.
	stopTime = 10 * time.Second
	// httpTime bounds a request to the admin port.
	httpTime = 30 * time.Second
)

// StartEdge runs `program serve --config … --debug` on free loopback ports and waits until it is ready.
func StartEdge(ctx context.Context, program string) (service *Service, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "signalr-bench-")
	if err != nil {
		return nil, fmt.Errorf("start edge: %w", err)
	}
	s := &Service{
		Endpoint: Endpoint{Address: ports[0], Audience: "http://127.0.0.1/", AccessKey: benchKey},
		Admin:    "http://" + ports[1], dir: dir,
	}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	config := filepath.Join(dir, "edge.yaml")
	if err := os.WriteFile(config, edgeConfig(ports[0], ports[1]), 0o600); err != nil {
		return nil, fmt.Errorf("start edge: %w", err)
	}
	s.cmd = exec.Command(program, "serve", "--config", config, "--debug") //nolint:noctx // ended by Stop
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start edge: %w", err)
	}
	s.PID = s.cmd.Process.Pid
	return s, s.awaitReady(ctx, 10*time.Millisecond)
}

// awaitReady asks /readyz every interval until it says yes.
func (s *Service) awaitReady(ctx context.Context, interval time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not ready after %v", readyTime))
	defer cancel()
	for {
		err := s.admin(ctx, http.MethodGet, "/readyz", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start edge: %w (%w)", context.Cause(ctx), err)
		case <-time.After(interval):
		}
	}
}

// admin sends a request to the admin port. The answer goes into result: nothing for nil, as it is for *[]byte, else
// decoded from JSON.
func (s *Service) admin(ctx context.Context, method, path string, result any) error {
	ctx, cancel := context.WithTimeout(ctx, httpTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.Admin+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("admin %s: %w", path, err)
	}
	// A connection kept alive would count as a connection of the edge's.
	req.Close = true
	var client http.Client
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("admin %s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("admin %s: status %d", path, res.StatusCode)
	}
	switch to := result.(type) {
	case nil:
		_, err = io.Copy(io.Discard, res.Body)
	case *[]byte:
		*to, err = io.ReadAll(res.Body)
	default:
		err = json.NewDecoder(res.Body).Decode(result)
	}
	if err != nil {
		return fmt.Errorf("admin %s: %w", path, err)
	}
	return nil
}

// CollectGarbage makes the edge return what it does not need; it takes `serve --debug`.
func (s *Service) CollectGarbage(ctx context.Context) error {
	if s.Admin == "" {
		return errors.New("collect garbage: the admin port is not known")
	}
	// Twice: finalizers and pools let go of memory one cycle late.
	for range 2 {
		if err := s.admin(ctx, http.MethodPost, "/debug/gc", nil); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends an edge that the bench started; others it leaves alone.
func (s *Service) Stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(os.Interrupt)
		waitOrKill(s.cmd, stopTime)
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// DevStart is how `signalr-edge dev` came up.
type DevStart struct {
	ReadyMillis float64 `json:"readyMs"`
	RSS         int64   `json:"rssBytes"`
}

// MeasureDevStart starts `program dev`, waits for /readyz, reads its memory and ends it.
func MeasureDevStart(ctx context.Context, program string) (d DevStart, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return d, err
	}
	s := &Service{Admin: "http://" + ports[1]}
	defer s.Stop()
	s.cmd = exec.Command(program, "dev", "--listen", ports[0], "--admin", ports[1]) //nolint:noctx // see StartEdge
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		return d, fmt.Errorf("start edge: %w", err)
	}
	if err := s.awaitReady(ctx, time.Millisecond); err != nil {
		return d, err
	}
	d.ReadyMillis = milliseconds(int64(time.Since(start)))
	usage, err := ReadUsage(s.cmd.Process.Pid)
	d.RSS = usage.RSS
	return d, err
}

// freePorts finds n loopback addresses with a free port each.
func freePorts(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing waits
		if err != nil {
			return nil, fmt.Errorf("find free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all at the end: each must be another
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
