package auth

import (
	"strconv"
	"strings"
	"time"
)

// The claims by which the SDK speaks to the service, service protocol 2.5.
const (
	claimUserID             = "asrs.s.uid"
	claimServerName         = "asrs.s.sn"
	claimSticky             = "asrs.s.ssticky"
	claimDiagnostic         = "asrs.s.dc"
	claimHandshakeTimeout   = "asrs.s.cht"
	claimAuthenticationType = "asrs.s.aut"
	claimDetailedErrors     = "asrs.s.derror"
	claimNameType           = "asrs.s.nt"
	claimRoleType           = "asrs.s.rt"
	claimPollInterval       = "asrs.s.ttl"
	claimTransports         = "asrs.s.htt"
	claimCloseOnExpiry      = "asrs.s.coae"
	claimExpiresOn          = "asrs.s.aeo"
)

// Claim is one claim of a token: a list gives one for each element.
type Claim struct {
	// Type is the claim's name, Value its text.
	Type, Value string
}

// Token is what a verified access token says.
type Token struct {
	// Claims are all claims in the order of the payload, repeats kept, exp and its like included. A list gives one
	// claim for each element, a number or boolean its JSON text, null the empty text, an object compact JSON.
	Claims []Claim
	// ExpiresAt is exp. Only long polling and SSE requests are bound by it: a WebSocket outlives its token.
	ExpiresAt time.Time

	notBefore time.Time
	audience  []string
}

// First returns the value of the first claim of a type, and whether there is one.
func (t *Token) First(claimType string) (value string, ok bool) {
	for i := range t.Claims {
		if t.Claims[i].Type == claimType {
			return t.Claims[i].Value, true
		}
	}
	return "", false
}

// UserID returns the user of a client token, and whether there is one: asrs.s.uid, else the name identifier, which is
// nameid or sub, whichever comes first. An empty one is no user.
func (t *Token) UserID() (userID string, ok bool) {
	if userID, ok = t.First(claimUserID); ok {
		return userID, userID != ""
	}
	return t.nameIdentifier()
}

// ServerID returns the id of the process that made a server token, its name identifier, and whether there is one.
func (t *Token) ServerID() (serverID string, ok bool) { return t.nameIdentifier() }

func (t *Token) nameIdentifier() (string, bool) {
	for _, c := range t.Claims {
		if c.Type == "nameid" || c.Type == "sub" {
			return c.Value, c.Value != ""
		}
	}
	return "", false
}

// Sticky is how firmly a client belongs to the app server that negotiated it.
type Sticky uint8

// The sticky modes.
const (
	// StickyDisabled lets any app server take the client.
	StickyDisabled Sticky = iota
	// StickyPreferred asks for the named server if this edge has a connection of it, else any.
	StickyPreferred
	// StickyRequired asks for the named server, wherever it is connected, and no other.
	StickyRequired
)

// String returns the mode as the SDK spells it.
func (s Sticky) String() string {
	switch s {
	case StickyPreferred:
		return "Preferred"
	case StickyRequired:
		return "Required"
	case StickyDisabled:
	}
	return "Disabled"
}

// ServerName returns the id of the app server that negotiated the client (asrs.s.sn), and whether there is one.
func (t *Token) ServerName() (serverID string, ok bool) {
	serverID, ok = t.First(claimServerName)
	return serverID, ok && serverID != ""
}

// Sticky returns the sticky mode (asrs.s.ssticky): StickyDisabled without a server name, and StickyPreferred for a
// server name with a mode that is missing or unknown.
func (t *Token) Sticky() Sticky {
	if _, ok := t.ServerName(); !ok {
		return StickyDisabled
	}
	mode, _ := t.First(claimSticky)
	switch {
	case strings.EqualFold(mode, "Required"):
		return StickyRequired
	case strings.EqualFold(mode, "Disabled"):
		return StickyDisabled
	default:
		return StickyPreferred
	}
}

// Diagnostic reports whether this is a diagnostic client (asrs.s.dc).
func (t *Token) Diagnostic() bool { return t.isTrue(claimDiagnostic) }

// DetailedErrors reports whether Close messages made by the edge may tell the real reason (asrs.s.derror).
func (t *Token) DetailedErrors() bool { return t.isTrue(claimDetailedErrors) }

// HandshakeTimeout returns the time for the client's hub handshake (asrs.s.cht), 1 to 30 s, and whether the token says
// one; a value out of that range is none.
func (t *Token) HandshakeTimeout() (timeout time.Duration, ok bool) {
	return t.seconds(claimHandshakeTimeout, 1, 30)
}

// PollInterval returns how long a long-polling client may have no poll pending (asrs.s.ttl), 1 to 300 s, and whether
// the token says so; a value out of that range is none.
func (t *Token) PollInterval() (interval time.Duration, ok bool) {
	return t.seconds(claimPollInterval, 1, 300)
}

// AuthenticationType returns the authentication type of the user's identity (asrs.s.aut), and whether the token says
// one; Bearer is the default then.
func (t *Token) AuthenticationType() (name string, ok bool) { return t.First(claimAuthenticationType) }

// TransportMask is a set of transports.
type TransportMask uint8

// The transports, with the numbers of the SDK's HttpTransportType.
const (
	TransportWebSockets       TransportMask = 1
	TransportServerSentEvents TransportMask = 2
	TransportLongPolling      TransportMask = 4

	allTransports = TransportWebSockets | TransportServerSentEvents | TransportLongPolling
)

// TransportMask returns the transports that the client may use (asrs.s.htt): all unless the token restricts them. A
// mask of 0 allows none; one that is no number restricts nothing.
func (t *Token) TransportMask() TransportMask {
	text, ok := t.First(claimTransports)
	if !ok {
		return allTransports
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return allTransports
	}
	return TransportMask(n & int64(allTransports))
}

// CloseOnExpiry reports whether the client must be closed when its sign-in expires (asrs.s.coae). It is then closed at
// ExpiresOn.
func (t *Token) CloseOnExpiry() bool { return t.isTrue(claimCloseOnExpiry) }

// ExpiresOn returns when the user's sign-in expires (asrs.s.aeo), and whether the token says so. 0, which the SDK
// writes for an unknown time, is none.
func (t *Token) ExpiresOn() (at time.Time, ok bool) {
	text, _ := t.First(claimExpiresOn)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}, false
	}
	return time.Unix(min(n, maxDate), 0).UTC(), true
}

func (t *Token) isTrue(claimType string) bool {
	v, _ := t.First(claimType)
	return strings.EqualFold(v, "true")
}

func (t *Token) seconds(claimType string, least, most int) (time.Duration, bool) {
	text, _ := t.First(claimType)
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// MappedClaims returns the claims that OpenConnection carries (service protocol 2.6): all in order, but aud, exp, iat
// and nbf, which the SDK drops anyway; short names replaced by the long .NET claim types, except a name that the token
// itself calls its name or role type (asrs.s.nt, asrs.s.rt): its app server looks for exactly that.
func MappedClaims(t *Token) []Claim {
	nameType, _ := t.First(claimNameType)
	roleType, _ := t.First(claimRoleType)
	out := make([]Claim, 0, len(t.Claims))
	for _, c := range t.Claims {
		switch c.Type {
		case "aud", "exp", "iat", "nbf":
			continue
		case nameType, roleType:
		default:
			if long, ok := claimTypes[c.Type]; ok {
				c.Type = long
			}
		}
		out = append(out, c)
	}
	return out
}
