package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	connectionKey = []byte("connection-token-key-0123456789-abcdef")
	testInfo      = ConnectionInfo{
		ID: [16]byte{1, 2, 3, 250, 251, 252}, Node: "chat-edge-7d9f", Hub: "chat`1[int]", User: "ann", HasUser: true,
	}
)

func testTokens(t testing.TB) *ConnectionTokens {
	t.Helper()
	c, err := NewConnectionTokens(connectionKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mint(t testing.TB, c *ConnectionTokens, info ConnectionInfo) string {
	t.Helper()
	token, err := c.Mint(info, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestConnectionTokenRoundTrip(t *testing.T) {
	c := testTokens(t)
	long := strings.Repeat("x", 255)
	tests := map[string]ConnectionInfo{
		"a connection of a user":      testInfo,
		"a connection without a user": {ID: [16]byte{9}, Node: "n", Hub: "h"},
		"empty names":                 {},
		"the longest names":           {Node: long, Hub: long, User: strings.Repeat(long, 9), HasUser: true},
		"names of any bytes":          {Node: "\x00\xff", Hub: "é", User: "\x00", HasUser: true},
	}
	for name, info := range tests {
		t.Run(name, func(t *testing.T) {
			token := mint(t, c, info)
			if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(token) {
				t.Errorf("the token has characters that a URL would escape: %s", token)
			}
			got, err := c.Open(token, testNow)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if got.ID != info.ID || got.Node != info.Node || got.Hub != info.Hub {
				t.Errorf("Open: want %v, got %v", info, got)
			}
			if want := testNow.Add(15 * time.Second); !got.ExpiresAt.Equal(want) {
				t.Errorf("ExpiresAt: want %v, got %v", want, got.ExpiresAt)
			}
			if !c.IsUser(got, info.User, info.HasUser) {
				t.Error("IsUser of its own user: want true")
			}
			if c.IsUser(got, info.User, !info.HasUser) || c.IsUser(got, info.User+"x", true) {
				t.Error("IsUser of another: want false")
			}
		})
	}
}

func TestConnectionTokenTime(t *testing.T) {
	c, err := NewConnectionTokens(connectionKey, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	token := mint(t, c, testInfo)
	for name, tt := range map[string]struct {
		after time.Duration
		want  Reason
	}{
		"at once":                  {0, ""},
		"before it was made":       {-time.Hour, ""},
		"in the last millisecond":  {time.Minute - time.Millisecond, ""},
		"at the end of the window": {time.Minute, ReasonConnectionExpired},
		"long after":               {time.Hour, ReasonConnectionExpired},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Open(token, testNow.Add(tt.after)); ReasonOf(err) != tt.want {
				t.Errorf("Open: want %q, got %v", tt.want, err)
			}
			if got, err := c.OpenLive(token); err != nil || got.ID != testInfo.ID {
				t.Errorf("OpenLive: want the connection, got %v, %v", got, err)
			}
		})
	}
}

func TestConnectionTokenRefused(t *testing.T) {
	c := testTokens(t)
	token := mint(t, c, testInfo)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	version := bytes.Clone(raw)
	version[0] = 2
	enc := base64.RawURLEncoding.EncodeToString
	other, err := NewConnectionTokens(bytes.Repeat([]byte{7}, 32), 0)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		token string
		want  Reason
	}{
		"nothing":                 {"", ReasonConnectionMalformed},
		"a GUID":                  {"0f8fad5b-d9cb-469f-a165-70867728950e", ReasonConnectionMalformed},
		"an access token":         {clientToken(""), ReasonConnectionMalformed},
		"a token with padding":    {token + "=", ReasonConnectionMalformed},
		"a token with a line end": {token[:8] + "\n" + token[8:], ReasonConnectionMalformed},
		"two tokens":              {token + token, ReasonConnectionForged},
		"a megabyte":              {strings.Repeat("A", 1<<20), ReasonConnectionMalformed},
		"a token of version 2":    {enc(version), ReasonConnectionMalformed},
		"a token cut short":       {enc(raw[:len(raw)-1]), ReasonConnectionForged},
		"a token with more":       {enc(append(bytes.Clone(raw), 0)), ReasonConnectionForged},
		"a token of another key":  {mint(t, other, testInfo), ReasonConnectionForged},
		"zeros of the least size": {enc(append([]byte{1}, make([]byte, minTokenLen-1)...)), ReasonConnectionForged},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(tt.token, testNow)
			if ReasonOf(err) != tt.want {
				t.Errorf("Open: want %q, got %v", tt.want, err)
			}
			var e *Error
			if !errors.As(err, &e) || tt.token != "" && strings.Contains(e.Text, tt.token) {
				t.Errorf("Open: want an *Error that does not tell the token, got %#v", err)
			}
		})
	}
	t.Run("any changed bit", func(t *testing.T) {
		for i := range len(raw) * 8 {
			changed := bytes.Clone(raw)
			changed[i/8] ^= 1 << (i % 8)
			if _, err := c.OpenLive(enc(changed)); err == nil {
				t.Fatalf("OpenLive took a token with bit %d changed", i)
			}
		}
	})
	t.Run("any changed character", func(t *testing.T) {
		for i := range token {
			changed := token[:i] + string("AB"[b2i(token[i] == 'A')]) + token[i+1:]
			if _, err := c.OpenLive(changed); err == nil {
				t.Fatalf("OpenLive took a token with character %d changed", i)
			}
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestMintRefusesLongNames(t *testing.T) {
	c := testTokens(t)
	for _, info := range []ConnectionInfo{{Node: strings.Repeat("x", 256)}, {Hub: strings.Repeat("x", 256)}} {
		if token, err := c.Mint(info, testNow); err == nil {
			t.Errorf("Mint: want an error, got %s", token)
		}
	}
}

func TestConnectionTokenKeys(t *testing.T) {
	if _, err := NewConnectionTokens(make([]byte, 31), 0); err == nil {
		t.Error("NewConnectionTokens with a short key: want an error")
	}
	key := bytes.Clone(connectionKey)
	c, err := NewConnectionTokens(key, 0)
	if err != nil {
		t.Fatal(err)
	}
	token := mint(t, c, testInfo)
	clear(key)
	if _, err := c.Open(token, testNow); err != nil {
		t.Errorf("Open after the caller reused its key: %v", err)
	}
	for _, text := range []string{fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", *c), fmt.Sprintf("%d", c)} {
		if text != "connection tokens" {
			t.Errorf("printed: want no key, got %s", text)
		}
	}
}

func TestUserDigestDependsOnTheConnection(t *testing.T) {
	c := testTokens(t)
	a, b := testInfo, testInfo
	b.ID[0]++
	first, err := c.OpenLive(mint(t, c, a))
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.OpenLive(mint(t, c, b))
	if err != nil {
		t.Fatal(err)
	}
	if first.user == second.user {
		t.Error("two connections of a user have one digest")
	}
}

func FuzzOpen(f *testing.F) {
	c := testTokens(f)
	token := mint(f, c, testInfo)
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add(mint(f, c, ConnectionInfo{}))
	f.Add("")
	f.Add(strings.Repeat("A", 76))
	f.Add(strings.Repeat("_", 768))
	f.Fuzz(func(t *testing.T, s string) {
		opened, err := c.OpenLive(s)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Errorf("OpenLive: an error without a reason: %v", err)
			}
			return
		}
		// Nobody but Mint makes a token, so what opens says what Mint was told; and it has one spelling.
		if opened.Node != "" || opened.Hub != "" {
			if opened.Node != testInfo.Node || s != token {
				t.Errorf("OpenLive took a forged token: %s", s)
			}
		}
	})
}
