package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Opcode is the four-bit frame type of RFC 6455 section 5.2.
type Opcode byte

// The opcodes of RFC 6455 section 11.8; all others are reserved and refused.
const (
	// OpContinuation marks a fragment of a message after its first.
	OpContinuation Opcode = 0x0
	// OpText marks a message of UTF-8 text.
	OpText Opcode = 0x1
	// OpBinary marks a message of bytes.
	OpBinary Opcode = 0x2
	// OpClose marks the last frame of a direction.
	OpClose Opcode = 0x8
	// OpPing marks a frame that wants an OpPong with the same payload.
	OpPing Opcode = 0x9
	// OpPong marks the answer to an OpPing, or an unasked sign of life.
	OpPong Opcode = 0xA
)

// Control reports whether the opcode is that of a control frame: at most MaxControlPayload bytes, never fragmented.
func (o Opcode) Control() bool { return o&0x8 != 0 }

// Code is a close code of RFC 6455 section 7.4.
type Code uint16

// The close codes that the edge sends or has to understand (RFC 6455 section 7.4.1).
const (
	// CodeNormal says that the connection did what it was opened for.
	CodeNormal Code = 1000
	// CodeGoingAway says that the server goes down or the page is left.
	CodeGoingAway Code = 1001
	// CodeProtocolError says that the peer broke RFC 6455.
	CodeProtocolError Code = 1002
	// CodeUnsupportedData says that the kind of data is not acceptable here.
	CodeUnsupportedData Code = 1003
	// CodeNoStatus stands for a close frame without a code; it never travels.
	CodeNoStatus Code = 1005
	// CodeAbnormal stands for an end without a close frame; it never travels.
	CodeAbnormal Code = 1006
	// CodeInvalidPayload says that text was not UTF-8.
	CodeInvalidPayload Code = 1007
	// CodePolicyViolation says that the peer broke a rule of the application.
	CodePolicyViolation Code = 1008
	// CodeTooBig says that a message was over the reader's maximum.
	CodeTooBig Code = 1009
	// CodeInternalError says that the server failed.
	CodeInternalError Code = 1011
)

// Valid reports whether the code may travel in a close frame: those assigned by RFC 6455 and IANA (1000 to 1003, 1007
// to 1014) and the ranges of libraries (3000 to 3999) and applications (4000 to 4999).
func (c Code) Valid() bool {
	return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
}

// MaxControlPayload is the largest payload of a control frame in bytes (RFC 6455 section 5.5).
const MaxControlPayload = 125

// ProtocolError is a violation of RFC 6455 by the peer; Code is what the close frame that answers it must carry.
type ProtocolError struct {
	// Code is CodeProtocolError, CodeInvalidPayload or CodeTooBig.
	Code Code
	// Reason says in a few words what was wrong; it holds nothing of what the peer sent.
	Reason string
}

// Error returns the reason with the close code.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code)
}

// Bits and length marks of the first two header bytes (RFC 6455 section 5.2):
//
//	byte 0: FIN RSV1 RSV2 RSV3 opcode(4)
//	byte 1: MASK length(7); 126: 16 bits follow, 127: 64 bits follow, both big endian; then 4 bytes of key if MASK
const (
	bitFin       = 0x80
	bitsReserved = 0x70
	bitsOpcode   = 0x0F
	bitMask      = 0x80
	bitsLength   = 0x7F
	length16     = 126
	length64     = 127
)

// HeaderSize returns the size in bytes, 2, 4 or 10, of an unmasked frame header for a payload of n bytes.
func HeaderSize(n int) int {
	switch {
	case n <= MaxControlPayload:
		return 2
	case n <= 0xFFFF:
		return 4
	default:
		return 10
	}
}

// PutHeader writes the header of an unmasked, final frame with a payload of n bytes to the start of dst, which must
// have room for HeaderSize(n) bytes, and returns that size.
func PutHeader(dst []byte, op Opcode, n int) int {
	return putHeader(dst, bitFin|byte(op), 0, n)
}

func putHeader(dst []byte, first, mask byte, n int) int {
	switch size := HeaderSize(n); size {
	case 2:
		dst[0], dst[1] = first, mask|byte(n)
		return size
	case 4:
		dst[0], dst[1] = first, mask|length16
		binary.BigEndian.PutUint16(dst[2:4], uint16(n))
		return size
	default:
		dst[0], dst[1] = first, mask|length64
		binary.BigEndian.PutUint64(dst[2:10], uint64(n))
		return size
	}
}

// AppendHeader appends the header of an unmasked, final frame (what a server sends) with a payload of n bytes.
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	var header [10]byte
	return append(dst, header[:PutHeader(header[:], op, n)]...)
}

// AppendFrame appends an unmasked, final frame (what a server sends).
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// AppendMaskedFrame appends a frame as a client sends it, masked with key; fin false starts or continues a fragmented
// message. The payload itself is not changed.
func AppendMaskedFrame(dst []byte, op Opcode, fin bool, payload []byte, key [4]byte) []byte {
	first := byte(op)
	if fin {
		first |= bitFin
	}
	var header [10]byte
	dst = append(dst, header[:putHeader(header[:], first, bitMask, len(payload))]...)
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	unmask(dst[start:], binary.LittleEndian.Uint32(key[:]))
	return dst
}

// AppendClose appends an unmasked close frame. CodeNoStatus makes an empty one; a reason over 123 bytes is cut at the
// last whole rune.
func AppendClose(dst []byte, code Code, reason string) []byte {
	if code == CodeNoStatus {
		return AppendHeader(dst, OpClose, 0)
	}
	if limit := MaxControlPayload - 2; len(reason) > limit {
		for limit > 0 && !utf8.RuneStart(reason[limit]) {
			limit--
		}
		reason = reason[:limit]
	}
	dst = AppendHeader(dst, OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
