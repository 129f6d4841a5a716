package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxDate is the last second of the year 9999, the largest date of .NET: what lies behind it is taken for it.
const maxDate = 253_402_300_799

// parsePayload reads the claims of a payload in their order.
func parsePayload(payload []byte) (*Token, error) {
	switch {
	case !utf8.Valid(payload):
		return nil, malformed("its payload is not UTF-8")
	case !json.Valid(payload):
		return nil, malformed("its payload is not a JSON object")
	}
	i := skipSpace(payload, 0)
	if payload[i] != '{' {
		return nil, malformed("its payload is not a JSON object")
	}
	t := &Token{Claims: make([]Claim, 0, min(bytes.Count(payload, []byte{','})+1, 32))}
	var seen [3]bool
	for i = skipSpace(payload, i+1); payload[i] != '}'; {
		end := valueEnd(payload, i)
		name := claimText(payload[i:end])
		i = skipSpace(payload, skipSpace(payload, end)+1) // over the colon
		end = valueEnd(payload, i)
		raw := payload[i:end]
		if i = skipSpace(payload, end); payload[i] == ',' {
			i = skipSpace(payload, i+1)
		}
		// Two values of what decides about the token are an attempt to have two readers see different ones.
		if n := slices.Index(decisive[:], name); n >= 0 {
			if seen[n] {
				return nil, malformed("it has " + name + " twice")
			}
			seen[n] = true
			if err := t.register(name, raw); err != nil {
				return nil, err
			}
		}
		t.add(name, raw)
	}
	return t, nil
}

// decisive are the claims that Verify looks at.
var decisive = [3]string{"exp", "nbf", "aud"}

// register keeps the claims that Verify looks at.
func (t *Token) register(name string, raw []byte) error {
	switch name {
	case "exp", "nbf":
		at, ok := numericDate(string(raw))
		if !ok {
			return malformed(name + " is not a number of seconds")
		}
		if name == "exp" {
			t.ExpiresAt = at
		} else {
			t.notBefore = at
		}
	case "aud":
		list := [][]byte{raw}
		if raw[0] == '[' {
			list = elements(raw)
		}
		for _, e := range list {
			if e[0] != '"' {
				return malformed("aud is neither a text nor a list of texts")
			}
			t.audience = append(t.audience, claimText(e))
		}
	}
	return nil
}

// add appends the claims of one member: one for each element of a list, else one.
func (t *Token) add(name string, raw []byte) {
	if raw[0] != '[' {
		t.Claims = append(t.Claims, Claim{Type: name, Value: claimText(raw)})
		return
	}
	for _, e := range elements(raw) {
		t.Claims = append(t.Claims, Claim{Type: name, Value: claimText(e)})
	}
}

// claimText returns a JSON value as the text of a claim: a text itself, a number or boolean as it is written (never
// through a float, which would spoil 64-bit ids), null as the empty text (what .NET's reader makes of it), and
// an object or inner list as compact JSON.
func claimText(raw []byte) string {
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return string(raw[1 : len(raw)-1])
		}
		var s string
		_ = json.Unmarshal(raw, &s) // a valid text cannot fail
		return s
	case 'n':
		return ""
	case '{', '[':
		var buf bytes.Buffer
		_ = json.Compact(&buf, raw) // valid JSON cannot fail
		return buf.String()
	default:
		return string(raw)
	}
}

// numericDate reads a JSON number of seconds since 1970 (RFC 7519 section 2). Fractions are cut off, and what does
// not fit into the years 1970 to 9999 is the nearest of their ends.
func numericDate(s string) (time.Time, bool) {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') { // a text, null, a list: all JSON but numbers
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64) // gives an infinity for what is out of range
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return time.Time{}, false
		}
		n = int64(math.Min(math.Max(f, 0), maxDate))
	}
	return time.Unix(min(max(n, 0), maxDate), 0).UTC(), true
}
