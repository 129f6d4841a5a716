package appserver

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxTokenLength is the SDK's own limit on the length of a token it makes (2.3).
const MaxTokenLength = 4096

// ErrTokenTooLong says that a client token came out longer than MaxTokenLength; negotiate answers it with 413 and the
// SDK's text.
var ErrTokenTooLong = errors.New("token is too long")

const tokenTooLongText = "AccessToken must not be longer than 4K."

// TokenAlgorithm is the signature algorithm of server and client tokens.
type TokenAlgorithm string

// The two algorithms that the SDK's AccessTokenAlgorithm option knows.
const (
	HS256 TokenAlgorithm = "HS256"
	HS512 TokenAlgorithm = "HS512"
)

// signToken makes a token as the SDK does (2.3): the UTF-8 text of the key is the HMAC key, kid is a meaningless
// number, several claims of one (shortened) type become an array.
func signToken(key string, alg TokenAlgorithm, audience string, claims []Claim, now time.Time, life time.Duration) (
	string, error,
) {
	m := jwt.MapClaims{
		"aud": audience,
		"nbf": now.Unix(),
		"iat": now.Unix(),
		"exp": now.Add(life).Unix(),
		"iss": "azure-signalr",
	}
	for _, c := range claims {
		name := shortClaimType(c.Type)
		switch old := m[name].(type) {
		case nil:
			m[name] = c.Value
		case []any:
			m[name] = append(old, c.Value)
		default:
			m[name] = []any{old, c.Value}
		}
	}
	method := jwt.SigningMethodHS256
	if alg == HS512 {
		method = jwt.SigningMethodHS512
	}
	t := jwt.NewWithClaims(method, m)
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	t.Header["kid"] = strconv.Itoa(int(int32(h.Sum32())))
	signed, err := t.SignedString([]byte(key))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(signed) > MaxTokenLength {
		return "", ErrTokenTooLong
	}
	return signed, nil
}

// ClientToken returns a client token for this server's hub of wire name hub, with the SDK's system claims for id. Tests
// use it to connect without negotiating.
func (s *Server) ClientToken(hub string, id Identity) (string, error) {
	o := &s.opts
	claims := clientClaims(o, id, s.id)
	return signToken(s.conn.AccessKey, o.TokenAlgorithm, s.conn.ClientAudience(hub), claims, time.Now(), o.TokenLifetime)
}

func (s *Server) serverToken(hub string) (string, error) {
	claims := []Claim{{Type: "nameid", Value: s.id}}
	o := &s.opts
	return signToken(s.conn.AccessKey, o.TokenAlgorithm, s.conn.ServerAudience(hub), claims, time.Now(), o.TokenLifetime)
}
