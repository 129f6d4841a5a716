package hub

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

var (
	errPayload    = &ProtocolError{"Invalid payload."}
	errResultKind = &ProtocolError{"Invalid invocation result kind."}
)

// Kinds of a MessagePack Completion (section 3.2).
const (
	completionError  = 1 // followed by the error text
	completionVoid   = 2 // the last item
	completionResult = 3 // followed by the value
)

// items is how many array items each type has at least, its number included; streamIds and the value of a Completion
// may come on top. JavaScript leaves streamIds out, others send an empty array.
var items = [TypeSequence + 1]int{
	TypeUnknown:          1,
	TypeInvocation:       5, // [1, headers, id or nil, target, [arguments], [streamIds]]
	TypeStreamItem:       4, // [2, headers, id, item]
	TypeCompletion:       4, // [3, headers, id, kind, value]
	TypeStreamInvocation: 5, // [4, headers, id, target, [arguments], [streamIds]]
	TypeCancelInvocation: 3, // [5, headers, id]
	TypePing:             1, // [6]
	TypeClose:            1, // [7, error or nil, allowReconnect]
	TypeAck:              2, // [8, sequenceId]
	TypeSequence:         2, // [9, sequenceId]
}

var names = [TypeSequence + 1]string{
	"unknown", "Invocation", "StreamItem", "Completion", "StreamInvocation", "CancelInvocation", "Ping", "Close",
	"Ack", "Sequence",
}

// packBody returns a message without its length prefix.
func packBody(msg []byte) ([]byte, error) {
	size, n, err := messageLength(msg)
	if err != nil {
		return nil, err
	}
	if n == 0 || n+size != len(msg) {
		return nil, errLength
	}
	return msg[n:], nil
}

// packType finds the type of a MessagePack message.
func packType(msg []byte) (MessageType, error) {
	body, err := packBody(msg)
	if err != nil {
		return TypeUnknown, err
	}
	// All that is not made by hand begins with a fixarray and a positive fixint.
	if len(body) >= 2 && body[0] >= 0x91 && body[0] <= 0x9F && body[1] <= 0x7F {
		return messageType(int64(body[1])), nil
	}
	r := msgpack.NewReader(body)
	_, t, err := packHead(&r)
	return t, err
}

// packHead reads the array header and the type.
func packHead(r *msgpack.Reader) (n int, t MessageType, err error) {
	n = r.ArrayHeader()
	if r.Err() != nil || n == 0 {
		return 0, TypeUnknown, errPayload
	}
	number := r.Int()
	if r.Err() != nil {
		return 0, TypeUnknown, &ProtocolError{"Reading 'messageType' as Int32 failed."}
	}
	return n, messageType(number), nil
}

func decodePack(msg []byte) (Message, error) {
	body, err := packBody(msg)
	if err != nil {
		return Message{}, err
	}
	d := decoder{r: msgpack.NewReader(body), body: body}
	n, t, err := packHead(&d.r)
	if err != nil {
		return Message{}, err
	}
	d.m.Type = t
	if t == TypeClose {
		d.close()
		return d.m, nil
	}
	if n < items[t] {
		return Message{}, &ProtocolError{"Invalid payload for " + names[t] + " message."}
	}
	read, violation := d.fields(n)
	if violation != nil {
		return Message{}, violation
	}
	for range n - read { // later versions may add items
		d.r.Skip()
	}
	if d.r.Err() != nil || d.r.Len() > 0 {
		return Message{}, &ProtocolError{"Invalid payload for " + names[t] + " message."}
	}
	return d.m, nil
}

// decoder reads the items of one message behind its type.
type decoder struct {
	m    Message
	r    msgpack.Reader
	body []byte
}

