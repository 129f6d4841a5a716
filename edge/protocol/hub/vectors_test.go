package hub

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// vector is one entry of testdata/hub-protocol.json.
type vector struct {
	Name        string
	Protocol    string
	Hex         string
	Text        string
	Decoded     any
	Invalid     bool
	ServerError string `json:"server_error"`
	SentBy      string `json:"sent_by"`
}

func (v vector) bytes(t *testing.T) []byte {
	t.Helper()
	if v.Text != "" {
		return []byte(v.Text)
	}
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors returns the entries of one protocol, of which there must be n.
func vectors(tb testing.TB, protocol string, n int) []vector {
	tb.Helper()
	file, err := os.ReadFile("testdata/hub-protocol.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all, list []vector
	if err := json.Unmarshal(file, &all); err != nil {
		tb.Fatal(err)
	}
	for _, v := range all {
		if v.Protocol == protocol {
			list = append(list, v)
		}
	}
	if len(list) != n {
		tb.Fatalf("want %d vectors of %s, got %d", n, protocol, len(list))
	}
	return list
}

// nonCanonical are the vectors of valid messages that ASP.NET Core, and Append, would write otherwise.
var nonCanonical = map[string]string{
	"msgpack/spec_close_2_elements":                          "2 items",
	"msgpack/captured_js_close":                              "2 items",
	"msgpack/captured_js_invocation_5_elements":              "5 items",
	"msgpack/captured_js_invocation_nonblocking_5_elements":  "5 items",
	"msgpack/ts_completion_void_extra_trailing_item_ignored": "extra items",
	"msgpack/invocation_extra_trailing_items_ignored":        "extra items",
	"msgpack/invocation_empty_string_id_means_nonblocking":   "empty id",
	"msgpack/spec_ack_36":                                    "wider integer",
	"msgpack/spec_sequence_19":                               "wider integer",
	"msgpack-malformed/captured_go_close":                    "malformed",
	"json/OutOfOrder_ArgumentsFirst":                         "order",
	"json/OutOfOrder_IntegerArrayArgumentFirst":              "order",
	"json/OutOfOrder_StreamInvocation":                       "order",
	"json/OutOfOrder_CompletionResultFirst":                  "order",
	"json/OutOfOrder_StreamItemItemFirst":                    "order",
	"json/ExtraPropertyIgnored":                              "extra property",
	"json/captured_js_invocation":                            "order",
	"json/captured_js_send":                                  "order",
	"json/captured_js_client_result":                         "order",
	"json/captured_go_close":                                 "allowReconnect false",
}

func TestMessagePackVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "messagepack", 94) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			testMessages(t, MessagePack, v)
		})
	}
}

func TestJSONVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "json", 63) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			testMessages(t, JSON, v)
		})
	}
}

