package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzSignature holds the short way to check a signature against golang-jwt: what it takes, golang-jwt takes, with
// the same payload. The header, payload and signature are the fuzzer's; sealed ones are signed with a good key, or
// nothing would ever be good.
func FuzzSignature(f *testing.F) {
	good := payload("client", "chat", "")
	for _, h := range []string{
		hs256, hs512, `{"alg":"none"}`, `{"alg":"HS256","crit":["x"]}`, `{"alg":"HS256","alg":"HS512"}`,
		`{"alg":"HS512","alg":"HS256"}`, `{"\u0061lg":"HS256"}`, `{"alg":"HS\u003256"}`, ` {"alg":"HS256"}`, `{}`,
		`{"alg":"HS256"}x`, `{"alg":"HS256",}`, `{"typ":"JWT","kid":"x","cty":"","alg":"HS256"}`, `{"ALG":"HS256"}`,
	} {
		f.Add(h, good, "", uint8(1))
		f.Add(h, good, "", uint8(2))
	}
	f.Add(hs256, " "+good+"\n", "", uint8(1))
	f.Add(hs256, "null", "", uint8(1))
	f.Add(hs256, good, "c2lnbmF0dXJl", uint8(0))
	keys := testKeys(f)
	f.Fuzz(func(t *testing.T, header, body, signature string, seal uint8) {
		token := b64(header) + "." + b64(body) + "." + signature
		switch seal % 3 {
		case 1:
			token = sign(sha256.New, header, body, secondaryKey)
		case 2:
			token = sign(sha512.New, header, body, primaryKey)
		}
		if len(token) > MaxTokenBytes || strings.ContainsAny(token, "\r\n") {
			return
		}
		short, ok := checkPlain(token, keys, testNow)
		long, err := checkJWT(token, keys, testNow)
		if ok && err != nil && json.Valid(short) { // that it is JSON, checkPlain leaves to parsePayload
			t.Fatalf("the short way takes what golang-jwt refuses (%v): header %s", err, header)
		}
		if ok && err == nil && !bytes.Equal(bytes.TrimSpace(short), long) && string(short) != "null" &&
			string(bytes.TrimSpace(short)) != "null" {
			t.Fatalf("payloads differ: %q and %q", short, long)
		}
	})
}

// FuzzPayload holds the reading of claims against encoding/json: the same payloads are objects, and have the same
// claims in the same order.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(payload("client", "chat", `,"role":["a",1,true,null,{"b":[]}],"n":12345678901234567890`)))
	f.Add([]byte(`{"a":"1","a":2,"a":null}`))
	f.Add([]byte(`{"aud":["x","y"],"exp":1e999,"nbf":-0.5}`))
	f.Add([]byte(`{"\ud800":"\udc00"}`))
	f.Add([]byte(` { "a\\" : [ "\"]" , { "}" : "{" } , [ ] , -1.5e+3 ] , "" : { } , "b":[ [ 1 ] ] } `))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":[]}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`"{"`))
	f.Add([]byte(`{"a":1}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, isObject := referenceClaims(t, b)
		got, err := parsePayload(b)
		if err != nil {
			// What is an object may still be refused, for what is in exp and its like.
			refusable := !isObject || !utf8.Valid(b) || slices.ContainsFunc(want, func(c Claim) bool {
				return slices.Contains(decisive[:], c.Type)
			}) || bytes.Contains(b, []byte("aud")) || bytes.Contains(b, []byte(`\u`))
			if ReasonOf(err) != ReasonMalformed || !refusable {
				t.Fatalf("parsePayload of %q: %v", b, err)
			}
			return
		}
		if !isObject {
			t.Fatalf("parsePayload took what is no object: %q", b)
		}
		if diff := cmp.Diff(want, got.Claims, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("claims of %q (-want +got):\n%s", b, diff)
		}
	})
}

// referenceClaims reads claims with encoding/json alone.
func referenceClaims(t *testing.T, b []byte) (claims []Claim, isObject bool) {
	t.Helper()
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil || object == nil {
		return nil, false
	}
	text := func(raw json.RawMessage) (s string) {
		if json.Unmarshal(raw, &s) == nil {
			return s // null too, as ""
		}
		var buf bytes.Buffer
		if err := json.Compact(&buf, raw); err != nil {
			t.Fatal(err)
		}
		return buf.String()
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	token := func() json.Token {
		got, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for token(); dec.More(); {
		name, _ := token().(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		list := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(err)
			}
		}
		for _, e := range list {
			claims = append(claims, Claim{Type: name, Value: text(e)})
		}
	}
	return claims, true
}

// TestPlainAlgorithm says which headers take the short way.
func TestPlainAlgorithm(t *testing.T) {
	tests := map[string]string{
		hs256:                                 "HS256",
		hs512:                                 "HS512",
		`{"alg":"HS256"}`:                     "HS256",
		`{"typ":"JWT","alg":"HS256"}`:         "HS256",
		`{"typ":"at+jwt","cty":"","alg":"x"}`: "x",
		`{"alg":"HS256","typ":null}`:          "",
		`{"alg":"HS256","alg":"HS256"}`:       "",
		`{"alg":"HS256","x":"y"}`:             "",
		`{"alg":"HS256","crit":["x"]}`:        "",
		`{"alg":"HS\u003256"}`:                "",
		`{"alg": "HS256"}`:                    "",
		`{"alg":"HS256"} `:                    "",
		`{"alg":"HS256"`:                      "",
		`{"alg":"HS256",`:                     "",
		`{"alg":"HS256`:                       "",
		`{"alg"`:                              "",
		`{"alg":""}`:                          "",
		`{}`:                                  "",
		``:                                    "",
	}
	for header, want := range tests {
		if got := plainAlgorithm([]byte(header)); got != want {
			t.Errorf("plainAlgorithm(%s): want %q, got %q", header, want, got)
		}
	}
}

// TestTokensOfGolangJWT checks tokens that another library made, claims and all.
func TestTokensOfGolangJWT(t *testing.T) {
	v := NewVerifier(testKeys(t), Options{})
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
		token := jwt.NewWithClaims(method, jwt.MapClaims{
			"aud": "http://localhost/server/?hub=chat", "exp": testNow.Unix() + 60, "nbf": testNow.Unix(),
			"nameid": "server_1",
		})
		token.Header["kid"] = "-77"
		text, err := token.SignedString([]byte(primaryKey))
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(text, Server, "chat", testNow)
		if err != nil {
			t.Fatalf("%s: %v", method.Alg(), err)
		}
		if id, ok := got.ServerID(); id != "server_1" || !ok {
			t.Errorf("ServerID: want server_1, got %q, %v", id, ok)
		}
		if want := testNow.Unix() + 60; got.ExpiresAt.Unix() != want {
			t.Errorf("ExpiresAt: want %d, got %d", want, got.ExpiresAt.Unix())
		}
		if !reflect.DeepEqual(MappedClaims(got), []Claim{{Type: claimTypes["nameid"], Value: "server_1"}}) {
			t.Errorf("MappedClaims: got %v", MappedClaims(got))
		}
	}
}
