package service

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestNextFrame(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 300)
	for name, tt := range map[string]struct {
		in         string
		limit      int
		body, rest []byte
	}{
		"nothing":                                {"", 0, nil, []byte{}},
		"cuts one frame and leaves the rest":     {"029103" + "0291", 0, []byte{0x91, 3}, []byte{2, 0x91}},
		"waits for the body":                     {"0291", 0, nil, []byte{2, 0x91}},
		"waits for the length":                   {"80", 0, nil, []byte{0x80}},
		"waits for the fifth byte of the length": {"ffffffff", 0, nil, []byte{0xff, 0xff, 0xff, 0xff}},
		"waits for the largest body":             {"ffffffff0701", 0, nil, []byte{0xff, 0xff, 0xff, 0xff, 7, 1}},
		"cuts an empty frame":                    {"0001", 0, []byte{}, []byte{1}},
		"takes a length in more bytes than due":  {"82808080009103", 0, []byte{0x91, 3}, []byte{}},
		"takes a body of exactly the limit":      {"029103", 2, []byte{0x91, 3}, []byte{}},
		"reads the low bits of the length first": {"ac02" + hexOf(long), 0, long, []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			in := unhex(t, tt.in)
			body, rest, err := NextFrame(in, tt.limit)
			if err != nil || !bytes.Equal(body, tt.body) || (body == nil) != (tt.body == nil) || !bytes.Equal(rest, tt.rest) {
				t.Errorf("want %x and %x, got %x and %x, error %v", tt.body, tt.rest, body, rest, err)
			}
			if cap(body) != len(body) {
				t.Error("an append to the body would write into the next frame")
			}
		})
	}
}

func TestNextFrameErrors(t *testing.T) {
	for name, in := range map[string]string{
		"a fifth byte of 8":          "ffffffff08",
		"a sixth byte":               "808080808000",
		"a fifth byte that goes on":  "8080808080",
		"a length far beyond 32 bit": "ffffffffffffffffff01",
	} {
		t.Run(name, func(t *testing.T) {
			body, _, err := NextFrame(unhex(t, in), 0)
			if !errors.Is(err, ErrFrameLength) || body != nil {
				t.Errorf("want %v, got %x, %v", ErrFrameLength, body, err)
			}
		})
	}
	t.Run("names a body above the limit before it has arrived", func(t *testing.T) {
		body, _, err := NextFrame([]byte{0x80, 0x80, 0x40}, 1<<20-1)
		var tooLarge *FrameTooLargeError
		if !errors.As(err, &tooLarge) || *tooLarge != (FrameTooLargeError{1 << 20, 1<<20 - 1}) || body != nil {
			t.Fatalf("got %x, %v", body, err)
		}
		if want := "frame of 1048576 bytes exceeds the limit of 1048575"; err.Error() != want {
			t.Errorf("want %q, got %q", want, err)
		}
	})
}

func TestAppendFramesBodiesOfEveryLengthPrefix(t *testing.T) {
	for _, n := range []int{
		0, 1, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 250, 16370, 16375, 16380, 16384, 70000, 1 << 21,
	} {
		payload := slices.Repeat([]byte{0xab}, n)
		m := &ConnectionData{ConnectionID: "c", Payload: payload}
		body := AppendBody(nil, m)
		frame := Append([]byte{1, 2, 3}, m)
		cut, rest, err := NextFrame(frame[3:], 0)
		if err != nil || !bytes.Equal(cut, body) || len(rest) != 0 || !bytes.Equal(frame[:3], []byte{1, 2, 3}) {
			t.Errorf("%d bytes: does not read back: %v", n, err)
		}
		if got := AppendConnectionData([]byte{1, 2, 3}, "c", payload); !bytes.Equal(got, frame) {
			t.Errorf("%d bytes: AppendConnectionData differs from Append", n)
		}
		m.IsPartial = true
		if got := AppendPartialConnectionData(nil, "c", payload); !bytes.Equal(got, Append(nil, m)) {
			t.Errorf("%d bytes: AppendPartialConnectionData differs from Append", n)
		}
	}
	long := string(slices.Repeat([]byte("i"), 300))
	if got := AppendConnectionData(nil, long, nil); !bytes.Equal(got, Append(nil, &ConnectionData{ConnectionID: long})) {
		t.Error("a long connection id: AppendConnectionData differs from Append")
	}
}

func FuzzNextFrame(f *testing.F) {
	for _, v := range loadVectors(f) {
		f.Add(unhex(f, v.Framed), 0)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 7}, 10)
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80}, 10)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		body, rest, err := NextFrame(in, limit)
		switch {
		case err != nil || body == nil:
			if body != nil || len(rest) != len(in) {
				t.Fatalf("no frame, but body %x and %d of %d bytes left", body, len(rest), len(in))
			}
			if err == nil {
				return
			}
			var tooLarge *FrameTooLargeError
			if errors.As(err, &tooLarge) == errors.Is(err, ErrFrameLength) {
				t.Fatalf("unexpected error %v", err)
			}
		case limit > 0 && len(body) > limit:
			t.Fatalf("%d bytes, limit %d", len(body), limit)
		default:
			if !bytes.HasSuffix(in, append(bytes.Clone(body), rest...)) {
				t.Fatalf("body %x and rest %x are no end of the input", body, rest)
			}
			again, rest, err := NextFrame(append(appendLength(nil, len(body)), body...), limit)
			if err != nil || !bytes.Equal(again, body) || len(rest) != 0 {
				t.Fatalf("does not frame again: %x, %v", again, err)
			}
		}
	})
}
