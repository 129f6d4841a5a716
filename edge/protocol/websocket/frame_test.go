package websocket

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func TestFramesOfTheRFC(t *testing.T) {
	t.Parallel()
	// The examples of RFC 6455 section 5.7.
	zeros := make([]byte, 65536)
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"unmasked text": {AppendFrame(nil, OpText, []byte("Hello")), "810548656c6c6f"},
		"masked text":   {AppendMaskedFrame(nil, OpText, true, []byte("Hello"), testKey), "818537fa213d7f9f4d5158"},
		"first fragment, masked": {
			AppendMaskedFrame(nil, OpText, false, []byte("Hel"), [4]byte{}), "018300000000" + "48656c",
		},
		"unmasked ping": {AppendFrame(nil, OpPing, []byte("Hello")), "890548656c6c6f"},
		"masked pong": {
			AppendMaskedFrame(nil, OpPong, true, []byte("Hello"), testKey), "8a8537fa213d7f9f4d5158",
		},
		"header of 125 bytes":    {AppendHeader(nil, OpBinary, 125), "827d"},
		"header of 126 bytes":    {AppendHeader(nil, OpBinary, 126), "827e007e"},
		"header of 256 bytes":    {AppendHeader(nil, OpBinary, 256), "827e0100"},
		"header of 65,535 bytes": {AppendHeader(nil, OpBinary, 65535), "827effff"},
		"header of 65,536 bytes": {AppendHeader(nil, OpBinary, 65536), "827f0000000000010000"},
		"masked header of 65,536": {
			AppendMaskedFrame(nil, OpBinary, true, zeros, testKey)[:14], "82ff000000000001000037fa213d",
		},
		"close with code and reason": {AppendClose(nil, CodeNormal, "ok"), "880403e86f6b"},
		"close with code":            {AppendClose(nil, CodeTooBig, ""), "880203f1"},
		"close without code":         {AppendClose(nil, CodeNoStatus, "not sent"), "8800"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: want %s, got %s", name, c.want, got)
		}
	}
}

func TestPutHeaderEqualsAppendHeader(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 24} {
		var header [10]byte
		size := PutHeader(header[:], OpBinary, n)
		if want := AppendHeader(nil, OpBinary, n); size != HeaderSize(n) || !bytes.Equal(header[:size], want) {
			t.Errorf("%d bytes: want % x, got % x", n, want, header[:size])
		}
	}
}

func TestMaskingLeavesThePayload(t *testing.T) {
	t.Parallel()
	payload := []byte("0123456789abcdef")
	AppendMaskedFrame(make([]byte, 0, 100), OpText, true, payload, testKey)
	if string(payload) != "0123456789abcdef" {
		t.Errorf("payload changed to %q", payload)
	}
}

func TestLongCloseReasonIsCutAtARune(t *testing.T) {
	t.Parallel()
	r := NewReader(false, 0)
	ev, _, err := r.Next(AppendClose(nil, CodeNormal, strings.Repeat("€", 50)))
	if err != nil || string(ev.Payload) != strings.Repeat("€", 41) { // 41 × 3 = 123 bytes
		t.Errorf("want 41 runes, got %q, %v", ev.Payload, err)
	}
	ev, _, err = r2(AppendClose(nil, CodeNormal, "x"+strings.Repeat("€", 50)))
	if err != nil || string(ev.Payload) != "x"+strings.Repeat("€", 40) {
		t.Errorf("want x and 40 runes, got %q, %v", ev.Payload, err)
	}
}

func r2(b []byte) (Event, []byte, error) {
	r := NewReader(false, 0)
	return r.Next(b)
}
