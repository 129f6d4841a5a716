package hub

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrittenBytes(t *testing.T) {
	t.Parallel()
	pack := func(s string) string {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	long := strings.Repeat("e", 300)
	for name, c := range map[string]struct{ got, want string }{
		"JSON ping":        {string(AppendPing(nil, JSON)), `{"type":6}` + "\x1e"},
		"MessagePack ping": {string(AppendPing(nil, MessagePack)), pack("02 91 06")},
		"JSON close":       {string(AppendClose(nil, JSON, "", false)), `{"type":7}` + "\x1e"},
		"JSON close with an error": {
			string(AppendClose(nil, JSON, "gone", false)), `{"type":7,"error":"gone"}` + "\x1e",
		},
		"JSON close to come back": {string(AppendClose(nil, JSON, "", true)), `{"type":7,"allowReconnect":true}` + "\x1e"},
		"JSON close with both": {
			string(AppendClose(nil, JSON, "gone", true)), `{"type":7,"error":"gone","allowReconnect":true}` + "\x1e",
		},
		"MessagePack close":              {string(AppendClose(nil, MessagePack, "", false)), pack("04 93 07 c0 c2")},
		"MessagePack close to come back": {string(AppendClose(nil, MessagePack, "", true)), pack("04 93 07 c0 c3")},
		"MessagePack close with both": {
			string(AppendClose(nil, MessagePack, "gone", true)), pack("08 93 07 a4 676f6e65 c3"),
		},
		"MessagePack close with a two-byte length": {
			string(AppendClose([]byte("x"), MessagePack, long, false)), "x" + pack("b2 02 93 07 da 012c") + long + "\xc2",
		},
		"handshake accepted": {string(AppendHandshakeOK(nil)), "{}\x1e"},
		"handshake refused with what has to be escaped": {
			string(AppendHandshakeError(nil, "a\"b\\c\n\r\t\b\f\x01\x1e\x7f\u0085\u2028<>&'+`é€😀\xff")),
			`{"error":"a\"b\\c\n\r\t\b\f\u0001\u001E\u007F\u0085\u2028<>&'+` + "`é€😀\uFFFD\"}\x1e",
		},
		"JSON void completion": {
			string(AppendCompletion(nil, JSON, "1", nil, "")), `{"type":3,"invocationId":"1"}` + "\x1e",
		},
		"JSON completion": {
			string(AppendCompletion(nil, JSON, "1", []byte("[2]"), "")), `{"type":3,"invocationId":"1","result":[2]}` + "\x1e",
		},
		"JSON failed completion": {
			string(AppendCompletion(nil, JSON, "1", nil, "e")), `{"type":3,"invocationId":"1","error":"e"}` + "\x1e",
		},
		"MessagePack completion": {
			string(AppendCompletion(nil, MessagePack, "1", []byte{0x2a}, "")), pack("07 95 03 80 a1 31 03 2a"),
		},
		"invocation without arguments": {
			string(AppendInvocation(nil, MessagePack, "", "m", nil)), pack("08 96 01 80 c0 a1 6d 90 90"),
		},
		"a message of no type": {string(Append(nil, JSON, &Message{})), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: want %q, got %q", name, c.want, c.got)
		}
	}
}

// TestWrittenTextIsJSON reads each rune back with encoding/json.
func TestWrittenTextIsJSON(t *testing.T) {
	t.Parallel()
	for r := range rune(0x3000) {
		want := "a" + string(r) + "b"
		var got string
		b := appendString(nil, want)
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Fatalf("%q: want %q, got %q, %v", b, want, got, err)
		}
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want MessageType // TypeUnknown with err empty: no error
		err  string
	}{
		"type last, as JavaScript":         {`{"target":"a","arguments":[],"type":1}`, 1, ""},
		"type first, as .NET":              {`{"type":2,"invocationId":"1","item":{}}`, 2, ""},
		"type alone":                       {`{"type":6}`, 6, ""},
		"type in the middle":               {`{"item":1,"type":2,"invocationId":"1"}`, 2, ""},
		"white space everywhere":           {" { \"type\" :\t7 , \"error\" : \"x\" } \r\n", 7, ""},
		"key with an escape":               {`{"\u0074ype":3}`, 3, ""},
		"type inside a string at the end":  {`{"type":1,"target":",\"type\":6}"}`, 1, ""},
		"type inside an argument":          {`{"x":{"a":1,"type":6},"type":1}`, 1, ""},
		"type inside an object at the end": {`{"type":1,"x":{"a":1,"type":6}}`, 1, ""},
		"another 7 behind a free ping":     {`{"type":6,"type":1,"x":2}`, 1, ""},
		"another type as the last member":  {`{"type":6,"type":1}`, 1, ""},
		"unknown type":                     {`{"type":99,"x":1}`, 0, ""},
		"unknown type last":                {`{"x":1,"type":10}`, 0, ""},
		"type zero":                        {`{"type":0}`, 0, ""},
		"negative type":                    {`{"type":-1,"x":1}`, 0, ""},
		"no type":                          {`{}`, 0, "Missing required property 'type'."},
		"type a string":                    {`{"type":"1"}`, 0, "Expected 'type' to be of type Number."},
		"type a fraction":                  {`{"type":1.5}`, 0, "Expected 'type' to be of type Number."},
		"type in upper case":               {`{"Type":1}`, 0, "Missing required property 'type'."},
		"type over 32 bits":                {`{"type":4294967297}`, 0, "Expected 'type' to be of type Number."},
		"nothing":                          {``, 0, "Error reading JSON."},
		"half an object":                   {`{"x":1,"type`, 0, "Error reading JSON."},
		"bytes behind the object":          {`{"x":1,"type":1 }x`, 0, "Error reading JSON."},
		"a bracket for the brace":          {`{"x":1,"type":6]`, 0, "Error reading JSON."},
		"an array": {
			`[{"type":1}]`, 0, "Unexpected JSON Token Type 'Array'. Expected a JSON Object.",
		},
		"a number":          {`1`, 0, "Unexpected JSON Token Type 'Number'. Expected a JSON Object."},
		"a boolean":         {`true`, 0, "Unexpected JSON Token Type 'Boolean'. Expected a JSON Object."},
		"a byte order mark": {"\xEF\xBB\xBF{\"type\":6}", 0, "Error reading JSON."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []string{"", "\x1e"} {
				got, err := TypeOf(JSON, []byte(c.text+end))
				text := ""
				if violation, ok := errors.AsType[*ProtocolError](err); ok {
					text = violation.Text
				}
				if got != c.want || text != c.err {
					t.Errorf("want %d, %q, got %d, %v", c.want, c.err, got, err)
				}
			}
		})
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct{ text, want string }{
		"a trailing comma":            {`{"type":6,}`, "Error reading JSON."},
		"a leading comma":             {`{,"type":6}`, "Error reading JSON."},
		"two commas":                  {`{"type":6,,"x":1}`, "Error reading JSON."},
		"a missing comma":             {`{"type":6 "x":1}`, "Error reading JSON."},
		"a missing colon":             {`{"type" 6}`, "Error reading JSON."},
		"single quotes":               {`{'type':6}`, "Error reading JSON."},
		"a bare key":                  {`{type:6}`, "Error reading JSON."},
		"a comment":                   {`{"type":6/* */}`, "Error reading JSON."},
		"NaN":                         {`{"type":2,"invocationId":"1","item":NaN}`, "Error reading JSON."},
		"a leading zero":              {`{"type":2,"invocationId":"1","item":01}`, "Error reading JSON."},
		"a bare fraction":             {`{"type":2,"invocationId":"1","item":.5}`, "Error reading JSON."},
		"a raw line feed in a string": {"{\"type\":2,\"invocationId\":\"1\",\"item\":\"\n\"}", "Error reading JSON."},
		"an unknown escape":           {`{"type":2,"invocationId":"1","item":"\x41"}`, "Error reading JSON."},
		"half a Unicode escape":       {`{"type":2,"invocationId":"1","item":"\u00"}`, "Error reading JSON."},
		"an open array":               {`{"type":1,"target":"a","arguments":[1}`, "Error reading JSON."},
		"crossed brackets":            {`{"type":1,"target":"a","arguments":[{]}}`, "Error reading JSON."},
		"nesting of 65":               {`{"type":1,"target":"a","arguments":` + deep(64) + `}`, "Error reading JSON."},
		"nesting of a million":        {strings.Repeat(`[`, 1<<20), "Error reading JSON."},
		"a stream id that is no string": {
			`{"type":1,"target":"a","arguments":[],"streamIds":[1]}`, "Expected 'streamIds' to be of type Array.",
		},
		"headers that are no object": {`{"type":6,"headers":[]}`, "Expected 'headers' to be of type Object."},
		"allowReconnect as a string": {
			`{"type":7,"allowReconnect":"true"}`, "Expected 'allowReconnect' to be of type Boolean.",
		},
		"a sequence id as a string": {`{"type":8,"sequenceId":"1"}`, "Expected 'sequenceId' to be of type Number."},
		"an ack of nothing":         {`{"type":8}`, "Missing required property 'sequenceId'."},
		"an empty id on a stream item": {
			`{"type":2,"invocationId":"","item":1}`, "Missing required property 'invocationId'.",
		},
		"a null target": {
			`{"type":1,"target":null,"arguments":[]}`, "Expected 'target' to be of type String.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(JSON, []byte(c.text+"\x1e"))
			violation, ok := errors.AsType[*ProtocolError](err)
			if !ok || violation.Text != c.want {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
	fits := `{"type":1,"target":"a","arguments":` + deep(63) + `}` + "\x1e"
	if _, err := Decode(JSON, []byte(fits)); err != nil {
		t.Errorf("want nesting of 64 taken, got %v", err)
	}
}

// TestStrings puts each byte at each place of a string long enough to be scanned by the word.
func TestStrings(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 20 {
			inside := []byte("01234567890123456789")
			inside[at] = byte(c)
			msg := `{"type":2,"invocationId":"1","item":"` + string(inside) + `"}` + "\x1e"
			_, err := Decode(JSON, []byte(msg))
			if want := c >= 0x20 && c != '"' && c != '\\'; (err == nil) != want {
				t.Fatalf("byte %#x at %d: want taken %v, got %v", c, at, want, err)
			}
		}
	}
}

func TestDecodeJSONTakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want Message
	}{
		"null where a client has nothing": {
			`{"type":1,"invocationId":null,"target":"a","arguments":[],"streamIds":null,"headers":null,"error":null}`,
			Message{Type: 1, Target: "a", Arguments: []byte("[]")},
		},
		"an empty id as none": {
			`{"type":1,"invocationId":"","target":"a","arguments":[]}`, Message{Type: 1, Target: "a", Arguments: []byte("[]")},
		},
		"escapes and surrogate pairs": {
			`{"type":1,"target":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800x","arguments":[]}`,
			Message{Type: 1, Target: "\"\\/\b\f\n\r\té😀\uFFFDx", Arguments: []byte("[]")},
		},
		"fields of other types without a word": {
			`{"type":6,"target":"a","result":1,"error":"x","item":1}`, Message{Type: 6},
		},
		"the last of two": {
			`{"type":3,"invocationId":"1","result":1,"result":2}`,
			Message{Type: 3, InvocationID: "1", HasInvocationID: true, Result: []byte("2"), HasResult: true},
		},
		"raw values with white space inside": {
			"{\"type\" : 2 , \"invocationId\" : \"1\" , \"item\" :  { \"a\" : [ 1 , 2 ] }  }",
			Message{Type: 2, InvocationID: "1", HasInvocationID: true, Item: []byte(`{ "a" : [ 1 , 2 ] }`)},
		},
		"headers as they come": {
			`{"type":5,"headers":{"a":"b"},"invocationId":"1"}`,
			Message{Type: 5, InvocationID: "1", HasInvocationID: true, Headers: []byte(`{"a":"b"}`)},
		},
		"stream ids with white space": {
			`{"type":4,"invocationId":"1","target":"a","arguments":[],"streamIds":[ "x" , "y" ]}`,
			Message{
				Type: 4, InvocationID: "1", HasInvocationID: true, Target: "a", Arguments: []byte("[]"),
				StreamIDs: []string{"x", "y"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(JSON, []byte(c.text+"\x1e"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeMessagePack(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("91", n-1) + "90" }
	for name, c := range map[string]struct {
		body string
		want *Message // nil: refused
	}{
		"takes headers that are nil": {"9305c0a131", &Message{Type: 5, InvocationID: "1", HasInvocationID: true}},
		"takes stream ids that are nil": {
			"960180c0a16190c0", &Message{Type: 1, Target: "a", Arguments: []byte{0x90}},
		},
		"takes an array header of 16 bits": {"dc000106", &Message{Type: 6}},
		"takes a type in 64 bits":          {"91cf0000000000000006", &Message{Type: 6}},
		"takes unknown types of any size":  {"91cd0400", &Message{}},
		"takes a close without items":      {"9107", &Message{Type: 7}},
		"takes a close of rubbish":         {"9307c1ff", &Message{Type: 7}},
		"takes a close with a cut error":   {"9207a978", &Message{Type: 7}},
		"takes the malformed close of Go":  {"930780a165c2", &Message{Type: 7, Error: "e", HasError: true}},
		"takes a close of 4 items": {
			"9407a165c3c0", &Message{Type: 7, Error: "e", HasError: true, AllowReconnect: true},
		},
		"takes the first text of a close":      {"9307a165a166", &Message{Type: 7, Error: "e", HasError: true}},
		"takes a ping with extra items":        {"9206c0", &Message{Type: 6}},
		"refuses bytes behind the array":       {"910600", nil},
		"refuses missing items":                {"960180c0a16190", nil},
		"refuses an array that is announced":   {"ddffffffff06", nil},
		"refuses an unknown kind of result":    {"950380a1310405", nil},
		"refuses a result that is cut":         {"950380a13103c4", nil},
		"refuses an error that is nil":         {"950380a13101c0", nil},
		"refuses an error that is a number":    {"950380a1310105", nil},
		"refuses arguments that are no array":  {"950180c0a161c0", nil},
		"refuses arguments of bytes":           {"950180c0a161c40100", nil},
		"refuses a target of bytes":            {"950180c0c4016190", nil},
		"refuses a stream id that is nil":      {"960180c0a1619091c0", nil},
		"refuses stream ids that are a string": {"960180c0a16190a131", nil},
		"refuses an id of bytes":               {"940280c4013105", nil},
		"refuses a stream item without id":     {"940280c005", nil},
		"refuses a header without value":       {"930581a161", nil},
		"refuses a nil header":                 {"930581a161c0a131", nil},
		"refuses an ack of a string":           {"9208a131", nil},
		"refuses an ack of nothing":            {"9108", nil},
		"refuses an ack over 63 bits":          {"9208cfffffffffffffffff", nil},
		"refuses nothing":                      {"", nil},
		"refuses deep nesting":                 {"950180c0a161" + nested(34), nil},
		"takes nesting of 32": {"950180c0a161" + nested(32), &Message{
			Type: 1, Target: "a", Arguments: append([]byte(strings.Repeat("\x91", 31)), 0x90),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := hex.DecodeString(c.body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(MessagePack, append(AppendLength(nil, len(body)), body...))
			if c.want == nil {
				if violation, ok := errors.AsType[*ProtocolError](err); !ok || violation.Text == "" {
					t.Fatalf("want a refusal, got %+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*c.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
	for name, msg := range map[string][]byte{
		"length over the bytes": {
			3, 0x91, 6,
		}, "length under the bytes": {1, 0x91, 6}, "no length": {}, "half a length": {0x82},
	} {
		if _, err := Decode(MessagePack, msg); err == nil {
			t.Errorf("%s: want a refusal", name)
		}
		if _, err := TypeOf(MessagePack, msg); err == nil {
			t.Errorf("%s: want TypeOf to refuse", name)
		}
	}
}

func TestNextMessage(t *testing.T) {
	t.Parallel()
	incomplete := "incomplete"
	for name, c := range map[string]struct {
		framing Framing
		b       string
		msg     string
		rest    string
		err     error
	}{
		"nothing of text":                {TextRecords, "", incomplete, "", nil},
		"half a record":                  {TextRecords, "12345678", incomplete, "12345678", nil},
		"a record":                       {TextRecords, "1234\x1e", "1234\x1e", "", nil},
		"two records":                    {TextRecords, "12\x1e34\x1e", "12\x1e", "34\x1e", nil},
		"an empty record":                {TextRecords, "\x1e1", "\x1e", "1", nil},
		"a record of the maximum":        {TextRecords, "12345678\x1e", "12345678\x1e", "", nil},
		"a record over the maximum":      {TextRecords, "123456789\x1e", incomplete, "123456789\x1e", ErrTooLarge},
		"half a record over the maximum": {TextRecords, "123456789", incomplete, "123456789", ErrTooLarge},
		"nothing of a length":            {LengthPrefixed, "", incomplete, "", nil},
		"half a length":                  {LengthPrefixed, "\x80", incomplete, "\x80", nil},
		"half a message":                 {LengthPrefixed, "\x03ab", incomplete, "\x03ab", nil},
		"a message":                      {LengthPrefixed, "\x03abc", "\x03abc", "", nil},
		"a message and more":             {LengthPrefixed, "\x03abcd", "\x03abc", "d", nil},
		"an empty message":               {LengthPrefixed, "\x00a", "\x00", "a", nil},
		"a length in a longer form":      {LengthPrefixed, "\x81\x00a", "\x81\x00a", "", nil},
		"a message of the maximum":       {LengthPrefixed, "\x0812345678", "\x0812345678", "", nil},
		"a message over the maximum":     {LengthPrefixed, "\x09", incomplete, "\x09", ErrTooLarge},
		"a message of 2 GiB": {
			LengthPrefixed, "\xff\xff\xff\xff\x07", incomplete, "\xff\xff\xff\xff\x07", ErrTooLarge,
		},
		"a length over 2 GiB": {
			LengthPrefixed, "\xff\xff\xff\xff\x08", incomplete, "\xff\xff\xff\xff\x08", errLength,
		},
		"a length of six bytes": {
			LengthPrefixed, "\x80\x80\x80\x80\x80\x00", incomplete, "\x80\x80\x80\x80\x80\x00", errLength,
		},
		"a length that is not yet broken": {LengthPrefixed, "\x80\x80\x80\x80", incomplete, "\x80\x80\x80\x80", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seen := range max(1, len(c.b)) {
				if strings.IndexByte(c.b, RecordSeparator) >= 0 && seen > strings.IndexByte(c.b, RecordSeparator) {
					break
				}
				msg, rest, err := NextMessageFrom(c.framing, []byte(c.b), seen, 8)
				got := string(msg)
				if msg == nil {
					got = incomplete
				}
				if got != c.msg || string(rest) != c.rest || !errors.Is(err, c.err) {
					t.Errorf("seen %d: want %q, %q, %v, got %q, %q, %v", seen, c.msg, c.rest, c.err, got, rest, err)
				}
			}
		})
	}
}

func TestParseHandshake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want Handshake
		n    int
		err  bool
	}{
		"any order": {
			`{"version":2,"protocol":"messagepack"}` + "\x1e", Handshake{"messagepack", 2}, 39, false,
		},
		"white space": {
			" { \"protocol\" : \"json\" , \"version\" : 1 } \x1e{}", Handshake{"json", 1}, 42, false,
		},
		"unknown properties": {
			`{"a":[{}],"protocol":"json","version":1,"b":null}` + "\x1e", Handshake{"json", 1}, 50, false,
		},
		"unknown protocol": {`{"protocol":"foo","version":1}` + "\x1e", Handshake{"foo", 1}, 31, false},
		"version above all": {
			`{"protocol":"json","version":2147483647}` + "\x1e", Handshake{"json", 2147483647}, 41, false,
		},
		"incomplete":              {`{"protocol":"json","version":1}`, Handshake{}, 0, false},
		"nothing":                 {"", Handshake{}, 0, false},
		"empty record":            {"\x1e", Handshake{}, 1, true},
		"no protocol":             {`{"version":1}` + "\x1e", Handshake{}, 14, true},
		"no version":              {`{"protocol":"json"}` + "\x1e", Handshake{}, 20, true},
		"version a string":        {`{"protocol":"json","version":"1"}` + "\x1e", Handshake{}, 34, true},
		"version a fraction":      {`{"protocol":"json","version":1.0}` + "\x1e", Handshake{}, 34, true},
		"version over 32 bits":    {`{"protocol":"json","version":2147483648}` + "\x1e", Handshake{}, 41, true},
		"protocol null":           {`{"protocol":null,"version":1}` + "\x1e", Handshake{}, 30, true},
		"protocol a number":       {`{"protocol":1,"version":1}` + "\x1e", Handshake{}, 27, true},
		"an array":                {"[]\x1e", Handshake{}, 3, true},
		"not JSON":                {"GET /\x1e", Handshake{}, 6, true},
		"a ping before handshake": {`{"type":6}` + "\x1e", Handshake{}, 11, true},
		"cut in the object":       {`{"protocol":"json","version":1` + "\x1e", Handshake{}, 31, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, n, err := ParseHandshake([]byte(c.text))
			if got != c.want || n != c.n || (err != nil) != c.err {
				t.Errorf("want %+v, %d, error %v, got %+v, %d, %v", c.want, c.n, c.err, got, n, err)
			}
		})
	}
}

func TestHandshakeResponseError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record, text string
		isError      bool
	}{
		"accepted":              {"{}\x1e", "", false},
		"accepted, more behind": {"{}\x1e{\"type\":6}\x1e", "", false},
		"accepted with minor":   {`{"minorVersion":1}` + "\x1e", "", false},
		"accepted, null error":  {`{"error":null}` + "\x1e", "", false},
		"accepted, empty error": {`{"error":""}` + "\x1e", "", false},
		"refused":               {`{"error":"no \"way\""}` + "\x1e", `no "way"`, true},
		"refused with minor":    {`{"minorVersion":0,"error":"no"}` + "\x1e", "no", true},
		"without a separator":   {`{"error":"no"}`, "no", true},
		"error of another type": {`{"error":{}}` + "\x1e", "", true},
		"not an object":         {"[]\x1e", "", true},
		"not JSON":              {"{\x1e", "", true},
		"nothing":               {"", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, isError := HandshakeResponseError([]byte(c.record)); text != c.text || isError != c.isError {
				t.Errorf("want %q, %v, got %q, %v", c.text, c.isError, text, isError)
			}
		})
	}
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, p := range []Protocol{JSON, MessagePack} {
		if got, ok := ParseProtocol(strings.ToUpper(p.String())); !ok || got != p {
			t.Errorf("want %v, got %v, %v", p, got, ok)
		}
	}
	if _, ok := ParseProtocol("blazorpack"); ok {
		t.Error("want no protocol of another name")
	}
	if JSON.Framing() != TextRecords || MessagePack.Framing() != LengthPrefixed {
		t.Error("wrong framing")
	}
}
