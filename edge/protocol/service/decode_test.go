package service

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// TestHandBuiltMessages writes each message out as a caller would, with the bytes of the vector it must give.
func TestHandBuiltMessages(t *testing.T) {
	both := func(json, pack string) Payloads {
		return Payloads{{"json", unhex(t, json)}, {"messagepack", unhex(t, pack)}}
	}
	for name, m := range map[string]Message{
		"HandshakeRequestWithProperty": &HandshakeRequest{
			Version: 1, ConnectionType: ConnectionOnDemand, Target: "abc",
		},
		"HandshakeRequestWithMigratableStatus": &HandshakeRequest{Version: 1, MigrationLevel: MigrationShutdown},
		"HandshakeRequest-7items-newSDK":       &HandshakeRequest{Version: 1, AllowStatefulReconnects: new(false)},
		"HandshakeResponse":                    &HandshakeResponse{},
		"HandshakeResponseWithError":           &HandshakeResponse{ErrorMessage: "Version mismatch."},
		"HandshakeResponseWithConnectionId":    &HandshakeResponse{ConnectionID: "abc"},
		"Ping":                                 &Ping{},
		"Ping-statusReply": &Ping{Pairs: []string{
			PingStatus, "1", PingClientCount, "42", PingServerCount, "10", PingCapacity, "1000",
		}},
		"Ping-serversReply":    &Ping{Pairs: []string{PingServers, "638000000000000000:a_1;b_2"}},
		"Ping-serversRequest":  &Ping{Pairs: []string{PingServers, ""}},
		"Ping-sdkKeepAlive":    &Ping{Pairs: []string{PingClientsInHub, "12", PingClients, "3"}},
		"Ping-shutdownFin0":    &Ping{Pairs: []string{PingShutdown, PingFin}},
		"Ping-shutdownFin1":    &Ping{Pairs: []string{PingShutdown, PingFinMigrate}},
		"Ping-shutdownFin2":    &Ping{Pairs: []string{PingShutdown, PingFinWait}},
		"Ping-shutdownFinAck":  &Ping{Pairs: []string{PingShutdown, PingFinAck}},
		"Ping-offlineInstance": &Ping{Pairs: []string{PingOffline, "instance-1"}},
		"Ping-rebalanceTarget": &Ping{Pairs: []string{PingTarget, "instance-2"}},
		"Ping-echo":            &Ping{Pairs: []string{PingEcho, "id-1"}},
		"Ping-messagingLogOn":  &Ping{Pairs: []string{PingMessagingLog, "1"}},
		"OpenConnection-full":  openConnectionFull,
		"OpenConnection-migratedIn": &OpenConnection{
			ConnectionID: "c1", Headers: Headers{{HeaderMigrateFrom, []string{"srvA"}}}, QueryString: "?hub=chat",
			Protocol: "json",
		},
		"CloseConnection-migratedOut": &CloseConnection{
			ConnectionID: "c1", Headers: Headers{{HeaderMigrateTo, []string{"srvB"}}},
		},
		"ConnectionData_WithTypeAndPartial": &ConnectionData{
			ConnectionID: "conn6", Payload: []byte{1, 2, 3, 4, 5, 6, 7}, DataType: DataInvocation, IsPartial: true,
		},
		"BroadcastExcept": &BroadcastData{
			ExcludedConnectionIDs: []string{"conn7", "conn8", "conn9"}, Payloads: both("06070102030405", "07010203040506"),
		},
		"GroupBroadcastExceptUser": &GroupBroadcastData{
			Group: "group3", ExcludedConnectionIDs: []string{"conn12", "conn13"},
			Payloads: both("06070102030405", "07010203040506"), ExcludedUserIDs: []string{"user1", "user2"},
			CallerUserID: "user3",
		},
		"UserJoinGroupWithAckWithTracingId": &UserJoinGroupWithAck{
			UserID: "conn14", Group: "group1", AckID: 1, TTL: new(int32(666)), TracingID: 1234,
		},
		"LeaveGroupWithAck-allGroups": &LeaveGroupWithAck{ConnectionID: "c1", AllGroups: true, AckID: 7},
		"Ack-NotFound":                &Ack{AckID: 7, Status: AckNotFound},
		"Ack-6items-newSDK-payload": &Ack{AckID: 7, Status: AckOK, Payload: AppendGroupMemberPage(nil, GroupMemberPage{
			Members: []GroupMember{{"c1", "u1"}, {"c2", ""}}, ContinuationToken: "next",
		})},
		"CloseConnectionsWithAckMessage":    &CloseConnectionsWithAck{AckID: 1},
		"ClientCompletionMessage":           clientCompletion,
		"ConnectionReconnect":               &ConnectionReconnect{ConnectionID: "conn7"},
		"ConnectionFlowControl-PauseClient": &ConnectionFlowControl{"conn1", FlowClient, FlowPause},
		"ConnectionFlowControl-OfflineServer": &ConnectionFlowControl{
			ConnectionID: "conn2", ConnectionType: FlowServer, Operation: FlowOffline,
		},
		"GroupMemberQuery-minimal": &GroupMemberQuery{Group: "group", AckID: 1},
		"GroupMemberQuery-all": &GroupMemberQuery{
			Group: "group", AckID: 1, Top: new(int32(10)), ContinuationToken: "token",
			MaxPageSize: new(int32(5)), TracingID: 1234,
		},
		"ServiceWarningMessage": &ServiceEvent{EventUser, "abc", EventNotExisted, "User abc is not existed."},
	} {
		t.Run(name, func(t *testing.T) {
			if want, got := vectorBody(t, name), AppendBody(nil, m); !bytes.Equal(want, got) {
				t.Errorf("want %x\ngot  %x", want, got)
			}
		})
	}
}

