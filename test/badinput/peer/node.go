package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/appserver"
)

// Key is the access key of every Node.
const Key = "peer-access-key-0123456789-0123456789-0123456789"

// Patience bounds every wait of this package: a working node answers in milliseconds.
const Patience = 10 * time.Second

// Node is an edge in this process, on loopback with free ports.
type Node struct {
	*edge.Node
	// Config is what it was started with; a test that reloads clones it.
	Config *config.Config
	http   *http.Client
}

// Start starts a node with the defaults of a configuration file and no quota, each of change applied, and stops it
// with the test.
func Start(tb testing.TB, change ...func(*config.Config)) *Node {
	tb.Helper()
	return StartWith(tb, edge.Options{}, change...)
}

// StartWith is Start with options.
func StartWith(tb testing.TB, o edge.Options, change ...func(*config.Config)) *Node {
	tb.Helper()
	cfg := config.Default()
	cfg.Node = "node-under-test"
	cfg.Listen = config.Listen{Client: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	cfg.Quota = config.Quota{Connections: config.Unlimited, MessagesPerDay: config.Unlimited}
	cfg.Auth.Keys = []config.Key{{Name: "primary", Value: Key}}
	cfg.Drain = config.Drain{}
	for _, f := range change {
		f(cfg)
	}
	o.Version = "test"
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	started, err := edge.Start(context.Background(), cfg, o)
	if err != nil {
		tb.Fatalf("start the node: %v", err)
	}
	n := &Node{Node: started, Config: cfg, http: &http.Client{Timeout: Patience, Transport: &http.Transport{}}}
	tb.Cleanup(func() {
		n.Stop()
		n.http.CloseIdleConnections()
	})
	return n
}

// ConnectionString is what app servers connect with.
func (n *Node) ConnectionString() string {
	return "Endpoint=http://" + n.ClientAddr() + ";AccessKey=" + Key + ";Version=1.0;"
}

// App starts an app server with the conformance hub named "chat" and two server connections; each of change may say
// otherwise. It is closed with the test.
func (n *Node) App(tb testing.TB, change ...func(*appserver.Options)) *appserver.Server {
	tb.Helper()
	return n.AppOf(tb, appserver.ConformanceHubNamed("chat"), change...)
}

// AppOf is App with a hub of the test's own.
func (n *Node) AppOf(tb testing.TB, hub *appserver.Hub, change ...func(*appserver.Options)) *appserver.Server {
	tb.Helper()
	o := appserver.Options{
		ConnectionString: n.ConnectionString(), ConnectionCount: 2, StatusInterval: -1,
		ReconnectDelay: func(int) time.Duration { return 10 * time.Millisecond },
	}
	for _, f := range change {
		f(&o)
	}
	s, err := appserver.New(o, hub)
	if err != nil {
		tb.Fatalf("make the app server: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if err := s.Start(tb.Context()); err != nil {
		tb.Fatalf("start the app server: %v", err)
	}
	if err := s.WaitConnected(tb.Context(), o.ConnectionCount); err != nil {
		tb.Fatalf("wait for the server connections: %v", err)
	}
	return s
}

// Answer is an HTTP answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Admin asks the admin port; each of header is "Name: value".
func (n *Node) Admin(tb testing.TB, method, path string, header ...string) Answer {
	tb.Helper()
	return n.ask(tb, method, "http://"+n.AdminAddr()+path, header)
}

// Ask asks the public port for what a well-formed request can ask.
func (n *Node) Ask(tb testing.TB, method, path string, header ...string) Answer {
	tb.Helper()
	return n.ask(tb, method, "http://"+n.ClientAddr()+path, header)
}

func (n *Node) ask(tb testing.TB, method, url string, header []string) Answer {
	tb.Helper()
	a, err := n.try(tb, method, url, header)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

// Try is Ask for a node that may be gone.
func (n *Node) Try(tb testing.TB, method, path string, header ...string) (Answer, error) {
	tb.Helper()
	return n.try(tb, method, "http://"+n.ClientAddr()+path, header)
}

func (n *Node) try(tb testing.TB, method, url string, header []string) (Answer, error) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := n.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(b)}, err
}

// NodeStatus returns what /status says, as a program reads it.
func (n *Node) NodeStatus(tb testing.TB) config.Status {
	tb.Helper()
	var s config.Status
	if err := json.Unmarshal([]byte(n.Admin(tb, http.MethodGet, "/status").Body), &s); err != nil {
		tb.Fatalf("read the status: %v", err)
	}
	return s
}

// Series are the values of all series by name and labels, as /metrics writes them.
type Series map[string]float64

// Metrics reads /metrics.
func (n *Node) Metrics(tb testing.TB) Series {
	tb.Helper()
	s := Series{}
	lines := bufio.NewScanner(strings.NewReader(n.Admin(tb, http.MethodGet, "/metrics").Body))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			tb.Fatalf("read metric %q: %v", line, err)
		}
		s[line[:at]] = v
	}
	return s
}

// Refused names the series that counts refused requests of a reason.
func Refused(reason string) string {
	return `signalr_edge_requests_refused_total{reason="` + reason + `"}`
}

// Dropped names the series that counts dropped messages of a reason.
func Dropped(reason string) string {
	return `signalr_edge_messages_dropped_total{reason="` + reason + `"}`
}

// AuthFailure names the series that counts refused tokens of a reason.
func AuthFailure(reason string) string {
	return `signalr_edge_auth_failures_total{reason="` + reason + `"}`
}

// Closed returns the value of the close counter of a reason, whatever its category, for "client" or "server".
func (s Series) Closed(endpoint, reason string) float64 {
	for name, v := range s {
		if strings.HasPrefix(name, "signalr_edge_connections_closed_total{") &&
			strings.Contains(name, `endpoint="`+endpoint+`"`) && strings.Contains(name, `reason="`+reason+`"`) {
			return v
		}
	}
	return -1
}

// Wait waits until cond is true and fails the test when it does not become so in time.
func Wait(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			tb.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// WaitFor lets seconds of a configured time-out pass where no sign of its end can be asked for.
func WaitFor(tb testing.TB, seconds int) {
	tb.Helper()
	end := time.Now().Add(time.Duration(seconds)*time.Second + 50*time.Millisecond)
	Wait(tb, "the time-out passes", func() bool { return time.Now().After(end) })
}
