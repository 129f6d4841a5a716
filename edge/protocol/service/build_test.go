package service

import (
	"encoding/hex"
	"testing"
)

// items gives typed access to the items of a vector's "decoded" list; an index beyond the end gives the zero value, as
// the older, shorter forms mean it.
type items struct {
	tb   testing.TB
	list []any
}

func (v items) at(i int) any {
	if i < len(v.list) {
		return v.list[i]
	}
	return nil
}

func (v items) str(i int) string     { return text(v.at(i)) }
func (v items) int(i int) int32      { return number(v.at(i)) }
func (v items) null(i int) bool      { return i < len(v.list) && v.list[i] == nil }
func (v items) bytes(i int) []byte   { return v.data(v.at(i)) }
func (v items) strs(i int) []string  { return texts(v.at(i)) }
func (v items) pairs(i int) [][2]any { return pairs(v.tb, v.at(i)) }

func (v items) intOrNil(i int) *int32 {
	if v.at(i) == nil {
		return nil
	}
	return new(v.int(i))
}

func (v items) boolOrNil(i int) *bool {
	if b, ok := v.at(i).(bool); ok {
		return &b
	}
	return nil
}

// data reads {"$bin": hex} or {"$text": string}.
func (v items) data(x any) []byte {
	if x == nil {
		return nil
	}
	m := x.(map[string]any)
	if s, ok := m["$text"]; ok {
		return []byte(text(s))
	}
	b, err := hex.DecodeString(text(m["$bin"]))
	if err != nil {
		v.tb.Fatal(err)
	}
	return b
}

func text(x any) string {
	s, _ := x.(string)
	return s
}

func number(x any) int32 {
	f, _ := x.(float64)
	return int32(f)
}

func texts(x any) []string {
	list := make([]string, 0, len(asList(x)))
	for _, s := range asList(x) {
		list = append(list, text(s))
	}
	return list
}

func asList(x any) []any {
	list, _ := x.([]any)
	return list
}

// pairs reads {"$map": [[key, value], ...]}.
func pairs(tb testing.TB, x any) [][2]any {
	tb.Helper()
	if x == nil {
		return nil
	}
	var list [][2]any
	for _, p := range asList(x.(map[string]any)["$map"]) {
		list = append(list, [2]any(asList(p)))
	}
	return list
}

func (v items) payloads(i int) Payloads {
	list := make(Payloads, 0, len(v.pairs(i)))
	for _, p := range v.pairs(i) {
		list = append(list, Payload{Protocol: text(p[0]), Data: v.data(p[1])})
	}
	return list
}

func (v items) claims(i int) Claims {
	list := make(Claims, 0, len(v.pairs(i)))
	for _, p := range v.pairs(i) {
		list = append(list, Claim{Type: text(p[0]), Value: text(p[1])})
	}
	return list
}

func (v items) headers(i int) Headers {
	list := make(Headers, 0, len(v.pairs(i)))
	for _, p := range v.pairs(i) {
		list = append(list, Header{Name: text(p[0]), Values: texts(p[1])})
	}
	return list
}

func (v items) ext(i int) ext {
	var e ext
	for _, p := range v.pairs(i) {
		switch number(p[0]) {
		case 1:
			e.tracingID = uint64(number(p[1]))
		case 2:
			e.ttl = new(number(p[1]))
		case 3:
			e.protocol = text(p[1])
		case 4:
			e.filter = text(p[1])
		case 5:
			e.dataType = DataType(number(p[1]))
		case 6:
			e.isPartial = p[1].(bool)
		default:
			v.tb.Fatalf("extension key %v", p[0])
		}
	}
	return e
}

// build makes the message that a "decoded" list describes: by hand from the table of section 3.6, not with the
// decoder under test.
func build(tb testing.TB, t Type, list []any) Message {
	tb.Helper()
	v := items{tb, list}
	if v.int(0) != int32(t) {
		tb.Fatalf("item 0 is %v, not %d", v.at(0), t)
	}
	for _, f := range []func(items, Type) Message{buildConnection, buildData, buildGroup, buildAck, buildOther} {
		if m := f(v, t); m != nil {
			return m
		}
	}
	tb.Fatalf("build does not know %v", t)
	return nil
}

