package appserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// Protocol names of the hub protocols that the app server serves.
const (
	protocolJSON        = "json"
	protocolMessagePack = "messagepack"
)

// RawValue is one argument, stream item or result as it came from a client: the bytes of one JSON or MessagePack value.
// Written back to a client of the same protocol it is copied verbatim; to another it is converted. The zero RawValue is
// JSON null.
type RawValue struct {
	protocol string
	data     []byte
}

// Bytes returns the value's encoding in the hub protocol it came in. The caller must not change it.
func (v RawValue) Bytes() []byte { return v.data }

// Decode stores the value in the variable that dst points to, by the rules of encoding/json or msgpack.
func (v RawValue) Decode(dst any) error {
	if raw, ok := dst.(*RawValue); ok {
		*raw = v
		return nil
	}
	if v.data == nil {
		return json.Unmarshal([]byte("null"), dst)
	}
	if v.protocol == protocolMessagePack {
		dec := msgpack.NewDecoder(bytes.NewReader(v.data))
		dec.SetCustomStructTag("json")
		if err := dec.Decode(dst); err != nil {
			return fmt.Errorf("decode value: %w", err)
		}
		return nil
	}
	if err := json.Unmarshal(v.data, dst); err != nil {
		return fmt.Errorf("decode value: %w", err)
	}
	return nil
}

// Any returns the value as Go data: nil, bool, string, []byte, json.Number or an integer or float, []any, or
// map[string]any.
func (v RawValue) Any() (any, error) {
	if v.protocol == protocolMessagePack {
		var out any
		err := v.Decode(&out)
		return out, err
	}
	if v.data == nil {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(v.data))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("decode value: %w", err)
	}
	return out, nil
}

// voidResult is the type of Void.
type voidResult struct{}

// Void is what a method returns (with a nil error) to complete without a result; nil means the same.
var Void any = voidResult{}

// Null is what a method returns to complete with an explicit null.
var Null any = RawValue{}

func isVoid(v any) bool {
	_, void := v.(voidResult)
	return v == nil || void
}

// encodeValue returns v in the encoding of protocol.
func encodeValue(protocol string, v any) ([]byte, error) {
	if protocol == protocolMessagePack {
		return encodeMessagePack(v)
	}
	return encodeJSON(v)
}

func encodeJSON(v any) ([]byte, error) {
	if raw, ok := v.(RawValue); ok {
		if raw.data == nil {
			return []byte("null"), nil
		}
		if raw.protocol == protocolJSON {
			return raw.data, nil
		}
		plain, err := raw.Any()
		if err != nil {
			return nil, err
		}
		v = plain
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode value: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func encodeMessagePack(v any) ([]byte, error) {
	if raw, ok := v.(RawValue); ok {
		if raw.protocol == protocolMessagePack && raw.data != nil {
			return raw.data, nil
		}
		plain, err := raw.Any()
		if err != nil {
			return nil, err
		}
		v = plainNumbers(plain)
	}
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.SetCustomStructTag("json")
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode value: %w", err)
	}
	return buf.Bytes(), nil
}

// plainNumbers replaces each json.Number inside v by an integer when it is one, else by a float.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return math.NaN()
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 && !strings.ContainsAny(v.String(), ".eE") {
			return int64(f)
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// ErrArgument is wrapped by errors about an invocation's arguments. A method that returns one makes the client see
// "Failed to invoke 'X' due to an error on the server" with a period.
var ErrArgument = errors.New("invocation argument")

// Args are the arguments of one invocation, not yet decoded.
type Args struct {
	values  []RawValue
	uploads []*Upload
}

// Len returns the number of arguments, upload streams not counted.
func (a Args) Len() int { return len(a.values) }

// Raw returns argument i undecoded; beyond the last it is null.
func (a Args) Raw(i int) RawValue {
	if i < 0 || i >= len(a.values) {
		return RawValue{}
	}
	return a.values[i]
}

// Decode stores the arguments in the variables that dst point to. There must be exactly as many as arguments.
func (a Args) Decode(dst ...any) error {
	if len(a.values) != len(dst) {
		return fmt.Errorf("%w: invocation provides %d argument(s) but target expects %d",
			ErrArgument, len(a.values), len(dst))
	}
	for i, d := range dst {
		if err := a.values[i].Decode(d); err != nil {
			return fmt.Errorf("%w %d: %w", ErrArgument, i, err)
		}
	}
	return nil
}

// Stream returns the upload stream at index i of the invocation's stream ids, or nil.
func (a Args) Stream(i int) *Upload {
	if i < 0 || i >= len(a.uploads) {
		return nil
	}
	return a.uploads[i]
}

// splitArguments cuts an encoded array of arguments into values. The values are copies when msg's memory is reused by
// the caller, so callers pass memory they own.
func splitArguments(protocol string, raw []byte) ([]RawValue, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if protocol == protocolMessagePack {
		dec := msgpack.NewDecoder(bytes.NewReader(raw))
		n, err := dec.DecodeArrayLen()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrArgument, err)
		}
		var values []RawValue
		for range n {
			item, err := dec.DecodeRaw()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrArgument, err)
			}
			values = append(values, RawValue{protocol: protocol, data: bytes.Clone(item)})
		}
		return values, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	values := make([]RawValue, len(items))
	for i, item := range items {
		values[i] = RawValue{protocol: protocol, data: item}
	}
	return values, nil
}
