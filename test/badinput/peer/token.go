package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"
)

// Claims are the payload of a token.
type Claims map[string]any

// With returns a copy with one claim set; a nil value takes the claim out.
func (c Claims) With(name string, value any) Claims {
	out := maps.Clone(c)
	out[name] = value
	if value == nil {
		delete(out, name)
	}
	return out
}

// ClientClaims are those of a good client token: no user.
func ClientClaims(hub string) Claims { return claims("client", hub) }

// ServerClaims are those of a good server token.
func ServerClaims(hub string) Claims { return claims("server", hub).With("nameid", "server-1") }

func claims(path, hub string) Claims {
	now := time.Now()
	return Claims{
		"aud": "http://127.0.0.1/" + path + "/?hub=" + hub,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// Sign makes a token with Key and HS256.
func Sign(c Claims) string { return SignWith("HS256", Key, c) }

// SignWith makes a token that says alg in its header. The signature is that of HS256 or HS512; any other algorithm
// gets HS256's, and "none" gets none.
func SignWith(alg, key string, c Claims) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err) // a claim of a test that is no JSON
	}
	return SignRaw(`{"alg":"`+alg+`","typ":"JWT","kid":"-1"}`, key, string(payload))
}

// SignRaw makes a token of any header and payload, signed as SignWith does.
func SignRaw(header, key, payload string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	var head struct{ Alg string }
	_ = json.Unmarshal([]byte(header), &head) // a header that is no JSON is signed with HS256
	sum := sha256.New
	switch head.Alg {
	case "none":
		return signed + "."
	case "HS512":
		sum = sha512.New
	}
	mac := hmac.New(sum, []byte(key))
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

// ClientToken returns a good client token for a hub and, unless empty, a user.
func ClientToken(hub, user string) string {
	c := ClientClaims(hub)
	if user != "" {
		c["asrs.s.uid"] = user
	}
	return Sign(c)
}

// ServerToken returns a good server token.
func ServerToken(hub string) string { return Sign(ServerClaims(hub)) }
