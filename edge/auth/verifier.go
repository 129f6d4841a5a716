package auth

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// MaxTokenBytes is the longest access token that is looked at. The SDK makes none of more than 4,096 characters, other
// makers may (service protocol 2.3).
const MaxTokenBytes = 16 << 10

// DefaultClockSkew is how far the clocks of token makers may be off unless configured.
const DefaultClockSkew = 60 * time.Second

// Purpose is what a token is presented for; a token for one purpose never opens another.
type Purpose uint8

// The purposes of a token, and the path that its audience must have (with or without the final slash).
const (
	// Client is a client's connection: /client/?hub=<hub>.
	Client Purpose = iota + 1
	// Server is an app server's connection: /server/?hub=<hub>.
	Server
)

// String returns the first segment of the path: client or server.
func (p Purpose) String() string {
	switch p {
	case Client:
		return "client"
	case Server:
		return "server"
	default:
		return "unknown"
	}
}

// Options are what a Verifier checks besides keys.
type Options struct {
	// AudienceHosts are the hosts that an audience may name, compared without case and port; none accepts any.
	AudienceHosts []string
	// ClockSkew is added to exp and taken from nbf; it must not be negative.
	ClockSkew time.Duration
}

// Verifier checks access tokens against the keys and options of the moment.
type Verifier struct {
	settings atomic.Pointer[settings]
}

// settings is one immutable state of a Verifier: keys and options change together.
type settings struct {
	keys  *Keys
	hosts []string // lower case
	skew  time.Duration
}

// NewVerifier returns a Verifier; see Set.
func NewVerifier(keys *Keys, o Options) *Verifier {
	v := &Verifier{}
	v.Set(keys, o)
	return v
}

// Set replaces keys and options at once. Tokens verified before stay as they are: live connections never depend on it.
func (v *Verifier) Set(keys *Keys, o Options) {
	s := &settings{keys: keys, skew: max(o.ClockSkew, 0)}
	for _, h := range o.AudienceHosts {
		s.hosts = append(s.hosts, strings.ToLower(strings.Trim(h, "[]")))
	}
	v.settings.Store(s)
}

// Verify checks a token for purpose and hub at now, and returns its claims. The error is an *Error.
//
// The signature must be HS256 or HS512 of one of the keys that are valid at now, whatever kid says; exp is required
// and nbf honoured, both with the clock skew; one audience must name path and hub (without regard to case) and, if the
// options say which, the host; scheme, port and further query items of the audience are ignored. Nothing that a token
// says is reported before its signature was found good.
func (v *Verifier) Verify(token string, purpose Purpose, hub string, now time.Time) (*Token, error) {
	s := v.settings.Load()
	payload, err := checkSignature(token, s.keys, now)
	if err != nil {
		return nil, err
	}
	t, err := parsePayload(payload)
	if err != nil {
		return nil, err
	}
	if err := t.checkTime(s.skew, now); err != nil {
		return nil, err
	}
	if err := checkAudience(t.audience, purpose, hub, s.hosts); err != nil {
		return nil, err
	}
	return t, nil
}

// checkTime checks exp and nbf.
func (t *Token) checkTime(skew time.Duration, now time.Time) error {
	if t.ExpiresAt.IsZero() {
		return errNoExpiry
	}
	if !now.Before(t.ExpiresAt.Add(skew)) {
		return &Error{ReasonExpired, fmt.Sprintf("The access token has expired, %d seconds ago (%d are allowed for "+
			"clock skew).", int64(now.Sub(t.ExpiresAt)/time.Second), int64(skew/time.Second))}
	}
	if !t.notBefore.IsZero() && now.Before(t.notBefore.Add(-skew)) {
		return &Error{ReasonNotYetValid, fmt.Sprintf("The access token is not yet valid, for %d more seconds (%d are "+
			"allowed for clock skew).", int64(t.notBefore.Sub(now)/time.Second), int64(skew/time.Second))}
	}
	return nil
}

// checkAudience wants one audience that names purpose, hub and an accepted host. Of several wrong ones the most
// telling reason is given: the host, else the hub, else the path.
func checkAudience(audiences []string, purpose Purpose, hub string, hosts []string) error {
	if len(audiences) == 0 {
		return errNoAud
	}
	var wrongHost, wrongHub bool
	for _, a := range audiences {
		host, path, query := splitAudience(a)
		if strings.TrimSuffix(path, "/") != "/"+purpose.String() {
			continue
		}
		if got, ok := audienceHub(query); !ok || hub == "" || lowerASCII(got) != lowerASCII(hub) {
			wrongHub = true
			continue
		}
		if len(hosts) > 0 && !slices.Contains(hosts, host) {
			wrongHost = true
			continue
		}
		return nil
	}
	switch {
	case wrongHost:
		return errHost
	case wrongHub:
		return errHub
	default:
		p := purpose.String()
		return &Error{ReasonPath, "The audience of the access token is for something else: its path must be /" + p +
			"/ and its query ?hub= and the hub."}
	}
}
