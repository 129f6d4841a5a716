package edge

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/quota"
)

// capabilities are what this edge can do; an operator asks for nothing else (design.md section 10).
func capabilities() []string { return []string{"mode/" + string(config.ServiceModeDefault)} }

// adminHandler serves the admin port: health, readiness, metrics and status; with debugging also pprof.
func (n *Node) adminHandler() http.Handler {
	own := prometheus.NewRegistry()
	own.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !n.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(
		prometheus.Gatherers{n.metrics.Registry, own}, promhttp.HandlerOpts{}))
	mux.Handle("GET /status", n.guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(n.Status())
	}))
	if n.options.Debug {
		mux.Handle("GET /debug/pprof/", n.guarded(pprof.Index))
		mux.Handle("GET /debug/pprof/profile", n.guarded(pprof.Profile))
		mux.Handle("GET /debug/pprof/trace", n.guarded(pprof.Trace))
		mux.Handle("POST /debug/gc", n.guarded(func(w http.ResponseWriter, _ *http.Request) {
			debug.FreeOSMemory()
			w.WriteHeader(http.StatusNoContent)
		}))
	}
	return mux
}

// guarded asks for the admin token when one is configured.
func (n *Node) guarded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := "Bearer " + n.config().Auth.AdminToken.Reveal()
		got := r.Header.Get("Authorization")
		if want != "Bearer " && subtle.ConstantTimeCompare([]byte(want), []byte(got)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the admin token is missing or wrong", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}

// Status says how the node is.
func (n *Node) Status() config.Status {
	now := time.Now()
	n.mu.Lock()
	cfg, configError := n.cfg, n.configError
	n.mu.Unlock()
	s := config.Status{
		Node: n.id, Version: n.options.Version, ConfigVersion: config.CurrentVersion,
		Capabilities: capabilities(), Ready: n.ready.Load(), Draining: n.draining.Load(),
		Config:      config.StatusConfig{Hash: cfg.Hash(), Error: configError},
		Connections: config.StatusConnections{Client: n.quota.Count(), Limit: n.quota.Limit()},
		Messages: config.StatusMessages{
			Today: n.messages.Today(now), Carried: n.messages.Carried(), Limit: n.messages.Limit(),
			ResetsAt: quota.ResetsAt(now),
		},
		Load: config.StatusLoad{Percent: int(n.load.percent.Load())},
	}
	for _, k := range cfg.Auth.Keys {
		if k.NotAfter.IsZero() || now.Before(k.NotAfter) {
			s.Keys = append(s.Keys, config.StatusKey{Name: k.Name, Fingerprint: k.Fingerprint()})
		}
	}
	hubs := map[string]*config.StatusHub{}
	at := func(name string) *config.StatusHub {
		if hubs[name] == nil {
			hubs[name] = &config.StatusHub{Name: name}
		}
		return hubs[name]
	}
	for name, clients := range n.shards.HubClients() {
		at(name).Clients = clients
	}
	for name, servers := range n.registry.Hubs() {
		at(name).Servers = servers
		s.Connections.Server += int64(servers)
	}
	s.Hubs = make([]config.StatusHub, 0, len(hubs))
	for _, h := range hubs {
		s.Hubs = append(s.Hubs, *h)
	}
	slices.SortFunc(s.Hubs, func(a, b config.StatusHub) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// loadMeter measures how busy the process is.
type loadMeter struct {
	percent atomic.Int64
	cpu     time.Duration // owned by the clock
	at      time.Time
}

// loadWindow is the time over which the load is measured.
const loadWindow = 5 * time.Second

func (l *loadMeter) tick(now time.Time) {
	if now.Sub(l.at) < loadWindow {
		return
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if !l.at.IsZero() {
		available := now.Sub(l.at) * time.Duration(runtime.GOMAXPROCS(0))
		l.percent.Store(min(int64((cpu-l.cpu)*100/available), 100))
	}
	l.cpu, l.at = cpu, now
}
