//go:build linux

package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// Protocol is a hub protocol that bench clients speak.
type Protocol uint8

// The hub protocols.
const (
	JSON Protocol = iota
	MessagePack
)

// String is the protocol's name on the wire.
func (p Protocol) String() string {
	if p == MessagePack {
		return "messagepack"
	}
	return "json"
}

// ParseMix reads the protocols that clients take in turn: json, messagepack or mixed (every second client each).
func ParseMix(name string) ([]Protocol, error) {
	switch name {
	case "json":
		return []Protocol{JSON}, nil
	case "messagepack":
		return []Protocol{MessagePack}, nil
	case "mixed":
		return []Protocol{JSON, MessagePack}, nil
	}
	return nil, fmt.Errorf("protocol %q: want json, messagepack or mixed", name)
}

// recordSeparator ends every JSON hub message and both handshake messages.
const recordSeparator = 0x1e

// Hub methods of the bench's app server, and the one client method they call.
const (
	methodEcho       = "echo"       // (datum): the datum comes back, as Completion if there is an invocation id
	methodGroup      = "group"      // (group, datum): to all members
	methodConnection = "connection" // (client index, datum): to that client
	clientMethod     = "m"          // (datum)
)

// keyWidth is the fixed width of a first argument that is not the datum: a group name or a client's index.
const keyWidth = 6

func (p Protocol) opcode() byte {
	if p == MessagePack {
		return opBinary
	}
	return opText
}

func (p Protocol) handshake() []byte {
	return fmt.Appendf(nil, `{"protocol":"%s","version":1}%c`, p, recordSeparator)
}

func (p Protocol) ping() []byte {
	if p == MessagePack {
		return []byte{2, 0x91, 6}
	}
	return []byte("{\"type\":6}\x1e")
}

// invocation builds a complete hub invocation whose arguments are strings that need no escaping.
func (p Protocol) invocation(id, target string, args ...string) []byte {
	if p == JSON {
		b := []byte(`{"type":1,`)
		if id != "" {
			b = fmt.Appendf(b, `"invocationId":"%s",`, id)
		}
		return fmt.Appendf(b, `"target":"%s","arguments":["%s"]}%c`, target, strings.Join(args, `","`), recordSeparator)
	}
	b := msgp.AppendArrayHeader(nil, 6)
	b = msgp.AppendInt(b, 1)
	b = msgp.AppendMapHeader(b, 0)
	if id == "" {
		b = msgp.AppendNil(b)
	} else {
		b = msgp.AppendString(b, id)
	}
	b = msgp.AppendString(b, target)
	b = msgp.AppendArrayHeader(b, uint32(len(args)))
	for _, a := range args {
		b = msgp.AppendString(b, a)
	}
	return lengthPrefixed(msgp.AppendArrayHeader(b, 0))
}

// clientCall makes an invocation of clientMethod with a datum that needs no escaping.
func (p Protocol) clientCall(datum []byte) []byte {
	if p == JSON {
		b := append([]byte(`{"type":1,"target":"`+clientMethod+`","arguments":["`), datum...)
		return append(b, "\"]}\x1e"...)
	}
	b := msgp.AppendArrayHeader(nil, 6)
	b = msgp.AppendInt(b, 1)
	b = msgp.AppendMapHeader(b, 0)
	b = msgp.AppendNil(b)
	b = msgp.AppendString(b, clientMethod)
	b = msgp.AppendArrayHeader(b, 1)
	b = msgp.AppendStringFromBytes(b, datum)
	return lengthPrefixed(msgp.AppendArrayHeader(b, 0))
}

// completion makes the answer to an invocation whose result is a string that needs no escaping.
func (p Protocol) completion(id, result []byte) []byte {
	if p == JSON {
		b := append(append([]byte(`{"type":3,"invocationId":"`), id...), `","result":"`...)
		return append(append(b, result...), "\"}\x1e"...)
	}
	const hasResult = 3
	b := msgp.AppendArrayHeader(nil, 5)
	b = msgp.AppendInt(b, 3)
	b = msgp.AppendMapHeader(b, 0)
	b = msgp.AppendStringFromBytes(b, id)
	b = msgp.AppendInt(b, hasResult)
	return lengthPrefixed(msgp.AppendStringFromBytes(b, result))
}

