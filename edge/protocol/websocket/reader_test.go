package websocket

import (
	"bytes"
	"testing"
	"unsafe"
)

func TestReaderIsSmall(t *testing.T) {
	t.Parallel()
	// One lives in every connection: 8 bytes more are 8 MB at a million connections.
	if got := unsafe.Sizeof(Reader{}); got > 40 {
		t.Errorf("want a Reader of at most 40 bytes, got %d", got)
	}
}

func TestDataIsUnmaskedInPlace(t *testing.T) {
	t.Parallel()
	stream := client{}.text("Hello").text("again")
	r := NewReader(true, 0)
	ev, rest, err := r.Next(stream)
	if err != nil || string(ev.Payload) != "Hello" || !ev.Final {
		t.Fatalf("want the whole first message, got %+v, %v", ev, err)
	}
	if &ev.Payload[0] != &stream[6] || cap(ev.Payload) != len("Hello") {
		t.Error("want a view of the input that cannot be appended into what follows")
	}
	if &rest[0] != &stream[11] {
		t.Error("want the rest to be the second frame")
	}
	if ev, rest, err = r.Next(rest); err != nil || string(ev.Payload) != "again" || len(rest) != 0 {
		t.Fatalf("want the second message, got %+v, %d left, %v", ev, len(rest), err)
	}
}

func TestChunksAreGivenOutAsTheyCome(t *testing.T) {
	t.Parallel()
	stream := client{}.text("Hello, world")
	r := NewReader(true, 0)
	for _, step := range []struct {
		piece []byte
		want  string
		final bool
	}{
		{stream[:6], "", false}, {stream[6:9], "Hel", false}, {stream[9:16], "lo, wor", false}, {stream[16:], "ld", true},
	} {
		ev, rest, err := r.Next(step.piece)
		if err != nil || string(ev.Payload) != step.want || ev.Final != step.final || len(rest) != 0 {
			t.Errorf("want %q (final %v), got %+v, %d left, %v", step.want, step.final, ev, len(rest), err)
		}
	}
	if r.control != nil {
		t.Error("want no buffer for data")
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	stream := client{}.begin("ab").end("c")
	r := NewReader(true, 0)
	for i := range stream {
		if want := i == 0; r.Idle() != want {
			t.Fatalf("after %d bytes: want Idle %v", i, want)
		}
		if _, _, err := r.Next(stream[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if !r.Idle() {
		t.Error("want Idle at the end of the message")
	}
}

// TestUnmask compares with one byte at a time, at every length up to 100 and every position of the key.
func TestUnmask(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. "), 3)
	for n := range 101 {
		for first := range n + 1 {
			got := bytes.Clone(data[:n])
			const key = 0x3D21FA37 // testKey
			turned := unmask(got[:first], key)
			unmask(got[first:], turned)
			for i := range got {
				if want := data[i] ^ testKey[i%4]; got[i] != want {
					t.Fatalf("%d bytes cut at %d: want %#x at %d, got %#x", n, first, want, i, got[i])
				}
			}
		}
	}
}

// FuzzReader wants no panic, the same messages and error byte by byte as whole, and no message that breaks the rules.
func FuzzReader(f *testing.F) {
	for _, stream := range []client{
		client{}.text("Hello").ping("p").close("\x03\xE8bye"),
		client{}.begin(kosme).ping("").more("\xE2\x82").end("\xAC"),
		client{}.binary(string(bytes.Repeat([]byte{1}, 300))),
		client{}.text("\xED\xA0\x80"),
		client{}.bits(0x40, OpText, "x"),
		{0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255},
		{0x82, 0xFE, 0, 125, 1, 2, 3, 4},
		client(AppendFrame(nil, OpText, []byte("server"))),
		client(AppendClose(nil, CodeTooBig, "reason")),
		client{}.close("\x03"),
	} {
		f.Add([]byte(stream), true, 13)
		f.Add([]byte(stream), false, 1)
	}
	f.Fuzz(func(t *testing.T, stream []byte, masked bool, n int) {
		if len(stream) == 0 {
			return
		}
		fresh := func() *Reader { r := NewReader(masked, 1000); return &r }
		want := transcript(fresh(), [][]byte{bytes.Clone(stream)})
		for _, size := range []int{1, max(1, n)} {
			got := transcript(fresh(), each(stream, size))
			if len(got) != len(want) {
				t.Fatalf("in pieces of %d: want %q, got %q", size, want, got)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("in pieces of %d: want %q, got %q", size, want, got)
				}
			}
		}
	})
}
