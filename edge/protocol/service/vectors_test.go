package service

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// vector is an entry of testdata/service-protocol.json; decoded lists the items in wire order.
type vector struct {
	Name    string `json:"name"`
	Type    Type   `json:"type"`
	TypName string `json:"typeName"`
	Use     string `json:"use"`
	Hex     string `json:"hex"`
	Framed  string `json:"framedHex"`
	Decoded []any  `json:"decoded"`
}

// body returns the vector's bytes.
func (v vector) body(tb testing.TB) []byte {
	tb.Helper()
	return unhex(tb, v.Hex)
}

// capturedFrame is an entry of testdata/captured-sdk.json; decoded names the items.
type capturedFrame struct {
	Name    string         `json:"name"`
	SDK     string         `json:"sdk"`
	Type    Type           `json:"type"`
	Hex     string         `json:"hex"`
	Decoded map[string]any `json:"decoded"`
}

// unhex decodes a hex dump; blanks are for the reader.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func loadJSON(tb testing.TB, name string, v any) {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		tb.Fatal(err)
	}
}

func loadVectors(tb testing.TB) []vector {
	tb.Helper()
	var list []vector
	loadJSON(tb, "service-protocol.json", &list)
	if len(list) != 145 {
		tb.Fatalf("want 145 vectors, got %d", len(list))
	}
	return list
}

func loadCaptured(tb testing.TB) []capturedFrame {
	tb.Helper()
	var file struct {
		Frames []capturedFrame `json:"frames"`
	}
	loadJSON(tb, "captured-sdk.json", &file)
	if len(file.Frames) != 61 {
		tb.Fatalf("want 61 frames, got %d", len(file.Frames))
	}
	return file.Frames
}

// vectorBody returns the bytes of the vector with that name.
func vectorBody(tb testing.TB, name string) []byte {
	tb.Helper()
	for _, v := range loadVectors(tb) {
		if v.Name == name {
			return v.body(tb)
		}
	}
	tb.Fatalf("no vector %q", name)
	return nil
}

// mustDecode decodes a body that has to be well-formed.
func mustDecode(tb testing.TB, body []byte) Message {
	tb.Helper()
	m, err := Decode(body)
	if err != nil {
		tb.Fatalf("decode %x: %v", body, err)
	}
	return m
}

// diff compares messages; empty lists equal nil ones, which the wire does not tell apart.
func diff(want, got Message) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			body := v.body(t)
			want := build(t, v.Type, v.Decoded)
			got := mustDecode(t, body)
			if d := diff(want, got); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			if got.Type() != v.Type || got.Type().String() != v.TypName {
				t.Errorf("want type %d %s, got %d %s", v.Type, v.TypName, got.Type(), got.Type())
			}
			framed := unhex(t, v.Framed)
			cut, rest, err := NextFrame(framed, 0)
			if err != nil || !bytes.Equal(cut, body) || len(rest) != 0 {
				t.Errorf("frame cut as %x, %d bytes left, error %v", cut, len(rest), err)
			}
			if v.Use == "decode-only" {
				return
			}
			for from, m := range map[string]Message{"fields": want, "decoded": got} {
				if enc := AppendBody(nil, m); !bytes.Equal(enc, body) {
					t.Errorf("encoded from %s:\nwant %x\ngot  %x", from, body, enc)
				}
				if enc := Append([]byte("before"), m); !bytes.Equal(enc, append([]byte("before"), framed...)) {
					t.Errorf("framed from %s:\nwant %x\ngot  %x", from, framed, enc)
				}
			}
		})
	}
}

// capturedItems names the items behind the type as captured-sdk.json does, in wire order.
var capturedItems = map[Type][]string{
	TypeHandshakeRequest: {
		"version", "connectionType", "target", "migrationLevel", "ext", "allowStatefulReconnects",
	},
	TypeCloseConnection:     {"connectionId", "errorMessage", "headers", "ext"},
	TypeConnectionData:      {"connectionId", "payload", "ext"},
	TypeMultiConnectionData: {"connectionIds", "payloads", "ext"},
	TypeUserData:            {"userId", "payloads", "ext"},
	TypeMultiUserData:       {"userIds", "payloads", "ext"},
	TypeBroadcastData:       {"excluded", "payloads", "ext"},
	TypeGroupBroadcastData: {
		"group", "excluded", "payloads", "ext", "excludedUsers", "callerUserId",
	},
	TypeMultiGroupBroadcastData:         {"groups", "payloads", "ext"},
	TypeJoinGroupWithAck:                {"connectionId", "group", "ackId", "ext"},
	TypeLeaveGroupWithAck:               {"connectionId", "group", "ackId", "ext"},
	TypeCheckUserInGroupWithAck:         {"userId", "group", "ackId", "ext"},
	TypeCheckGroupExistenceWithAck:      {"group", "ackId", "ext"},
	TypeCheckConnectionExistenceWithAck: {"connectionId", "ackId", "ext"},
	TypeCheckUserExistenceWithAck:       {"userId", "ackId", "ext"},
	TypeUserJoinGroupWithAck:            {"userId", "group", "ackId", "ext"},
	TypeUserLeaveGroupWithAck:           {"userId", "group", "ackId", "ext"},
	TypeClientInvocation:                {"invocationId", "connectionId", "callerServerId", "payloads", "ext"},
	TypeClientCompletion: {
		"invocationId", "connectionId", "callerServerId", "protocol", "payload", "ext",
	},
}

// list returns the frame's items in wire order, like a vector's.
func (f capturedFrame) list(t *testing.T) []any {
	t.Helper()
	items := []any{float64(f.Type)}
	if f.Type == TypePing {
		return append(items, f.Decoded["pairs"].([]any)...)
	}
	used := 2 // typeName, items
	for _, name := range capturedItems[f.Type] {
		if v, ok := f.Decoded[name]; ok {
			items = append(items, v)
			used++
		}
	}
	if used != len(f.Decoded) || len(items) != int(f.Decoded["items"].(float64)) {
		t.Fatalf("capturedItems does not cover %v", f.Decoded)
	}
	return items
}

func TestCapturedFrames(t *testing.T) {
	for _, f := range loadCaptured(t) {
		t.Run(f.Name+" of "+f.SDK, func(t *testing.T) {
			body := unhex(t, f.Hex)
			want := build(t, f.Type, f.list(t))
			got := mustDecode(t, body)
			if d := diff(want, got); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			if got.Type().String() != f.Decoded["typeName"] {
				t.Errorf("want type %v, got %v", f.Decoded["typeName"], got.Type())
			}
			if enc := AppendBody(nil, got); !bytes.Equal(enc, body) {
				t.Errorf("not encoded as the SDK does:\nwant %x\ngot  %x", body, enc)
			}
		})
	}
}