func lengthPrefixed(body []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

// datumFor is the datum that makes an invocation of clientMethod exactly size bytes long in JSON; never shorter than a
// stamp.
func datumFor(size int) string { return emptyDatum(size - len(JSON.clientCall(nil))) }

// nextMessage cuts one hub message, separator or prefix included, from the head of b; ok is false when it is
// incomplete.
func (p Protocol) nextMessage(b []byte) (msg, rest []byte, ok bool) {
	if p == JSON {
		i := bytes.IndexByte(b, recordSeparator)
		if i < 0 {
			return nil, b, false
		}
		return b[:i+1], b[i+1:], true
	}
	n, o := binary.Uvarint(b)
	if o <= 0 || uint64(len(b)-o) < n {
		return nil, b, false
	}
	return b[:o+int(n)], b[o+int(n):], true
}

// call is an invocation of one of the app server's methods. All fields are views.
type call struct {
	id, target, key, datum []byte
}

var errNotACall = errors.New("not an invocation that a bench client sends")

// parseCall reads an invocation as [Protocol.invocation] writes it: keys in that order, plain strings. ok is false for
// pings and other messages.
func (p Protocol) parseCall(msg []byte) (c call, ok bool, err error) {
	if p == MessagePack {
		return parsePackedCall(msg)
	}
	rest, found := bytes.CutPrefix(msg, []byte(`{"type":1,`))
	if !found {
		return call{}, false, nil
	}
	if after, hasID := bytes.CutPrefix(rest, []byte(`"invocationId":"`)); hasID {
		c.id, rest, _ = bytes.Cut(after, []byte(`",`))
	}
	rest, ok1 := bytes.CutPrefix(rest, []byte(`"target":"`))
	target, rest, ok2 := bytes.Cut(rest, []byte(`","arguments":["`))
	args, ok3 := bytes.CutSuffix(rest, []byte("\"]}\x1e"))
	if !ok1 || !ok2 || !ok3 {
		return call{}, false, errNotACall
	}
	c.target = target
	if key, datum, two := bytes.Cut(args, []byte(`","`)); two {
		c.key, c.datum = key, datum
	} else {
		c.datum = args
	}
	return c, true, nil
}

func parsePackedCall(msg []byte) (c call, ok bool, err error) {
	_, o := binary.Uvarint(msg)
	if o <= 0 {
		return call{}, false, errNotACall
	}
	_, b, err := msgp.ReadArrayHeaderBytes(msg[o:])
	if err != nil {
		return call{}, false, fmt.Errorf("read hub message: %w", err)
	}
	kind, b, err := msgp.ReadIntBytes(b)
	if err != nil || kind != 1 {
		return call{}, false, err
	}
	if b, err = msgp.Skip(b); err != nil { // headers
		return call{}, false, fmt.Errorf("read headers: %w", err)
	}
	if msgp.IsNil(b) {
		b = b[1:]
	} else if c.id, b, err = msgp.ReadStringZC(b); err != nil {
		return call{}, false, fmt.Errorf("read invocation id: %w", err)
	}
	if c.target, b, err = msgp.ReadStringZC(b); err != nil {
		return call{}, false, fmt.Errorf("read target: %w", err)
	}
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n < 1 || n > 2 {
		return call{}, false, errNotACall
	}
	if n == 2 {
		if c.key, b, err = msgp.ReadStringZC(b); err != nil {
			return call{}, false, fmt.Errorf("read key: %w", err)
		}
	}
	if c.datum, _, err = msgp.ReadStringZC(b); err != nil {
		return call{}, false, fmt.Errorf("read datum: %w", err)
	}
	return c, true, nil
}

// isClose says whether a message is the hub's Close (type 7); the rare case among what clients receive.
func (p Protocol) isClose(msg []byte) bool {
	if p == JSON {
		return bytes.HasPrefix(msg, []byte(`{"type":7`))
	}
	_, o := binary.Uvarint(msg)
	return o > 0 && len(msg) > o+1 && msg[o]&0xf0 == 0x90 && msg[o+1] == 7
}