// testMessages splits, types, decodes and encodes the messages of a vector.
func testMessages(t *testing.T, p Protocol, v vector) {
	t.Helper()
	wants, several := v.Decoded.([]any)
	if !several {
		wants = []any{v.Decoded}
	}
	rest := v.bytes(t)
	for _, want := range wants {
		var msg []byte
		var err error
		if msg, rest, err = NextMessage(p.Framing(), rest, 1<<20); err != nil || msg == nil {
			t.Fatalf("want a message, got %x, %v", msg, err)
		}
		m, err := Decode(p, msg)
		if v.Invalid {
			refusal, ok := errors.AsType[*ProtocolError](err)
			if !ok || v.ServerError != "" && refusal.Text != v.ServerError {
				t.Fatalf("want refusal %q, got %+v, %v", v.ServerError, m, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := TypeOf(p, msg); err != nil || got != m.Type {
			t.Errorf("want type %d from TypeOf, got %d, %v", m.Type, got, err)
		}
		if want == nil {
			if m.Type != TypeUnknown {
				t.Errorf("want a type that is skipped, got %+v", m)
			}
			continue
		}
		compare(t, p, v.Name, want.(map[string]any), m)
		again := Append([]byte("before"), p, &m)[len("before"):]
		if nonCanonical[v.Name] == "" && !bytes.Equal(again, msg) {
			t.Errorf("encode: want %x\n got %x", msg, again)
		}
		if m2, err := Decode(p, again); err != nil || cmp.Diff(m, m2) != "" {
			t.Errorf("decode of what was encoded differs: %v\n%s", err, cmp.Diff(m, m2))
		}
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes left", len(rest))
	}
}

// compare looks at every field that want names, and that the others are empty where that means something.
func compare(t *testing.T, p Protocol, name string, want map[string]any, m Message) {
	t.Helper()
	got := map[string]any{}
	raw := map[string][]byte{"headers": m.Headers, "arguments": m.Arguments, "item": m.Item, "result": m.Result}
	for key := range want {
		switch key {
		case "type":
			got[key] = float64(m.Type)
		case "invocationId":
			got[key] = any(nil)
			if m.HasInvocationID {
				got[key] = m.InvocationID
			}
		case "target":
			got[key] = m.Target
		case "streamIds":
			ids := make([]any, 0, len(m.StreamIDs))
			for _, id := range m.StreamIDs {
				ids = append(ids, id)
			}
			got[key] = ids
		case "error":
			got[key] = any(nil)
			if m.HasError {
				got[key] = m.Error
			}
		case "allowReconnect":
			got[key] = m.AllowReconnect
		case "sequenceId":
			got[key] = float64(m.SequenceID)
		case "headers", "arguments", "item", "result":
			if raw[key] == nil && key == "headers" {
				got[key] = map[string]any{}
			} else {
				got[key] = value(t, p, raw[key])
			}
		default: // an unknown property: ignored
			got[key] = want[key]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	has := func(key string) bool { _, ok := want[key]; return ok }
	if m.HasResult != has("result") {
		t.Errorf("want HasResult %v", has("result"))
	}
	if m.HasError && !has("error") && !strings.Contains(name, "malformed") {
		t.Errorf("want no error, got %q", m.Error)
	}
	if m.HasInvocationID && !has("invocationId") {
		t.Errorf("want no id, got %q", m.InvocationID)
	}
}

// value decodes a raw value to the form of the vectors.
func value(t *testing.T, p Protocol, raw []byte) any {
	t.Helper()
	if p == JSON {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	r := msgpack.NewReader(raw)
	v := packValue(t, &r)
	if r.Err() != nil || r.Len() != 0 {
		t.Fatalf("raw value %x: %v, %d left", raw, r.Err(), r.Len())
	}
	return v
}

func packValue(t *testing.T, r *msgpack.Reader) any {
	t.Helper()
	switch r.Kind() {
	case msgpack.Nil:
		r.Nil()
		return nil
	case msgpack.Bool:
		return r.Bool()
	case msgpack.Int:
		return float64(r.Int())
	case msgpack.String:
		return r.String()
	case msgpack.Bin:
		return map[string]any{"$bin": hex.EncodeToString(r.Bin())}
	case msgpack.Extension:
		return map[string]any{"$timestamp": r.Timestamp().UTC().Format("2006-01-02T15:04:05.000Z")}
	case msgpack.Float:
		var bits uint64
		raw := r.Raw()
		for _, c := range raw[1:] {
			bits = bits<<8 | uint64(c)
		}
		if len(raw) == 5 {
			return float64(math.Float32frombits(uint32(bits)))
		}
		return math.Float64frombits(bits)
	case msgpack.Array:
		list := []any{}
		for range r.ArrayHeader() {
			list = append(list, packValue(t, r))
		}
		return list
	case msgpack.Map:
		m := map[string]any{}
		for range r.MapHeader() {
			key := r.String()
			m[key] = packValue(t, r)
		}
		return m
	case msgpack.Invalid, msgpack.BigUint:
	}
	t.Fatal("invalid value")
	return nil
}

func TestHandshakeVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "handshake", 9) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			b := v.bytes(t)
			if v.Hex != "" && hex.EncodeToString(b) != v.Hex {
				t.Fatal("the vector is wrong")
			}
			want := v.Decoded.(map[string]any)
			if v.SentBy == "client" {
				h, n, err := ParseHandshake(append(b, "next"...))
				wantHandshake := Handshake{want["protocol"].(string), int(want["version"].(float64))}
				if err != nil || n != len(b) || h != wantHandshake {
					t.Errorf("want %+v of %d bytes, got %+v of %d, %v", wantHandshake, len(b), h, n, err)
				}
				if got := AppendHandshakeRequest(nil, h); !bytes.Equal(got, b) {
					t.Errorf("want %q, got %q", b, got)
				}
				return
			}
			wantText, wantError := want["error"].(string)
			if text, isError := HandshakeResponseError(b); text != wantText || isError != wantError {
				t.Errorf("want %q, %v, got %q, %v", wantText, wantError, text, isError)
			}
			got := AppendHandshakeOK(nil)
			if wantError {
				got = AppendHandshakeError(nil, wantText)
			}
			if rest, ok := want["rest"].([]any); ok {
				got = AppendInvocation(got, JSON, "", "Echo", []byte(`["piggyback"]`))
				_, rest2, _ := NextMessage(TextRecords, b, 100)
				m, err := Decode(JSON, rest2)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, JSON, v.Name, rest[0].(map[string]any), m)
			}
			if !bytes.Equal(got, b) {
				t.Errorf("want %q, got %q", b, got)
			}
		})
	}
}