var openConnectionFull = &OpenConnection{
	ConnectionID: "c1",
	Claims: Claims{
		{"asrs.s.uid", "u1"},
		{"http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "r1"},
		{"http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "r2"},
	},
	Headers:     Headers{{HeaderInstanceID, []string{"i1"}}, {"X-Forwarded-For", []string{"10.0.0.9"}}},
	QueryString: "?hub=chat&asrs.op=%2Fchat",
	Protocol:    "json",
}

var clientCompletion = &ClientCompletion{
	InvocationID: "invocationId", ConnectionID: "conn1", CallerServerID: "server1", Protocol: "json",
	Payload: []byte{2, 3, 4, 5, 6, 7, 1},
}

func TestDecodeRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ in, reason string }{
		"no bytes":                     {"", "array: input ends inside a value"},
		"an array without a type":      {"90", "type: missing"},
		"a map":                        {"810102", "array: value of another kind"},
		"nil":                          {"c0", "array: value of another kind"},
		"a type that is text":          {"91a131", "type: value of another kind"},
		"a type beyond 32 bits":        {"91ce80000000", "type: number out of range"},
		"a never used byte":            {"9205c1", "CloseConnection: connectionId: invalid first byte"},
		"text as payload":              {"9306a163a161", "ConnectionData: payload: value of another kind"},
		"bytes as id":                  {"9306c40163c400", "ConnectionData: connectionId: value of another kind"},
		"a payload that is cut":        {"9306a163c40561", "ConnectionData: payload: input ends inside a value"},
		"a nil payload map":            {"930a90c0", "BroadcastData: payloads: value of another kind"},
		"a number among connection id": {"93079201a16180", "MultiConnectionData: connectionIds: value of another kind"},
		"a nil list of header values":  {"9404a1638081a148c0", "OpenConnection: headers: value of another kind"},
		"a claim that is a number":     {"9304a16381a14801", "OpenConnection: claims: value of another kind"},
		"a ping with a number":         {"920301", "Ping: pair: value of another kind"},
		"an unknown key that is cut":   {"9406a163c40081a17892c0", "ConnectionData: ext: input ends inside a value"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(unhex(t, tt.in))
			if !errors.Is(err, ErrMalformed) || m != nil {
				t.Fatalf("want %v, got %v, %v", ErrMalformed, m, err)
			}
			if want := "malformed service message: " + tt.reason; err.Error() != want {
				t.Errorf("want %q\ngot  %q", want, err)
			}
		})
	}
}

func TestUnknownTypesAreKept(t *testing.T) {
	for in, number := range map[string]Type{
		"932cc0a161": 44, "9100": 0, "91ff": -1, "92cd03e881a16101": 1000, "91ce7fffffff": 1<<31 - 1,
	} {
		body := unhex(t, in)
		m, ok := mustDecode(t, body).(*Unknown)
		if !ok || m.Type() != number || !bytes.Equal(AppendBody(nil, m), body) {
			t.Errorf("%s: want type %d with its bytes, got %v", in, number, m)
		}
	}
	if got := Type(44).String(); got != "Type(44)" {
		t.Errorf("String of an unknown type: %q", got)
	}
}

