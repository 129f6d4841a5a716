package service

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPayloadsGetComparesWithoutCase(t *testing.T) {
	p := Payloads{{"json", []byte("j")}, {"MessagePack", []byte("m")}}
	for protocol, want := range map[string]string{"json": "j", "JSON": "j", "messagepack": "m"} {
		if got, ok := p.Get(protocol); !ok || string(got) != want {
			t.Errorf("%s: want %q, got %q, %v", protocol, want, got, ok)
		}
	}
	if got, ok := p.Get("blazorpack"); ok || got != nil {
		t.Errorf("blazorpack: got %q", got)
	}
}

func TestHeadersGetComparesWithoutCase(t *testing.T) {
	h := Headers{{"Empty", nil}, {"Asrs-Migrate-To", []string{"b", "c"}}}
	if got, ok := h.Get("asrs-migrate-to"); !ok || got != "b" {
		t.Errorf("want b, got %q, %v", got, ok)
	}
	for _, name := range []string{"Empty", "X"} {
		if _, ok := h.Get(name); ok {
			t.Errorf("%s has no value", name)
		}
	}
}

func TestPingGetReadsPairs(t *testing.T) {
	m := mustDecode(t, unhex(t, "9603a161a162a162a163a163")).(*Ping)
	for key, want := range map[string]string{"a": "b", "b": "c"} {
		if got, ok := m.Get(key); !ok || got != want {
			t.Errorf("%s: want %q, got %q, %v", key, want, got, ok)
		}
	}
	if got, ok := m.Get("c"); ok {
		t.Errorf("an odd last string is no key, got %q", got)
	}
}

func TestLeaveMessagesTellAllGroupsFromTheEmptyName(t *testing.T) {
	for _, m := range []Message{
		&LeaveGroup{ConnectionID: "c", AllGroups: true}, &LeaveGroup{ConnectionID: "c"},
		&UserLeaveGroup{UserID: "u", AllGroups: true}, &UserLeaveGroup{UserID: "u"},
		&LeaveGroupWithAck{ConnectionID: "c", AllGroups: true}, &LeaveGroupWithAck{ConnectionID: "c"},
		&UserLeaveGroupWithAck{UserID: "u", AllGroups: true}, &UserLeaveGroupWithAck{UserID: "u"},
	} {
		if d := diff(m, mustDecode(t, AppendBody(nil, m))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestTTLTellsZeroFromAbsent(t *testing.T) {
	for in, want := range map[string]*int32{
		"9410a175a16780": nil, "9410a175a167810200": new(int32(0)), "9410a175a16781022a": new(int32(42)),
	} {
		if d := cmp.Diff(want, mustDecode(t, unhex(t, in)).(*UserJoinGroup).TTL); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
}

func TestAckHasSixItemsOnlyWithAPayload(t *testing.T) {
	for want, payload := range map[string][]byte{
		"95140901a080": nil, "96140901a080c400": {}, "96140901a080c40180": {0x80},
	} {
		if got := hexOf(AppendBody(nil, &Ack{AckID: 9, Status: AckOK, Payload: payload})); got != want {
			t.Errorf("payload %x: want %s, got %s", payload, want, got)
		}
	}
	if m := mustDecode(t, unhex(t, "96140901a080c0")).(*Ack); m.Payload != nil {
		t.Errorf("null payload: got %x", m.Payload)
	}
}

func TestGroupMemberPage(t *testing.T) {
	for want, page := range map[string]GroupMemberPage{
		"9290c0":                     {},
		"929192a163c0c0":             {Members: []GroupMember{{"c", ""}}},
		"929292a163a17592a164c0a174": {Members: []GroupMember{{"c", "u"}, {"d", ""}}, ContinuationToken: "t"},
	} {
		b := AppendGroupMemberPage(nil, page)
		if hexOf(b) != want {
			t.Errorf("want %s, got %x", want, b)
		}
		got, err := DecodeGroupMemberPage(b)
		if d := cmp.Diff(page, got); err != nil || d != "" {
			t.Errorf("error %v (-want +got):\n%s", err, d)
		}
		for n := range b {
			if _, err := DecodeGroupMemberPage(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d bytes: want %v, got %v", want, n, ErrMalformed, err)
			}
		}
	}
	got, err := DecodeGroupMemberPage(unhex(t, "93"+"91"+"93a163a17591c0"+"a174"+"c0"))
	want := GroupMemberPage{Members: []GroupMember{{"c", "u"}}, ContinuationToken: "t"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("more items than known: error %v (-want +got):\n%s", err, d)
	}
	for _, bad := range []string{"c0", "9190", "92c0c0", "929191a163c0", "92ddffffffffc0", "929001", "9291c0c0"} {
		if _, err := DecodeGroupMemberPage(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: want %v, got %v", bad, ErrMalformed, err)
		}
	}
}

func TestClaimsPayload(t *testing.T) {
	claims := Claims{{"role", "a"}, {"name", "b"}}
	b := AppendClaimsPayload(nil, claims)
	if want := unhex(t, "82a4726f6c65a161a46e616d65a162"); !bytes.Equal(b, want) {
		t.Errorf("want %x, got %x", want, b)
	}
	for in, want := range map[string]Claims{
		"": nil, "c0": nil, "80": {}, hexOf(b): claims,
		"84 a161 92a178a179 a162 07 a163 c2 a164 90": {{"a", "x"}, {"a", "y"}, {"b", "7"}, {"c", "false"}},
		"82 a161 cfffffffffffffffff a162 c0":         {{"a", "18446744073709551615"}, {"b", ""}},
	} {
		got, err := DecodeClaimsPayload(unhex(t, in))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", in, err, d)
		}
	}
	for _, bad := range []string{
		"90", "81a161", "81a16180", "81a161ca00000000", "8101a161", "dfffffffff", "81a16191c1",
	} {
		if _, err := DecodeClaimsPayload(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: want %v, got %v", bad, ErrMalformed, err)
		}
	}
}

func TestRefreshAuthReadsEveryFormOfTime(t *testing.T) {
	const before, after = "9629a174c0", "0980"
	second := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"d6ff6b386925":                   second,
		"d7ff000000006b386925":           second,
		"c70cff00000000000000006b386925": second,
		"d7ff773594006b386925":           second.Add(500 * time.Millisecond),
		"cf08df687d0f7dc080":             time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
		"cf48df687d0f7dc080":             time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), // marked as UTC
		"d388df687d0f7dc080":             time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), // marked as local
		"00":                             {},
		"c0":                             {},
		"cf2bca2875f4373fff":             time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC),
		"c70cff00000000fffffff1886e0900": {},
	} {
		m, err := Decode(unhex(t, before+in+after))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := m.(*RefreshAuth); !got.ExpiresOn.Equal(want) || got.AckID != 9 || got.Claims != nil {
			t.Errorf("%s: want %v, got %+v", in, want, got)
		}
	}
	for name, in := range map[string]string{
		"ticks after year 9999":     "cf2bca2875f4374000",
		"a timestamp after 9999":    "c70cff000000000000003afff44180",
		"a timestamp before year 1": "c70cff00000000fffffff1886e08ff",
		"2^63 and more":             "cfffffffffffffffff",
		"text":                      "a131",
		"another extension":         "d60500000000",
	} {
		if _, err := Decode(unhex(t, before+in+after)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: want %v, got %v", name, ErrMalformed, err)
		}
	}
}
