package hub

import (
	"bytes"
	"errors"
	"strings"
)

// Protocol is one of the two encodings of hub messages. The values are small, so that tables can be indexed by it.
type Protocol uint8

// The protocols that an edge speaks.
const (
	// JSON is "json": messages are JSON objects, each ended by RecordSeparator, in WebSocket text frames.
	JSON Protocol = iota
	// MessagePack is "messagepack": messages are arrays, each behind its length, in WebSocket binary frames.
	MessagePack
	// Protocols is the number of protocols, for arrays with one entry for each.
	Protocols = iota
)

// ParseProtocol returns the protocol of a name in a handshake request or a payload map. Case does not matter, as in
// ASP.NET Core. It is false for any other name.
func ParseProtocol(name string) (Protocol, bool) {
	switch {
	case strings.EqualFold(name, "json"):
		return JSON, true
	case strings.EqualFold(name, "messagepack"):
		return MessagePack, true
	default:
		return 0, false
	}
}

// String returns the name of the protocol as it stands in handshakes and payload maps.
func (p Protocol) String() string {
	switch p {
	case JSON:
		return "json"
	case MessagePack:
		return "messagepack"
	default:
		return "unknown"
	}
}

// Framing returns how the protocol's messages are told apart in a byte stream.
func (p Protocol) Framing() Framing {
	if p == MessagePack {
		return LengthPrefixed
	}
	return TextRecords
}

// Framing is how messages follow each other in a byte stream.
type Framing uint8

const (
	// TextRecords ends each message with RecordSeparator. Handshakes are framed so whatever the protocol.
	TextRecords Framing = iota
	// LengthPrefixed begins each message with its length as a varint: 7 bits a byte, low bits first, the top bit saying
	// that more follow, at most 5 bytes and 2^31-1 (section 3.2).
	LengthPrefixed
)

// RecordSeparator is the byte that ends a text record; it cannot stand raw in JSON.
const RecordSeparator = 0x1e

// ErrTooLarge is the error of a message over the maximum that the caller set.
var ErrTooLarge = errors.New("hub protocol: message too large")

var errLength = &ProtocolError{Text: "Invalid message length."}

// NextMessage splits the first message, with its separator or length prefix, off a byte stream. msg is nil, with rest
// being b and no error, while the message is incomplete. max limits a message in bytes, separator and prefix not
// counted; a longer one gives ErrTooLarge as soon as that is known. Both results are views of b.
func NextMessage(f Framing, b []byte, max int) (msg, rest []byte, err error) {
	return NextMessageFrom(f, b, 0, max)
}

// NextMessageFrom is NextMessage for a b whose first seen bytes were found incomplete before: text records are
// searched only behind them, so that a message dripping in byte by byte costs no more than one that comes whole.
func NextMessageFrom(f Framing, b []byte, seen, max int) (msg, rest []byte, err error) {
	var end int
	if f == LengthPrefixed {
		end, err = prefixedEnd(b, max)
	} else {
		end, err = recordEnd(b, seen, max)
	}
	if err != nil || end == 0 {
		return nil, b, err
	}
	return b[:end:end], b[end:], nil
}

// recordEnd returns the index behind the first separator, or 0 if it is not there yet.
func recordEnd(b []byte, seen, max int) (int, error) {
	at := bytes.IndexByte(b[seen:], RecordSeparator)
	switch {
	case at < 0 && len(b) > max, at > max-seen:
		return 0, ErrTooLarge
	case at < 0:
		return 0, nil
	default:
		return seen + at + 1, nil
	}
}

// prefixedEnd returns the index behind the first message with a length prefix, or 0 if it is not all there yet.
func prefixedEnd(b []byte, max int) (int, error) {
	size, n, err := messageLength(b)
	switch {
	case err != nil:
		return 0, err
	case size > max:
		return 0, ErrTooLarge
	case n == 0 || n+size > len(b):
		return 0, nil
	default:
		return n + size, nil
	}
}

// messageLength reads a length prefix of n bytes; n is 0 while it is incomplete.
func messageLength(b []byte) (size, n int, err error) {
	for i, c := range b[:min(5, len(b))] {
		if i == 4 && c > 7 {
			return 0, 0, errLength
		}
		size |= int(c&0x7F) << (7 * i)
		if c < 0x80 {
			return size, i + 1, nil
		}
	}
	return 0, 0, nil
}

// AppendLength appends the length prefix of a message of size bytes, 0 to 2^31-1.
func AppendLength(dst []byte, size int) []byte {
	for size >= 0x80 {
		dst = append(dst, byte(size)|0x80)
		size >>= 7
	}
	return append(dst, byte(size))
}
