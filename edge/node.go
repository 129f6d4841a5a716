package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/appserver"
	"github.com/signalr-operator/signalr-operator/edge/auth"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/quota"
	"github.com/signalr-operator/signalr-operator/edge/reason"
	"github.com/signalr-operator/signalr-operator/edge/shard"
	"github.com/signalr-operator/signalr-operator/edge/transport"
)

const (
	// maxHeaderBytes bounds what net/http reads of a request's head: above the front door's own bound of 16 KiB for
	// headers, which is refused with a reason, and with room for a token in the request line.
	maxHeaderBytes = 32 << 10
	// idleTimeout ends unused HTTP connections.
	idleTimeout = 2 * time.Minute
	// modeMemory: for so long after its last app server a hub still counts as one of Default mode, in dev without a
	// mode (design.md section 10).
	modeMemory = time.Minute
)

// Options are what is not in the configuration file.
type Options struct {
	// Version is the build's.
	Version string
	Log     *slog.Logger
	// Level is the level of Log, moved by reloads; may be nil.
	Level *slog.LevelVar
	// Debug serves pprof and forced collections on the admin port.
	Debug bool
	// Stream forces the stream driver: for tests of it.
	Stream bool
	// Shards is the number of event loops, 0 for GOMAXPROCS.
	Shards int
}

// Node is one edge.
type Node struct {
	options  Options
	id       string
	log      *slog.Logger
	metrics  *metrics.Metrics
	verifier *auth.Verifier
	quota    *quota.Connections
	messages *quota.Messages
	registry *appserver.Registry
	shards   *shard.Shards
	handler  *transport.Handler
	load     loadMeter

	public, admin           net.Listener
	publicServer, adminHTTP *http.Server
	cancel                  context.CancelFunc
	wait                    sync.WaitGroup

	ready    atomic.Bool
	draining atomic.Bool

	mu sync.Mutex
	// The fields below are guarded by mu.
	cfg         *config.Config
	configError string
}

// Start brings up a node and serves until Stop or Drain; ctx bounds the start alone. The configuration must be valid.
func Start(ctx context.Context, cfg *config.Config, o Options) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{options: o, id: nodeID(cfg.Node), log: o.Log, metrics: metrics.New(o.Version), cfg: cfg}
	if err := n.assemble(cfg); err != nil {
		return nil, err
	}
	if err := n.listen(ctx, cfg); err != nil {
		n.shards.Stop()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.wait.Go(func() { n.registry.Run(ctx) })
	n.wait.Go(func() { n.clock(ctx) })
	n.ready.Store(true)
	return n, nil
}

func nodeID(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "edge"
	}
	return host + "-" + strings.ToLower(rand.Text()[:8])
}

// assemble makes the rooms and joins them.
func (n *Node) assemble(cfg *config.Config) error {
	keys, options, err := accessKeys(cfg)
	if err != nil {
		return err
	}
	n.verifier = auth.NewVerifier(keys, options)
	n.quota = quota.NewConnections(cfg.ConnectionLimit())
	n.messages = quota.NewMessages(cfg.MessageLimit(), cfg.HardMessages(), time.Now())
	n.carry(cfg)
	secret := []byte(cfg.Auth.ConnectionTokenKey.Reveal())
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
	}
	connectionTokens, err := auth.NewConnectionTokens(secret, time.Duration(cfg.Timeouts.ConnectSeconds)*time.Second)
	if err != nil {
		return err
	}
	tokens := tokens{ConnectionTokens: connectionTokens, node: n.id, now: time.Now}

	join := &router{}
	n.registry = appserver.NewRegistry(appserver.Config{
		Node: n.id, Router: join, Metrics: n.metrics, Log: n.log, Settings: serverSettings(cfg), Now: time.Now,
		Admit:    n.admit,
		Clients:  func(hub string) int64 { return n.shards.Clients(hub) },
		Capacity: func() int64 { return max(n.quota.Limit(), 0) },
	})
	n.shards, err = shard.New(shard.Config{
		Count: n.options.Shards, Node: n.id, Metrics: n.metrics, Log: n.log, Limits: limits(cfg),
		Choose: chooser(n.registry), CountMessages: n.messages.Add, Resolve: tokens.resolve,
		Expand: expand, Start: time.Now(),
	})
	if err != nil {
		return err
	}
	join.Shards = n.shards
	n.handler = transport.NewHandler(transport.Config{
		Node: n.id, Auth: authenticator{n.verifier, time.Now}, Tokens: tokens, Sessions: sessions{n.shards},
		Quota: connections{n.quota}, Serve: n.serveAppServer, Mode: n.mode, Native: shard.Native && !n.options.Stream,
		FirstUse: time.Duration(cfg.Timeouts.ConnectSeconds) * time.Second,
		Metrics:  n.metrics, Log: n.log, Settings: doorSettings(cfg), Now: time.Now,
	})
	for _, r := range auth.Reasons() {
		n.metrics.AuthFailures.WithLabelValues(string(r)) // at zero from the start
	}
	n.showQuota()
	return nil
}

