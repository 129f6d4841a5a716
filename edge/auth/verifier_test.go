package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"
)

const (
	primaryKey   = "prImaryKEY-0123456789-abcdefghijklmnopqrstuv="
	secondaryKey = "seconDARYkey-9876543210-zyxwvutsrqponmlkjihg="
	hs256        = `{"alg":"HS256","typ":"JWT","kid":"-1234567890"}`
	hs512        = `{"alg":"HS512","typ":"JWT"}`
)

// testNow is the time at which tokens of the tests are checked.
var testNow = time.Unix(1_800_000_000, 0).UTC()

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func sign(newHash func() hash.Hash, header, payload, key string) string {
	text := b64(header) + "." + b64(payload)
	h := hmac.New(newHash, []byte(key))
	h.Write([]byte(text))
	return text + "." + b64(string(h.Sum(nil)))
}

func sign256(header, payload, key string) string { return sign(sha256.New, header, payload, key) }

// clientToken is a good client token for chat with claims added: text as `,"a":"b"`.
func clientToken(claims string) string {
	return sign256(hs256, payload("client", "chat", claims), primaryKey)
}

func payload(purpose, hub, claims string) string {
	return fmt.Sprintf(`{"aud":"https://example.com/%s/?hub=%s","exp":%d%s}`, purpose, hub, testNow.Unix()+3600, claims)
}

// aud is the payload of a token with that audience, as JSON.
func aud(audience string) string {
	return fmt.Sprintf(`{"exp":%d,"aud":%s}`, testNow.Unix()+3600, audience)
}

