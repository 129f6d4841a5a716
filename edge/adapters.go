package edge

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"net"
	"strings"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/appserver"
	"github.com/signalr-operator/signalr-operator/edge/auth"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/quota"
	"github.com/signalr-operator/signalr-operator/edge/reason"
	"github.com/signalr-operator/signalr-operator/edge/shard"
	"github.com/signalr-operator/signalr-operator/edge/transport"
)

// authenticator gives the front door what tokens say.
type authenticator struct {
	verifier *auth.Verifier
	now      func() time.Time
}

func (a authenticator) Client(token, hub string) (*transport.Identity, error) {
	t, err := a.verifier.Verify(token, auth.Client, hub, a.now())
	if err != nil {
		return nil, err
	}
	id := &transport.Identity{
		DetailedErrors: t.DetailedErrors(), Diagnostic: t.Diagnostic(),
		NoWebSockets: t.TransportMask()&auth.TransportWebSockets == 0,
	}
	if user, ok := t.UserID(); ok {
		id.User = strings.Clone(user) // kept as long as the connection lives, unlike the token
	}
	if name, ok := t.ServerName(); ok {
		id.ServerID = name
		id.StickyPreferred = t.Sticky() == auth.StickyPreferred
		id.StickyRequired = t.Sticky() == auth.StickyRequired
	}
	id.HandshakeTimeout, _ = t.HandshakeTimeout()
	if t.CloseOnExpiry() {
		id.Expires, _ = t.ExpiresOn()
	}
	id.Claims = mapped(t)
	id.Compact = compact(t)
	return id, nil
}

// mapped are the claims as app servers expect them.
func mapped(t *auth.Token) service.Claims {
	claims := auth.MappedClaims(t)
	out := make(service.Claims, len(claims))
	for i, c := range claims {
		out[i] = service.Claim{Type: c.Type, Value: c.Value}
	}
	return out
}

// compact keeps claims with the short names of the token: a third of what the mapped ones take.
func compact(t *auth.Token) []byte {
	claims := make(service.Claims, 0, len(t.Claims))
	for _, c := range t.Claims {
		switch c.Type {
		case "aud", "exp", "iat", "nbf", "iss":
		default:
			claims = append(claims, service.Claim{Type: c.Type, Value: c.Value})
		}
	}
	return service.AppendClaimsPayload(nil, claims)
}

// expand undoes compact. Claims that an app server has set are long already, and stay as they are.
func expand(b []byte) service.Claims {
	claims, err := service.DecodeClaimsPayload(b)
	if err != nil {
		return nil
	}
	t := &auth.Token{}
	for _, c := range claims {
		t.Claims = append(t.Claims, auth.Claim{Type: c.Type, Value: c.Value})
	}
	return mapped(t)
}

func (a authenticator) Server(token, hub string) (string, error) {
	t, err := a.verifier.Verify(token, auth.Server, hub, a.now())
	if err != nil {
		return "", err
	}
	id, _ := t.ServerID()
	return id, nil
}

func (authenticator) Reason(err error) string { return string(auth.ReasonOf(err)) }

// tokens gives the front door connection ids and their tokens.
type tokens struct {
	*auth.ConnectionTokens
	node string
	now  func() time.Time
}

func connectionID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func (t tokens) Mint(hub, user string) (id, token string, err error) {
	info := auth.ConnectionInfo{Node: t.node, Hub: hub, User: user, HasUser: user != ""}
	_, _ = rand.Read(info.ID[:]) // never fails (crypto/rand)
	token, err = t.ConnectionTokens.Mint(info, t.now())
	return connectionID(info.ID), token, err
}

func (t tokens) Open(token, hub, user string) (id string, expired, ok bool) {
	opened, err := t.OpenLive(token)
	if err != nil || opened.Hub != hub || opened.Node != t.node || !t.IsUser(opened, user, user != "") {
		return "", false, false
	}
	return connectionID(opened.ID), !t.now().Before(opened.ExpiresAt), true
}

// resolve finds the connection of a token that an app server names.
func (t tokens) resolve(token string) (string, bool) {
	opened, err := t.OpenLive(token)
	if err != nil || opened.Node != t.node {
		return "", false
	}
	return connectionID(opened.ID), true
}

// sessions hands accepted clients to the shards.
type sessions struct{ *shard.Shards }

func (s sessions) Bind(fd int, sock net.Conn, buffered []byte, c *transport.Client) bool {
	id := c.Identity
	client := &shard.Client{
		ID: c.ID, Hub: strings.Clone(c.Hub), User: id.User, Open: c.Open, Claims: bytes.Clone(id.Compact),
		ServerID: id.ServerID, HandshakeTimeout: id.HandshakeTimeout, DetailedErrors: id.DetailedErrors,
		Diagnostic: id.Diagnostic, Expires: id.Expires, Refuse: c.Refuse, Done: c.Done,
	}
	switch {
	case id.StickyRequired:
		client.Sticky = shard.StickyRequired
	case id.StickyPreferred:
		client.Sticky = shard.StickyPreferred
	}
	if fd >= 0 {
		return s.Shards.Bind(fd, buffered, client)
	}
	return s.BindStream(sock, buffered, client)
}

// router hands what app servers say to the shards.
type router struct{ *shard.Shards }

func (r router) Dispatch(from *appserver.Conn, m service.Message) bool {
	return r.Shards.Dispatch(from, m)
}
func (r router) Arrived(c *appserver.Conn) { r.ServerArrived(c.Hub()) }
func (r router) Lost(c *appserver.Conn)    { r.ServerLost(c) }
func (r router) Ready(c *appserver.Conn)   { r.ServerReady(c) }
func (r router) Leaves(c *appserver.Conn)  { r.ServerLeaves(c) }

// chooser lets the shards ask for server connections.
func chooser(r *appserver.Registry) shard.Choose {
	return func(w shard.Want) (shard.Link, reason.Reason) {
		want := appserver.Want{Hub: w.Hub, ExcludeServer: w.ExcludeServer, Migratable: w.Migratable}
		if w.Sticky != shard.StickyNone {
			want.ServerID, want.Required = w.ServerID, w.Sticky == shard.StickyRequired
		}
		c, why := r.Choose(want)
		if c == nil {
			return nil, why
		}
		return c, reason.None
	}
}

// connections is the quota as the front door needs it.
type connections struct{ *quota.Connections }

// Full reports whether a client that negotiates now would be refused.
func (q connections) Full() bool { return q.Limit() >= 0 && q.Count() >= q.Limit() }
