package hub

import "bytes"

// The texts of these errors are those of ASP.NET Core's JsonHubProtocol, so that a client sees what it would see
// there.
var (
	errJSON        = &ProtocolError{"Error reading JSON."}
	errBothResults = &ProtocolError{"The 'error' and 'result' properties are mutually exclusive."}
)

func errMissing(property string) *ProtocolError {
	return &ProtocolError{"Missing required property '" + property + "'."}
}

func errExpected(property, kind string) *ProtocolError {
	return &ProtocolError{"Expected '" + property + "' to be of type " + kind + "."}
}

// jsonType finds the type of a JSON message.
func jsonType(msg []byte) (MessageType, error) {
	const first, last = `{"type":`, `,"type":`
	b := bytes.TrimSuffix(msg, separator)
	// The JavaScript client puts the type last. In a well-formed object nothing but its last member ends like that.
	if at := len(b) - len(last) - 2; at > 0 && string(b[at:at+len(last)]) == last && b[len(b)-1] == '}' {
		if c := b[len(b)-2]; c >= '0' && c <= '9' {
			return messageType(int64(c - '0')), nil
		}
	}
	// The .NET client and servers put it first. Types 6 to 9 are free of quota, so a second "type" must not hide behind
	// them.
	if len(b) > len(first)+1 && string(b[:len(first)]) == first {
		c, next := b[len(first)], b[len(first)+1]
		if c >= '1' && c <= '5' && next == ',' || c >= '1' && c <= '9' && next == '}' && len(b) == len(first)+2 {
			return MessageType(c - '0'), nil
		}
	}
	return scanType(b)
}

// scanType looks at every member on the top level.
func scanType(b []byte) (MessageType, error) {
	o, violation := openObject(b)
	if violation != nil {
		return TypeUnknown, violation
	}
	t, found := TypeUnknown, false
	for key, value, ok := o.next(); ok; key, value, ok = o.next() {
		if string(key) == "type" {
			n, isInteger := integer(value, 32)
			if !isInteger {
				return TypeUnknown, errExpected("type", "Number")
			}
			t, found = messageType(n), true
		}
	}
	if err := o.err(); err != nil {
		return TypeUnknown, err
	}
	if !found {
		return TypeUnknown, errMissing("type")
	}
	return t, nil
}

// separator is RecordSeparator for the functions of package bytes.
var separator = []byte{RecordSeparator}

// properties are what decodeJSON finds beside the fields of a Message.
type properties struct {
	Message
	hasType     bool
	hasTarget   bool
	hasSequence bool
}

func decodeJSON(msg []byte) (Message, error) {
	o, violation := openObject(bytes.TrimSuffix(msg, separator))
	if violation != nil {
		return Message{}, violation
	}
	var p properties
	for key, value, ok := o.next(); ok; key, value, ok = o.next() {
		if err := p.set(key, value); err != nil {
			return Message{}, err
		}
	}
	if err := o.err(); err != nil {
		return Message{}, err
	}
	if err := p.check(); err != nil {
		return Message{}, err
	}
	return p.message(), nil
}

// set takes one member. A null id, error, header map or list of stream ids counts as absent: not every client leaves
// out what it has not.
func (p *properties) set(key, value []byte) error {
	null := value[0] == 'n'
	var err *ProtocolError
	switch string(key) {
	case "type":
		var n int64
		if n, p.hasType = integer(value, 32); !p.hasType {
			return errExpected("type", "Number")
		}
		p.Type = messageType(n)
	case "invocationId":
		p.InvocationID, p.HasInvocationID = "", false
		if !null {
			p.InvocationID, err = text("invocationId", value)
			p.HasInvocationID = p.InvocationID != "" // an empty id is none
		}
	case "target":
		p.Target, err = text("target", value)
		p.hasTarget = true
	case "arguments":
		if value[0] != '[' {
			return errExpected("arguments", "Array")
		}
		p.Arguments = value
	case "streamIds":
		if p.StreamIDs = nil; !null {
			p.StreamIDs, err = texts("streamIds", value)
		}
	case "item":
		p.Item = value
	case "result":
		p.Result, p.HasResult = value, true
	case "error":
		p.Error, p.HasError = "", !null
		if !null {
			p.Error, err = text("error", value)
		}
	case "allowReconnect":
		if p.AllowReconnect = value[0] == 't'; !p.AllowReconnect && value[0] != 'f' {
			return errExpected("allowReconnect", "Boolean")
		}
	case "sequenceId":
		if p.SequenceID, p.hasSequence = integer(value, 64); !p.hasSequence {
			return errExpected("sequenceId", "Number")
		}
	case "headers":
		if p.Headers = nil; !null {
			p.Headers, err = checkHeaders(value)
		}
	}
	if err != nil {
		return err
	}
	return nil
}

