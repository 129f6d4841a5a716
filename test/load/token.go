//go:build linux

package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLifetime is the stock SDK's default (service-protocol.md 2.3).
const tokenLifetime = time.Hour

// userPrefix begins the user id of every bench client; the client's index follows in six digits.
const userPrefix = "bench-"

// UserID is the user id of the client with that index.
func UserID(index int) string { return fmt.Sprintf("%s%06d", userPrefix, index) }

// ClientIndex is the inverse of UserID; ok is false for a user id that the bench did not make.
func ClientIndex(userID string) (index int, ok bool) {
	digits, found := strings.CutPrefix(userID, userPrefix)
	if !found {
		return 0, false
	}
	index, err := strconv.Atoi(digits)
	return index, err == nil && index >= 0
}

// ClientToken makes the token that an app server with the stock SDK hands to a client at negotiate
// (service-protocol.md 2.3 and 2.5): five claims beside the reserved ones.
func (e Endpoint) ClientToken(hub string, index int, now time.Time) (string, error) {
	user := UserID(index)
	return e.sign("client/?hub="+hub, now, jwt.MapClaims{
		"asrs.s.uid":  user,
		"nameid":      user,
		"unique_name": "Bench Client " + strconv.Itoa(index),
		"role":        "member",
		"email":       user + "@bench.example",
	})
}

// ServerToken makes the token of a server connection (service-protocol.md 2.3).
func (e Endpoint) ServerToken(hub, serverID string, now time.Time) (string, error) {
	return e.sign("server/?hub="+hub, now, jwt.MapClaims{"nameid": serverID})
}

func (e Endpoint) sign(path string, now time.Time, claims jwt.MapClaims) (string, error) {
	claims["aud"] = e.Audience + path
	claims["iss"] = "azure-signalr"
	claims["nbf"] = now.Unix()
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(tokenLifetime).Unix()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = "-1293410217" // a per-process hash in the SDK; services must ignore it
	text, err := token.SignedString([]byte(e.AccessKey))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text, nil
}