func buildConnection(v items, t Type) Message {
	switch int(t) {
	case 1:
		return &HandshakeRequest{
			Version: v.int(1), ConnectionType: ConnectionType(v.int(2)), Target: v.str(3),
			MigrationLevel: MigrationLevel(v.int(4)), AllowStatefulReconnects: v.boolOrNil(6),
		}
	case 2:
		return &HandshakeResponse{ErrorMessage: v.str(1), ConnectionID: v.str(3)}
	case 3:
		return &Ping{Pairs: texts(v.list[1:])}
	case 4:
		return &OpenConnection{
			ConnectionID: v.str(1), Claims: v.claims(2), Headers: v.headers(3), QueryString: v.str(4),
			Protocol: v.ext(5).protocol, TracingID: v.ext(5).tracingID,
		}
	case 5:
		return &CloseConnection{
			ConnectionID: v.str(1), ErrorMessage: v.str(2), Headers: v.headers(3), TracingID: v.ext(4).tracingID,
		}
	case 6:
		e := v.ext(3)
		return &ConnectionData{
			ConnectionID: v.str(1), Payload: v.bytes(2), DataType: e.dataType, IsPartial: e.isPartial, TracingID: e.tracingID,
		}
	case 38:
		return &ConnectionReconnect{ConnectionID: v.str(1)}
	case 39:
		return &ConnectionFlowControl{
			ConnectionID: v.str(1), ConnectionType: FlowTarget(v.int(2)), Operation: FlowOperation(v.int(3)),
		}
	}
	return nil
}

func buildData(v items, t Type) Message {
	e3 := func() (uint64, string) { return v.ext(3).tracingID, v.ext(3).filter }
	switch int(t) {
	case 7:
		m := &MultiConnectionData{ConnectionIDs: v.strs(1), Payloads: v.payloads(2)}
		m.TracingID, m.Filter = e3()
		return m
	case 8:
		m := &UserData{UserID: v.str(1), Payloads: v.payloads(2)}
		m.TracingID, m.Filter = e3()
		return m
	case 9:
		m := &MultiUserData{UserIDs: v.strs(1), Payloads: v.payloads(2)}
		m.TracingID, m.Filter = e3()
		return m
	case 10:
		m := &BroadcastData{ExcludedConnectionIDs: v.strs(1), Payloads: v.payloads(2)}
		m.TracingID, m.Filter = e3()
		return m
	case 13:
		return &GroupBroadcastData{
			Group: v.str(1), ExcludedConnectionIDs: v.strs(2), Payloads: v.payloads(3), ExcludedUserIDs: v.strs(5),
			CallerUserID: v.str(6), TracingID: v.ext(4).tracingID, Filter: v.ext(4).filter,
		}
	case 14:
		m := &MultiGroupBroadcastData{Groups: v.strs(1), Payloads: v.payloads(2)}
		m.TracingID, m.Filter = e3()
		return m
	}
	return nil
}

func buildGroup(v items, t Type) Message {
	switch int(t) {
	case 11:
		return &JoinGroup{ConnectionID: v.str(1), Group: v.str(2), TracingID: v.ext(3).tracingID}
	case 12:
		return &LeaveGroup{ConnectionID: v.str(1), Group: v.str(2), AllGroups: v.null(2), TracingID: v.ext(3).tracingID}
	case 16:
		return &UserJoinGroup{UserID: v.str(1), Group: v.str(2), TTL: v.ext(3).ttl, TracingID: v.ext(3).tracingID}
	case 17:
		return &UserLeaveGroup{UserID: v.str(1), Group: v.str(2), AllGroups: v.null(2), TracingID: v.ext(3).tracingID}
	case 18:
		return &JoinGroupWithAck{
			ConnectionID: v.str(1), Group: v.str(2), AckID: v.int(3), TracingID: v.ext(4).tracingID,
		}
	case 19:
		return &LeaveGroupWithAck{
			ConnectionID: v.str(1), Group: v.str(2), AllGroups: v.null(2), AckID: v.int(3), TracingID: v.ext(4).tracingID,
		}
	case 26:
		return &UserJoinGroupWithAck{
			UserID: v.str(1), Group: v.str(2), AckID: v.int(3), TTL: v.ext(4).ttl, TracingID: v.ext(4).tracingID,
		}
	case 27:
		return &UserLeaveGroupWithAck{
			UserID: v.str(1), Group: v.str(2), AllGroups: v.null(2), AckID: v.int(3), TracingID: v.ext(4).tracingID,
		}
	case 40:
		return &GroupMemberQuery{
			TracingID: v.ext(1).tracingID, Group: v.str(2), AckID: v.int(3), Top: v.intOrNil(4),
			ContinuationToken: v.str(5), MaxPageSize: v.intOrNil(6),
		}
	}
	return nil
}