// check says what is missing for the type, in upstream's order.
func (p *properties) check() error {
	switch {
	case !p.hasType:
		return errMissing("type")
	case p.Type >= TypeStreamItem && p.Type <= TypeCancelInvocation && !p.HasInvocationID:
		return errMissing("invocationId")
	}
	switch p.Type {
	case TypeInvocation, TypeStreamInvocation:
		if !p.hasTarget {
			return errMissing("target")
		}
		if p.Arguments == nil {
			return errMissing("arguments")
		}
	case TypeStreamItem:
		if p.Item == nil {
			return errMissing("item")
		}
	case TypeCompletion:
		if p.HasError && p.HasResult {
			return errBothResults
		}
	case TypeAck, TypeSequence:
		if !p.hasSequence {
			return errMissing("sequenceId")
		}
	case TypeUnknown, TypeCancelInvocation, TypePing, TypeClose: // nothing more
	}
	return nil
}

// message returns the fields that belong to the type; what else the object had is ignored.
func (p *properties) message() Message {
	m := Message{Type: p.Type}
	if m.Type >= TypeInvocation && m.Type <= TypeCancelInvocation {
		m.Headers, m.InvocationID, m.HasInvocationID = p.Headers, p.InvocationID, p.HasInvocationID
	}
	switch m.Type {
	case TypeInvocation, TypeStreamInvocation:
		m.Target, m.Arguments, m.StreamIDs = p.Target, p.Arguments, p.StreamIDs
	case TypeStreamItem:
		m.Item = p.Item
	case TypeCompletion:
		m.Error, m.HasError, m.Result, m.HasResult = p.Error, p.HasError, p.Result, p.HasResult
	case TypeClose:
		m.Error, m.HasError, m.AllowReconnect = p.Error, p.HasError, p.AllowReconnect
	case TypeAck, TypeSequence:
		m.SequenceID = p.SequenceID
	case TypeUnknown, TypeCancelInvocation, TypePing: // nothing more
	}
	return m
}

func text(property string, value []byte) (string, *ProtocolError) {
	if value[0] != '"' {
		return "", errExpected(property, "String")
	}
	return unescape(value[1 : len(value)-1]), nil
}

// texts returns the strings of a well-formed array of strings.
func texts(property string, value []byte) ([]string, *ProtocolError) {
	if value[0] != '[' {
		return nil, errExpected(property, "Array")
	}
	var list []string
	for i := skipSpace(value, 1); value[i] != ']'; i = skipSpace(value, i) {
		if value[i] == ',' {
			i = skipSpace(value, i+1)
		}
		if value[i] != '"' {
			return nil, errExpected(property, "Array")
		}
		end := skipString(value, i)
		list = append(list, unescape(value[i+1:end-1]))
		i = end
	}
	return list, nil
}

// checkHeaders returns the map if all its values are strings, nil if it is empty.
func checkHeaders(value []byte) ([]byte, *ProtocolError) {
	if value[0] != '{' {
		return nil, errExpected("headers", "Object")
	}
	empty := true
	o := object{b: value, i: 1}
	for key, header, ok := o.next(); ok; key, header, ok = o.next() {
		if header[0] != '"' {
			return nil, &ProtocolError{"Expected header '" + string(key) + "' to be of type String."}
		}
		empty = false
	}
	if empty {
		return nil, nil
	}
	return value, nil
}
