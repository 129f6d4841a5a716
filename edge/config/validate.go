package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of numbers and texts that are not in the table of Validate.
const (
	maxKeys       = 8
	maxListItems  = 100 // as many origins as the operator's API takes
	maxProblems   = 50  // told of one file: logs and status stay readable whatever it holds
	minKeyBytes   = 32  // RFC 7518 section 3.2: an HS256 key has at least 256 bits
	maxKeyBytes   = 1024
	minTokenBytes = 16
	maxQuota      = 1_000_000_000_000
)

var (
	nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)
	keyName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)
)

// problems collects what is wrong with a Config.
type problems []error

// add notes that the field at path may not have what it has. The text says why, and names allowed values.
func (p *problems) add(path, format string, args ...any) {
	if len(*p) >= maxProblems {
		return
	}
	*p = append(*p, fmt.Errorf(path+": "+format, args...))
}

// between notes a number outside of lo..hi.
func (p *problems) between(path string, n, lo, hi int64) {
	if n < lo || n > hi {
		p.add(path, "%d is not allowed: %d..%d", n, lo, hi)
	}
}

// oneOf notes a text that is not among the allowed.
func oneOf[T ~string](p *problems, path string, got T, allowed ...T) {
	if slices.Contains(allowed, got) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	p.add(path, "%q is not allowed: %s", string(got), strings.Join(names, ", "))
}

// Validate returns the faults of c, joined, or nil; of more than 50 the first 50. Each names the field and what it may
// hold, and none shows a secret.
func (c *Config) Validate() error {
	var p problems
	p.between("configVersion", int64(c.ConfigVersion), 1, CurrentVersion)
	if c.Node != "" && !nodeName.MatchString(c.Node) {
		p.add("node", "%q is not allowed: up to 253 letters, digits, '.', '_' and '-', with a letter or digit at "+
			"both ends", c.Node)
	}
	c.Listen.validate(&p)
	if c.ServiceMode != ServiceModeAuto {
		oneOf(&p, "serviceMode", c.ServiceMode, ServiceModeDefault, ServiceModeServerless, ServiceModeClassic)
	}
	c.validateSize(&p)
	c.Auth.validate(&p)
	c.validateEmulatorKey(&p)
	c.CORS.validate(&p)
	c.validateNumbers(&p)
	if len(c.TrustedProxies) > maxListItems {
		p.add("trustedProxies", "%d entries are not allowed: at most %d", len(c.TrustedProxies), maxListItems)
	}
	for i, s := range c.TrustedProxies {
		if _, ok := parseProxy(s); !ok {
			p.add(fmt.Sprintf("trustedProxies[%d]", i), "%q is not allowed: an IP address or a network as 10.0.0.0/8", s)
		}
	}
	oneOf(&p, "log.level", c.Log.Level, LogLevelDebug, LogLevelInfo, LogLevelWarn, LogLevelError)
	oneOf(&p, "log.format", c.Log.Format, LogFormatJSON, LogFormatText)
	return errors.Join(p...)
}

// validateSize checks tier, units, quota and the message policy, which belong together.
func (c *Config) validateSize(p *problems) {
	oneOf(p, "tier", c.Tier, TierFree, TierStandard, TierPremium)
	// The bounds are those of the API, spec/api.md.
	if most := map[Tier]int64{TierFree: 1, TierStandard: 100, TierPremium: 1000}[c.Tier]; most > 0 &&
		(c.Units < 1 || int64(c.Units) > most) {
		p.add("units", "%d is not allowed: 1..%d for the tier %s", c.Units, most, c.Tier)
	}
	for _, q := range []struct {
		path string
		n    int64
	}{
		{"quota.connections", c.Quota.Connections},
		{"quota.messagesPerDay", c.Quota.MessagesPerDay},
	} {
		if q.n < Unlimited || q.n > maxQuota {
			p.add(q.path, "%d is not allowed: 1..%d, 0 to derive it from tier and units, -1 for none", q.n,
				int64(maxQuota))
		}
	}
	c.Quota.Carried.validate(p)
	if c.Limits.MessagePolicy != MessagePolicyDerived {
		oneOf(p, "limits.messagePolicy", c.Limits.MessagePolicy, MessagePolicySoft, MessagePolicyHard)
	}
	if c.Tier == TierFree && c.Limits.MessagePolicy == MessagePolicySoft {
		p.add("limits.messagePolicy", `"Soft" is not allowed: Hard for the tier Free`)
	}
}