func buildAck(v items, t Type) Message {
	switch int(t) {
	case 20:
		return &Ack{AckID: v.int(1), Status: AckStatus(v.int(2)), Message: v.str(3), Payload: v.bytes(5)}
	case 21:
		return &CheckUserInGroupWithAck{
			UserID: v.str(1), Group: v.str(2), AckID: v.int(3), TracingID: v.ext(4).tracingID,
		}
	case 23:
		return &CheckGroupExistenceWithAck{Group: v.str(1), AckID: v.int(2), TracingID: v.ext(3).tracingID}
	case 24:
		return &CheckConnectionExistenceWithAck{ConnectionID: v.str(1), AckID: v.int(2), TracingID: v.ext(3).tracingID}
	case 25:
		return &CheckUserExistenceWithAck{UserID: v.str(1), AckID: v.int(2), TracingID: v.ext(3).tracingID}
	case 30:
		return &CloseConnectionWithAck{
			ConnectionID: v.str(1), Reason: v.str(2), AckID: v.int(3), TracingID: v.ext(4).tracingID,
		}
	case 31:
		return &CloseConnectionsWithAck{
			Reason: v.str(1), AckID: v.int(2), ExcludedConnectionIDs: v.strs(3), TracingID: v.ext(4).tracingID,
		}
	case 32:
		return &CloseUserConnectionsWithAck{
			UserID: v.str(1), Reason: v.str(2), AckID: v.int(3), ExcludedConnectionIDs: v.strs(4),
			TracingID: v.ext(5).tracingID,
		}
	case 33:
		return &CloseGroupConnectionsWithAck{
			Group: v.str(1), Reason: v.str(2), AckID: v.int(3), ExcludedConnectionIDs: v.strs(4),
			TracingID: v.ext(5).tracingID,
		}
	}
	return nil
}

func buildOther(v items, t Type) Message {
	switch int(t) {
	case 15:
		return &ServiceError{ErrorMessage: v.str(1)}
	case 22:
		return &ServiceEvent{
			ObjectType: EventObject(v.int(1)), ID: v.str(2), Kind: EventKind(v.int(3)), Message: v.str(4),
		}
	case 28:
		return &AccessKeyRequest{Token: v.str(1), KeyID: v.str(2)}
	case 29:
		return &AccessKeyResponse{KeyID: v.str(1), AccessKey: v.str(2), ErrorType: v.str(3), ErrorMessage: v.str(4)}
	case 34:
		return &ClientInvocation{
			InvocationID: v.str(1), ConnectionID: v.str(2), CallerServerID: v.str(3), Payloads: v.payloads(4),
			TracingID: v.ext(5).tracingID,
		}
	case 35:
		return &ClientCompletion{
			InvocationID: v.str(1), ConnectionID: v.str(2), CallerServerID: v.str(3), Protocol: v.str(4),
			Payload: v.bytes(5), TracingID: v.ext(6).tracingID,
		}
	case 36:
		return &ErrorCompletion{
			InvocationID: v.str(1), ConnectionID: v.str(2), CallerServerID: v.str(3), Error: v.str(4),
			TracingID: v.ext(5).tracingID,
		}
	case 37:
		return &ServiceMapping{InvocationID: v.str(1), ConnectionID: v.str(2), InstanceID: v.str(3)}
	}
	return nil
}
