package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// segments is the encoding of the three parts of a token; unused bits must be zero.
var segments = base64.RawURLEncoding.Strict()

// checkSignature returns the payload of a token whose signature is good. What nearly every token is, HS256 with a
// plain header, is checked here (an eighth of the time, on the path of each connect); golang-jwt decides about
// everything else, and says what is wrong. FuzzSignature holds the two together.
func checkSignature(token string, keys *Keys, now time.Time) ([]byte, error) {
	switch {
	case token == "":
		return nil, errMissing
	case len(token) > MaxTokenBytes:
		return nil, errTooLong
	// The decoder of encoding/base64 skips line ends. A token has none.
	case strings.ContainsAny(token, "\r\n"):
		return nil, malformed("it is not base64url text in three parts")
	}
	if payload, ok := checkPlain(token, keys, now); ok {
		return payload, nil
	}
	return checkJWT(token, keys, now)
}

// checkPlain returns the payload of an HS256 token with a plain header and a good signature. Anything else is not ok,
// which does not mean that it is bad.
func checkPlain(token string, keys *Keys, now time.Time) (payload []byte, ok bool) {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return nil, false
	}
	signed, signature := token[:dot], token[dot+1:]
	head, body, ok := strings.Cut(signed, ".")
	if !ok || strings.IndexByte(body, '.') >= 0 {
		return nil, false
	}
	header, err := segments.DecodeString(head)
	if err != nil || plainAlgorithm(header) != "HS256" {
		return nil, false
	}
	var mac [sha256.Size]byte
	if len(signature) != segments.EncodedLen(len(mac)) {
		return nil, false
	}
	if _, err := segments.Decode(mac[:], []byte(signature)); err != nil {
		return nil, false
	}
	text := []byte(signed)
	var sum [sha256.Size]byte
	if !keys.verify(now, func(secret []byte) bool {
		h := hmac.New(sha256.New, secret)
		h.Write(text)
		return hmac.Equal(h.Sum(sum[:0]), mac[:])
	}) {
		return nil, false
	}
	payload, err = segments.DecodeString(body)
	return payload, err == nil
}

// plainAlgorithm returns alg of a header that is a flat JSON object of texts without escapes and spaces, as all
// libraries write it; "" for any other header, one with alg twice among them.
func plainAlgorithm(header []byte) string {
	s := string(header)
	s, ok := strings.CutPrefix(s, "{")
	if !ok {
		return ""
	}
	alg := ""
	for {
		var name, value string
		if name, s, ok = plainText(s); !ok {
			return ""
		}
		if s, ok = strings.CutPrefix(s, ":"); !ok {
			return ""
		}
		if value, s, ok = plainText(s); !ok {
			return ""
		}
		switch name {
		case "alg":
			if alg != "" || value == "" {
				return ""
			}
			alg = value
		case "typ", "kid", "cty": // of no meaning here; anything else is unusual, crit above all
		default:
			return ""
		}
		if s == "}" {
			return alg
		}
		if s, ok = strings.CutPrefix(s, ","); !ok {
			return ""
		}
	}
}

// plainText takes a JSON text of printable ASCII without escapes from the front of s.
func plainText(s string) (text, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			return s[:i], s[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return "", "", false
		}
	}
	return "", "", false
}

// rawPayload is the payload as golang-jwt hands it over. It claims nothing: time and audience are checked here, from
// the same bytes that both ways to verify return.
type rawPayload struct {
	jwt.RegisteredClaims

	bytes []byte
}

// UnmarshalJSON keeps a copy of the payload.
func (p *rawPayload) UnmarshalJSON(b []byte) error {
	p.bytes = append([]byte(nil), b...)
	return nil
}

// errCritical marks a header with extensions that must be understood (RFC 7515 section 4.1.11); none are.
var errCritical = errors.New("critical header")

// jwtParser checks the signature alone.
var jwtParser = jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(),
	jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg(), jwt.SigningMethodHS512.Alg()}))

// checkJWT returns the payload of a token that golang-jwt finds good, or what is wrong with it.
func checkJWT(token string, keys *Keys, now time.Time) ([]byte, error) {
	var payload rawPayload
	parsed, err := jwtParser.ParseWithClaims(token, &payload, func(t *jwt.Token) (any, error) {
		if _, ok := t.Header["crit"]; ok {
			return nil, errCritical
		}
		var set jwt.VerificationKeySet
		keys.verify(now, func(secret []byte) bool {
			set.Keys = append(set.Keys, secret)
			return false
		})
		return set, nil
	})
	switch {
	case err == nil:
		return payload.bytes, nil
	case errors.Is(err, errCritical):
		return nil, malformed("its header has a critical extension")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, malformed("it is not a JSON Web Token of three parts in base64url")
	case parsed == nil || parsed.Method == nil, !allowed(parsed.Method.Alg()):
		return nil, errAlgorithm
	default:
		return nil, errSignature
	}
}

func allowed(alg string) bool {
	return alg == jwt.SigningMethodHS256.Alg() || alg == jwt.SigningMethodHS512.Alg()
}
