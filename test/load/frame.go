//go:build linux

package load

import "encoding/binary"

// WebSocket opcodes (RFC 6455 section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// appendClientHeader appends the header of a client's complete frame of n bytes. The mask key is zero, which RFC 6455
// cannot tell from a random one: the payload stays readable and patchable in place.
func appendClientHeader(dst []byte, op byte, n int) []byte {
	dst = append(dst, 0x80|op)
	switch {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(dst, 0, 0, 0, 0)
}

// clientFrame makes a complete client frame.
func clientFrame(op byte, payload []byte) []byte {
	return append(appendClientHeader(make([]byte, 0, 14+len(payload)), op, len(payload)), payload...)
}

// nextFrame cuts one unmasked frame from the head of b. With ok false the frame is incomplete. The payload is a view.
func nextFrame(b []byte) (op byte, payload, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, b, false
	}
	n, o := uint64(b[1]&0x7f), 2
	switch n {
	case 126:
		if len(b) < 4 {
			return 0, nil, b, false
		}
		n, o = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil, b, false
		}
		n, o = binary.BigEndian.Uint64(b[2:]), 10
	}
	if uint64(len(b)-o) < n {
		return 0, nil, b, false
	}
	end := o + int(n)
	return b[0] & 0x0f, b[o:end], b[end:], true
}
