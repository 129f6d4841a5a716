package appserver

import (
	"cmp"
	crand "crypto/rand"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

const defaultHandshakeTimeout = 15 * time.Second

// StickyMode is the SDK's ServerStickyMode (2.5).
type StickyMode string

// The sticky modes. The zero value is StickyDisabled.
const (
	StickyDisabled  StickyMode = ""
	StickyPreferred StickyMode = "Preferred"
	StickyRequired  StickyMode = "Required"
)

// Transports is the bit mask of claim asrs.s.htt.
type Transports int

// The transports of the mask.
const (
	TransportWebSockets       Transports = 1
	TransportServerSentEvents Transports = 2
	TransportLongPolling      Transports = 4
)

// GracefulMode is the SDK's GracefulShutdown.Mode (4.7).
type GracefulMode int

// The graceful modes with the value of the shutdown ping that each sends.
const (
	// GracefulOff sends fin:0, waits for finack, ends all clients itself and closes the sockets.
	GracefulOff GracefulMode = iota
	// GracefulMigrateClients sends fin:1 and waits until the service has moved all clients.
	GracefulMigrateClients
	// GracefulWaitForClientsClose sends fin:2 and waits until all clients have gone.
	GracefulWaitForClientsClose
)

// Options configure a Server. The zero value of each field means what the stock SDK does by default.
type Options struct {
	// ConnectionString names the service and its key; required.
	ConnectionString string
	// ServerID is the X-ASRS-Server-Id; default machine name, underscore, 32 hex digits.
	ServerID string
	// ApplicationName is put in front of hub names (2.1).
	ApplicationName string
	// ConnectionCount is the number of server connections per hub: 0 means 5, negative means none.
	ConnectionCount int
	// ConnectionType is the type of those connections: Default, or Weak as the Management SDK opens them.
	ConnectionType service.ConnectionType
	// StatefulReconnect is the last item of the handshake request (5.9).
	StatefulReconnect bool
	// Protocols are the hub protocols served, in the order of payload maps; default json and messagepack.
	Protocols []string

	// Sticky, TokenAlgorithm, TokenLifetime (1 h), DetailedErrors, CloseOnAuthenticationExpiration, HandshakeTimeout
	// (15 s), MaxPollIntervalSeconds and Transports decide the tokens that negotiate gives out.
	Sticky                          StickyMode
	TokenAlgorithm                  TokenAlgorithm
	TokenLifetime                   time.Duration
	DetailedErrors                  bool
	CloseOnAuthenticationExpiration bool
	HandshakeTimeout                time.Duration
	MaxPollIntervalSeconds          int
	Transports                      Transports
	// Authenticate says who negotiates; an error answers 401. Default: nobody in particular.
	Authenticate func(*http.Request) (Identity, error)

	// KeepAliveInterval is how often each client is pinged (15 s); ClientTimeout how long a client that has pinged once
	// may be silent (30 s); Heartbeat how often both are looked at (1 s).
	KeepAliveInterval time.Duration
	ClientTimeout     time.Duration
	Heartbeat         time.Duration
	// MaxMessageSize bounds one hub message from a client in bytes; 0 means no bound.
	MaxMessageSize int

	// DialTimeout and ServiceHandshakeTimeout (15 s each) bound opening a server connection; PingInterval (5 s) is the
	// least age of the last own ping before another; ServiceTimeout (30 s) of silence ends a connection, looked at every
	// ServiceTimeoutCheck (5 s); StatusInterval (10 s) is how often status is asked, negative never.
	DialTimeout             time.Duration
	ServiceHandshakeTimeout time.Duration
	PingInterval            time.Duration
	ServiceTimeout          time.Duration
	ServiceTimeoutCheck     time.Duration
	StatusInterval          time.Duration
	// ReconnectDelay gives the wait before attempt n (from 0) to reopen a connection; default 1, 2, 4 ... 60 s plus up
	// to 1 s.
	ReconnectDelay func(attempt int) time.Duration
	// AckTimeout is how long an acknowledged operation waits (10 s).
	AckTimeout time.Duration

	// GracefulMode is what Shutdown does; ShutdownTimeout (30 s) bounds all of it; FinInterval (5 s) is how often the fin
	// ping is repeated.
	GracefulMode    GracefulMode
	ShutdownTimeout time.Duration
	FinInterval     time.Duration

	// ClientResultRegistrationDelay imitates the SDK's race (5.7): the pending call of a client result is registered
	// this long after its message was written, and an answer that arrives before is lost.
	ClientResultRegistrationDelay time.Duration
	// OnClaimsUpdated is called when the service changes a client's claims (43); may be nil.
	OnClaimsUpdated func(connectionID string, claims []Claim)
	// OnMessage is called with every message that a server connection receives, before it is acted upon, by the
	// connection's reader; byte fields are views that do not outlive the call. May be nil.
	OnMessage func(cid string, m service.Message)

	// maxUnwritten is how many bytes may wait in a server connection before hub code that sends has to wait as well;
	// tests lower it.
	maxUnwritten int

	// Logger receives life-cycle and protocol events; nil means silence.
	Logger *slog.Logger
}

// withDefaults fills the zero fields.
func (o Options) withDefaults() Options {
	o.ServerID = cmp.Or(o.ServerID, newServerID())
	switch {
	case o.ConnectionCount == 0:
		o.ConnectionCount = 5
	case o.ConnectionCount < 0:
		o.ConnectionCount = 0
	}
	if len(o.Protocols) == 0 {
		o.Protocols = []string{protocolJSON, protocolMessagePack}
	}
	o.maxUnwritten = cmp.Or(o.maxUnwritten, 8<<20)
	o.TokenAlgorithm = cmp.Or(o.TokenAlgorithm, HS256)
	o.TokenLifetime = cmp.Or(o.TokenLifetime, time.Hour)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, defaultHandshakeTimeout)
	o.KeepAliveInterval = cmp.Or(o.KeepAliveInterval, 15*time.Second)
	o.ClientTimeout = cmp.Or(o.ClientTimeout, 30*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Second)
	o.DialTimeout = cmp.Or(o.DialTimeout, 15*time.Second)
	o.ServiceHandshakeTimeout = cmp.Or(o.ServiceHandshakeTimeout, 15*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, 5*time.Second)
	o.ServiceTimeout = cmp.Or(o.ServiceTimeout, 30*time.Second)
	o.ServiceTimeoutCheck = cmp.Or(o.ServiceTimeoutCheck, 5*time.Second)
	o.StatusInterval = cmp.Or(o.StatusInterval, 10*time.Second)
	o.AckTimeout = cmp.Or(o.AckTimeout, 10*time.Second)
	o.ShutdownTimeout = cmp.Or(o.ShutdownTimeout, 30*time.Second)
	o.FinInterval = cmp.Or(o.FinInterval, 5*time.Second)
	if o.ReconnectDelay == nil {
		o.ReconnectDelay = defaultReconnectDelay
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// defaultReconnectDelay is the SDK's back-off (4.2).
func defaultReconnectDelay(attempt int) time.Duration {
	base := 60 * time.Second
	if attempt < 6 {
		base = time.Second << attempt
	}
	return base + rand.N(time.Second)
}

func newServerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return host + "_" + randomHex(16)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = crand.Read(b)
	return hex.EncodeToString(b)
}

// newGUID returns a random GUID with dashes.
func newGUID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-" + h[16:20] + "-" + h[20:]
}
