package service

import (
	"errors"
	"fmt"
	"math"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// ErrMalformed says that a body is not the message its type promises. The error that [Decode] returns wraps it
// together with the reason and names the message's type and the field. The SDK drops such a frame and goes on.
var ErrMalformed = errors.New("malformed service message")

// errMissing is the reason when the array ends before a field that no older form leaves out.
var errMissing = errors.New("missing")

// prealloc is the most items room is made for before they are read. A declared count never exceeds the bytes left,
// but an entry in memory is up to 40 times as large as its shortest form on the wire.
const prealloc = 4096

// Unknown is a message of a type this package does not know. The SDK ignores such a message, and so must the edge
// (section 3.4), except during the handshake.
type Unknown struct {
	// Number is the message's type, as sent.
	Number Type
	// Body is the whole body, type included: a view into what was decoded.
	Body []byte
}

// Type returns the type as sent.
func (m *Unknown) Type() Type { return m.Number }

func (m *Unknown) appendBody(dst []byte) []byte { return append(dst, m.Body...) }

func (m *Unknown) decode(*decoder) {}

// Decode reads the body of one frame, without its length prefix.
//
// Strings in the result are copies; byte slices are views into body. A type that is not known gives an [*Unknown] and
// no error. Every error wraps [ErrMalformed].
func Decode(body []byte) (Message, error) {
	d := decoder{r: msgpack.NewReader(body)}
	t := d.begin()
	if d.failed() {
		return nil, d.malformed()
	}
	// Through the interface the decoder would escape to the heap: the message that makes up nearly all of the traffic
	// is called directly.
	if t == TypeConnectionData {
		m := new(ConnectionData)
		m.decode(&d)
		if d.failed() {
			return nil, d.malformed()
		}
		return m, nil
	}
	m := newMessage(t)
	if m == nil {
		return &Unknown{Number: t, Body: body}, nil
	}
	rest := d
	m.decode(&rest)
	if rest.failed() {
		return nil, rest.malformed()
	}
	return m, nil
}

// decoder reads the items of one message in order. After the first failure its methods return zero values and the
// name of the field that failed is kept.
type decoder struct {
	r     msgpack.Reader
	typ   Type
	left  int    // items of the array not read yet
	field string // the item that is or was being read
	err   error  // a failure the reader cannot see; the reader keeps its own
}

// begin reads the array's head and the message type.
func (d *decoder) begin() Type {
	d.field = "array"
	d.left = d.r.ArrayHeader()
	if d.next("type") {
		d.typ = Type(d.rawInt32())
	}
	return d.typ
}

func (d *decoder) failed() bool { return d.err != nil || d.r.Err() != nil }

// fail records the failure of the current field.
func (d *decoder) fail(err error) {
	if !d.failed() {
		d.err = err
	}
}

// malformed returns the error of a failed decoder.
func (d *decoder) malformed() error {
	reason := d.err
	if reason == nil {
		reason = d.r.Err()
	}
	if d.typ == 0 {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, d.field, reason)
	}
	return fmt.Errorf("%w: %s: %s: %w", ErrMalformed, d.typ, d.field, reason)
}

// more reports whether another item follows: older forms of a message are shorter.
func (d *decoder) more() bool { return d.left > 0 && !d.failed() }

// next begins a mandatory item; false if there is none.
func (d *decoder) next(field string) bool {
	if d.failed() {
		return false
	}
	d.field = field
	if d.left == 0 {
		d.err = errMissing
		return false
	}
	d.left--
	return true
}

// str reads a string; null is "".
func (d *decoder) str(field string) string {
	if !d.next(field) {
		return ""
	}
	return d.r.String()
}

// int32 reads a number.
func (d *decoder) int32(field string) int32 {
	if !d.next(field) {
		return 0
	}
	return d.rawInt32()
}

// int32OrNull reads a number or null, which is nil.
func (d *decoder) int32OrNull(field string) *int32 {
	if !d.next(field) {
		return nil
	}
	if d.r.IsNil() {
		d.r.Nil()
		return nil
	}
	v := d.rawInt32()
	return &v
}

// rawInt32 reads a number as the SDK reads all but tracing ids: four bytes, signed.
func (d *decoder) rawInt32() int32 {
	v := d.r.Int()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail(msgpack.ErrRange)
		return 0
	}
	return int32(v)
}

// bin reads bytes as a view; null is nil.
func (d *decoder) bin(field string) []byte {
	if !d.next(field) {
		return nil
	}
	return d.r.Bin()
}

// strs reads an array of strings; an empty one is nil.
func (d *decoder) strs(field string) []string {
	if !d.next(field) {
		return nil
	}
	return d.rawStrs()
}

func (d *decoder) rawStrs() []string {
	n := d.r.ArrayHeader()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, min(n, prealloc))
	for range n {
		s := d.r.String()
		if d.failed() {
			return nil
		}
		list = append(list, s)
	}
	return list
}
