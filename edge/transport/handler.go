package transport

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Identity is what a client's token says.
type Identity struct {
	// User is the user id, empty if there is none.
	User string
	// Claims are the claims for the app server: names mapped, repeats kept.
	Claims service.Claims
	// Compact are the claims in the form that is kept as long as the connection lives.
	Compact []byte
	// ServerID, StickyPreferred and StickyRequired bind the client to an app server.
	ServerID        string
	StickyPreferred bool
	StickyRequired  bool
	// HandshakeTimeout is 0 unless the token sets one.
	HandshakeTimeout time.Duration
	DetailedErrors   bool
	Diagnostic       bool
	// Expires is when the connection must end, zero if never.
	Expires time.Time
	// NoWebSockets is set when the token leaves the WebSockets transport out.
	NoWebSockets bool
}

// Authenticator checks tokens. Its errors have a text for the answer and a stable reason for the metrics.
type Authenticator interface {
	Client(token, hub string) (*Identity, error)
	// Server returns the app server's id.
	Server(token, hub string) (string, error)
	// Reason names what was wrong.
	Reason(err error) string
}

// Tokens makes and opens connection tokens.
type Tokens interface {
	// Mint makes a new connection id and its token.
	Mint(hub, user string) (id, token string, err error)
	// Open returns the connection id of a token that was made for this hub and user, and whether its time for the
	// first use has passed.
	Open(token, hub, user string) (id string, expired, ok bool)
}

// Client is an accepted client.
type Client struct {
	ID, Hub  string
	Identity *Identity
	// Open is the message for the app server, without the protocol.
	Open *service.OpenConnection
	// Refuse, unless None, is why the client will be refused at its handshake.
	Refuse reason.Reason
	// Done must be called once when the connection is gone.
	Done func()
}

// Sessions takes accepted clients.
type Sessions interface {
	// Bind takes over a socket: its descriptor where that can be had (fd >= 0), else conn. False: not taken.
	Bind(fd int, conn net.Conn, buffered []byte, c *Client) bool
	// Exists reports whether a connection id is alive.
	Exists(id string) bool
}

// Server is an accepted app server's request.
type Server struct{ ID, Hub, ServerID, Target string }

// Quota is the connection quota.
type Quota interface {
	Acquire() bool
	Release()
	Full() bool
}

// Settings are what may change while the edge runs.
type Settings struct {
	// AllowedOrigins are the origins of browsers; "*" is any.
	AllowedOrigins []string
	// Proxies are the networks whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
}

// Config is what the front door needs of the rest of the edge.
type Config struct {
	Node     string
	Auth     Authenticator
	Tokens   Tokens
	Sessions Sessions
	Quota    Quota
	// Serve speaks with an app server until it ends.
	Serve func(sock net.Conn, buffered []byte, s Server)
	// Mode returns why a client of the hub must be refused, reason.None if it is a client of app servers. fromServer
	// says that an app server's SDK sent it here.
	Mode func(hub string, fromServer bool) reason.Reason
	// Native says that the sessions can take descriptors.
	Native bool
	// FirstUse is the time from negotiate to the connection.
	FirstUse time.Duration
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Settings Settings
	Now      func() time.Time
}

// Handler answers the edge's public requests.
type Handler struct {
	Config
	settings atomic.Pointer[Settings]
	draining atomic.Bool
	release  func()  // Quota.Release, made once
	used     *ledger // connection tokens after their first use
	offered  *ledger // connection ids of negotiate version 0
}

// NewHandler returns the public handler.
func NewHandler(c Config) *Handler {
	h := &Handler{Config: c, release: c.Quota.Release, used: newLedger(c.Now), offered: newLedger(c.Now)}
	h.settings.Store(&c.Settings)
	return h
}

// SetSettings puts new settings in force.
func (h *Handler) SetSettings(s Settings) { h.settings.Store(&s) }

// Drain makes the handler refuse whoever is new.
func (h *Handler) Drain() { h.draining.Store(true) }

// ServeHTTP routes by path. net/http's mux is not used for it would redirect `//`, which clients send
// (client-protocol.md 1.1).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, pages := h.route(r.URL.Path)
	if pages && !h.cors(w, r) {
		return
	}
	if headerBytes(r.Header) > maxHeaders {
		h.refuse(w, reason.HeadersTooLarge, "")
		return
	}
	serve(w, r)
}

// route finds what answers a path, and whether pages of other origins may ask.
func (h *Handler) route(path string) (serve http.HandlerFunc, pages bool) {
	switch path {
	case "/client", "/client/":
		return h.client, true
	case "/client/negotiate", "/client//negotiate", "/client/negotiate/":
		return h.negotiate, true
	case "/server", "/server/":
		return h.server, false
	case "/api/health":
		return h.health, false
	case "/api/v1/auth/accessKey":
		return h.accessKey, false
	}
	return func(w http.ResponseWriter, _ *http.Request) { h.refuse(w, reason.NotFound, "") }, false
}

// maxHeaders bounds the headers of a request, names and values together (design.md section 10). net/http has a bound
// of its own above it, for what is not even parsed.
const maxHeaders = 16 << 10

func headerBytes(head http.Header) (n int) {
	for name, values := range head {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// accessKey tells an app server with an Entra identity that there is none here (service-protocol.md 2.8).
func (h *Handler) accessKey(w http.ResponseWriter, _ *http.Request) {
	h.refuse(w, reason.Unauthorized, "This service knows access keys only: use a connection string with an AccessKey.")
}

// health answers without a token, and cheaply (service-protocol.md 8.5).
func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, reason.MethodNotAllowed, "")
		return
	}
	if h.draining.Load() {
		h.refuse(w, reason.Draining, "")
		return
	}
	w.WriteHeader(http.StatusOK)
}

// refuse answers with a reason's status, and its text unless another is given.
func (h *Handler) refuse(w http.ResponseWriter, why reason.Reason, text string) {
	if text == "" {
		text = why.Info().Text
	}
	h.refuseAs(w, why, why.Info().Status, text)
}

// refuseAs answers with a status and a text that are not the reason's own.
func (h *Handler) refuseAs(w http.ResponseWriter, why reason.Reason, status int, text string) {
	h.Metrics.Count(why, 1)
	head := w.Header()
	switch status {
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		head.Set("Retry-After", "1")
	}
	if why == reason.Draining {
		head.Set("Connection", "close")
	}
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) //nolint:gosec // plain text, and browsers are told not to guess otherwise
}
