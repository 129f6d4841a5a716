package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// DefaultConnectWindow is the time from the making of a connection token to its first use.
const DefaultConnectWindow = 15 * time.Second

// maxNameBytes bounds node and hub in a connection token: their lengths are one byte each.
const maxNameBytes = 255

// The layout of a connection token before base64url without padding, which leaves unreserved characters alone: clients
// put the token into the URL as it is. Ours alone, so nothing but this package reads it.
//
//	version     1 byte, 1
//	expiry      8 bytes, milliseconds since 1970, big endian
//	id          16 bytes
//	user        8 bytes, truncated HMAC-SHA256 of id and user
//	node        1 byte length, text
//	hub         1 byte length, text
//	MAC         16 bytes, truncated HMAC-SHA256 of all before
const (
	connectionVersion = 1
	expiryOffset      = 1
	idOffset          = expiryOffset + 8
	userOffset        = idOffset + 16
	nodeOffset        = userOffset + 8
	macBytes          = 16
	minTokenLen       = nodeOffset + 1 + 1 + macBytes
	maxTokenLen       = minTokenLen + 2*maxNameBytes
)

// What the HMACs are for goes into them first, so that neither can stand for the other.
const (
	macPurpose  = "signalr-edge connection token\x00"
	userPurpose = "signalr-edge connection user\x00"
)

// tokenEncoding refuses unused bits that are not zero: there is one text for one token.
var tokenEncoding = base64.RawURLEncoding.Strict()

// ConnectionInfo is what a connection token is made of.
type ConnectionInfo struct {
	// ID is the secret, random identity of the connection.
	ID [16]byte
	// Node is the edge that made the token, and holds the connection once it is there; at most 255 bytes.
	Node string
	// Hub is the hub of the connection; at most 255 bytes.
	Hub string
	// User is the user of the access token, if HasUser. Only a digest of it goes into the token.
	User    string
	HasUser bool
}

// OpenedToken is what a connection token says.
type OpenedToken struct {
	// ID, Node and Hub are those of the ConnectionInfo.
	ID   [16]byte
	Node string
	Hub  string
	// ExpiresAt is the end of the time for the first use, to the millisecond.
	ExpiresAt time.Time

	user [nodeOffset - userOffset]byte
}

// ConnectionTokens makes and opens connection tokens (the `id` of client protocol 1.2) under a key of its own.
type ConnectionTokens struct {
	key    []byte
	window time.Duration
}

// NewConnectionTokens returns the maker of connection tokens under key, of at least 32 bytes, which must not be an
// access key: those are known to every app server. A token is good for its first use for window; 0 is
// DefaultConnectWindow.
func NewConnectionTokens(key []byte, window time.Duration) (*ConnectionTokens, error) {
	if len(key) < sha256.Size {
		return nil, fmt.Errorf("connection tokens: a key of %d bytes is too short: %d", len(key), sha256.Size)
	}
	if window <= 0 {
		window = DefaultConnectWindow
	}
	return &ConnectionTokens{key: slices.Clone(key), window: window}, nil
}

// Format writes the type alone, whatever the verb: the key is never shown.
func (ConnectionTokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "connection tokens") }

// Mint returns a token for info, good from now until the end of the window. Node and hub are bounded where they come
// from (configuration and hub-name rule); an error means that one is longer than a token can hold.
func (c *ConnectionTokens) Mint(info ConnectionInfo, now time.Time) (string, error) {
	if len(info.Node) > maxNameBytes || len(info.Hub) > maxNameBytes {
		return "", errors.New("mint connection token: node or hub is longer than 255 bytes")
	}
	b := make([]byte, 0, minTokenLen+len(info.Node)+len(info.Hub))
	b = append(b, connectionVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Add(c.window).UnixMilli()))
	b = append(b, info.ID[:]...)
	user := c.userDigest(info.ID, info.User, info.HasUser)
	b = append(b, user[:nodeOffset-userOffset]...)
	b = append(b, byte(len(info.Node)))
	b = append(b, info.Node...)
	b = append(b, byte(len(info.Hub)))
	b = append(b, info.Hub...)
	mac := c.mac(macPurpose, b)
	return tokenEncoding.EncodeToString(append(b, mac[:macBytes]...)), nil
}

// Open returns what a token says that is presented for the first time. The error is an *Error with one of the
// ReasonConnection reasons; to the outside all of them are 404.
func (c *ConnectionTokens) Open(token string, now time.Time) (OpenedToken, error) {
	t, err := c.OpenLive(token)
	if err != nil {
		return OpenedToken{}, err
	}
	if !now.Before(t.ExpiresAt) {
		return OpenedToken{}, errConnectionExpired
	}
	return t, nil
}

// OpenLive is Open for a token whose connection may be alive, to which the time for the first use is nothing: polls,
// posts and returning sockets. The caller still has to know the connection.
func (c *ConnectionTokens) OpenLive(token string) (OpenedToken, error) {
	if len(token) < tokenEncoding.EncodedLen(minTokenLen) || len(token) > tokenEncoding.EncodedLen(maxTokenLen) {
		return OpenedToken{}, errConnectionMalformed
	}
	b, err := tokenEncoding.DecodeString(token)
	// The decoder skips line ends; with them the lengths differ.
	if err != nil || tokenEncoding.EncodedLen(len(b)) != len(token) || b[0] != connectionVersion {
		return OpenedToken{}, errConnectionMalformed
	}
	body, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if want := c.mac(macPurpose, body); !hmac.Equal(want[:macBytes], mac) {
		return OpenedToken{}, errConnectionForged
	}
	// From here on the bytes are ours; the checks of lengths guard against a layout that changed under one version.
	node, rest, ok := cutName(body[nodeOffset:])
	if !ok {
		return OpenedToken{}, errConnectionMalformed
	}
	hub, rest, ok := cutName(rest)
	if !ok || len(rest) > 0 {
		return OpenedToken{}, errConnectionMalformed
	}
	t := OpenedToken{
		Node:      node,
		Hub:       hub,
		ExpiresAt: time.UnixMilli(int64(binary.BigEndian.Uint64(body[expiryOffset:]))).UTC(),
	}
	copy(t.ID[:], body[idOffset:])
	copy(t.user[:], body[userOffset:])
	return t, nil
}

// IsUser reports whether a token was made for this user, or for none if hasUser is false.
func (c *ConnectionTokens) IsUser(t OpenedToken, user string, hasUser bool) bool {
	digest := c.userDigest(t.ID, user, hasUser)
	return hmac.Equal(digest[:len(t.user)], t.user[:])
}

// userDigest depends on the id so that two connections of a user cannot be told to be of one.
func (c *ConnectionTokens) userDigest(id [16]byte, user string, hasUser bool) [sha256.Size]byte {
	b := make([]byte, 0, len(id)+1+len(user))
	b = append(b, id[:]...)
	if hasUser {
		b = append(b, 1)
		b = append(b, user...)
	} else {
		b = append(b, 0)
	}
	return c.mac(userPurpose, b)
}

func (c *ConnectionTokens) mac(purpose string, b []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, c.key)
	_, _ = io.WriteString(h, purpose)
	h.Write(b)
	h.Sum(sum[:0])
	return sum
}

// cutName takes a text with its length in front from b.
func cutName(b []byte) (name string, rest []byte, ok bool) {
	if len(b) < 1 || len(b)-1 < int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}
