package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

// edgePark plays the edges: one HTTP server, which is a different edge for each address.
type edgePark struct {
	server *httptest.Server

	mu sync.Mutex
	// byIP is guarded by mu.
	byIP map[string]*playedEdge
	next int
	// listen gives each edge a loopback address where it really listens, for an operator in a process of its own.
	listen bool
	// born, when set, changes every new edge.
	born func(*playedEdge)
}

func newEdgePark() *edgePark {
	p := &edgePark{byIP: map[string]*playedEdge{}}
	p.server = httptest.NewServer(p)
	return p
}

// dial connects with the server, whatever the address; an edge that is silent refuses.
func (p *edgePark) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != fmt.Sprint(adminPort) {
		return nil, fmt.Errorf("dial %s: not an edge's admin address", address)
	}
	if e := p.at(host); e == nil || e.is(func(e *playedEdge) bool { return e.silent }) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("connection refused")}
	}
	return (&net.Dialer{}).DialContext(ctx, network, p.server.Listener.Addr().String())
}

func (p *edgePark) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	e := p.at(host)
	if e == nil || e.is(func(e *playedEdge) bool { return e.silent }) {
		panic(http.ErrAbortHandler)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if r.URL.Path != "/status" || r.Header.Get("Authorization") != "Bearer "+e.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.code != 0 {
		w.Header().Set("Location", "http://elsewhere.example.com/")
		w.WriteHeader(e.code)
		return
	}
	if e.answer != "" {
		_, _ = io.WriteString(w, e.answer)
		return
	}
	_ = json.NewEncoder(w).Encode(e.status)
}

func (p *edgePark) add(node string) *playedEdge {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	e := &playedEdge{ip: fmt.Sprintf("10.0.%d.%d", p.next/250, p.next%250+1)}
	e.status = config.Status{
		Node: node, Version: "1.0.0", ConfigVersion: config.CurrentVersion, Ready: true,
		Capabilities: []string{"mode/Default"},
	}
	if p.listen {
		e.ip = fmt.Sprintf("127.1.%d.%d", p.next/250, p.next%250+1)
		l, err := net.Listen("tcp", net.JoinHostPort(e.ip, strconv.Itoa(adminPort)))
		Expect(err).NotTo(HaveOccurred())
		go func() { _ = p.server.Config.Serve(l) }() // until the server closes
	}
	if p.born != nil {
		p.born(e)
	}
	p.byIP[e.ip] = e
	return e
}

func (p *edgePark) at(ip string) *playedEdge {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byIP[ip]
}

func (p *edgePark) remove(ip string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byIP, ip)
}

// each changes every edge.
func (p *edgePark) each(change func(*playedEdge)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.byIP {
		e.mu.Lock()
		change(e)
		e.mu.Unlock()
	}
}

// playedEdge is an edge as the operator sees it.
type playedEdge struct {
	ip string

	mu sync.Mutex
	// The fields below are guarded by mu.
	status config.Status
	token  string
	silent bool
	answer string
	code   int
	asked  int
}

func (e *playedEdge) is(f func(*playedEdge) bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f(e)
}

// be changes an edge.
func (e *playedEdge) be(change func(*playedEdge)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// load puts a configuration in force, as an edge does.
func (e *playedEdge) load(c *config.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.token = c.Auth.AdminToken.Reveal()
	e.status.Config.Hash = c.Hash()
	e.status.Connections.Limit, e.status.Messages.Limit = c.ConnectionLimit(), c.MessageLimit()
	e.status.Keys = nil
	for _, k := range c.Auth.Keys {
		e.status.Keys = append(e.status.Keys, config.StatusKey{Name: k.Name, Fingerprint: k.Fingerprint()})
	}
}

// eventLog is a recorder that remembers.
type eventLog struct {
	mu sync.Mutex
	// all and ever are guarded by mu; clear empties all.
	all, ever []string
}

// Eventf notes an event as "Type Reason: note".
func (l *eventLog) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, kind+" "+reason+": "+fmt.Sprintf(note, args...))
	l.ever = append(l.ever, l.all[len(l.all)-1])
}

func (l *eventLog) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *eventLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// everything returns all events since the beginning.
func (l *eventLog) everything() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ever)
}
