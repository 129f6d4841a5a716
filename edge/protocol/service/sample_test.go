package service

import "time"

// sample is one message with every field filled, and what the table of section 3.6 says of its layout.
type sample struct {
	m Message
	// kinds has one letter per item behind the type, in wire order:
	// s string (null allowed), i int, b bool, p bytes (null allowed), m map, a array, e ext,
	// N and T: int and time that may be null, M: map that may be null.
	kinds string
	// least is how many items the shortest accepted form has, the type included.
	least int
	// keys are the extension keys the message carries.
	keys string
	// nulls are the places in kinds where "" is written as null.
	nulls string
}

// samples has one entry for each type.
func samples() []sample {
	payloads := Payloads{{"json", []byte("{}\x1e")}, {"messagepack", []byte{1, 0x90}}}
	return []sample{
		{&HandshakeRequest{1, ConnectionWeak, "t", MigrationShutdown, new(true)}, "iisieb", 2, "", ""},
		{&HandshakeResponse{"no", "cid"}, "ses", 2, "", "2"},
		{&Ping{[]string{"k", "v"}}, "ss", 1, "", ""},
		{&OpenConnection{
			"c", Claims{{"role", "a"}, {"role", "b"}}, Headers{{"H", []string{"1", "2"}}, {"I", nil}}, "?q", "json", 300,
		}, "smmse", 3, "13", ""},
		{&CloseConnection{"c", "e", Headers{{"H", []string{"1"}}}, 1 << 63}, "ssme", 3, "1", ""},
		{&ConnectionData{"c", []byte("{}\x1e"), DataInvocation, true, 7}, "spe", 3, "156", ""},
		{&MultiConnectionData{[]string{"a", "b"}, payloads, 7, "f"}, "ame", 3, "14", ""},
		{&UserData{"u", payloads, 7, "f"}, "sme", 3, "14", ""},
		{&MultiUserData{[]string{"a", "b"}, payloads, 7, "f"}, "ame", 3, "14", ""},
		{&BroadcastData{[]string{"a", "b"}, payloads, 7, "f"}, "ame", 3, "14", ""},
		{&JoinGroup{"c", "g", 7}, "sse", 3, "1", ""},
		{&LeaveGroup{"c", "g", false, 7}, "sse", 3, "1", ""},
		{&GroupBroadcastData{"g", []string{"a"}, payloads, []string{"u"}, "me", 7, "f"}, "sameas", 4, "14", "5"},
		{&MultiGroupBroadcastData{[]string{"a", "b"}, payloads, 7, "f"}, "ame", 3, "14", ""},
		{&ServiceError{"too much"}, "s", 2, "", ""},
		{&UserJoinGroup{"u", "g", new(int32(-3)), 7}, "sse", 3, "12", ""},
		{&UserLeaveGroup{"u", "g", false, 7}, "sse", 3, "1", ""},
		{&JoinGroupWithAck{"c", "g", 9, 7}, "ssie", 4, "1", ""},
		{&LeaveGroupWithAck{"c", "g", false, 9, 7}, "ssie", 4, "1", ""},
		{&Ack{9, AckForbidden, "m", []byte{0x80}}, "iisep", 4, "", ""},
		{&CheckUserInGroupWithAck{"u", "g", 9, 7}, "ssie", 4, "1", ""},
		{&ServiceEvent{EventServerConnection, "id", EventBufferFull, "m"}, "isise", 5, "", ""},
		{&CheckGroupExistenceWithAck{"g", 9, 7}, "sie", 3, "1", ""},
		{&CheckConnectionExistenceWithAck{"c", 9, 7}, "sie", 3, "1", ""},
		{&CheckUserExistenceWithAck{"u", 9, 7}, "sie", 3, "1", ""},
		{&UserJoinGroupWithAck{"u", "g", 9, new(int32(0)), 7}, "ssie", 4, "12", ""},
		{&UserLeaveGroupWithAck{"u", "g", false, 9, 7}, "ssie", 4, "1", ""},
		{&AccessKeyRequest{"token", "kid"}, "sse", 3, "", "1"},
		{&AccessKeyResponse{"kid", "key", "type", "m"}, "sssse", 5, "", "0123"},
		{&CloseConnectionWithAck{"c", "r", 9, 7}, "ssie", 4, "1", "1"},
		{&CloseConnectionsWithAck{"r", 9, []string{"c"}, 7}, "siae", 4, "1", "0"},
		{&CloseUserConnectionsWithAck{"u", "r", 9, []string{"c"}, 7}, "ssiae", 5, "1", "1"},
		{&CloseGroupConnectionsWithAck{"g", "r", 9, []string{"c"}, 7}, "ssiae", 5, "1", "1"},
		{&ClientInvocation{"i", "c", "s", payloads, 7}, "sssme", 5, "1", ""},
		{&ClientCompletion{"i", "c", "s", "json", []byte("{}\x1e"), 7}, "sssspe", 6, "13", ""},
		{&ErrorCompletion{"i", "c", "s", "e", 7}, "sssse", 5, "1", ""},
		{&ServiceMapping{"i", "c", "n"}, "ssse", 4, "", ""},
		{&ConnectionReconnect{"c"}, "se", 2, "", ""},
		{&ConnectionFlowControl{"c", FlowClient, FlowResume}, "siie", 4, "", ""},
		{&GroupMemberQuery{"g", 9, new(int32(100)), "t", new(int32(0)), 7}, "esiNsN", 6, "1", "4"},
		{&RefreshAuth{
			"t", Claims{{"role", "a"}}, time.Date(2027, 1, 2, 3, 4, 5, 600, time.UTC), 9,
		}, "sMTie", 5, "", ""},
		{&GetConnectionClaims{"t", 9}, "sie", 3, "", ""},
		{&UpdateConnectionClaims{"c", Claims{{"role", "a"}, {"role", "b"}}}, "sMe", 3, "", ""},
	}
}
