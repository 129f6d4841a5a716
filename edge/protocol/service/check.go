package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// CheckUserInGroupWithAck asks whether a user is in a group: [AckOK] means yes, [AckNotFound] no.
//
//	[21, userId str, group str, ackId int, (ext{1})]
type CheckUserInGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int32
	TracingID uint64 // ext 1
}

// Type returns [TypeCheckUserInGroupWithAck].
func (*CheckUserInGroupWithAck) Type() Type { return TypeCheckUserInGroupWithAck }

func (m *CheckUserInGroupWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeCheckUserInGroupWithAck)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendInt32(dst, m.AckID)
	return appendTraced(dst, m.TracingID)
}

func (m *CheckUserInGroupWithAck) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Group = d.str("group")
	m.AckID = d.int32("ackId")
	m.TracingID = d.ext().tracingID
}

// CheckGroupExistenceWithAck asks whether a group has clients: [AckOK] means yes, [AckNotFound] no.
//
//	[23, group str, ackId int, ext{1}]
type CheckGroupExistenceWithAck struct {
	Group     string
	AckID     int32
	TracingID uint64 // ext 1
}

// Type returns [TypeCheckGroupExistenceWithAck].
func (*CheckGroupExistenceWithAck) Type() Type { return TypeCheckGroupExistenceWithAck }

func (m *CheckGroupExistenceWithAck) appendBody(dst []byte) []byte {
	return appendCheck(dst, TypeCheckGroupExistenceWithAck, m.Group, m.AckID, m.TracingID)
}

func (m *CheckGroupExistenceWithAck) decode(d *decoder) {
	m.Group, m.AckID, m.TracingID = d.check("group")
}

// CheckConnectionExistenceWithAck asks whether a client is connected: [AckOK] means yes, [AckNotFound] no.
//
//	[24, connectionId str, ackId int, ext{1}]
type CheckConnectionExistenceWithAck struct {
	ConnectionID string
	AckID        int32
	TracingID    uint64 // ext 1
}

// Type returns [TypeCheckConnectionExistenceWithAck].
func (*CheckConnectionExistenceWithAck) Type() Type { return TypeCheckConnectionExistenceWithAck }

func (m *CheckConnectionExistenceWithAck) appendBody(dst []byte) []byte {
	return appendCheck(dst, TypeCheckConnectionExistenceWithAck, m.ConnectionID, m.AckID, m.TracingID)
}

func (m *CheckConnectionExistenceWithAck) decode(d *decoder) {
	m.ConnectionID, m.AckID, m.TracingID = d.check("connectionId")
}

// CheckUserExistenceWithAck asks whether a user has clients: [AckOK] means yes, [AckNotFound] no.
//
//	[25, userId str, ackId int, ext{1}]
type CheckUserExistenceWithAck struct {
	UserID    string
	AckID     int32
	TracingID uint64 // ext 1
}

// Type returns [TypeCheckUserExistenceWithAck].
func (*CheckUserExistenceWithAck) Type() Type { return TypeCheckUserExistenceWithAck }

func (m *CheckUserExistenceWithAck) appendBody(dst []byte) []byte {
	return appendCheck(dst, TypeCheckUserExistenceWithAck, m.UserID, m.AckID, m.TracingID)
}

func (m *CheckUserExistenceWithAck) decode(d *decoder) {
	m.UserID, m.AckID, m.TracingID = d.check("userId")
}

// appendCheck appends the shape that the three existence checks share.
func appendCheck(dst []byte, t Type, name string, ackID int32, tracingID uint64) []byte {
	dst = appendHead(dst, 4, t)
	dst = msgpack.AppendString(dst, name)
	dst = appendInt32(dst, ackID)
	return appendTraced(dst, tracingID)
}

// check reads the shape that the three existence checks share.
func (d *decoder) check(field string) (name string, ackID int32, tracingID uint64) {
	name = d.str(field)
	ackID = d.int32("ackId")
	return name, ackID, d.ext().tracingID
}
