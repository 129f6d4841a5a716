package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testKey has four different bytes, so that a key turned wrongly is seen.
var testKey = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// client builds the byte stream of a client, frame by frame.
type client []byte

func (c client) frame(op Opcode, fin bool, payload string) client {
	return AppendMaskedFrame(c, op, fin, []byte(payload), testKey)
}

func (c client) text(payload string) client   { return c.frame(OpText, true, payload) }
func (c client) binary(payload string) client { return c.frame(OpBinary, true, payload) }
func (c client) ping(payload string) client   { return c.frame(OpPing, true, payload) }
func (c client) begin(payload string) client  { return c.frame(OpText, false, payload) }
func (c client) more(payload string) client   { return c.frame(OpContinuation, false, payload) }
func (c client) end(payload string) client    { return c.frame(OpContinuation, true, payload) }
func (c client) close(payload string) client  { return c.frame(OpClose, true, payload) }

// bits sets bits of the first byte of a small frame.
func (c client) bits(bits byte, op Opcode, payload string) client {
	start := len(c)
	c = c.frame(op, true, payload)
	c[start] |= bits
	return c
}

// show writes what a frame or message is in a form that also holds a megabyte.
func show(name string, payload []byte) string {
	if len(payload) > 200 {
		return fmt.Sprintf("%s of %d bytes, crc %08x", name, len(payload), crc32.ChecksumIEEE(payload))
	}
	return fmt.Sprintf("%s %q", name, payload)
}

// transcript reads pieces of a stream and writes down whole messages and control frames, and the error that ends it.
func transcript(r *Reader, pieces [][]byte) []string {
	got := []string{}
	var message []byte
	for _, piece := range pieces {
		for len(piece) > 0 {
			ev, rest, err := r.Next(piece)
			if err != nil {
				violation, ok := errors.AsType[*ProtocolError](err)
				if !ok {
					return append(got, "foreign error: "+err.Error())
				}
				return append(got, fmt.Sprintf("error %d", violation.Code))
			}
			piece = rest
			switch ev.Kind {
			case None:
			case Data:
				message = append(message, ev.Payload...)
				if ev.Final {
					got = append(got, show(map[Opcode]string{OpText: "text", OpBinary: "binary"}[ev.Opcode], message))
					message = nil
				}
			case Ping:
				got = append(got, show("ping", ev.Payload))
			case Pong:
				got = append(got, show("pong", ev.Payload))
			case Close:
				got = append(got, fmt.Sprintf("close %d %q", ev.Code, ev.Payload))
			}
		}
	}
	return got
}

// each cuts a copy of b, as a Reader changes what it reads, into pieces of n bytes.
func each(b []byte, n int) [][]byte {
	return slices.Collect(slices.Chunk(bytes.Clone(b), n))
}

// readAllWays reads a stream whole, byte by byte, in thirteens, and if it is short cut in two at every place.
func readAllWays(t *testing.T, fresh func() Reader, stream []byte, want []string) {
	t.Helper()
	ways := map[string][][]byte{
		"whole": {bytes.Clone(stream)}, "byte by byte": each(stream, 1), "thirteens": each(stream, 13),
	}
	if len(stream) <= 300 {
		for i := 1; i < len(stream); i++ {
			b := bytes.Clone(stream)
			ways[fmt.Sprintf("cut at %d", i)] = [][]byte{b[:i], b[i:]}
		}
	}
	for way, pieces := range ways {
		r := fresh()
		if diff := cmp.Diff(want, transcript(&r, pieces)); diff != "" {
			t.Errorf("%s: transcript (-want +got):\n%s", way, diff)
		}
	}
}

func fromClient() Reader { return NewReader(true, 0) }

type streamCase struct {
	stream client
	want   []string
}

func runCases(t *testing.T, cases map[string]streamCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readAllWays(t, fromClient, c.stream, c.want)
		})
	}
}

var (
	protocolError = []string{"error 1002"}
	notUTF8       = []string{"error 1007"}
)

