package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// The keys of the extension map (section 3.3). Absent means 0, "" or false.
const (
	extTracingID = 1 // uint64
	extTTL       = 2 // int32, seconds
	extProtocol  = 3 // str
	extFilter    = 4 // str
	extDataType  = 5 // int
	extIsPartial = 6 // bool
)

// Sets of extension keys, one bit per key.
const (
	traced     = 1 << extTracingID
	filterable = traced | 1<<extFilter
	expiring   = traced | 1<<extTTL
	protocoled = traced | 1<<extProtocol
	typedData  = traced | 1<<extDataType | 1<<extIsPartial
)

// extKeys tells which keys a message carries. The SDK's reader derails on any other, so nothing else is ever written;
// what others write elsewhere is skipped.
var extKeys = [len(typeNames)]uint8{
	TypeOpenConnection:                  protocoled,
	TypeCloseConnection:                 traced,
	TypeConnectionData:                  typedData,
	TypeMultiConnectionData:             filterable,
	TypeUserData:                        filterable,
	TypeMultiUserData:                   filterable,
	TypeBroadcastData:                   filterable,
	TypeJoinGroup:                       traced,
	TypeLeaveGroup:                      traced,
	TypeGroupBroadcastData:              filterable,
	TypeMultiGroupBroadcastData:         filterable,
	TypeUserJoinGroup:                   expiring,
	TypeUserLeaveGroup:                  traced,
	TypeJoinGroupWithAck:                traced,
	TypeLeaveGroupWithAck:               traced,
	TypeCheckUserInGroupWithAck:         traced,
	TypeCheckGroupExistenceWithAck:      traced,
	TypeCheckConnectionExistenceWithAck: traced,
	TypeCheckUserExistenceWithAck:       traced,
	TypeUserJoinGroupWithAck:            expiring,
	TypeUserLeaveGroupWithAck:           traced,
	TypeCloseConnectionWithAck:          traced,
	TypeCloseConnectionsWithAck:         traced,
	TypeCloseUserConnectionsWithAck:     traced,
	TypeCloseGroupConnectionsWithAck:    traced,
	TypeClientInvocation:                traced,
	TypeClientCompletion:                protocoled,
	TypeErrorCompletion:                 traced,
	TypeGroupMemberQuery:                traced,
}

// ext is the content of an extension map.
type ext struct {
	tracingID uint64
	ttl       *int32
	protocol  string
	filter    string
	dataType  DataType
	isPartial bool
}

// ext reads the extension map if the message has come to one; older forms end before it.
func (d *decoder) ext() ext {
	var e ext
	if !d.more() {
		return e
	}
	d.next("ext")
	allowed := extKeys[d.typ]
	for range d.r.MapHeader() {
		if d.failed() {
			break
		}
		if d.r.Kind() != msgpack.Int {
			d.r.Skip()
			d.r.Skip()
			continue
		}
		key := d.r.Int()
		if key < 0 || key > extIsPartial || allowed>>key&1 == 0 {
			d.r.Skip()
			continue
		}
		d.extValue(&e, key)
	}
	return e
}

// extValue reads the value of a key that the message carries. Null is as good as absent.
func (d *decoder) extValue(e *ext, key int64) {
	if d.r.IsNil() {
		d.r.Nil()
		return
	}
	switch key {
	case extTracingID:
		e.tracingID = d.r.Uint()
	case extTTL:
		v := d.rawInt32()
		e.ttl = &v
	case extProtocol:
		e.protocol = d.rawProtocol()
	case extFilter:
		e.filter = d.r.String()
	case extDataType:
		e.dataType = DataType(d.rawInt32())
	case extIsPartial:
		e.isPartial = d.r.Bool()
	}
}

// appendExt appends the extension map, keys ascending. Callers fill only what extKeys grants their message.
func appendExt(dst []byte, e ext) []byte {
	at := len(dst)
	dst = append(dst, 0x80)
	if e.tracingID != 0 {
		dst = append(dst, extTracingID)
		dst = msgpack.AppendUint(dst, e.tracingID)
		dst[at]++
	}
	if e.ttl != nil {
		dst = append(dst, extTTL)
		dst = appendInt32(dst, *e.ttl)
		dst[at]++
	}
	if e.protocol != "" {
		dst = append(dst, extProtocol)
		dst = msgpack.AppendString(dst, e.protocol)
		dst[at]++
	}
	if e.filter != "" {
		dst = append(dst, extFilter)
		dst = msgpack.AppendString(dst, e.filter)
		dst[at]++
	}
	if e.dataType != 0 {
		dst = append(dst, extDataType)
		dst = appendInt32(dst, int32(e.dataType))
		dst[at]++
	}
	if e.isPartial {
		dst = append(dst, extIsPartial, 0xc3)
		dst[at]++
	}
	return dst
}

// appendTraced appends an extension map that holds at most a tracing id.
func appendTraced(dst []byte, tracingID uint64) []byte {
	return appendExt(dst, ext{tracingID: tracingID})
}

// appendNoExt appends the extension map of a message that carries no key.
func appendNoExt(dst []byte) []byte { return append(dst, 0x80) }