func (n *Node) serveAppServer(sock net.Conn, buffered []byte, s transport.Server) {
	n.registry.Serve(sock, buffered, appserver.Request{ID: s.ID, Hub: s.Hub, ServerID: s.ServerID, Target: s.Target})
}

func (n *Node) listen(ctx context.Context, cfg *config.Config) (err error) {
	var lc net.ListenConfig
	if n.public, err = lc.Listen(ctx, "tcp", cfg.Listen.Client); err != nil {
		return fmt.Errorf("listen.client: %w", err)
	}
	if n.admin, err = lc.Listen(ctx, "tcp", cfg.Listen.Admin); err != nil {
		_ = n.public.Close()
		return fmt.Errorf("listen.admin: %w", err)
	}
	quiet := slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)
	n.publicServer = &http.Server{
		Handler: n.handler, MaxHeaderBytes: maxHeaderBytes, IdleTimeout: idleTimeout, ErrorLog: quiet,
		ReadHeaderTimeout: time.Duration(cfg.Timeouts.ReadHeaderSeconds) * time.Second,
	}
	n.adminHTTP = &http.Server{
		Handler: n.adminHandler(), MaxHeaderBytes: maxHeaderBytes, IdleTimeout: idleTimeout, ErrorLog: quiet,
		ReadHeaderTimeout: 10 * time.Second,
	}
	serve := func(l net.Listener) error { return n.publicServer.Serve(l) }
	if t := cfg.Listen.TLS; t != nil {
		certificate, err := newCertificate(t.CertFile, t.KeyFile)
		if err != nil {
			_ = n.public.Close()
			_ = n.admin.Close()
			return fmt.Errorf("listen.tls: %w", err)
		}
		n.publicServer.TLSConfig = certificate.tls()
		// HTTP/2 has no sockets to hand over.
		n.publicServer.Protocols = new(http.Protocols)
		n.publicServer.Protocols.SetHTTP1(true)
		serve = func(l net.Listener) error { return n.publicServer.ServeTLS(l, "", "") }
	}
	n.wait.Go(func() { n.served("client", serve(n.public)) })
	n.wait.Go(func() { n.served("admin", n.adminHTTP.Serve(n.admin)) })
	return nil
}

func (n *Node) served(what string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		n.log.Error("listener ended", "listener", what, "err", err)
	}
}

// ClientAddr and AdminAddr are the addresses that the node listens on.
func (n *Node) ClientAddr() string { return n.public.Addr().String() }

// AdminAddr is described at ClientAddr.
func (n *Node) AdminAddr() string { return n.admin.Addr().String() }

// mode says why a client of a hub cannot be served, by service mode and message quota.
func (n *Node) mode(hub string, fromServer bool) reason.Reason {
	if n.messages.Blocked() {
		return reason.MessageQuota
	}
	isDefault := true
	switch n.config().ServiceMode {
	case config.ServiceModeDefault:
	case config.ServiceModeServerless:
		isDefault = false
	case config.ServiceModeClassic:
		isDefault = n.registry.HasServer(hub, 0)
	case config.ServiceModeAuto:
		isDefault = fromServer || n.registry.HasServer(hub, modeMemory)
	}
	if !isDefault {
		return reason.ModeNotDefault
	}
	return reason.None
}