// TestFraming is family 1 of the Autobahn suite: payloads of every length form, text and binary.
func TestFraming(t *testing.T) {
	t.Parallel()
	cases := map[string]streamCase{}
	for i, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536, 70000} {
		payload := strings.Repeat("*", n)
		cases[fmt.Sprintf("1.1.%d takes text of %d bytes", i, n)] = streamCase{
			client{}.text(payload), []string{show("text", []byte(payload))},
		}
		payload = strings.Repeat("\xFE", n)
		cases[fmt.Sprintf("1.2.%d takes %d bytes", i, n)] = streamCase{
			client{}.binary(payload), []string{show("binary", []byte(payload))},
		}
	}
	runCases(t, cases)
}

// TestPings is family 2.
func TestPings(t *testing.T) {
	t.Parallel()
	ten, tenPings := client{}, make([]string, 0, 10)
	for i := range 10 {
		ten = ten.ping(fmt.Sprint("payload-", i))
		tenPings = append(tenPings, fmt.Sprintf("ping %q", fmt.Sprint("payload-", i)))
	}
	full := strings.Repeat("\xFE", 125)
	runCases(t, map[string]streamCase{
		"2.1 takes an empty ping":         {client{}.ping(""), []string{`ping ""`}},
		"2.2 takes a ping of text":        {client{}.ping("Hello, world!"), []string{`ping "Hello, world!"`}},
		"2.3 takes a ping of bytes":       {client{}.ping("\x00\xFF\xFE\xFD"), []string{`ping "\x00\xff\xfe\xfd"`}},
		"2.4 takes a ping of 125 bytes":   {client{}.ping(full), []string{show("ping", []byte(full))}},
		"2.5 refuses a ping of 126 bytes": {client{}.ping(full + "x"), protocolError},
		"2.6 refuses a ping of 65,536":    {client{}.ping(strings.Repeat("x", 65536)), protocolError},
		"2.7 takes an unasked empty pong": {client{}.frame(OpPong, true, ""), []string{`pong ""`}},
		"2.8 takes an unasked pong":       {client{}.frame(OpPong, true, "unasked"), []string{`pong "unasked"`}},
		"2.9 takes a pong, then a ping":   {client{}.frame(OpPong, true, "u").ping("p"), []string{`pong "u"`, `ping "p"`}},
		"2.10 takes ten pings in a row":   {ten, tenPings},
		"2.11 takes text between pings": {
			client{}.ping("a").text("b").ping("c"), []string{`ping "a"`, `text "b"`, `ping "c"`},
		},
		"2.12 refuses a long pong as well": {client{}.frame(OpPong, true, full+"x"), protocolError},
	})
}

// TestReservedBits is family 3: no extension is ever negotiated, so no reserved bit means anything.
func TestReservedBits(t *testing.T) {
	t.Parallel()
	runCases(t, map[string]streamCase{
		"3.1 refuses RSV3": {client{}.bits(0x10, OpText, "Hello"), protocolError},
		"3.2 refuses RSV2 after a message": {
			client{}.text("a").bits(0x20, OpText, "b"), []string{`text "a"`, "error 1002"},
		},
		"3.3 refuses RSV2 and RSV3": {
			client{}.text("a").bits(0x30, OpText, "b"), []string{`text "a"`, "error 1002"},
		},
		"3.4 refuses RSV1 (no compression)": {
			client{}.text("a").bits(0x40, OpText, "b"), []string{`text "a"`, "error 1002"},
		},
		"3.5 refuses RSV1 on bytes":         {client{}.bits(0x50, OpBinary, "\x00"), protocolError},
		"3.6 refuses RSV1 on a ping":        {client{}.bits(0x60, OpPing, "x"), protocolError},
		"3.7 refuses all of them on close":  {client{}.bits(0x70, OpClose, ""), protocolError},
		"3.8 refuses one on a continuation": {client{}.begin("a").bits(0x40, OpContinuation, "b"), protocolError},
	})
}

// TestOpcodes is family 4.
func TestOpcodes(t *testing.T) {
	t.Parallel()
	cases := map[string]streamCase{}
	for _, op := range []Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases[fmt.Sprintf("4 refuses opcode %d", op)] = streamCase{client{}.bits(0, op, ""), protocolError}
		cases[fmt.Sprintf("4 refuses opcode %d after a message", op)] = streamCase{
			client{}.text("a").bits(0, op, "payload").ping(""), []string{`text "a"`, "error 1002"},
		}
	}
	runCases(t, cases)
}

