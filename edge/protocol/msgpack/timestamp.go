package msgpack

import (
	"encoding/binary"
	"time"
)

// timestampType is the type of the extension that holds a time.
const timestampType = -1

// Timestamp reads a time: an extension of type -1, in one of three forms
//
//	d6 ff  seconds:uint32
//	d7 ff  nanoseconds:30 bits, seconds:34 bits
//	c7 0c ff  nanoseconds:uint32 seconds:int64
//
// counted from 1970 in UTC. Another extension is [ErrKind], a billion nanoseconds or more [ErrRange].
func (r *Reader) Timestamp() time.Time {
	start := r.off
	typ, data := r.Ext()
	if r.err != nil {
		return time.Time{}
	}
	var sec int64
	var nsec uint64
	switch {
	case typ != timestampType:
		return r.badTimestamp(start, ErrKind)
	case len(data) == 4:
		sec = int64(binary.BigEndian.Uint32(data))
	case len(data) == 8:
		v := binary.BigEndian.Uint64(data)
		sec, nsec = int64(v&(1<<34-1)), v>>34
	case len(data) == 12:
		nsec = uint64(binary.BigEndian.Uint32(data))
		sec = int64(binary.BigEndian.Uint64(data[4:]))
	default:
		return r.badTimestamp(start, ErrKind)
	}
	if nsec >= 1e9 {
		return r.badTimestamp(start, ErrRange)
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

// badTimestamp makes err the sticky error of the value at start.
func (r *Reader) badTimestamp(start int, err error) time.Time {
	r.off, r.err = start, err
	return time.Time{}
}

// AppendTimestamp appends a time in the shortest of the three forms of [Reader.Timestamp].
func AppendTimestamp(dst []byte, t time.Time) []byte {
	sec, nsec := t.Unix(), uint64(t.Nanosecond())
	switch {
	case sec>>34 != 0:
		dst = append(dst, 0xc7, 12, 0xff)
		dst = binary.BigEndian.AppendUint32(dst, uint32(nsec))
		return binary.BigEndian.AppendUint64(dst, uint64(sec))
	case nsec == 0 && sec>>32 == 0:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, 0xff), uint32(sec))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 0xd7, 0xff), nsec<<34|uint64(sec))
	}
}
