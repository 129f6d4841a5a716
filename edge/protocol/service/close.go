package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// CloseConnectionWithAck closes one client. Obsolete: SDKs send [CloseConnection] instead.
//
//	[30, connectionId str, reason str or null, ackId int, (ext{1})]
type CloseConnectionWithAck struct {
	ConnectionID string
	Reason       string // null if empty
	AckID        int32
	TracingID    uint64 // ext 1
}

// Type returns [TypeCloseConnectionWithAck].
func (*CloseConnectionWithAck) Type() Type { return TypeCloseConnectionWithAck }

func (m *CloseConnectionWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeCloseConnectionWithAck)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = appendNullable(dst, m.Reason)
	dst = appendInt32(dst, m.AckID)
	return appendTraced(dst, m.TracingID)
}

func (m *CloseConnectionWithAck) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Reason = d.str("reason")
	m.AckID = d.int32("ackId")
	m.TracingID = d.ext().tracingID
}

// CloseConnectionsWithAck closes all clients of the hub but the excluded ones. Obsolete.
//
//	[31, reason str or null, ackId int, excludedConnectionIds [str], (ext{1})]
type CloseConnectionsWithAck struct {
	Reason                string // null if empty
	AckID                 int32
	ExcludedConnectionIDs []string
	TracingID             uint64 // ext 1
}

// Type returns [TypeCloseConnectionsWithAck].
func (*CloseConnectionsWithAck) Type() Type { return TypeCloseConnectionsWithAck }

func (m *CloseConnectionsWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeCloseConnectionsWithAck)
	dst = appendNullable(dst, m.Reason)
	dst = appendInt32(dst, m.AckID)
	dst = appendStrs(dst, m.ExcludedConnectionIDs)
	return appendTraced(dst, m.TracingID)
}

func (m *CloseConnectionsWithAck) decode(d *decoder) {
	m.Reason = d.str("reason")
	m.AckID = d.int32("ackId")
	m.ExcludedConnectionIDs = d.strs("excludedConnectionIds")
	m.TracingID = d.ext().tracingID
}

// CloseUserConnectionsWithAck closes all clients of a user but the excluded ones.
//
//	[32, userId str, reason str or null, ackId int, excludedConnectionIds [str], (ext{1})]
type CloseUserConnectionsWithAck struct {
	UserID                string
	Reason                string // null if empty
	AckID                 int32
	ExcludedConnectionIDs []string
	TracingID             uint64 // ext 1
}

// Type returns [TypeCloseUserConnectionsWithAck].
func (*CloseUserConnectionsWithAck) Type() Type { return TypeCloseUserConnectionsWithAck }

func (m *CloseUserConnectionsWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeCloseUserConnectionsWithAck)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = appendNullable(dst, m.Reason)
	dst = appendInt32(dst, m.AckID)
	dst = appendStrs(dst, m.ExcludedConnectionIDs)
	return appendTraced(dst, m.TracingID)
}

func (m *CloseUserConnectionsWithAck) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Reason = d.str("reason")
	m.AckID = d.int32("ackId")
	m.ExcludedConnectionIDs = d.strs("excludedConnectionIds")
	m.TracingID = d.ext().tracingID
}

// CloseGroupConnectionsWithAck closes all clients of a group but the excluded ones.
//
//	[33, group str, reason str or null, ackId int, excludedConnectionIds [str], (ext{1})]
type CloseGroupConnectionsWithAck struct {
	Group                 string
	Reason                string // null if empty
	AckID                 int32
	ExcludedConnectionIDs []string
	TracingID             uint64 // ext 1
}

// Type returns [TypeCloseGroupConnectionsWithAck].
func (*CloseGroupConnectionsWithAck) Type() Type { return TypeCloseGroupConnectionsWithAck }

func (m *CloseGroupConnectionsWithAck) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeCloseGroupConnectionsWithAck)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendNullable(dst, m.Reason)
	dst = appendInt32(dst, m.AckID)
	dst = appendStrs(dst, m.ExcludedConnectionIDs)
	return appendTraced(dst, m.TracingID)
}

func (m *CloseGroupConnectionsWithAck) decode(d *decoder) {
	m.Group = d.str("group")
	m.Reason = d.str("reason")
	m.AckID = d.int32("ackId")
	m.ExcludedConnectionIDs = d.strs("excludedConnectionIds")
	m.TracingID = d.ext().tracingID
}