// TestFragmentation is family 5.
func TestFragmentation(t *testing.T) {
	t.Parallel()
	joined := `text "fragment1fragment2"`
	interleaved, pings := client{}.begin("a"), make([]string, 0, 6)
	for i := range 5 {
		interleaved = interleaved.ping(fmt.Sprint(i)).more("b")
		pings = append(pings, fmt.Sprintf("ping \"%d\"", i))
	}
	runCases(t, map[string]streamCase{
		"5.1 refuses a ping in fragments": {client{}.frame(OpPing, false, "a").end("b"), protocolError},
		"5.2 refuses a pong in fragments": {client{}.frame(OpPong, false, "a").end("b"), protocolError},
		"5.3 joins two fragments":         {client{}.begin("fragment1").end("fragment2"), []string{joined}},
		"5.6 takes a ping between fragments": {
			client{}.begin("fragment1").ping("p").end("fragment2"), []string{`ping "p"`, joined},
		},
		"5.9 refuses a continuation of nothing":        {client{}.end("a").text("b"), protocolError},
		"5.12 refuses an unfinished one of nothing":    {client{}.more("a").text("b"), protocolError},
		"5.13 refuses a continuation behind a message": {client{}.text("a").end("b"), []string{`text "a"`, "error 1002"}},
		"5.15 refuses one more behind the last fragment": {
			client{}.begin("fragment1").end("fragment2").more("x"), []string{joined, "error 1002"},
		},
		"5.18 refuses text inside text":           {client{}.begin("a").text("b"), protocolError},
		"5.18b refuses binary inside text":        {client{}.begin("a").binary("b"), protocolError},
		"5.19 takes pings between five fragments": {interleaved.end("c"), append(pings, `text "abbbbbc"`)},
		"6.1.2 joins three empty fragments":       {client{}.begin("").more("").end(""), []string{`text ""`}},
		"6.1.3 takes an empty first and last fragment": {
			client{}.begin("").more("middle").end(""), []string{`text "middle"`},
		},
		"5.20 takes binary in fragments": {
			client{}.frame(OpBinary, false, "\xFF").more("\xFE").end("\xFD"), []string{`binary "\xff\xfe\xfd"`},
		},
		"5.21 takes close inside a fragmented message": {
			client{}.begin("a").close("\x03\xE8").end("b"), []string{`close 1000 ""`},
		},
	})
}

// TestCloseHandling is family 7.
func TestCloseHandling(t *testing.T) {
	t.Parallel()
	reason := strings.Repeat("*", 123)
	cases := map[string]streamCase{
		"7.1.1 takes text, then close": {
			client{}.text("a").close("\x03\xE8"), []string{`text "a"`, `close 1000 ""`},
		},
		"7.1.2 takes the first of two closes": {client{}.close("\x03\xE8").close("\x03\xE9"), []string{`close 1000 ""`}},
		"7.1.3 ignores a ping behind close":   {client{}.close("\x03\xE8").ping("a"), []string{`close 1000 ""`}},
		"7.1.4 ignores text behind close":     {client{}.close("\x03\xE8").text("a"), []string{`close 1000 ""`}},
		"7.1.6 ignores rubbish behind close": {
			append(client{}.close("\x03\xE8"), "\xFF\xFF\xFF"...), []string{`close 1000 ""`},
		},
		"7.3.1 takes an empty close":        {client{}.close(""), []string{`close 1005 ""`}},
		"7.3.2 refuses a close of one byte": {client{}.close("a"), protocolError},
		"7.3.3 takes a code alone":          {client{}.close("\x03\xE8"), []string{`close 1000 ""`}},
		"7.3.4 takes a code and a reason":   {client{}.close("\x03\xE8Hello"), []string{`close 1000 "Hello"`}},
		"7.3.5 takes a reason of 123 bytes": {
			client{}.close("\x03\xE8" + reason), []string{fmt.Sprintf("close 1000 %q", reason)},
		},
		"7.3.6 refuses a reason of 124 bytes":   {client{}.close("\x03\xE8" + reason + "x"), protocolError},
		"7.3.7 refuses a close in fragments":    {client{}.frame(OpClose, false, "\x03\xE8"), protocolError},
		"7.5.1 refuses a reason not in UTF-8":   {client{}.close("\x03\xE8\xCE\xBA\xE1\xBD\xB9\xED\xA0\x80"), notUTF8},
		"7.5.2 refuses a reason cut in a rune":  {client{}.close("\x03\xE8abc\xE2\x82"), notUTF8},
		"7.5.3 takes a reason beyond ASCII":     {client{}.close("\x03\xE8\u20ac"), []string{`close 1000 "€"`}},
		"7.13 reads nothing behind a violation": {client{}.bits(0x40, OpText, "a").text("b"), protocolError},
	}
	valid := []Code{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}
	for _, code := range valid {
		cases[fmt.Sprintf("7.7 takes code %d", code)] = streamCase{
			client{}.close(string([]byte{byte(code >> 8), byte(code)})), []string{fmt.Sprintf(`close %d ""`, code)},
		}
	}
	for _, code := range []Code{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases[fmt.Sprintf("7.9 refuses code %d", code)] = streamCase{
			client{}.close(string([]byte{byte(code >> 8), byte(code)})), protocolError,
		}
	}
	runCases(t, cases)
}

