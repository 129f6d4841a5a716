package hub

import (
	"bytes"
	"strconv"
)

// MaxVersion is the highest version of the hub protocol there is; JavaScript asks for it only with stateful reconnect.
const MaxVersion = 2

// Texts of handshake errors, exactly as ASP.NET Core sends them (section 3.1).
const (
	// TextHandshakeCanceled answers a handshake that took too long or is too large.
	TextHandshakeCanceled = "Handshake was canceled."
	// TextHandshakeFailed answers a handshake that cannot be read, and any other failure.
	TextHandshakeFailed = "An unexpected error occurred during connection handshake."
)

// TextProtocolNotSupported answers a handshake for a protocol that is not one of ours.
func TextProtocolNotSupported(name string) string {
	return "The protocol '" + name + "' is not supported."
}

// TextVersionNotSupported answers a handshake for a version above MaxVersion.
func TextVersionNotSupported(version int, name string) string {
	return "The server does not support version " + strconv.Itoa(version) + " of the '" + name + "' protocol."
}

// TextBinaryNotSupported answers a handshake for a binary protocol on a transport of text, which is SSE (section 2.3).
func TextBinaryNotSupported(name string) string {
	return "Cannot use the '" + name +
		"' protocol on the current transport. The transport does not support 'Binary' transfer format."
}

// Handshake is a client's first record.
type Handshake struct {
	// Protocol is the name of the protocol as the client spelt it; see ParseProtocol.
	Protocol string
	// Version is the version of the hub protocol; see MaxVersion.
	Version int
}

// ParseHandshake reads the handshake request at the start of b and returns how many bytes it takes, its separator
// included; what follows them are messages already. n is 0, with no error, while the request is incomplete: limiting
// how long b may get is up to the caller. Other properties are ignored. The error is a *ProtocolError, to be answered
// with TextHandshakeFailed.
func ParseHandshake(b []byte) (h Handshake, n int, err error) {
	end := bytes.IndexByte(b, RecordSeparator)
	if end < 0 {
		return Handshake{}, 0, nil
	}
	o, violation := openObject(b[:end])
	if violation != nil {
		return Handshake{}, end + 1, violation
	}
	hasProtocol, hasVersion := false, false
	for key, value, ok := o.next(); ok; key, value, ok = o.next() {
		switch string(key) {
		case "protocol":
			if h.Protocol, violation = text("protocol", value); violation != nil {
				return Handshake{}, end + 1, violation
			}
			hasProtocol = true
		case "version":
			version, isInteger := integer(value, 32)
			if !isInteger {
				return Handshake{}, end + 1, errExpected("version", "Number")
			}
			h.Version, hasVersion = int(version), true
		}
	}
	switch err = o.err(); {
	case err != nil:
	case !hasProtocol:
		err = errMissing("protocol")
	case !hasVersion:
		err = errMissing("version")
	default:
		return h, end + 1, nil
	}
	return Handshake{}, end + 1, err
}

// AppendHandshakeRequest appends the record with which a client begins.
func AppendHandshakeRequest(dst []byte, h Handshake) []byte {
	dst = append(dst, `{"protocol":`...)
	dst = appendString(dst, h.Protocol)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, int64(h.Version), 10)
	return append(dst, '}', RecordSeparator)
}

// AppendHandshakeOK appends the record that accepts a handshake.
func AppendHandshakeOK(dst []byte) []byte {
	return append(dst, '{', '}', RecordSeparator)
}

// AppendHandshakeError appends the record that refuses a handshake.
func AppendHandshakeError(dst []byte, text string) []byte {
	dst = append(dst, `{"error":`...)
	dst = appendString(dst, text)
	return append(dst, '}', RecordSeparator)
}

// HandshakeResponseError looks at a server's answer to a handshake, which is b up to its first separator. It is an
// error if the record has an error text, or is no JSON object: then the text is empty. Other properties, minorVersion
// for one, mean success.
func HandshakeResponseError(b []byte) (text string, isError bool) {
	if end := bytes.IndexByte(b, RecordSeparator); end >= 0 {
		b = b[:end]
	}
	o, violation := openObject(b)
	if violation != nil {
		return "", true
	}
	for key, value, ok := o.next(); ok; key, value, ok = o.next() {
		if string(key) == "error" && value[0] != 'n' {
			if value[0] != '"' {
				return "", true
			}
			text = unescape(value[1 : len(value)-1])
			isError = text != ""
		}
	}
	if o.err() != nil {
		return "", true
	}
	return text, isError
}
