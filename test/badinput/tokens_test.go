package badinput

import (
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// badToken is an access token that opens nothing.
type badToken struct {
	token  string
	reason string // of signalr_edge_auth_failures_total
	text   string // of the answer
}

const (
	textMalformed = "The access token is malformed"
	textAlgorithm = "The signing algorithm of the access token is not allowed"
	textSignature = "The signature of the access token does not match"
	textPath      = "The audience of the access token is for something else"
	textOtherHub  = "The audience of the access token is for another hub."
)

// badTokens are tokens for the door "client" or "server" of the hub chat; good is what a good one says.
func badTokens(door, other string, good peer.Claims) map[string]badToken {
	now := time.Now()
	ok := peer.Sign(good)
	parts := strings.Split(ok, ".")
	hs512 := peer.SignWith("HS512", peer.Key, good)
	aud := func(v any) string { return peer.Sign(good.With("aud", v)) }
	base := "http://127.0.0.1/" + door + "/?hub="
	raw := func(header, payload string) string { return peer.SignRaw(header, peer.Key, payload) }
	const header = `{"alg":"HS256","typ":"JWT"}`
	return map[string]badToken{
		"no token":                  {"", "token_missing", "No access token"},
		"garbage":                   {"garbage", "token_malformed", textMalformed},
		"a token of two parts":      {parts[0] + "." + parts[1], "token_malformed", textMalformed},
		"a token of four parts":     {ok + ".x", "token_malformed", textMalformed},
		"a token not in base64url":  {parts[0] + ".a+b/." + parts[2], "token_malformed", textMalformed},
		"a header that is no JSON":  {raw("alg", "{}"), "token_malformed", textMalformed},
		"a payload that is no JSON": {raw(header, "claims"), "token_malformed", textMalformed},
		"a payload that is a list":  {raw(header, "[]"), "token_malformed", textMalformed},
		"a payload of broken UTF-8": {raw(header, "{\"a\":\"\xff\"}"), "token_malformed", textMalformed},
		"an exp that is a text":     {peer.Sign(good.With("exp", "soon")), "token_malformed", textMalformed},
		"two exp": {
			raw(header, `{"exp":9999999999,"exp":9999999999}`), "token_malformed", textMalformed,
		},
		"an audience that is a number":  {aud(1), "token_malformed", textMalformed},
		"no algorithm":                  {raw(`{"typ":"JWT"}`, "{}"), "token_algorithm", textAlgorithm},
		"algorithm none":                {peer.SignWith("none", peer.Key, good), "token_algorithm", textAlgorithm},
		"algorithm RS256":               {peer.SignWith("RS256", peer.Key, good), "token_algorithm", textAlgorithm},
		"algorithm HS384":               {peer.SignWith("HS384", peer.Key, good), "token_algorithm", textAlgorithm},
		"algorithm hs256 in lower case": {peer.SignWith("hs256", peer.Key, good), "token_algorithm", textAlgorithm},
		"HS512 by name, HS256 by mac": {
			hs512[:strings.LastIndexByte(hs512, '.')+1] + parts[2], "token_signature", textSignature,
		},
		"a wrong key": {
			peer.SignWith("HS256", strings.Repeat("x", 32), good), "token_signature", textSignature,
		},
		"a wrong key and HS512": {
			peer.SignWith("HS512", strings.Repeat("x", 32), good), "token_signature", textSignature,
		},
		"a payload that was changed": {
			parts[0] + "." + strings.Split(peer.Sign(good.With("role", "admin")), ".")[1] + "." + parts[2], "token_signature",
			textSignature,
		},
		"a signature that was cut": {ok[:len(ok)-3], "token_signature", textSignature},
		"no signature":             {parts[0] + "." + parts[1] + ".", "token_signature", textSignature},
		"no exp":                   {peer.Sign(good.With("exp", nil)), "token_no_expiry", "has no exp claim"},
		"expired beyond the skew": {
			peer.Sign(good.With("exp", now.Add(-2*time.Minute).Unix())), "token_expired", "has expired",
		},
		"expired in 1970": {peer.Sign(good.With("exp", 1)), "token_expired", "has expired"},
		"not yet valid": {
			peer.Sign(good.With("nbf", now.Add(10*time.Minute).Unix())), "token_not_yet_valid", "is not yet valid",
		},
		"no audience":                  {peer.Sign(good.With("aud", nil)), "token_no_audience", "has no audience"},
		"an empty list of audiences":   {aud([]string{}), "token_no_audience", "has no audience"},
		"an audience for another door": {aud("http://127.0.0.1/" + other + "/?hub=chat"), "token_audience_path", textPath},
		"an audience for the REST API": {aud("http://127.0.0.1/api/hubs/chat"), "token_audience_path", textPath},
		"an audience without a path":   {aud("http://127.0.0.1"), "token_audience_path", textPath},
		"an audience that is a name":   {aud("chat"), "token_audience_path", textPath},
		"another hub":                  {aud(base + "other"), "token_audience_hub", textOtherHub},
		"no hub":                       {aud("http://127.0.0.1/" + door + "/"), "token_audience_hub", textOtherHub},
		"two hubs":                     {aud(base + "chat&hub=chat"), "token_audience_hub", textOtherHub},
		"a longer hub":                 {aud(base + "chats"), "token_audience_hub", textOtherHub},
		"a list of wrong audiences":    {aud([]string{base + "other", "chat"}), "token_audience_hub", textOtherHub},
	}
}

func (w *world) tokens(t *testing.T) {
	type door struct {
		name, other string
		good        peer.Claims
		request     func(token string) string
	}
	for _, d := range []door{
		{"client", "server", peer.ClientClaims("chat"), func(token string) string {
			return plain("POST", "/client/negotiate?hub=chat", "Content-Length: 0", "Authorization: Bearer "+token)
		}},
		{"client", "server", peer.ClientClaims("chat"), func(token string) string {
			return peer.UpgradeRequest("/client/?hub=chat&access_token=" + strings.ReplaceAll(token, "+", "%2B"))
		}},
		{"server", "client", peer.ServerClaims("chat"), func(token string) string {
			return peer.UpgradeRequest("/server/?hub=chat", "Authorization: Bearer "+token)
		}},
	} {
		for name, bad := range badTokens(d.name, d.other, d.good) {
			w.step(t, strings.Fields(d.request(""))[0]+" "+d.name+" with "+name, peer.AuthFailure(bad.reason), func(t trial) {
				before := w.Metrics(t)[peer.Refused("unauthorized")]
				c := w.Dial(t)
				a := c.Request(d.request(bad.token))
				answers(t, a, 401, bad.text)
				if a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("WWW-Authenticate is %q, want Bearer", a.Header.Get("WWW-Authenticate"))
				}
				if n := w.Metrics(t)[peer.Refused("unauthorized")]; n != before+1 {
					t.Errorf("refused for unauthorized: %v more, want 1", n-before)
				}
				_ = c.Conn.Close()
			})
		}
	}
	good, bad := peer.ClientToken("chat", ""), "x"
	for name, r := range map[string]struct{ text, reason string }{
		"a token of 17 KiB in the query": {
			negotiateWith("hub=chat&access_token="+strings.Repeat("a", 17<<10), ""), "token_too_long",
		},
		"a bad token in the header and a good one in the query": {
			negotiateWith("hub=chat&access_token="+good, "Authorization: Bearer "+bad), "token_malformed",
		},
		"a bad header in front of a good one": {
			negotiateWith("hub=chat", "Authorization: Bearer "+bad+"\r\nAuthorization: Bearer "+good), "token_malformed",
		},
		"Basic authorization":        {negotiateWith("hub=chat", "Authorization: Basic dXNlcjpwYXNz"), "token_missing"},
		"Bearer without a token":     {negotiateWith("hub=chat", "Authorization: Bearer "), "token_missing"},
		"a token without the scheme": {negotiateWith("hub=chat", "Authorization: "+good), "token_missing"},
		"a token in a cookie":        {negotiateWith("hub=chat", "Cookie: access_token="+good), "token_missing"},
	} {
		w.step(t, name, peer.AuthFailure(r.reason), func(t trial) {
			c := w.Dial(t)
			answers(t, c.Request(r.text), 401, "")
			_ = c.Conn.Close()
		})
	}
}

func negotiateWith(query, header string) string {
	if header == "" {
		header = "X-Requested-With: XMLHttpRequest"
	}
	return plain("POST", "/client/negotiate?"+query, "Content-Length: 0", header)
}
