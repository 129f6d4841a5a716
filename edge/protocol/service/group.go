package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// appendGroup appends the group of a leave message: null means all groups.
func appendGroup(dst []byte, group string, all bool) []byte {
	if all {
		return msgpack.AppendNil(dst)
	}
	return msgpack.AppendString(dst, group)
}

// groupOrAll reads the group of a leave message and reports whether it was null, which means all groups.
func (d *decoder) groupOrAll() (group string, all bool) {
	if !d.next("group") {
		return "", false
	}
	group, ok := d.r.NilString()
	return group, !ok
}

// JoinGroup adds a client to a group.
//
//	[11, connectionId str, group str, (ext{1})]
type JoinGroup struct {
	ConnectionID string
	Group        string
	TracingID    uint64 // ext 1
}

// Type returns [TypeJoinGroup].
func (*JoinGroup) Type() Type { return TypeJoinGroup }

func (m *JoinGroup) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeJoinGroup)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.Group)
	return appendTraced(dst, m.TracingID)
}

func (m *JoinGroup) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Group = d.str("group")
	m.TracingID = d.ext().tracingID
}

// LeaveGroup removes a client from a group, or from all it is in.
//
//	[12, connectionId str, group str or null, (ext{1})]
type LeaveGroup struct {
	ConnectionID string
	Group        string
	AllGroups    bool   // group is null on the wire: every group; Group means nothing then
	TracingID    uint64 // ext 1
}

// Type returns [TypeLeaveGroup].
func (*LeaveGroup) Type() Type { return TypeLeaveGroup }

func (m *LeaveGroup) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeLeaveGroup)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = appendGroup(dst, m.Group, m.AllGroups)
	return appendTraced(dst, m.TracingID)
}

func (m *LeaveGroup) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Group, m.AllGroups = d.groupOrAll()
	m.TracingID = d.ext().tracingID
}

// UserJoinGroup adds all present and future clients of a user to a group (section 5.6).
//
//	[16, userId str, group str, (ext{1, 2})]
type UserJoinGroup struct {
	UserID    string
	Group     string
	TTL       *int32 // ext 2: seconds until it ends by itself, may be 0; nil: never
	TracingID uint64 // ext 1
}

// Type returns [TypeUserJoinGroup].
func (*UserJoinGroup) Type() Type { return TypeUserJoinGroup }

func (m *UserJoinGroup) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeUserJoinGroup)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = msgpack.AppendString(dst, m.Group)
	return appendExt(dst, ext{tracingID: m.TracingID, ttl: m.TTL})
}

func (m *UserJoinGroup) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Group = d.str("group")
	e := d.ext()
	m.TTL, m.TracingID = e.ttl, e.tracingID
}

// UserLeaveGroup removes a user from a group, or from all.
//
//	[17, userId str, group str or null, (ext{1})]
type UserLeaveGroup struct {
	UserID    string
	Group     string
	AllGroups bool   // group is null on the wire: every group; Group means nothing then
	TracingID uint64 // ext 1
}

// Type returns [TypeUserLeaveGroup].
func (*UserLeaveGroup) Type() Type { return TypeUserLeaveGroup }

func (m *UserLeaveGroup) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeUserLeaveGroup)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = appendGroup(dst, m.Group, m.AllGroups)
	return appendTraced(dst, m.TracingID)
}

func (m *UserLeaveGroup) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Group, m.AllGroups = d.groupOrAll()
	m.TracingID = d.ext().tracingID
}

// JoinGroupWithAck is [JoinGroup] with an answer: [AckOK], or [AckNotFound] if there is no such client.
//
//	[18, connectionId str, group str, ackId int, (ext{1})]
type JoinGroupWithAck struct {
	ConnectionID string
	Group        string
	AckID        int32
	TracingID    uint64 // ext 1
}

// Type returns [TypeJoinGroupWithAck].
func (*JoinGroupWithAck) Type() Type { return TypeJoinGroupWithAck }

func (m *JoinGroupWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeJoinGroupWithAck)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendInt32(dst, m.AckID)
	return appendTraced(dst, m.TracingID)
}

func (m *JoinGroupWithAck) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Group = d.str("group")
	m.AckID = d.int32("ackId")
	m.TracingID = d.ext().tracingID
}

// LeaveGroupWithAck is [LeaveGroup] with an answer.
//
//	[19, connectionId str, group str or null, ackId int, (ext{1})]
type LeaveGroupWithAck struct {
	ConnectionID string
	Group        string
	AllGroups    bool // group is null on the wire: every group; Group means nothing then
	AckID        int32
	TracingID    uint64 // ext 1
}

// Type returns [TypeLeaveGroupWithAck].
func (*LeaveGroupWithAck) Type() Type { return TypeLeaveGroupWithAck }

func (m *LeaveGroupWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeLeaveGroupWithAck)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = appendGroup(dst, m.Group, m.AllGroups)
	dst = appendInt32(dst, m.AckID)
	return appendTraced(dst, m.TracingID)
}

func (m *LeaveGroupWithAck) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Group, m.AllGroups = d.groupOrAll()
	m.AckID = d.int32("ackId")
	m.TracingID = d.ext().tracingID
}

// UserJoinGroupWithAck is [UserJoinGroup] with an answer, which is always [AckOK].
//
//	[26, userId str, group str, ackId int, ext{1, 2}]
type UserJoinGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int32
	TTL       *int32 // ext 2: seconds until it ends by itself, may be 0; nil: never
	TracingID uint64 // ext 1
}

// Type returns [TypeUserJoinGroupWithAck].
func (*UserJoinGroupWithAck) Type() Type { return TypeUserJoinGroupWithAck }

func (m *UserJoinGroupWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeUserJoinGroupWithAck)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendInt32(dst, m.AckID)
	return appendExt(dst, ext{tracingID: m.TracingID, ttl: m.TTL})
}

func (m *UserJoinGroupWithAck) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Group = d.str("group")
	m.AckID = d.int32("ackId")
	e := d.ext()
	m.TTL, m.TracingID = e.ttl, e.tracingID
}

// UserLeaveGroupWithAck is [UserLeaveGroup] with an answer, which is always [AckOK].
//
//	[27, userId str, group str or null, ackId int, ext{1}]
type UserLeaveGroupWithAck struct {
	UserID    string
	Group     string
	AllGroups bool // group is null on the wire: every group; Group means nothing then
	AckID     int32
	TracingID uint64 // ext 1
}

// Type returns [TypeUserLeaveGroupWithAck].
func (*UserLeaveGroupWithAck) Type() Type { return TypeUserLeaveGroupWithAck }

func (m *UserLeaveGroupWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeUserLeaveGroupWithAck)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = appendGroup(dst, m.Group, m.AllGroups)
	dst = appendInt32(dst, m.AckID)
	return appendTraced(dst, m.TracingID)
}

func (m *UserLeaveGroupWithAck) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Group, m.AllGroups = d.groupOrAll()
	m.AckID = d.int32("ackId")
	m.TracingID = d.ext().tracingID
}