// TestHeaders is what the Autobahn suite takes for granted.
func TestHeaders(t *testing.T) {
	t.Parallel()
	long := func(first, second byte, length ...byte) client {
		return append(append(client{first, second}, length...), testKey[:]...)
	}
	runCases(t, map[string]streamCase{
		"refuses a frame without mask":                {AppendFrame(nil, OpText, []byte("a")), protocolError},
		"refuses an empty frame without mask":         {AppendFrame(nil, OpText, nil), protocolError},
		"refuses 125 bytes announced with 16 bits":    {long(0x82, 0xFE, 0, 125), protocolError},
		"refuses 65,535 bytes announced with 64 bits": {long(0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF), protocolError},
		"refuses no bytes announced with 64 bits":     {long(0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0), protocolError},
		"refuses a length with the top bit":           {long(0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0), protocolError},
		"refuses the longest length as too big": {
			long(0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255), []string{"error 1009"},
		},
		"refuses a ping announced with 16 bits":         {long(0x89, 0xFE, 0, 5), protocolError},
		"refuses one byte over 16 MiB at the header":    {long(0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 1), []string{"error 1009"}},
		"announces nothing for 16 MiB that do not come": {long(0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0), []string{}},
		"announces nothing for half a header":           {client{0x82}, []string{}},
		"announces nothing for half a ping":             {client{}.ping("Hello")[:8], []string{}},
	})
}

func TestMaximum(t *testing.T) {
	t.Parallel()
	small := func() Reader { return NewReader(true, 10) }
	for name, c := range map[string]streamCase{
		"takes a message of just the maximum": {client{}.text("0123456789"), []string{`text "0123456789"`}},
		"refuses one byte more":               {client{}.text("0123456789a"), []string{"error 1009"}},
		"takes fragments up to the maximum": {
			client{}.begin("01234").more("56").end("789"), []string{`text "0123456789"`},
		},
		"refuses fragments over the maximum": {client{}.begin("01234").more("5678").end("9a"), []string{"error 1009"}},
		"counts each message for itself": {
			client{}.text("0123456789").text("0123456789"), []string{`text "0123456789"`, `text "0123456789"`},
		},
		"does not count control frames": {
			client{}.begin("01234").ping("0123456789ab").end("56789"), []string{`ping "0123456789ab"`, `text "0123456789"`},
		},
		"takes control frames over the maximum": {client{}.ping("0123456789ab"), []string{`ping "0123456789ab"`}},
		"takes empty fragments behind the maximum": {
			client{}.begin("0123456789").more("").end(""), []string{`text "0123456789"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readAllWays(t, small, c.stream, c.want)
		})
	}
}

func TestServerFrames(t *testing.T) {
	t.Parallel()
	fromServer := func() Reader { return NewReader(false, 0) }
	stream := AppendFrame(nil, OpText, []byte("Hello"))
	stream = AppendFrame(stream, OpPing, []byte("p"))
	stream = AppendFrame(stream, OpBinary, bytes.Repeat([]byte{7}, 130))
	stream = AppendClose(stream, CodeGoingAway, "bye")
	readAllWays(t, fromServer, stream, []string{
		`text "Hello"`, `ping "p"`, show("binary", bytes.Repeat([]byte{7}, 130)), `close 1001 "bye"`,
	})
	readAllWays(t, fromServer, client{}.text("a"), protocolError)
}
