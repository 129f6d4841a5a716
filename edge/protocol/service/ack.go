package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// AckStatus is the outcome of a message that asked for an [Ack] (section 5.5).
type AckStatus int32

// The ack statuses. Any other makes the SDK throw.
const (
	AckOK                  AckStatus = 1
	AckNotFound            AckStatus = 2
	AckTimeout             AckStatus = 3
	AckInternalServerError AckStatus = 4
	AckForbidden           AckStatus = 5 // since the 2026 line
)

// Ack answers a message that carries an ack id, on the connection that message came on, within 10 seconds.
//
//	[20, ackId int, status int, message str, (ext), (payload bin or null)]
//
// Written with five items when there is no payload, which every SDK reads, and with six when there is one.
// Accepted too: 4 items (no ext).
type Ack struct {
	AckID   int32
	Status  AckStatus
	Message string // may be empty
	// Payload is itself MessagePack: a [GroupMemberPage] for [GroupMemberQuery], claims for [RefreshAuth] and
	// [GetConnectionClaims]; nil: none. When decoded, a view.
	Payload []byte
}

// Type returns [TypeAck].
func (*Ack) Type() Type { return TypeAck }

func (m *Ack) appendBody(dst []byte) []byte {
	n := 5
	if m.Payload != nil {
		n = 6
	}
	dst = appendHead(dst, n, TypeAck)
	dst = appendInt32(dst, m.AckID)
	dst = appendInt32(dst, int32(m.Status))
	dst = msgpack.AppendString(dst, m.Message)
	dst = appendNoExt(dst)
	if m.Payload != nil {
		dst = msgpack.AppendBin(dst, m.Payload)
	}
	return dst
}

func (m *Ack) decode(d *decoder) {
	m.AckID = d.int32("ackId")
	m.Status = AckStatus(d.int32("status"))
	m.Message = d.str("message")
	d.ext()
	if d.more() {
		m.Payload = d.bin("payload")
	}
}
