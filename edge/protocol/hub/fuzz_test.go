package hub

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
)

func addVectors(f *testing.F, protocol string, n int) {
	f.Helper()
	for _, v := range vectors(f, protocol, n) {
		b := []byte(v.Text)
		if v.Hex != "" {
			for i := 0; i+2 <= len(v.Hex); i += 2 {
				c, _ := strconv.ParseUint(v.Hex[i:i+2], 16, 8)
				b = append(b, byte(c))
			}
		}
		f.Add(b)
	}
}

// FuzzJSON compares with encoding/json: which objects are well-formed, what their type is and what their strings are.
func FuzzJSON(f *testing.F) {
	addVectors(f, "json", 63)
	for _, text := range []string{
		`{"type":1,"target":"\ud83d\ude00\ud800","arguments":[1.5e-3,-0,true,false,null,"\u001e"]}`,
		` {"a":{"b":[[],{}]},"type" : 6}`, `{"type":6,"type":1,"x":1}`, `{"type":1,"x":{"a":1,"type":6}}`, `[[[`, `{"a":01}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.TrimSuffix(b, separator)
		if depth(b) > maxDepth {
			return
		}
		var members map[string]json.RawMessage
		valid := json.Valid(b)
		isObject := valid && json.Unmarshal(b, &members) == nil && members != nil

		scanned, scanErr := scanType(b)
		message, err := Decode(JSON, b)
		if !isObject {
			if err == nil || scanErr == nil {
				t.Fatalf("taken: %q, %v, %v", b, err, scanErr)
			}
			if valid && scanErr == error(errJSON) { //nolint:errorlint // identity is meant
				t.Fatalf("well-formed, but no object: %q, %v", b, scanErr)
			}
			return
		}
		number, typeErr := strconv.ParseInt(string(members["type"]), 10, 32)
		switch {
		case typeErr == nil && scanErr == nil && scanned != messageType(number):
			t.Fatalf("want type %d, got %d: %q", number, scanned, b)
		case typeErr != nil && scanErr == nil, err == nil && scanErr != nil:
			t.Fatalf("want an error: %q, %v", b, err)
		case scanErr == error(errJSON), err == error(errJSON): //nolint:errorlint // identity is meant
			t.Fatalf("refused: %q, %v, %v", b, scanErr, err)
		}
		once := bytes.Count(b, []byte("type")) == 1 && bytes.IndexByte(b, '\\') < 0
		fast, fastErr := TypeOf(JSON, b)
		if scanErr == nil && fastErr != nil {
			t.Fatalf("TypeOf refuses %q: %v", b, fastErr)
		}
		if scanErr == nil && fast != scanned && (once || fast < TypeInvocation || fast > TypeCancelInvocation) {
			t.Fatalf("want type %d, got %d from TypeOf: %q", scanned, fast, b)
		}
		if err != nil {
			return
		}
		var target string
		if raw := members["target"]; message.Target != "" && json.Unmarshal(raw, &target) == nil && target != message.Target {
			t.Fatalf("want target %q, got %q: %q", target, message.Target, b)
		}
		again := Append(nil, JSON, &message)
		if message.Type != TypeUnknown && !json.Valid(bytes.TrimSuffix(again, separator)) {
			t.Fatalf("wrote %q", again)
		}
	})
}

// depth counts brackets that are open at once, those in strings too.
func depth(b []byte) int {
	deepest, open := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			open++
			deepest = max(deepest, open)
		case ']', '}':
			open--
		}
	}
	return deepest
}

// FuzzMessagePack wants no panic, TypeOf and Decode to agree, and what is encoded again to mean the same.
func FuzzMessagePack(f *testing.F) {
	addVectors(f, "messagepack", 94)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(MessagePack, b)
		if err != nil {
			return
		}
		if got, err := TypeOf(MessagePack, b); err != nil || got != m.Type {
			t.Fatalf("want type %d, got %d, %v", m.Type, got, err)
		}
		if m.Type == TypeUnknown {
			return
		}
		once := Append(nil, MessagePack, &m)
		again, err := Decode(MessagePack, once)
		if err != nil {
			t.Fatalf("wrote %x: %v", once, err)
		}
		if twice := Append(nil, MessagePack, &again); !bytes.Equal(once, twice) {
			t.Fatalf("wrote %x, then %x", once, twice)
		}
	})
}

// FuzzHandshake wants no panic, the request to mean the same when written again, and its length to be right.
func FuzzHandshake(f *testing.F) {
	addVectors(f, "handshake", 9)
	f.Fuzz(func(t *testing.T, b []byte) {
		HandshakeResponseError(b)
		h, n, err := ParseHandshake(b)
		if want := bytes.IndexByte(b, RecordSeparator) + 1; n != want {
			t.Fatalf("want %d bytes, got %d", want, n)
		}
		if err != nil || n == 0 {
			return
		}
		if again, _, err := ParseHandshake(AppendHandshakeRequest(nil, h)); err != nil || again != h {
			t.Fatalf("want %+v, got %+v, %v", h, again, err)
		}
	})
}

// FuzzNextMessage wants no panic, and the same messages from a stream that grows byte by byte as from the whole.
func FuzzNextMessage(f *testing.F) {
	addVectors(f, "messagepack", 94)
	addVectors(f, "binary-framing", 1)
	addVectors(f, "varint", 11)
	addVectors(f, "json", 63)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, framing := range []Framing{TextRecords, LengthPrefixed} {
			start, seen := 0, 0
			for end := range len(b) + 1 {
				msg, rest, err := NextMessageFrom(framing, b[start:end], seen, 100)
				whole, _, wholeErr := NextMessage(framing, b[start:end], 100)
				if !bytes.Equal(msg, whole) || (err == nil) != (wholeErr == nil) {
					t.Fatalf("want %x, %v, got %x, %v", whole, wholeErr, msg, err)
				}
				if err != nil {
					break
				}
				if msg == nil {
					seen = end - start
					continue
				}
				start, seen = end-len(rest), 0
			}
		}
	})
}