func testKeys(t testing.TB, keys ...Key) *Keys {
	t.Helper()
	if len(keys) == 0 {
		keys = []Key{{Name: "primary", Value: primaryKey}, {Name: "secondary", Value: secondaryKey}}
	}
	k, err := NewKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVerify(t *testing.T) {
	good := payload("client", "chat", "")
	at := func(name string, offset int64) string { // a payload whose exp and nbf are set
		if name == "nbf" {
			return payload("client", "chat", fmt.Sprintf(`,"nbf":%d`, testNow.Unix()+offset))
		}
		return fmt.Sprintf(`{"aud":"https://e/client/?hub=chat","exp":%d}`, testNow.Unix()+offset)
	}
	signed := func(payload string) string { return sign256(hs256, payload, primaryKey) }
	valid := signed(good)
	parts := strings.Split(valid, ".")
	unsigned := func(header string) string { return b64(header) + "." + b64(good) + "." }

	tests := map[string]struct {
		token   string
		purpose Purpose  // Client if it is not said
		hub     string   // chat if it is not said
		hosts   []string // any if it is not said
		want    Reason   // "": good
	}{
		"takes HS256 with the primary key":   {token: valid},
		"takes HS256 with the secondary key": {token: sign256(hs256, good, secondaryKey)},
		"takes HS512":                        {token: sign(sha512.New, hs512, good, primaryKey)},
		"takes HS512 with the secondary key": {token: sign(sha512.New, hs512, good, secondaryKey)},
		"takes a header in any order, with spaces": {
			token: sign256(`{ "typ" : "JWT", "alg" : "HS256" }`, good, primaryKey),
		},
		"takes a header with members of no meaning": {token: sign256(`{"alg":"HS256","x":[1]}`, good, primaryKey)},
		"takes a kid that is a number":              {token: sign256(`{"alg":"HS256","kid":-5}`, good, primaryKey)},
		"takes any issuer":                          {token: clientToken(`,"iss":"azure-signalr"`)},
		"takes an iat in the future":                {token: clientToken(`,"iat":99999999999`)},
		"takes 5,000 characters":                    {token: clientToken(`,"x":"` + strings.Repeat("a", 3800) + `"`)},
		"takes nearly 16 KiB":                       {token: clientToken(`,"x":"` + strings.Repeat("a", 12000) + `"`)},
		"takes a server token": {
			token: signed(payload("server", "chat", `,"nameid":"s_1"`)), purpose: Server,
		},
		"takes a path without the final slash": {token: signed(aud(`"https://example.com/client?hub=chat"`))},
		"takes a hub in another case":          {token: signed(aud(`"https://e/client/?hub=ChAt"`))},
		"takes a request in another case":      {token: valid, hub: "CHAT"},
		"takes further query items":            {token: signed(aud(`"https://e/client/?a=b&hub=chat&c=%zz"`))},
		"takes one good audience of several":   {token: signed(aud(`["https://e/x","https://e/client/?hub=chat"]`))},
		"takes another scheme and port":        {token: signed(aud(`"ws://e:1234/client/?hub=chat"`))},
		"takes an audience without host":       {token: signed(aud(`"/client/?hub=chat"`))},
		"takes a percent-encoded hub":          {token: signed(aud(`"https://e/client/?hub=%63hat"`))},
		"takes a generic hub, encoded": {
			token: signed(aud(`"https://e/client/?hub=chat%601%5Bint%2Cint%5D"`)), hub: "chat`1[int,int]",
		},
		"takes a generic hub, as it is": {
			token: signed(aud("\"https://e/client/?hub=chat`1[int,int]\"")), hub: "Chat`1[int,int]",
		},
		"takes a fragment": {token: signed(aud(`"https://e/client/?hub=chat#x"`))},
		"takes an accepted host, port and case aside": {
			token: signed(aud(`"https://Example.COM:8443/client/?hub=chat"`)), hosts: []string{"other", "EXAMPLE.com"},
		},
		"takes an accepted IPv6 host": {
			token: signed(aud(`"http://[::1]:8888/client/?hub=chat"`)), hosts: []string{"[::1]"},
		},
		"takes a host behind user information": {
			token: signed(aud(`"http://evil@example.com/client/?hub=chat"`)), hosts: []string{"example.com"},
		},
		"takes exp within the skew":         {token: signed(at("exp", -59))},
		"takes nbf at the edge of the skew": {token: signed(at("nbf", 60))},
		"takes exp as a fraction": {
			token: signed(fmt.Sprintf(`{"aud":"https://e/client/?hub=chat","exp":%d.5}`, testNow.Unix())),
		},
		"takes exp beyond all dates":                   {token: signed(`{"aud":"https://e/client/?hub=chat","exp":1e300}`)},
		"takes repeated claims without a meaning here": {token: clientToken(`,"role":"a","role":"b","iat":1,"iat":2`)},

		"refuses no token": {token: "", want: ReasonMissing},
		"refuses more than 16 KiB": {
			token: clientToken(`,"x":"` + strings.Repeat("a", 12500) + `"`), want: ReasonTooLong,
		},
		"refuses a text without dots":    {token: "abc", want: ReasonMalformed},
		"refuses two parts":              {token: parts[0] + "." + parts[1], want: ReasonMalformed},
		"refuses four parts":             {token: valid + ".abc", want: ReasonMalformed},
		"refuses five parts, as JWE has": {token: valid + ".abc.def", want: ReasonMalformed},
		"refuses dots alone":             {token: "..", want: ReasonMalformed},
		"refuses a scheme left in front": {token: "Bearer " + valid, want: ReasonMalformed},
		"refuses padding": {
			token: parts[0] + "." + parts[1] + "." + parts[2] + "=", want: ReasonMalformed,
		},
		"refuses a line end inside": {
			token: parts[0] + "." + parts[1] + "\n." + parts[2], want: ReasonMalformed,
		},
		"refuses base64 of the other alphabet": {token: parts[0] + "." + parts[1] + ".+/+/", want: ReasonMalformed},
		"refuses a header that is no JSON":     {token: sign256("alg", good, primaryKey), want: ReasonMalformed},
		"refuses a header that is a list":      {token: sign256(`["HS256"]`, good, primaryKey), want: ReasonMalformed},
		"refuses a critical header": {
			token: sign256(`{"alg":"HS256","crit":["b64"],"b64":false}`, good, primaryKey), want: ReasonMalformed,
		},
		"refuses a payload that is no JSON":   {token: signed("hello"), want: ReasonMalformed},
		"refuses a payload that is a list":    {token: signed("[1]"), want: ReasonMalformed},
		"refuses a payload that is null":      {token: signed("null"), want: ReasonMalformed},
		"refuses an empty payload":            {token: signed(""), want: ReasonMalformed},
		"refuses two payloads":                {token: signed(good + good), want: ReasonMalformed},
		"refuses an open object":              {token: signed(strings.TrimSuffix(good, "}")), want: ReasonMalformed},
		"refuses a payload that is not UTF-8": {token: clientToken(`,"x":"` + "\xff" + `"`), want: ReasonMalformed},
		"refuses exp twice":                   {token: clientToken(`,"exp":99999999999`), want: ReasonMalformed},
		"refuses aud twice": {
			token: clientToken(`,"aud":"https://e/client/?hub=chat"`), want: ReasonMalformed,
		},
		"refuses an escaped second exp": {token: clientToken(`,"\u0065xp":99999999999`), want: ReasonMalformed},
		"refuses exp as a text": {
			token: signed(`{"aud":"https://e/client/?hub=chat","exp":"99999999999"}`), want: ReasonMalformed,
		},
		"refuses nbf as null":     {token: clientToken(`,"nbf":null`), want: ReasonMalformed},
		"refuses aud as a number": {token: signed(aud("5")), want: ReasonMalformed},
		"refuses aud with an object": {
			token: signed(aud(`["https://e/client/?hub=chat",{}]`)), want: ReasonMalformed,
		},
		"refuses aud with null":        {token: signed(aud(`[null]`)), want: ReasonMalformed},
		"refuses none":                 {token: unsigned(`{"alg":"none"}`), want: ReasonAlgorithm},
		"refuses None in another case": {token: unsigned(`{"alg":"nOnE"}`), want: ReasonAlgorithm},
		"refuses none with a good signature": {
			token: sign256(`{"alg":"none"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses no algorithm": {
			token: sign256(`{"typ":"JWT"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses an empty algorithm": {token: sign256(`{"alg":""}`, good, primaryKey), want: ReasonAlgorithm},
		"refuses an algorithm that is no text": {
			token: sign256(`{"alg":["HS256"]}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses HS384": {
			token: sign(sha512.New384, `{"alg":"HS384"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses RS256": {
			token: sign256(`{"alg":"RS256"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses ES256": {
			token: sign256(`{"alg":"ES256"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses hs256 in another case": {
			token: sign256(`{"alg":"hs256"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses alg twice, the last being none": {
			token: sign256(`{"alg":"HS256","alg":"none"}`, good, primaryKey), want: ReasonAlgorithm,
		},
		"refuses another key":               {token: sign256(hs256, good, "another"), want: ReasonSignature},
		"refuses the key in base64":         {token: sign256(hs256, good, b64(primaryKey)), want: ReasonSignature},
		"refuses an empty key":              {token: sign256(hs256, good, ""), want: ReasonSignature},
		"refuses HS512 said and HS256 done": {token: sign256(hs512, good, primaryKey), want: ReasonSignature},
		"refuses HS256 said and HS512 done": {token: sign(sha512.New, hs256, good, primaryKey), want: ReasonSignature},
		"refuses no signature":              {token: parts[0] + "." + parts[1] + ".", want: ReasonSignature},
		"refuses half of a signature":       {token: valid[:len(valid)-23], want: ReasonSignature},
		"refuses a changed payload": {
			token: parts[0] + "." + b64(payload("client", "chat", `,"a":"b"`)) + "." + parts[2], want: ReasonSignature,
		},
		"refuses a changed header": {
			token: b64(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], want: ReasonSignature,
		},
		"tells of the signature before all claims": {token: sign256(hs256, `{}`, "another"), want: ReasonSignature},
		"refuses no exp": {
			token: signed(`{"aud":"https://e/client/?hub=chat"}`), want: ReasonNoExpiry,
		},
		"refuses Exp in another case": {
			token: signed(`{"aud":"https://e/client/?hub=chat","Exp":99999999999}`), want: ReasonNoExpiry,
		},
		"refuses exp at the edge of the skew": {token: signed(at("exp", -60)), want: ReasonExpired},
		"refuses exp long past":               {token: signed(at("exp", -86400)), want: ReasonExpired},
		"refuses a negative exp": {
			token: signed(`{"aud":"https://e/client/?hub=chat","exp":-1}`), want: ReasonExpired,
		},
		"refuses nbf beyond the skew": {token: signed(at("nbf", 61)), want: ReasonNotYetValid},
		"refuses no audience": {
			token: signed(fmt.Sprintf(`{"exp":%d}`, testNow.Unix()+9)), want: ReasonNoAudience,
		},
		"refuses an empty list of audiences":  {token: signed(aud("[]")), want: ReasonNoAudience},
		"refuses an empty audience":           {token: signed(aud(`""`)), want: ReasonPath},
		"refuses a server token for a client": {token: signed(payload("server", "chat", "")), want: ReasonPath},
		"refuses a client token for a server": {token: valid, purpose: Server, want: ReasonPath},
		"refuses a REST token":                {token: signed(aud(`"https://e/api/hubs/chat/:send"`)), want: ReasonPath},
		"refuses a path with a prefix": {
			token: signed(aud(`"https://e/base/client/?hub=chat"`)), want: ReasonPath,
		},
		"refuses a path with more behind": {
			token: signed(aud(`"https://e/client/negotiate?hub=chat"`)), want: ReasonPath,
		},
		"refuses two slashes":             {token: signed(aud(`"https://e/client//?hub=chat"`)), want: ReasonPath},
		"refuses a host alone":            {token: signed(aud(`"https://example.com"`)), want: ReasonPath},
		"refuses a path in the query":     {token: signed(aud(`"https://e?x=/client/?hub=chat"`)), want: ReasonPath},
		"refuses another purpose":         {token: valid, purpose: Purpose(9), want: ReasonPath},
		"refuses another hub":             {token: valid, hub: "news", want: ReasonHub},
		"refuses a hub that begins alike": {token: valid, hub: "chat2", want: ReasonHub},
		"refuses a hub that another letter lowers": {
			token: signed(aud(`"https://e/client/?hub=\u212a"`)), hub: "k", want: ReasonHub,
		},
		"refuses no hub": {token: signed(aud(`"https://e/client/"`)), want: ReasonHub},
		"refuses two hubs": {
			token: signed(aud(`"https://e/client/?hub=chat&hub=chat"`)), want: ReasonHub,
		},
		"refuses a hub in broken encoding": {
			token: signed(aud(`"https://e/client/?hub=%zz"`)), hub: "%zz", want: ReasonHub,
		},
		"refuses Hub in another case":         {token: signed(aud(`"https://e/client/?Hub=chat"`)), want: ReasonHub},
		"refuses an empty hub on both sides":  {token: signed(payload("client", "", "")), hub: "-", want: ReasonHub},
		"refuses a host that is not accepted": {token: valid, hosts: []string{"signalr.example.com"}, want: ReasonHost},
		"refuses no host when hosts are checked": {
			token: signed(aud(`"/client/?hub=chat"`)), hosts: []string{"example.com"}, want: ReasonHost,
		},
		"refuses a host in user information": {
			token: signed(aud(`"http://example.com@evil/client/?hub=chat"`)), hosts: []string{"example.com"}, want: ReasonHost,
		},
		"tells of the hub rather than the path": {
			token: signed(aud(`["https://e/x","https://e/client/?hub=news"]`)), want: ReasonHub,
		},
	}
	if len(tests) < 100 {
		t.Errorf("tokens in the table: want at least 100, got %d", len(tests))
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := NewVerifier(testKeys(t), Options{AudienceHosts: tt.hosts, ClockSkew: DefaultClockSkew})
			purpose, hub := tt.purpose, tt.hub
			if purpose == 0 {
				purpose = Client
			}
			switch hub {
			case "":
				hub = "chat"
			case "-":
				hub = ""
			}
			got, err := v.Verify(tt.token, purpose, hub, testNow)
			if ReasonOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Fatalf("Verify: want reason %q, got %q (%v)", tt.want, ReasonOf(err), err)
			}
			if (got == nil) != (err != nil) {
				t.Errorf("Verify: token %v with error %v", got, err)
			}
			if err != nil {
				noSecretIn(t, err, tt.token)
			}
		})
	}
}

// noSecretIn fails if an error tells anything of a token or a key.
func noSecretIn(t *testing.T, err error, token string) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	secrets := []string{primaryKey, secondaryKey, token}
	secrets = append(secrets, strings.Split(token, ".")...)
	for _, s := range secrets {
		for len(s) >= 8 { // no piece of it either
			if strings.Contains(text, s[:8]) {
				t.Errorf("the error %q tells of a secret", text)
				return
			}
			s = s[8:]
		}
	}
}

func TestVerifyTellsHowFarOffTheClockIs(t *testing.T) {
	v := NewVerifier(testKeys(t), Options{ClockSkew: time.Minute})
	for name, tt := range map[string]struct{ claims, want string }{
		"expired": {
			fmt.Sprintf(`{"exp":%d}`, testNow.Unix()-300),
			"The access token has expired, 300 seconds ago (60 are allowed for clock skew).",
		},
		"not yet valid": {
			fmt.Sprintf(`{"exp":%d,"nbf":%d}`, testNow.Unix()+900, testNow.Unix()+300),
			"The access token is not yet valid, for 300 more seconds (60 are allowed for clock skew).",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(sign256(hs256, tt.claims, primaryKey), Client, "chat", testNow)
			if err == nil || err.Error() != tt.want {
				t.Errorf("text: want %q, got %v", tt.want, err)
			}
		})
	}
}

func TestSkew(t *testing.T) {
	token := clientToken(fmt.Sprintf(`,"nbf":%d`, testNow.Unix())) // exp is an hour later
	exp := testNow.Add(time.Hour)
	tests := map[string]struct {
		skew time.Duration
		now  time.Time
		want Reason
	}{
		"without skew, at nbf":               {0, testNow, ""},
		"without skew, before nbf":           {0, testNow.Add(-time.Nanosecond), ReasonNotYetValid},
		"without skew, just before exp":      {0, exp.Add(-time.Nanosecond), ""},
		"without skew, at exp":               {0, exp, ReasonExpired},
		"with skew, as early as may be":      {time.Minute, testNow.Add(-time.Minute), ""},
		"with skew, too early":               {time.Minute, testNow.Add(-time.Minute - 1), ReasonNotYetValid},
		"with skew, as late as may be":       {time.Minute, exp.Add(time.Minute - 1), ""},
		"with skew, too late":                {time.Minute, exp.Add(time.Minute), ReasonExpired},
		"a negative skew is none, at exp":    {-time.Hour, exp.Add(-1), ""},
		"a clock in another zone is no skew": {0, testNow.In(time.FixedZone("", 7*3600)), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewVerifier(testKeys(t), Options{ClockSkew: tt.skew}).Verify(token, Client, "chat", tt.now)
			if got := ReasonOf(err); got != tt.want {
				t.Errorf("reason: want %q, got %q", tt.want, got)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	old := Key{Name: "previous", Value: secondaryKey, NotAfter: testNow}
	v := NewVerifier(testKeys(t, Key{Name: "primary", Value: primaryKey}, old), Options{})
	byOld := sign256(hs256, payload("client", "chat", ""), secondaryKey)
	byOld512 := sign(sha512.New, hs512, payload("client", "chat", ""), secondaryKey)
	check := func(token string, now time.Time, want Reason) {
		t.Helper()
		if _, err := v.Verify(token, Client, "chat", now); ReasonOf(err) != want {
			t.Errorf("at %v: want %q, got %q", now, want, ReasonOf(err))
		}
	}
	for _, token := range []string{byOld, byOld512} {
		check(token, testNow.Add(-time.Second), "")
		check(token, testNow, "")
		check(token, testNow.Add(time.Nanosecond), ReasonSignature)
	}
	check(clientToken(""), testNow.Add(time.Second), "")

	v.Set(testKeys(t, Key{Name: "primary", Value: secondaryKey}), Options{})
	check(byOld, testNow, "")
	check(clientToken(""), testNow, ReasonSignature)
	v.Set(nil, Options{})
	check(byOld, testNow, ReasonSignature)
	check(byOld512, testNow, ReasonSignature)
}

func TestSetWhileVerifying(t *testing.T) {
	keys := testKeys(t)
	v := NewVerifier(keys, Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			v.Set(keys, Options{AudienceHosts: []string{"example.com"}})
		}
	}()
	token := clientToken("")
	for range 200 {
		if _, err := v.Verify(token, Client, "chat", testNow); err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
	<-done
}

func TestKeys(t *testing.T) {
	if _, err := NewKeys(); err == nil {
		t.Error("NewKeys without keys: want an error")
	}
	if _, err := NewKeys(Key{Name: "a", Value: "x"}, Key{Name: "b"}); err == nil {
		t.Error("NewKeys with an empty key: want an error")
	}
	k := testKeys(t)
	if k.Len() != 2 || (*Keys)(nil).Len() != 0 {
		t.Errorf("Len: want 2 and 0, got %d and %d", k.Len(), (*Keys)(nil).Len())
	}
	v := NewVerifier(k, Options{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{k, *k, Key{Name: "primary", Value: primaryKey}, &Key{Value: primaryKey}, v} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, primaryKey) || strings.Contains(text, fmt.Sprintf("%x", primaryKey)) ||
				strings.Contains(text, fmt.Sprintf("%v", []byte(primaryKey))) {
				t.Errorf("%s of %T shows a key: %s", verb, value, text)
			}
		}
	}
}

func TestReasonsAreComplete(t *testing.T) {
	if got := len(Reasons()); got != 15 {
		t.Errorf("reasons: want 15, got %d", got)
	}
	if got := ReasonOf(errors.New("other")); got != "" {
		t.Errorf("reason of another error: want none, got %q", got)
	}
	wrapped := fmt.Errorf("upgrade: %w", &Error{Reason: ReasonExpired, Text: "x"})
	if got := ReasonOf(wrapped); got != ReasonExpired {
		t.Errorf("reason of a wrapped error: want %q, got %q", ReasonExpired, got)
	}
}