func TestHandshakeTexts(t *testing.T) {
	t.Parallel()
	byName := map[string]string{}
	for _, v := range vectors(t, "handshake", 9) {
		byName[v.Name], _ = v.Decoded.(map[string]any)["error"].(string)
	}
	for name, got := range map[string]string{
		"handshake/response_error_protocol": TextProtocolNotSupported("foo"),
		"handshake/response_error_timeout":  TextHandshakeCanceled,
		"handshake/response_error_version":  TextVersionNotSupported(3, "json"),
		"handshake/response_error_format":   TextBinaryNotSupported("messagepack"),
	} {
		if want := byName[name]; got != want {
			t.Errorf("%s: want %q, got %q", name, want, got)
		}
	}
}

func TestVarintVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "varint", 11) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			b := v.bytes(t)
			size, n, err := messageLength(b)
			if v.Invalid {
				if err == nil {
					t.Errorf("want an error, got %d of %d bytes", size, n)
				}
				return
			}
			want := int(v.Decoded.(map[string]any)["value"].(float64))
			if err != nil || size != want || n != len(b) {
				t.Errorf("want %d of %d bytes, got %d of %d, %v", want, len(b), size, n, err)
			}
			if got := AppendLength(nil, want); !bytes.Equal(got, b) {
				t.Errorf("want %x, got %x", b, got)
			}
			for i := range b {
				if _, n, err := messageLength(b[:i]); n != 0 || err != nil {
					t.Errorf("want %x to be incomplete, got %d bytes, %v", b[:i], n, err)
				}
			}
		})
	}
}

func TestBinaryFramingVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "binary-framing", 1) {
		rest := v.bytes(t)
		for _, body := range v.Decoded.(map[string]any)["bodies"].([]any) {
			msg, next, err := NextMessage(LengthPrefixed, rest, 100)
			if err != nil || hex.EncodeToString(msg[1:]) != body {
				t.Fatalf("want %s, got %x, %v", body, msg, err)
			}
			rest = next
		}
		if len(rest) != 0 {
			t.Errorf("%d bytes left", len(rest))
		}
	}
}

func TestSSEVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "sse-framing", 6) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			want := v.Text
			payload := v.Decoded.(map[string]any)["payload"].(string)
			if payload == "" { // a comment is no event
				if got := SSEComment; got != want {
					t.Errorf("want %q, got %q", want, got)
				}
				return
			}
			if got := string(AppendSSEEvent(nil, []byte(payload))); got != want {
				t.Errorf("want %q, got %q", want, got)
			}
			// What a client puts together again has LF for CR LF.
			var lines []string
			for line := range strings.SplitSeq(strings.TrimSuffix(want, "\r\n\r\n"), "\r\n") {
				data, ok := strings.CutPrefix(line, "data: ")
				if !ok {
					t.Fatalf("want a data line, got %q", line)
				}
				lines = append(lines, data)
			}
			if got, want := strings.Join(lines, "\n"), strings.ReplaceAll(payload, "\r\n", "\n"); got != want {
				t.Errorf("want payload %q, got %q", want, got)
			}
		})
	}
}