func (c Carried) validate(p *problems) {
	if c == (Carried{}) {
		return
	}
	if c.Date().IsZero() {
		p.add("quota.carried.day", "%q is not allowed: a day as 2026-11-22", c.Day)
	}
	p.between("quota.carried.messages", c.Messages, 0, maxQuota)
}

// validateNumbers checks the plain numbers against their bounds.
func (c *Config) validateNumbers(p *problems) {
	l, t, d := c.Limits, c.Timeouts, c.Drain
	for _, b := range []struct {
		path      string
		n, lo, hi int
	}{
		{"auth.clockSkewSeconds", c.Auth.ClockSkewSeconds, 0, 600},
		{"limits.maxMessageBytes", l.MaxMessageBytes, 1 << 10, 16 << 20},
		{"limits.maxServiceFrameBytes", l.MaxServiceFrameBytes, 64 << 10, 64 << 20},
		{"limits.sendQueueBytes", l.SendQueueBytes, 4 << 10, 256 << 20},
		{"limits.serverQueueBytes", l.ServerQueueBytes, 64 << 10, 1 << 30},
		{"limits.slowPeerSeconds", l.SlowPeerSeconds, 1, 300},
		{"timeouts.handshakeSeconds", t.HandshakeSeconds, 1, 30},
		{"timeouts.idleSeconds", t.IdleSeconds, 0, 604_800},
		{"timeouts.serverPingSeconds", t.ServerPingSeconds, 1, 25},
		{"timeouts.serverSilenceSeconds", t.ServerSilenceSeconds, 2, 600},
		{"timeouts.noServerWaitSeconds", t.NoServerWaitSeconds, 0, 15},
		{"timeouts.connectSeconds", t.ConnectSeconds, 1, 300},
		{"timeouts.readHeaderSeconds", t.ReadHeaderSeconds, 1, 120},
		{"drain.readinessDelaySeconds", d.ReadinessDelaySeconds, 0, 300},
		{"drain.seconds", d.Seconds, 0, 3600},
	} {
		p.between(b.path, int64(b.n), int64(b.lo), int64(b.hi))
	}
	if t.ServerSilenceSeconds <= t.ServerPingSeconds {
		p.add("timeouts.serverSilenceSeconds", "%d is not allowed: more than timeouts.serverPingSeconds (%d)",
			t.ServerSilenceSeconds, t.ServerPingSeconds)
	}
	// A client's message travels to its app server inside of a service frame, and comes back in one.
	if l.MaxServiceFrameBytes <= l.MaxMessageBytes {
		p.add("limits.maxServiceFrameBytes", "%d is not allowed: more than limits.maxMessageBytes (%d)",
			l.MaxServiceFrameBytes, l.MaxMessageBytes)
	}
}

func (l *Listen) validate(p *problems) {
	client := checkAddress(p, "listen.client", l.Client)
	admin := checkAddress(p, "listen.admin", l.Admin)
	if client && admin && l.Client == l.Admin && !strings.HasSuffix(l.Client, ":0") {
		p.add("listen.admin", "%q is not allowed: another address than listen.client", l.Admin)
	}
	if l.TLS != nil {
		if l.TLS.CertFile == "" {
			p.add("listen.tls.certFile", "is missing: the path of a PEM file")
		}
		if l.TLS.KeyFile == "" {
			p.add("listen.tls.keyFile", "is missing: the path of a PEM file")
		}
	}
}