// fields reads the items that the type has, n at most, and returns how many they are, the type included.
func (d *decoder) fields(n int) (read int, err *ProtocolError) {
	m, read := &d.m, items[d.m.Type]
	if m.Type >= TypeInvocation && m.Type <= TypeCancelInvocation {
		if err := d.headers(); err != nil {
			return 0, err
		}
		if err := d.invocationID(); err != nil {
			return 0, err
		}
	}
	switch m.Type {
	case TypeInvocation, TypeStreamInvocation:
		if err := d.call(n); err != nil {
			return 0, err
		}
		read = min(n, read+1)
	case TypeStreamItem:
		m.Item = d.r.Raw()
	case TypeCompletion:
		return d.completion(n)
	case TypeAck, TypeSequence:
		if m.SequenceID = d.r.Int(); d.r.Err() != nil {
			return 0, errReading("sequenceId", "Int64")
		}
	case TypeUnknown, TypeCancelInvocation, TypePing, TypeClose: // nothing more
	}
	return read, nil
}

func errReading(field, kind string) *ProtocolError {
	return &ProtocolError{"Reading '" + field + "' as " + kind + " failed."}
}

// headers reads the map of strings to strings; nil counts as an empty one.
func (d *decoder) headers() *ProtocolError {
	if d.r.IsNil() {
		d.r.Nil()
		return nil
	}
	start := d.r.Offset()
	n := d.r.MapHeader()
	if d.r.Err() != nil {
		return &ProtocolError{"Reading map length for 'headers' failed."}
	}
	for range 2 * n {
		if d.r.StringView() == nil {
			return errReading("headers", "String")
		}
	}
	if n > 0 {
		d.m.Headers = d.body[start:d.r.Offset():d.r.Offset()]
	}
	return nil
}

// invocationID reads the id; nil and the empty string are none, which only an Invocation may have.
func (d *decoder) invocationID() *ProtocolError {
	id := d.r.String()
	if d.r.Err() != nil || id == "" && d.m.Type != TypeInvocation {
		return errReading("invocationId", "String")
	}
	d.m.InvocationID, d.m.HasInvocationID = id, id != ""
	return nil
}

// call reads target, arguments and, if they are there, stream ids.
func (d *decoder) call(n int) *ProtocolError {
	target, ok := d.r.NilString()
	if !ok {
		return errReading("target", "String")
	}
	d.m.Target = target
	if d.r.Kind() != msgpack.Array {
		return &ProtocolError{"Reading array length for 'arguments' failed."}
	}
	if d.m.Arguments = d.r.Raw(); d.r.Err() != nil {
		return errReading("arguments", "Array")
	}
	if n == items[d.m.Type] {
		return nil
	}
	if d.r.IsNil() {
		d.r.Nil()
		return nil
	}
	for range d.r.ArrayHeader() {
		id, ok := d.r.NilString()
		if !ok {
			return errReading("streamIds", "String")
		}
		d.m.StreamIDs = append(d.m.StreamIDs, id)
	}
	if d.r.Err() != nil {
		return &ProtocolError{"Reading array length for 'streamIds' failed."}
	}
	return nil
}

func (d *decoder) completion(n int) (read int, err *ProtocolError) {
	kind := d.r.Int()
	if d.r.Err() != nil {
		return 0, errReading("resultKind", "Int32")
	}
	if kind != completionVoid && n == items[TypeCompletion] {
		return 0, &ProtocolError{"Invalid payload for Completion message."}
	}
	switch kind {
	case completionVoid:
		return 4, nil
	case completionError:
		if d.m.Error, d.m.HasError = d.r.NilString(); !d.m.HasError {
			return 0, errReading("error", "String")
		}
	case completionResult:
		d.m.Result, d.m.HasResult = d.r.Raw(), true
	default:
		return 0, errResultKind
	}
	return 5, nil
}

// close reads what it can of a Close. Nothing in it is an error: the Go client v0.9 slips a map in front of the error
// text without counting it (93 07 80 <error> c2), and there is no better answer to a broken goodbye than to go.
func (d *decoder) close() {
	for d.r.Len() > 0 && d.r.Err() == nil {
		switch kind := d.r.Kind(); {
		case kind == msgpack.String && !d.m.HasError:
			text := d.r.String()
			if d.r.Err() == nil {
				d.m.Error, d.m.HasError = text, true
			}
		case kind == msgpack.Bool:
			d.m.AllowReconnect = d.r.Bool()
		default:
			d.r.Skip()
		}
	}
}