func TestBytesAreViewsAndStringsAreCopies(t *testing.T) {
	body := AppendBody(nil, &ConnectionData{ConnectionID: "conn", Payload: []byte("data")})
	m := mustDecode(t, body).(*ConnectionData)
	for i := range body {
		body[i] = 'x'
	}
	if m.ConnectionID != "conn" || string(m.Payload) != "xxxx" {
		t.Errorf("id %q, payload %q", m.ConnectionID, m.Payload)
	}
}

// TestDeclaredCountsDoNotAllocate replaces each list and map of each message by one that declares four billion
// entries, alone and with some bytes behind it.
func TestDeclaredCountsDoNotAllocate(t *testing.T) {
	bombs := []string{
		"dd ffffffff", "df ffffffff", "db ffffffff", "c6 ffffffff", "c9 ffffffff 01", "dd 7fffffff", "df 7fffffff",
	}
	var bodies [][]byte
	for _, b := range bombs {
		bomb := unhex(t, b)
		bodies = append(bodies, bomb)
		for _, s := range samples() {
			items := split(t, AppendBody(nil, s.m))
			for i := range items {
				bodies = append(bodies, with(items[:i+1], i, bomb), with(items, i, bomb))
			}
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, body := range bodies {
		if _, err := Decode(body); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: want %v, got %v", body, ErrMalformed, err)
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / uint64(len(bodies)); per > 4096 {
		t.Errorf("want at most 4096 bytes allocated for each body, got %d", per)
	}
}

func TestCountsWithBytesBehindThemAllocateByWhatIsThere(t *testing.T) {
	// One mebibyte of nil after an array that claims so many items: the ids are empty strings.
	body := append(unhex(t, "9307dd00100000"), bytes.Repeat([]byte{0xc0}, 1<<20)...)
	if m := mustDecode(t, append(body, 0x80)).(*MultiConnectionData); len(m.ConnectionIDs) != 1<<20 {
		t.Errorf("got %d ids", len(m.ConnectionIDs))
	}
	// The same that is no list of strings from its first item on must not make room for all of them.
	body = append(unhex(t, "9307dd00100000"), bytes.Repeat([]byte{0x01}, 1<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(body)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 1<<18 {
		t.Errorf("%d bytes allocated, error %v", got, err)
	}
}

func TestNestingBeyondTheLimitIsMalformed(t *testing.T) {
	deep := bytes.Repeat([]byte{0x91}, 1<<20)
	body := append(unhex(t, "9406a163c400"+"8109"), deep...)
	if _, err := Decode(body); !errors.Is(err, msgpack.ErrDepth) {
		t.Errorf("want %v, got %v", msgpack.ErrDepth, err)
	}
}

func TestProtocolOfCompletionComesFromItemOrKey(t *testing.T) {
	for in, want := range map[string]string{
		"9723a169a163a173a46a736f6ec4008103a46a736f6e": "json",
		"9723a169a163a173a0c4008103a46a736f6e":         "json",
		"9723a169a163a173a46a736f6ec40080":             "json",
		"9723a169a163a173a178c4008103a46a736f6e":       "x",
		"9623a169a163a173aa626c617a6f727061636bc400":   "blazorpack",
	} {
		if got := mustDecode(t, unhex(t, in)).(*ClientCompletion).Protocol; got != want {
			t.Errorf("%s: want %q, got %q", in, want, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range loadVectors(f) {
		f.Add(v.body(f))
	}
	for _, c := range loadCaptured(f) {
		f.Add(unhex(f, c.Hex))
	}
	for _, s := range samples() {
		f.Add(AppendBody(nil, s.m))
		f.Add(AppendBody(nil, newMessage(s.m.Type())))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || m != nil {
				t.Fatalf("%v with error %v", m, err)
			}
			return
		}
		enc := AppendBody(nil, m)
		again, err := Decode(enc)
		if err != nil {
			t.Fatalf("%x of %#v: %v", enc, m, err)
		}
		if d := diff(m, again); d != "" {
			t.Fatalf("(-first +again):\n%s", d)
		}
		if twice := AppendBody(nil, again); !bytes.Equal(enc, twice) {
			t.Fatalf("first  %x\nsecond %x", enc, twice)
		}
		if a, ok := m.(*Ack); ok {
			if p, err := DecodeGroupMemberPage(a.Payload); err == nil {
				if _, err := DecodeGroupMemberPage(AppendGroupMemberPage(nil, p)); err != nil {
					t.Fatal(err)
				}
			}
			if c, err := DecodeClaimsPayload(a.Payload); err == nil {
				if _, err := DecodeClaimsPayload(AppendClaimsPayload(nil, c)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