func checkAddress(p *problems, path, s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err == nil && host != "" && !isHost(host) {
		err = errors.New("host")
	}
	if err != nil {
		p.add(path, "%q is not allowed: host:port, with an IP address, a name or nothing as host and 0..65535 as port",
			s)
	}
	return err == nil
}

// isHost reports whether s is an IP address or a host name, in whatever case.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && hostName.MatchString(strings.ToLower(s))
}

func (a *Auth) validate(p *problems) {
	if len(a.Keys) < 1 || len(a.Keys) > maxKeys {
		p.add("auth.keys", "%d keys are not allowed: 1..%d", len(a.Keys), maxKeys)
	}
	seen := map[string]int{}
	for i, k := range a.Keys {
		at := fmt.Sprintf("auth.keys[%d]", i)
		if !keyName.MatchString(k.Name) {
			p.add(at+".name", "%q is not allowed: 1..64 letters, digits, '.', '_' and '-'", k.Name)
		}
		if first, ok := seen[k.Name]; ok {
			p.add(at+".name", "%q is not allowed: auth.keys[%d] has this name", k.Name, first)
		} else {
			seen[k.Name] = i
		}
		checkSecret(p, at+".value", k.Value, minKeyBytes)
	}
	if a.ConnectionTokenKey != "" {
		checkSecret(p, "auth.connectionTokenKey", a.ConnectionTokenKey, minKeyBytes)
	}
	if a.AdminToken != "" {
		checkSecret(p, "auth.adminToken", a.AdminToken, minTokenBytes)
	}
	if len(a.AudienceHosts) > maxListItems {
		p.add("auth.audienceHosts", "%d entries are not allowed: at most %d", len(a.AudienceHosts), maxListItems)
	}
	for i, h := range a.AudienceHosts {
		if !isHost(h) {
			p.add(fmt.Sprintf("auth.audienceHosts[%d]", i), "%q is not allowed: a host name or IP address, without "+
				"scheme, port and path", h)
		}
	}
}

// checkSecret notes a secret that is too short or too long, or that holds what a connection string or an HTTP header
// cannot carry. The text must not tell what the secret is, so it tells its length alone.
func checkSecret(p *problems, path string, s Secret, least int) {
	if len(s) < least || len(s) > maxKeyBytes {
		p.add(path, "%d characters are not allowed: %d..%d", len(s), least, maxKeyBytes)
	}
	if strings.ContainsFunc(s.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' || r == ';' }) {
		p.add(path, "a character in it is not allowed: printable ASCII without space and semicolon")
	}
}

// validateEmulatorKey refuses the key that everybody knows wherever others than this machine can connect.
func (c *Config) validateEmulatorKey(p *problems) {
	if isLoopback(c.Listen.Client) {
		return
	}
	for i, k := range c.Auth.Keys {
		if strings.Contains(k.Value.Reveal(), EmulatorKey) {
			p.add(fmt.Sprintf("auth.keys[%d].value", i), "the emulator's published key is not allowed: a key of your "+
				"own, as listen.client %q is not a loopback address", c.Listen.Client)
		}
	}
}

// isLoopback reports whether an address to listen on can be reached from this machine alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (c *CORS) validate(p *problems) {
	const path, allowed = "cors.allowedOrigins", `"*" alone, or origins as https://example.com`
	if len(c.AllowedOrigins) < 1 || len(c.AllowedOrigins) > maxListItems {
		p.add(path, "%d entries are not allowed: 1..%d: %s", len(c.AllowedOrigins), maxListItems, allowed)
	}
	for i, o := range c.AllowedOrigins {
		if o == "*" && len(c.AllowedOrigins) == 1 {
			continue
		}
		if !isOrigin(o) {
			p.add(fmt.Sprintf("%s[%d]", path, i), "%q is not allowed: %s", o, allowed)
		}
	}
}

// isOrigin reports whether s is scheme://host[:port], as a browser writes it.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && isHost(u.Hostname()) && s == u.Scheme+"://"+u.Host
}
