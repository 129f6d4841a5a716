package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// AppendBody appends the body of m without a length prefix.
func AppendBody(dst []byte, m Message) []byte { return m.appendBody(dst) }

// Append appends m as one frame: length prefix and body. It allocates nothing when dst has the room.
// A body of more than [MaxFrame] bytes cannot be framed; what is appended then is not a valid frame.
func Append(dst []byte, m Message) []byte {
	// The length is known only afterwards: room is left for a prefix of one byte, which most messages need, and the
	// body moves up when it needs more.
	start := len(dst)
	dst = m.appendBody(append(dst, 0))
	n := len(dst) - start - 1
	width := lengthSize(n)
	if width > 1 {
		var room [maxLengthSize - 1]byte
		dst = append(dst, room[:width-1]...)
		copy(dst[start+width:], dst[start+1:start+1+n])
	}
	appendLength(dst[:start], n)
	return dst
}

// AppendConnectionData appends a whole [ConnectionData] frame with an empty extension map.
// It is the way of every client message to its app server: nothing is allocated when dst has the room, no byte moved.
func AppendConnectionData(dst []byte, connectionID string, payload []byte) []byte {
	dst = appendConnectionDataHead(dst, connectionID, payload, 1)
	return append(dst, 0x80)
}

// AppendPartialConnectionData is [AppendConnectionData] for a chunk that is not the last of its message: the extension
// map says IsPartial (section 5.3). Only SDKs of the 2026 line gather such chunks.
func AppendPartialConnectionData(dst []byte, connectionID string, payload []byte) []byte {
	dst = appendConnectionDataHead(dst, connectionID, payload, 3)
	return append(dst, 0x81, extIsPartial, 0xc3)
}

// appendConnectionDataHead appends a framed ConnectionData up to its extension map of ext bytes.
func appendConnectionDataHead(dst []byte, connectionID string, payload []byte, ext int) []byte {
	n := 2 + msgpack.StringSize(len(connectionID)) + msgpack.BinSize(len(payload)) + ext
	dst = appendLength(dst, n)
	dst = append(dst, 0x94, byte(TypeConnectionData))
	dst = msgpack.AppendString(dst, connectionID)
	return msgpack.AppendBin(dst, payload)
}

// appendHead appends the head of an array of n items and the type, its first item.
func appendHead(dst []byte, n int, t Type) []byte {
	dst = msgpack.AppendArrayHeader(dst, n)
	return msgpack.AppendInt(dst, int64(t))
}

// appendNullable appends a string, or null for "".
func appendNullable(dst []byte, s string) []byte {
	if s == "" {
		return msgpack.AppendNil(dst)
	}
	return msgpack.AppendString(dst, s)
}

// appendInt32 appends a number in its shortest form.
func appendInt32(dst []byte, v int32) []byte { return msgpack.AppendInt(dst, int64(v)) }

// appendInt32OrNull appends a number, or null for nil.
func appendInt32OrNull(dst []byte, v *int32) []byte {
	if v == nil {
		return msgpack.AppendNil(dst)
	}
	return appendInt32(dst, *v)
}

// appendStrs appends an array of strings; the SDK throws on null, so nil is written as an empty one.
func appendStrs(dst []byte, list []string) []byte {
	dst = msgpack.AppendArrayHeader(dst, len(list))
	for _, s := range list {
		dst = msgpack.AppendString(dst, s)
	}
	return dst
}
