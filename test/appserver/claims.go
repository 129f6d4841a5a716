package appserver

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// Claim is one claim of a user. Types may repeat and order is kept.
type Claim = service.Claim

// Claim types of the service protocol and of .NET that the app server reads or writes (2.5, 2.6).
const (
	claimSystemPrefix = "asrs.s."
	claimUserPrefix   = "asrs.u."
	claimUserID       = "asrs.s.uid"
	claimServerName   = "asrs.s.sn"
	claimSticky       = "asrs.s.ssticky"
	claimDiagnostic   = "asrs.s.dc"
	claimHandshake    = "asrs.s.cht"
	claimAuthType     = "asrs.s.aut"
	claimDetailed     = "asrs.s.derror"
	claimNameType     = "asrs.s.nt"
	claimRoleType     = "asrs.s.rt"
	claimPollInterval = "asrs.s.ttl"
	claimTransports   = "asrs.s.htt"
	claimCloseOnAuth  = "asrs.s.coae"
	claimAuthExpires  = "asrs.s.aeo"

	// ClaimTypeName is the long .NET claim type of a user's name.
	ClaimTypeName = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	// ClaimTypeRole is the long .NET claim type of a role.
	ClaimTypeRole = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	// ClaimTypeNameIdentifier is the long .NET claim type of a user's identifier.
	ClaimTypeNameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
)

// reservedClaims are the names that a user's own claim may not have in a token (2.5).
var reservedClaims = []string{
	"aud", "exp", "iat", "nbf", "iss", "actort", "acr", "azp", "c_hash", "jti", "nonce",
}

// Identity is what the application knows about a negotiating user; the Options.Authenticate callback returns it.
type Identity struct {
	// UserID becomes asrs.s.uid; empty means no user.
	UserID string
	// Claims are the user's own claims, with long or short types, repeats allowed.
	Claims []Claim
	// AuthenticationType becomes asrs.s.aut unless empty or "Bearer".
	AuthenticationType string
	// NameClaimType and RoleClaimType become asrs.s.nt and asrs.s.rt when they differ from .NET's defaults.
	NameClaimType string
	RoleClaimType string
	// Expires is the end of the sign-in; with Options.CloseOnAuthenticationExpiration it becomes asrs.s.aeo.
	Expires time.Time
	// Diagnostic marks a diagnostic client (asrs.s.dc).
	Diagnostic bool
}

// clientClaims returns the claims of a client token in the SDK's order: system claims first, the user's own after them.
func clientClaims(o *Options, id Identity, serverID string) []Claim {
	var claims []Claim
	add := func(t, v string) { claims = append(claims, Claim{Type: t, Value: v}) }
	if id.UserID != "" {
		add(claimUserID, id.UserID)
	}
	if o.Sticky != StickyDisabled {
		add(claimServerName, serverID)
		add(claimSticky, string(o.Sticky))
	}
	if id.Diagnostic {
		add(claimDiagnostic, "true")
	}
	if o.HandshakeTimeout != 0 && o.HandshakeTimeout != defaultHandshakeTimeout {
		seconds := min(max(int(o.HandshakeTimeout/time.Second), 1), 30)
		add(claimHandshake, strconv.Itoa(seconds))
	}
	if id.AuthenticationType != "" && id.AuthenticationType != "Bearer" {
		add(claimAuthType, id.AuthenticationType)
	}
	if o.DetailedErrors {
		add(claimDetailed, "True")
	}
	if id.NameClaimType != "" && id.NameClaimType != ClaimTypeName {
		add(claimNameType, id.NameClaimType)
	}
	if id.RoleClaimType != "" && id.RoleClaimType != ClaimTypeRole {
		add(claimRoleType, id.RoleClaimType)
	}
	if o.MaxPollIntervalSeconds > 0 {
		add(claimPollInterval, strconv.Itoa(o.MaxPollIntervalSeconds))
	}
	if o.Transports != 0 {
		add(claimTransports, strconv.Itoa(int(o.Transports)))
	}
	if o.CloseOnAuthenticationExpiration && !id.Expires.IsZero() {
		add(claimCloseOnAuth, "true")
		add(claimAuthExpires, strconv.FormatInt(id.Expires.Unix(), 10))
	}
	return appendUserClaims(claims, id.Claims)
}

// appendUserClaims appends a user's own claims, moving those aside whose names are taken (2.5).
func appendUserClaims(claims, own []Claim) []Claim {
	hasSub := false
	for _, c := range own {
		isSub := c.Type == "sub"
		if slices.Contains(reservedClaims, c.Type) || (isSub && hasSub) {
			c.Type = claimUserPrefix + c.Type
		}
		hasSub = hasSub || isSub
		claims = append(claims, c)
	}
	return claims
}

// shortClaimType returns the name that the SDK's token writer gives to claim type t (2.6).
func shortClaimType(t string) string {
	if short, ok := outboundClaimTypes[t]; ok {
		return short
	}
	return t
}

// Principal is the user of a client connection as the SDK rebuilds it from the claims of OpenConnection (2.5, 2.6).
type Principal struct {
	// Claims are the user's own claims after the SDK's filter; an anonymous principal has none.
	Claims []Claim
	// AuthenticationType is the value of asrs.s.aut, else "Bearer" when there are claims.
	AuthenticationType string
	// NameType and RoleType are the claim types that Name and IsInRole look at.
	NameType string
	RoleType string
	userID   string
}

// principalOf applies the SDK's filter to the claims of OpenConnection. It takes claim types literally: undoing the
// shortening is the service's duty.
func principalOf(claims []Claim) *Principal {
	p := &Principal{NameType: ClaimTypeName, RoleType: ClaimTypeRole}
	auth := "Bearer"
	for _, c := range claims {
		switch {
		case c.Type == claimUserID:
			p.userID = c.Value
		case c.Type == claimAuthType:
			auth = c.Value
		case c.Type == claimNameType:
			p.NameType = c.Value
		case c.Type == claimRoleType:
			p.RoleType = c.Value
		case strings.HasPrefix(c.Type, claimSystemPrefix), slices.Contains(reservedClaims, c.Type):
		case strings.HasPrefix(c.Type, claimUserPrefix):
			p.Claims = append(p.Claims, Claim{Type: strings.TrimPrefix(c.Type, claimUserPrefix), Value: c.Value})
		default:
			p.Claims = append(p.Claims, c)
		}
	}
	if len(p.Claims) > 0 {
		p.AuthenticationType = auth
	}
	return p
}

// UserID returns asrs.s.uid when the service forwarded it, else the first name identifier claim, else "".
func (p *Principal) UserID() string {
	if p.userID != "" {
		return p.userID
	}
	return p.First(ClaimTypeNameIdentifier)
}

// First returns the value of the first claim of type t, or "".
func (p *Principal) First(t string) string {
	for _, c := range p.Claims {
		if c.Type == t {
			return c.Value
		}
	}
	return ""
}

// Name returns the value of the first claim of the principal's name type, or "".
func (p *Principal) Name() string { return p.First(p.NameType) }

// IsInRole reports whether a claim of the principal's role type has value role.
func (p *Principal) IsInRole(role string) bool {
	return slices.Contains(p.Claims, Claim{Type: p.RoleType, Value: role})
}
