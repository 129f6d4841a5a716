package config

import (
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// CurrentVersion is the version of the file's schema that this package writes and the highest that it reads.
const CurrentVersion = 1

// EmulatorKey is the access key that the vendor's local emulator publishes. Everybody knows it, so Validate refuses it
// on any client address but loopback.
const EmulatorKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

// Unlimited as a value of Quota switches that quota off.
const Unlimited = -1

// Connections and messages per UTC day that a tier gives, see design.md section 5.
const (
	freeConnections        = 20
	freeMessagesPerDay     = 20_000
	connectionsPerUnit     = 1_000
	messagesPerDayEachUnit = 1_000_000
)

// ServiceMode says who answers clients: app servers, upstream webhooks, or either.
type ServiceMode string

// The service modes, spelled as the service spells them.
const (
	// ServiceModeAuto decides for each client, see design.md section 10. It is for `signalr-edge dev` alone: code may
	// set it, a file may not.
	ServiceModeAuto ServiceMode = ""
	// ServiceModeDefault connects each client with an app server.
	ServiceModeDefault ServiceMode = "Default"
	// ServiceModeServerless has no app servers: invocations go to upstreams.
	ServiceModeServerless ServiceMode = "Serverless"
	// ServiceModeClassic is Default for a hub that has an app server when a client connects, else Serverless.
	ServiceModeClassic ServiceMode = "Classic"
)

// Tier is the size class of an instance; it bounds Units and gives the quotas.
type Tier string

// The tiers of an instance.
const (
	// TierFree has one unit of 20 connections and a hard limit of 20,000 messages per day.
	TierFree Tier = "Free"
	// TierStandard has 1 to 100 units.
	TierStandard Tier = "Standard"
	// TierPremium has 1 to 1,000 units.
	TierPremium Tier = "Premium"
)

// MessagePolicy says what happens when the day's message quota is used up.
type MessagePolicy string

// The message policies.
const (
	// MessagePolicyDerived, the zero value, is Hard for the tier Free and Soft for the others.
	MessagePolicyDerived MessagePolicy = ""
	// MessagePolicySoft keeps delivering and counts on.
	MessagePolicySoft MessagePolicy = "Soft"
	// MessagePolicyHard refuses everything until midnight UTC.
	MessagePolicyHard MessagePolicy = "Hard"
)

// Config is the whole configuration of one edge node. All times are whole seconds and all sizes whole bytes, with the
// unit in the name of the field.
type Config struct {
	// ConfigVersion is the version of this schema; 1 is the current one and the default.
	ConfigVersion int `yaml:"configVersion"`
	// Node is the name of this edge, shown in /status and written into connection tokens. Empty, the default, lets the
	// program choose one (its host name): pods of one Deployment share a file and must differ in name.
	Node string `yaml:"node,omitempty"`
	// Listen holds the addresses that the node serves.
	Listen Listen `yaml:"listen"`
	// ServiceMode is Default when the file does not say; see ServiceModeAuto for the zero value.
	ServiceMode ServiceMode `yaml:"serviceMode"`
	// Tier is Standard by default.
	Tier Tier `yaml:"tier"`
	// Units is 1 by default: Free 1, Standard 1 to 100, Premium 1 to 1,000.
	Units int `yaml:"units"`
	// Quota overrides what Tier and Units give.
	Quota Quota `yaml:"quota"`
	// Auth holds keys and what a token is checked against.
	Auth Auth `yaml:"auth"`
	// CORS says which pages in browsers may connect.
	CORS CORS `yaml:"cors"`
	// Limits bounds sizes and slow peers.
	Limits Limits `yaml:"limits"`
	// Timeouts bounds waiting.
	Timeouts Timeouts `yaml:"timeouts"`
	// TrustedProxies are the addresses and networks (CIDR) whose X-Forwarded-For is believed; none by default.
	TrustedProxies []string `yaml:"trustedProxies,omitempty"`
	// Drain paces the shutdown.
	Drain Drain `yaml:"drain"`
	// Log sets level and format of the log.
	Log Log `yaml:"log"`
}

// Listen holds the addresses that a node serves, each host:port with an IP address, a name or nothing (all addresses)
// as host; port 0 takes any free one.
type Listen struct {
	// Client is the address for clients and app servers; ":8888" by default.
	Client string `yaml:"client"`
	// Admin is the address of health, metrics and status, always plain HTTP; ":8889" by default.
	Admin string `yaml:"admin"`
	// TLS, when set, ends TLS on the client address.
	TLS *TLS `yaml:"tls,omitempty"`
}

// TLS names the certificate and key in PEM files; they are read again when they change.
type TLS struct {
	// CertFile is the path of the certificate chain.
	CertFile string `yaml:"certFile"`
	// KeyFile is the path of the private key.
	KeyFile string `yaml:"keyFile"`
}

// Quota overrides what tier and units give: 0, the default, derives the number, Unlimited (-1) switches the quota off,
// anything else is the number itself. With several edges it is this node's share.
type Quota struct {
	// Connections is the number of client connections that may live at once.
	Connections int64 `yaml:"connections"`
	// MessagesPerDay is the number of messages per UTC day.
	MessagesPerDay int64 `yaml:"messagesPerDay"`
	// Carried is what was counted of a day's messages by nodes that are gone. Without it a quota that is used up would
	// begin anew with every process.
	Carried Carried `yaml:"carried,omitempty"`
}

// Carried is a number of messages that count as this node's own on one day, and on no other.
type Carried struct {
	// Day is the UTC day, as 2026-11-22.
	Day string `yaml:"day"`
	// Messages is their number.
	Messages int64 `yaml:"messages"`
}

// Date returns the beginning of the day; the zero time if it is none.
func (c Carried) Date() time.Time {
	day, err := time.Parse(time.DateOnly, c.Day)
	if err != nil {
		return time.Time{}
	}
	return day
}

// Auth holds the secrets of a node and what a token is checked against.
type Auth struct {
	// Keys are the access keys, 1 to 8; a token is good if any of them verifies it.
	Keys []Key `yaml:"keys"`
	// ConnectionTokenKey authenticates connection tokens (the `id` of a connection); all edges of an instance share
	// it. Empty, the default, lets the program make a random one that dies with it.
	ConnectionTokenKey Secret `yaml:"connectionTokenKey,omitempty"`
	// AudienceHosts are the host names that the audience of a token may have, without scheme and port. Empty, the
	// default, accepts any: proxies change hosts.
	AudienceHosts []string `yaml:"audienceHosts,omitempty"`
	// ClockSkewSeconds is how far the clocks of token makers may be off; 60 by default.
	ClockSkewSeconds int `yaml:"clockSkewSeconds"`
	// AdminToken is the bearer token for /status on the admin address. Empty, the default, asks for none.
	AdminToken Secret `yaml:"adminToken,omitempty"`
}

// Key is one access key.
type Key struct {
	// Name tells keys apart in status and logs: primary, secondary.
	Name string `yaml:"name"`
	// Value is the key's text; its UTF-8 bytes are the HMAC key.
	Value Secret `yaml:"value"`
	// NotAfter is the last moment at which the key verifies anything; the zero time, the default, sets no end.
	NotAfter time.Time `yaml:"notAfter,omitempty"`
}

// CORS says which pages in browsers may connect.
type CORS struct {
	// AllowedOrigins are origins (scheme://host[:port]), or "*" alone, the default, for every origin.
	AllowedOrigins []string `yaml:"allowedOrigins"`
}

// Limits bounds sizes and slow peers.
type Limits struct {
	// MessagePolicy says what happens when the day's message quota is used up; by default what the tier says.
	MessagePolicy MessagePolicy `yaml:"messagePolicy,omitempty"`
	// MaxMessageBytes bounds one hub message of a client with its envelope; 1 MiB by default.
	MaxMessageBytes int `yaml:"maxMessageBytes"`
	// MaxServiceFrameBytes bounds one frame of an app server; 16 MiB by default.
	MaxServiceFrameBytes int `yaml:"maxServiceFrameBytes"`
	// SendQueueBytes is how much may wait for one client behind the message being written; 1 MiB by default.
	SendQueueBytes int `yaml:"sendQueueBytes"`
	// ServerQueueBytes is how much may wait for one app-server connection before reading from its clients pauses; they
	// go on at half of it. 8 MiB by default.
	ServerQueueBytes int `yaml:"serverQueueBytes"`
	// SlowPeerSeconds is how long a client may take no byte while something waits for it; 10 by default.
	SlowPeerSeconds int `yaml:"slowPeerSeconds"`
}

// Timeouts bounds waiting, in seconds.
type Timeouts struct {
	// HandshakeSeconds is the wait for a client's hub handshake unless its token says otherwise; 15 by default.
	HandshakeSeconds int `yaml:"handshakeSeconds"`
	// IdleSeconds closes a client from which no byte came for so long; 1800 by default, 0 never.
	IdleSeconds int `yaml:"idleSeconds"`
	// ServerPingSeconds is the interval of pings to app servers; 5 by default (the SDK gives up after 30).
	ServerPingSeconds int `yaml:"serverPingSeconds"`
	// ServerSilenceSeconds ends an app-server connection from which nothing came for so long; 30 by default.
	ServerSilenceSeconds int `yaml:"serverSilenceSeconds"`
	// NoServerWaitSeconds is how long a client's handshake waits for an app server of its hub; 5 by default.
	NoServerWaitSeconds int `yaml:"noServerWaitSeconds"`
	// ConnectSeconds is the time from negotiate to the first use of its connection token; 15 by default.
	ConnectSeconds int `yaml:"connectSeconds"`
	// ReadHeaderSeconds is the time for the head of an HTTP request; 10 by default.
	ReadHeaderSeconds int `yaml:"readHeaderSeconds"`
}

// Drain paces the shutdown, in seconds.
type Drain struct {
	// ReadinessDelaySeconds is how long the node serves on after it became unready; 5 by default.
	ReadinessDelaySeconds int `yaml:"readinessDelaySeconds"`
	// Seconds is the time over which clients are then closed evenly; 60 by default.
	Seconds int `yaml:"seconds"`
}

// LogLevel is the lowest level that is logged.
type LogLevel string

// The log levels.
const (
	LogLevelDebug LogLevel = "debug"
	LogLevelInfo  LogLevel = "info"
	LogLevelWarn  LogLevel = "warn"
	LogLevelError LogLevel = "error"
)

// LogFormat is the form of log lines.
type LogFormat string

// The log formats.
const (
	LogFormatJSON LogFormat = "json"
	LogFormatText LogFormat = "text"
)

// Log sets level and format of the log.
type Log struct {
	// Level is info by default.
	Level LogLevel `yaml:"level"`
	// Format is json by default.
	Format LogFormat `yaml:"format"`
}

// Default returns a Config with every default filled in. It is valid but for its access keys, of which it has none.
func Default() *Config {
	return &Config{
		ConfigVersion: CurrentVersion,
		Listen:        Listen{Client: ":8888", Admin: ":8889"},
		ServiceMode:   ServiceModeDefault,
		Tier:          TierStandard,
		Units:         1,
		Auth:          Auth{ClockSkewSeconds: 60},
		CORS:          CORS{AllowedOrigins: []string{"*"}},
		Limits: Limits{
			MaxMessageBytes:      1 << 20,
			MaxServiceFrameBytes: 16 << 20,
			SendQueueBytes:       1 << 20,
			ServerQueueBytes:     8 << 20,
			SlowPeerSeconds:      10,
		},
		Timeouts: Timeouts{
			HandshakeSeconds:     15,
			IdleSeconds:          1800,
			ServerPingSeconds:    5,
			ServerSilenceSeconds: 30,
			NoServerWaitSeconds:  5,
			ConnectSeconds:       15,
			ReadHeaderSeconds:    10,
		},
		Drain: Drain{ReadinessDelaySeconds: 5, Seconds: 60},
		Log:   Log{Level: LogLevelInfo, Format: LogFormatJSON},
	}
}

// Dev returns the configuration of `signalr-edge dev`: what the vendor's emulator uses (address and published key), the
// mode decided per client, no quota, a drain that does not wait, and a log for people.
func Dev() *Config {
	c := Default()
	c.Node = "dev"
	c.Listen = Listen{Client: "127.0.0.1:8888", Admin: "127.0.0.1:8889"}
	c.ServiceMode = ServiceModeAuto
	c.Quota = Quota{Connections: Unlimited, MessagesPerDay: Unlimited}
	c.Auth.Keys = []Key{{Name: "emulator", Value: EmulatorKey}}
	c.Drain = Drain{ReadinessDelaySeconds: 0, Seconds: 1}
	c.Log.Format = LogFormatText
	return c
}

// Clone returns a deep copy of c.
func (c *Config) Clone() *Config {
	d := *c
	if c.Listen.TLS != nil {
		t := *c.Listen.TLS
		d.Listen.TLS = &t
	}
	d.Auth.Keys = slices.Clone(c.Auth.Keys)
	d.Auth.AudienceHosts = slices.Clone(c.Auth.AudienceHosts)
	d.CORS.AllowedOrigins = slices.Clone(c.CORS.AllowedOrigins)
	d.TrustedProxies = slices.Clone(c.TrustedProxies)
	return &d
}

// ConnectionLimit returns how many client connections may live at once, or Unlimited: the quota if one is set, else 20
// for Free and 1,000 for each unit of the other tiers.
func (c *Config) ConnectionLimit() int64 {
	return c.limit(c.Quota.Connections, freeConnections, connectionsPerUnit)
}

// MessageLimit returns the number of messages per UTC day, or Unlimited: the quota if one is set, else 20,000 for Free
// and 1,000,000 for each unit of the other tiers.
func (c *Config) MessageLimit() int64 {
	return c.limit(c.Quota.MessagesPerDay, freeMessagesPerDay, messagesPerDayEachUnit)
}

func (c *Config) limit(set, free, perUnit int64) int64 {
	switch {
	case set != 0:
		return max(set, Unlimited)
	case c.Tier == TierFree:
		return free
	case int64(c.Units) > math.MaxInt64/perUnit: // only an unvalidated Config gets here
		return math.MaxInt64
	default:
		return int64(c.Units) * perUnit
	}
}

// HardMessages reports whether an exhausted message quota refuses messages, rather than counting on.
func (c *Config) HardMessages() bool {
	return c.Tier == TierFree || c.Limits.MessagePolicy == MessagePolicyHard
}

// Proxies returns TrustedProxies as networks, a single address as a network of one. Entries that Validate refuses are
// left out.
func (c *Config) Proxies() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, s := range c.TrustedProxies {
		if p, ok := parseProxy(s); ok {
			out = append(out, p)
		}
	}
	return out
}

func parseProxy(s string) (netip.Prefix, bool) {
	if strings.ContainsRune(s, '/') {
		p, err := netip.ParsePrefix(s)
		return p, err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// Slog returns the level for log/slog; an unknown level is slog.LevelInfo.
func (l LogLevel) Slog() slog.Level {
	switch l {
	case LogLevelDebug:
		return slog.LevelDebug
	case LogLevelWarn:
		return slog.LevelWarn
	case LogLevelError:
		return slog.LevelError
	case LogLevelInfo:
	}
	return slog.LevelInfo
}
