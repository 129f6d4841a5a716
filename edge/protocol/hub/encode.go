package hub

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// AppendPing appends a Ping: {"type":6} with its separator, or 02 91 06.
func AppendPing(dst []byte, p Protocol) []byte {
	if p == MessagePack {
		return append(dst, 0x02, 0x91, byte(TypePing))
	}
	return append(dst, `{"type":6}`+"\x1e"...)
}

// AppendClose appends a Close. An empty errText is none. MessagePack always has all three items, as the Go client
// wants them; JSON leaves out what is not set.
func AppendClose(dst []byte, p Protocol, errText string, allowReconnect bool) []byte {
	return Append(dst, p, &Message{
		Type: TypeClose, Error: errText, HasError: errText != "", AllowReconnect: allowReconnect,
	})
}

// AppendInvocation appends an Invocation with the raw array of arguments; an empty invocationID asks for no answer.
func AppendInvocation(dst []byte, p Protocol, invocationID, target string, arguments []byte) []byte {
	return Append(dst, p, &Message{
		Type: TypeInvocation, InvocationID: invocationID, HasInvocationID: invocationID != "",
		Target: target, Arguments: arguments,
	})
}

// AppendCompletion appends a Completion with an error if errText is not empty, else with the raw value of result if
// that is not nil, else void.
func AppendCompletion(dst []byte, p Protocol, invocationID string, result []byte, errText string) []byte {
	m := Message{Type: TypeCompletion, InvocationID: invocationID, HasInvocationID: true}
	switch {
	case errText != "":
		m.Error, m.HasError = errText, true
	case result != nil:
		m.Result, m.HasResult = result, true
	}
	return Append(dst, p, &m)
}

// Append appends a message, with its separator or length prefix, as ASP.NET Core writes it: Decode's fields, raw ones
// in the encoding of p. Arguments that are nil are written as an empty array, a nil Item or Result as null. A message
// of TypeUnknown appends nothing.
func Append(dst []byte, p Protocol, m *Message) []byte {
	if m.Type == TypeUnknown || m.Type > TypeSequence {
		return dst
	}
	if p == MessagePack {
		return appendPack(dst, m)
	}
	return append(appendJSON(dst, m), '}', RecordSeparator)
}

// appendJSON appends all but the closing brace.
func appendJSON(dst []byte, m *Message) []byte {
	dst = append(dst, `{"type":`...)
	dst = append(dst, '0'+byte(m.Type))
	if m.Headers != nil {
		dst = append(append(dst, `,"headers":`...), m.Headers...)
	}
	if m.HasInvocationID {
		dst = appendString(append(dst, `,"invocationId":`...), m.InvocationID)
	}
	switch m.Type {
	case TypeInvocation, TypeStreamInvocation:
		dst = appendString(append(dst, `,"target":`...), m.Target)
		dst = appendRaw(append(dst, `,"arguments":`...), m.Arguments, "[]")
		for i, id := range m.StreamIDs {
			if i == 0 {
				dst = append(dst, `,"streamIds":[`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendString(dst, id)
		}
		if len(m.StreamIDs) > 0 {
			dst = append(dst, ']')
		}
	case TypeStreamItem:
		dst = appendRaw(append(dst, `,"item":`...), m.Item, "null")
	case TypeCompletion, TypeClose:
		if m.HasError {
			dst = appendString(append(dst, `,"error":`...), m.Error)
		} else if m.HasResult {
			dst = appendRaw(append(dst, `,"result":`...), m.Result, "null")
		}
		if m.AllowReconnect {
			dst = append(dst, `,"allowReconnect":true`...)
		}
	case TypeAck, TypeSequence:
		dst = strconv.AppendInt(append(dst, `,"sequenceId":`...), m.SequenceID, 10)
	case TypeUnknown, TypeCancelInvocation, TypePing: // nothing more
	}
	return dst
}

func appendRaw(dst, raw []byte, missing string) []byte {
	if raw == nil {
		return append(dst, missing...)
	}
	return append(dst, raw...)
}

// Raw values of MessagePack.
const (
	packNil        = "\xc0"
	packEmptyArray = "\x90"
	packEmptyMap   = "\x80"
)

// appendPack appends the body behind a prefix of one byte, and makes room for a longer one only if it needs one.
func appendPack(dst []byte, m *Message) []byte {
	start := len(dst)
	dst = append(dst, 0)
	dst = appendPackBody(dst, m)
	size := len(dst) - start - 1
	if size < 0x80 {
		dst[start] = byte(size)
		return dst
	}
	var room [5]byte
	prefix := AppendLength(room[:0], size)
	dst = append(dst, prefix[1:]...)
	copy(dst[start+len(prefix):], dst[start+1:start+1+size])
	copy(dst[start:], prefix)
	return dst
}

func appendPackBody(dst []byte, m *Message) []byte {
	n := items[m.Type]
	switch {
	case m.Type == TypeInvocation || m.Type == TypeStreamInvocation:
		n = 6
	case m.Type == TypeClose:
		n = 3
	case m.Type == TypeCompletion && (m.HasError || m.HasResult):
		n = 5
	}
	dst = msgpack.AppendArrayHeader(dst, n)
	dst = append(dst, byte(m.Type))
	if m.Type >= TypeInvocation && m.Type <= TypeCancelInvocation {
		dst = appendRaw(dst, m.Headers, packEmptyMap)
		dst = appendPackText(dst, m.InvocationID, m.HasInvocationID)
	}
	switch m.Type {
	case TypeInvocation, TypeStreamInvocation:
		dst = msgpack.AppendString(dst, m.Target)
		dst = appendRaw(dst, m.Arguments, packEmptyArray)
		dst = msgpack.AppendArrayHeader(dst, len(m.StreamIDs))
		for _, id := range m.StreamIDs {
			dst = msgpack.AppendString(dst, id)
		}
	case TypeStreamItem:
		dst = appendRaw(dst, m.Item, packNil)
	case TypeCompletion:
		switch {
		case m.HasError:
			dst = msgpack.AppendString(append(dst, completionError), m.Error)
		case m.HasResult:
			dst = appendRaw(append(dst, completionResult), m.Result, packNil)
		default:
			dst = append(dst, completionVoid)
		}
	case TypeClose:
		dst = appendPackText(dst, m.Error, m.HasError)
		dst = msgpack.AppendBool(dst, m.AllowReconnect)
	case TypeAck, TypeSequence:
		dst = msgpack.AppendInt(dst, m.SequenceID)
	case TypeUnknown, TypeCancelInvocation, TypePing: // nothing more
	}
	return dst
}

func appendPackText(dst []byte, s string, present bool) []byte {
	if !present {
		return msgpack.AppendNil(dst)
	}
	return msgpack.AppendString(dst, s)
}

// appendString appends s as a JSON string, escaped as UnsafeRelaxedJsonEscaping of .NET does, which ASP.NET Core uses
// here: quote, backslash, control characters and the line and paragraph separators. What is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\b':
			dst = append(dst, `\b`...)
		case r == '\f':
			dst = append(dst, `\f`...)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			const digits = "0123456789ABCDEF"
			dst = append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
