package service

import (
	"strings"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// Payload is one message encoded in one hub protocol.
type Payload struct {
	// Protocol is the name of the hub protocol: "json", "messagepack", "blazorpack".
	Protocol string
	// Data is a complete hub protocol frame, terminator or length prefix included; when decoded, a view.
	Data []byte
}

// Payloads holds one message in all the hub protocols its sender knows, in the order sent (section 3.5):
// a map of protocol name (str) to frame (bin).
type Payloads []Payload

// Get returns the frame for a protocol, whose name compares without case.
func (p Payloads) Get(protocol string) ([]byte, bool) {
	for i := range p {
		if p[i].Protocol == protocol || strings.EqualFold(p[i].Protocol, protocol) {
			return p[i].Data, true
		}
	}
	return nil, false
}

// Claim is one claim of a user. A claim with several values is several claims of one type.
type Claim struct {
	Type  string // the claim's type: in OpenConnection the long .NET name where there is one
	Value string // its value as text
}

// Claims holds claims in the order sent, repeated types included: a map of str to str whose keys may repeat.
type Claims []Claim

// Header is one HTTP header with all its values.
type Header struct {
	Name   string
	Values []string
}

// Headers holds HTTP headers in the order sent: a map of str to array of str.
type Headers []Header

// Get returns the first value of a header, whose name compares without case; false if there is none.
func (h Headers) Get(name string) (string, bool) {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) && len(h[i].Values) > 0 {
			return h[i].Values[0], true
		}
	}
	return "", false
}

// payloads reads a payload map; an empty one is nil.
func (d *decoder) payloads() Payloads {
	if !d.next("payloads") {
		return nil
	}
	n := d.r.MapHeader()
	if n == 0 {
		return nil
	}
	list := make(Payloads, 0, min(n, prealloc))
	for range n {
		p := Payload{Protocol: d.rawProtocol(), Data: d.r.Bin()}
		if d.failed() {
			return nil
		}
		list = append(list, p)
	}
	return list
}

// rawProtocol reads the name of a hub protocol; the usual ones take no memory.
func (d *decoder) rawProtocol() string {
	switch b := d.r.StringView(); string(b) {
	case "json":
		return "json"
	case "messagepack":
		return "messagepack"
	case "blazorpack":
		return "blazorpack"
	default:
		return string(b)
	}
}

func appendPayloads(dst []byte, list Payloads) []byte {
	dst = msgpack.AppendMapHeader(dst, len(list))
	for i := range list {
		dst = msgpack.AppendString(dst, list[i].Protocol)
		dst = msgpack.AppendBin(dst, list[i].Data)
	}
	return dst
}

// claims reads a claim map; an empty one is nil.
func (d *decoder) claims(field string) Claims {
	if !d.next(field) {
		return nil
	}
	n := d.r.MapHeader()
	if n == 0 {
		return nil
	}
	list := make(Claims, 0, min(n, prealloc))
	for range n {
		c := Claim{Type: d.r.String(), Value: d.r.String()}
		if d.failed() {
			return nil
		}
		list = append(list, c)
	}
	return list
}

func appendClaims(dst []byte, list Claims) []byte {
	dst = msgpack.AppendMapHeader(dst, len(list))
	for i := range list {
		dst = msgpack.AppendString(dst, list[i].Type)
		dst = msgpack.AppendString(dst, list[i].Value)
	}
	return dst
}

// headers reads a header map; an empty one is nil.
func (d *decoder) headers(field string) Headers {
	if !d.next(field) {
		return nil
	}
	n := d.r.MapHeader()
	if n == 0 {
		return nil
	}
	list := make(Headers, 0, min(n, prealloc))
	for range n {
		h := Header{Name: d.r.String(), Values: d.rawStrs()}
		if d.failed() {
			return nil
		}
		list = append(list, h)
	}
	return list
}

func appendHeaders(dst []byte, list Headers) []byte {
	dst = msgpack.AppendMapHeader(dst, len(list))
	for i := range list {
		dst = msgpack.AppendString(dst, list[i].Name)
		dst = appendStrs(dst, list[i].Values)
	}
	return dst
}
