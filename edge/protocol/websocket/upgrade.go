package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2 demands SHA-1; it proves understanding, not identity
	"encoding/base64"
	"net/http"
	"strings"
)

// acceptGUID is the constant of RFC 6455 section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keySize is the length of a Sec-WebSocket-Key: 16 bytes in base64.
const keySize = 24

// UpgradeError says why a request cannot become a WebSocket, and how to answer it.
type UpgradeError struct {
	// Status is the HTTP status of the answer: 400, 405 or 426.
	Status int
	// Text is the body of the answer; it holds nothing of the request.
	Text string
}

// Error returns the text.
func (e *UpgradeError) Error() string { return "websocket upgrade: " + e.Text }

// SetHeader sets the header fields that the status demands: Allow for 405 (RFC 9110 section 15.5.6), the version and
// the upgrade that are spoken here for 426 (RFC 6455 section 4.4, RFC 9110 section 15.5.22).
func (e *UpgradeError) SetHeader(h http.Header) {
	switch e.Status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
		h.Set("Sec-Websocket-Version", "13")
	}
}

var (
	errMethod     = &UpgradeError{http.StatusMethodNotAllowed, "a WebSocket opens with GET"}
	errHTTP       = &UpgradeError{http.StatusBadRequest, "a WebSocket opens over HTTP/1.1"}
	errConnection = &UpgradeError{http.StatusBadRequest, "the Connection header does not contain 'Upgrade'"}
	errUpgrade    = &UpgradeError{http.StatusBadRequest, "the Upgrade header does not contain 'websocket'"}
	errVersion    = &UpgradeError{http.StatusUpgradeRequired, "the Sec-WebSocket-Version header is not '13'"}
	errKey        = &UpgradeError{http.StatusBadRequest, "the Sec-WebSocket-Key header is not 16 bytes in base64"}
	errBody       = &UpgradeError{http.StatusBadRequest, "a request that opens a WebSocket has no body"}
)

// IsUpgrade reports whether a request asks for a WebSocket at all: its Connection and Upgrade headers say so.
func IsUpgrade(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// CheckUpgrade checks an opening handshake by RFC 6455 section 4.2.1 and returns nil or an *UpgradeError. Offered
// subprotocols and extensions are no error: the answer takes none.
func CheckUpgrade(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return errMethod
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return errHTTP
	case !hasToken(r.Header["Connection"], "upgrade"):
		return errConnection
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return errUpgrade
	case !single(r.Header["Sec-Websocket-Version"], func(v string) bool { return v == "13" }):
		return errVersion
	case !single(r.Header["Sec-Websocket-Key"], validKey):
		return errKey
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		// The body's bytes would be read as frames once the connection is hijacked.
		return errBody
	}
	return nil
}

// AcceptKey returns the Sec-WebSocket-Accept value for a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	return string(appendAccept(nil, key))
}

// AppendUpgradeResponse appends the 101 response, with its blank line, for a Sec-WebSocket-Key that CheckUpgrade found
// good. It names no subprotocol and no extension.
func AppendUpgradeResponse(dst []byte, key string) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	dst = appendAccept(dst, key)
	return append(dst, "\r\n\r\n"...)
}

func appendAccept(dst []byte, key string) []byte {
	var room [keySize + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(room[:0], key...), acceptGUID...)) //nolint:gosec // see the import
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

func validKey(key string) bool {
	if len(key) != keySize {
		return false
	}
	var decoded [keySize]byte
	n, err := base64.StdEncoding.Decode(decoded[:], []byte(key))
	return err == nil && n == 16
}

// single reports whether a header stands there exactly once with a value that is good.
func single(values []string, good func(string) bool) bool {
	return len(values) == 1 && good(strings.TrimSpace(values[0]))
}

// hasToken reports whether one of the comma-separated lists has the token, in any case.
func hasToken(values []string, token string) bool {
	for _, list := range values {
		for member := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(member), token) {
				return true
			}
		}
	}
	return false
}
