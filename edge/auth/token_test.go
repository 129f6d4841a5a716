package auth

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parse returns the Token of a payload, unverified.
func parse(t *testing.T, payload string) *Token {
	t.Helper()
	tok, err := parsePayload([]byte(payload))
	if err != nil {
		t.Fatalf("parsePayload(%s): %v", payload, err)
	}
	return tok
}

func TestClaims(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    []Claim
	}{
		"keeps the order of the payload": {
			`{"z":"1","a":"2","m":"3"}`, []Claim{{"z", "1"}, {"a", "2"}, {"m", "3"}},
		},
		"gives an entry for each element of a list": {
			`{"role":["a","b","a"],"x":"y"}`, []Claim{{"role", "a"}, {"role", "b"}, {"role", "a"}, {"x", "y"}},
		},
		"keeps members that are repeated": {
			`{"role":"a","x":"1","role":"b"}`, []Claim{{"role", "a"}, {"x", "1"}, {"role", "b"}},
		},
		"writes numbers as they are written": {
			`{"a":9007199254740993,"b":1.50,"c":-1e3,"d":12345678901234567890}`,
			[]Claim{{"a", "9007199254740993"}, {"b", "1.50"}, {"c", "-1e3"}, {"d", "12345678901234567890"}},
		},
		"writes booleans in lower case and null as nothing": {
			`{"a":true,"b":false,"c":null}`, []Claim{{"a", "true"}, {"b", "false"}, {"c", ""}},
		},
		"writes objects and inner lists as compact JSON": {
			`{"a": { "b" : [ 1, "<x>" ] }, "c": [ [ 1 , 2 ], { "d" : null } , 3, null ]}`,
			[]Claim{{"a", `{"b":[1,"<x>"]}`}, {"c", "[1,2]"}, {"c", `{"d":null}`}, {"c", "3"}, {"c", ""}},
		},
		"makes no claim of an empty list": {`{"a":[],"b":"1"}`, []Claim{{"b", "1"}}},
		"undoes the escapes of texts and names": {
			`{"n\u0061me":"\u00e9\ud83d\ude00\"\\\n"}`, []Claim{{"name", "é😀\"\\\n"}},
		},
		"takes empty names and values": {`{"":"x","y":""}`, []Claim{{"", "x"}, {"y", ""}}},
		"takes spaces around everything": {
			" {\n \"a\" : \"1\" ,\t\"b\" : 2 } \n", []Claim{{"a", "1"}, {"b", "2"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.payload).Claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumericDate(t *testing.T) {
	tests := map[string]struct {
		text string
		want int64
		ok   bool
	}{
		"a whole number":                    {"1700000000", 1700000000, true},
		"a fraction is cut off":             {"1700000000.9", 1700000000, true},
		"an exponent":                       {"1.7e9", 1700000000, true},
		"zero":                              {"0", 0, true},
		"a negative number is 1970":         {"-5", 0, true},
		"a negative fraction is 1970":       {"-5.5", 0, true},
		"beyond the year 9999":              {"99999999999999", maxDate, true},
		"beyond 64 bits":                    {"99999999999999999999999", maxDate, true},
		"beyond a float":                    {"1e999", maxDate, true},
		"beyond a float on the other side":  {"-1e999", 0, true},
		"a text":                            {`"1700000000"`, 0, false},
		"null":                              {"null", 0, false},
		"a list":                            {"[1700000000]", 0, false},
		"true":                              {"true", 0, false},
		"nothing":                           {"", 0, false},
		"an infinity, which JSON never has": {"Inf", 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := numericDate(tt.text)
			if ok != tt.ok || ok && got.Unix() != tt.want {
				t.Errorf("numericDate(%s): want %d, %v, got %d, %v", tt.text, tt.want, tt.ok, got.Unix(), ok)
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	type seen struct {
		User             string
		HasUser          bool
		Server           string
		HasServer        bool
		Sticky           Sticky
		Diagnostic       bool
		Detailed         bool
		Handshake        time.Duration
		HasHandshake     bool
		AuthType         string
		HasAuthType      bool
		Transports       TransportMask
		Close            bool
		Expires          int64
		Poll             time.Duration
		HasPoll          bool
		ServerID         string
		HasServerIDClaim bool
	}
	read := func(tok *Token) (s seen) {
		s.User, s.HasUser = tok.UserID()
		s.Server, s.HasServer = tok.ServerName()
		s.Sticky = tok.Sticky()
		s.Diagnostic, s.Detailed = tok.Diagnostic(), tok.DetailedErrors()
		s.Handshake, s.HasHandshake = tok.HandshakeTimeout()
		s.AuthType, s.HasAuthType = tok.AuthenticationType()
		s.Transports = tok.TransportMask()
		s.Close = tok.CloseOnExpiry()
		if at, ok := tok.ExpiresOn(); ok {
			s.Expires = at.Unix()
		}
		s.Poll, s.HasPoll = tok.PollInterval()
		s.ServerID, s.HasServerIDClaim = tok.ServerID()
		return s
	}
	tests := map[string]struct {
		payload string
		want    seen
	}{
		"a bare token says nothing": {`{"exp":1}`, seen{Transports: 7}},
		"a token with everything": {
			`{"asrs.s.uid":"ann","nameid":"other","asrs.s.sn":"srv_1","asrs.s.ssticky":"Required","asrs.s.dc":"true",
			"asrs.s.derror":"True","asrs.s.cht":"30","asrs.s.aut":"Cookies","asrs.s.htt":"5","asrs.s.coae":"true",
			"asrs.s.aeo":"1700000000","asrs.s.ttl":"300"}`,
			seen{
				User: "ann", HasUser: true, Server: "srv_1", HasServer: true, Sticky: StickyRequired, Diagnostic: true,
				Detailed: true, Handshake: 30 * time.Second, HasHandshake: true, AuthType: "Cookies", HasAuthType: true,
				Transports: 5, Close: true, Expires: 1700000000, Poll: 300 * time.Second, HasPoll: true,
				ServerID: "other", HasServerIDClaim: true,
			},
		},
		"nameid is the user": {
			`{"nameid":"n"}`, seen{User: "n", HasUser: true, Transports: 7, ServerID: "n", HasServerIDClaim: true},
		},
		"sub is the user, the first name identifier wins": {
			`{"sub":"s","nameid":"n"}`,
			seen{User: "s", HasUser: true, Transports: 7, ServerID: "s", HasServerIDClaim: true},
		},
		"the first of several users wins": {
			`{"asrs.s.uid":["a","b"]}`, seen{User: "a", HasUser: true, Transports: 7},
		},
		"an empty user is none, and hides the name identifier": {
			`{"asrs.s.uid":"","nameid":"n"}`, seen{Transports: 7, ServerID: "n", HasServerIDClaim: true},
		},
		"Preferred": {
			`{"asrs.s.sn":"x","asrs.s.ssticky":"preferred"}`,
			seen{Server: "x", HasServer: true, Sticky: StickyPreferred, Transports: 7},
		},
		"a server without a mode is preferred": {
			`{"asrs.s.sn":"x"}`, seen{Server: "x", HasServer: true, Sticky: StickyPreferred, Transports: 7},
		},
		"Disabled with a server": {
			`{"asrs.s.sn":"x","asrs.s.ssticky":"Disabled"}`, seen{Server: "x", HasServer: true, Transports: 7},
		},
		"a mode without a server is nothing": {`{"asrs.s.ssticky":"Required"}`, seen{Transports: 7}},
		"numbers and booleans in native JSON": {
			`{"asrs.s.cht":20,"asrs.s.dc":true,"asrs.s.htt":4,"asrs.s.aeo":1700000001,"asrs.s.ttl":1}`,
			seen{
				Handshake: 20 * time.Second, HasHandshake: true, Diagnostic: true, Transports: 4, Expires: 1700000001,
				Poll: time.Second, HasPoll: true,
			},
		},
		"numbers out of range are not there": {
			`{"asrs.s.cht":"31","asrs.s.ttl":"301","asrs.s.aeo":"0"}`, seen{Transports: 7},
		},
		"zero and nonsense are not there": {
			`{"asrs.s.cht":"0","asrs.s.ttl":"x","asrs.s.aeo":"x","asrs.s.htt":"x","asrs.s.dc":"yes"}`, seen{Transports: 7},
		},
		"a mask of nothing allows nothing, bits unknown are dropped": {`{"asrs.s.htt":"8"}`, seen{Transports: 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(parse(t, tt.payload))); diff != "" {
				t.Errorf("accessors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStickyNames(t *testing.T) {
	for mode, want := range map[Sticky]string{
		StickyDisabled: "Disabled", StickyPreferred: "Preferred", StickyRequired: "Required",
	} {
		if got := mode.String(); got != want {
			t.Errorf("String of %d: want %q, got %q", mode, want, got)
		}
	}
}