// admit decides about a server connection.
func (n *Node) admit(t service.ConnectionType) (reason.Reason, string) {
	if n.config().ServiceMode == config.ServiceModeServerless && t != service.ConnectionWeak {
		return reason.ServerConnMode, reason.ServerConnMode.Info().Text
	}
	if n.messages.Blocked() {
		return reason.ServerConnMessageQuota, n.quotaText()
	}
	return reason.None, ""
}

// carry takes over what former nodes counted of the day.
func (n *Node) carry(cfg *config.Config) {
	carried := cfg.Quota.Carried
	n.messages.Carry(carried.Messages, carried.Date(), time.Now())
}

func (n *Node) quotaText() string {
	return reason.ServerConnMessageQuota.Info().Text + ": " + strconv.FormatInt(n.messages.Limit(), 10)
}

// clock is the node's only timer.
func (n *Node) clock(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		n.shards.Tick(now)
		n.load.tick(now)
		n.metrics.MessagesToday.Set(float64(n.messages.Today(now)))
		switch n.messages.Tick(now) {
		case quota.TransitionExceeded:
			n.log.Warn("message quota used up", "limit", n.messages.Limit(), "hard", n.messages.Hard())
			if n.messages.Hard() {
				n.registry.Refuse(reason.ServerConnMessageQuota, n.quotaText())
				n.shards.CloseAll(reason.MessageQuota)
			}
		case quota.TransitionRestored:
			n.log.Info("message quota restored", "limit", n.messages.Limit())
		case quota.TransitionNone:
		}
	}
}

func (n *Node) config() *config.Config {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cfg
}

func (n *Node) showQuota() {
	n.metrics.QuotaConnections.Set(float64(max(n.quota.Limit(), 0)))
	n.metrics.QuotaMessages.Set(float64(max(n.messages.Limit(), 0)))
}

func accessKeys(cfg *config.Config) (*auth.Keys, auth.Options, error) {
	list := make([]auth.Key, 0, len(cfg.Auth.Keys))
	for _, k := range cfg.Auth.Keys {
		list = append(list, auth.Key{Name: k.Name, Value: k.Value.Reveal(), NotAfter: k.NotAfter})
	}
	keys, err := auth.NewKeys(list...)
	if err != nil {
		return nil, auth.Options{}, fmt.Errorf("auth.keys: %w", err)
	}
	return keys, auth.Options{
		AudienceHosts: cfg.Auth.AudienceHosts,
		ClockSkew:     time.Duration(cfg.Auth.ClockSkewSeconds) * time.Second,
	}, nil
}

func limits(cfg *config.Config) shard.Limits {
	return shard.Limits{
		MaxMessage:          cfg.Limits.MaxMessageBytes,
		MaxWebSocketMessage: max(websocket.DefaultMaxMessage, cfg.Limits.MaxMessageBytes),
		MaxServiceFrame:     cfg.Limits.MaxServiceFrameBytes,
		SendQueue:           cfg.Limits.SendQueueBytes,
		SlowAfter:           time.Duration(cfg.Limits.SlowPeerSeconds) * time.Second,
		HandshakeTimeout:    time.Duration(cfg.Timeouts.HandshakeSeconds) * time.Second,
		NoServerWait:        time.Duration(cfg.Timeouts.NoServerWaitSeconds) * time.Second,
		Idle:                time.Duration(cfg.Timeouts.IdleSeconds) * time.Second,
	}
}

func serverSettings(cfg *config.Config) appserver.Settings {
	return appserver.Settings{
		MaxFrame:  cfg.Limits.MaxServiceFrameBytes,
		MaxQueue:  cfg.Limits.ServerQueueBytes,
		Ping:      time.Duration(cfg.Timeouts.ServerPingSeconds) * time.Second,
		Silence:   time.Duration(cfg.Timeouts.ServerSilenceSeconds) * time.Second,
		Handshake: time.Duration(cfg.Timeouts.HandshakeSeconds) * time.Second,
	}
}

func doorSettings(cfg *config.Config) transport.Settings {
	return transport.Settings{AllowedOrigins: cfg.CORS.AllowedOrigins, Proxies: cfg.Proxies()}
}
