//go:build !race

package websocket

import (
	"bytes"
	"strings"
	"testing"
)

func TestNothingIsAllocated(t *testing.T) {
	stream := client{}.begin(kosme).ping("p").end(strings.Repeat("x", 1000)).binary("\x00").close("\x03\xE8bye")
	bad := client{}.bits(0x40, OpText, "x")
	scratch := make([]byte, len(stream))
	dst := make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"reading whole frames": func() {
			copy(scratch, stream)
			r := NewReader(true, 0)
			for b := scratch; len(b) > 0; {
				var err error
				if _, b, err = r.Next(b); err != nil {
					t.Fatal(err)
				}
			}
		},
		"reading data byte by byte": func() {
			copy(scratch, stream)
			r := NewReader(true, 0)
			for i := range 20 {
				if _, _, err := r.Next(scratch[i : i+1]); err != nil && i < 17 {
					t.Fatal(err)
				}
			}
		},
		"refusing": func() {
			copy(scratch, bad)
			r := NewReader(true, 0)
			if _, _, err := r.Next(scratch[:len(bad)]); err == nil {
				t.Fatal("want an error")
			}
		},
		"appending frames": func() {
			dst = AppendFrame(dst[:0], OpText, stream)
			dst = AppendMaskedFrame(dst, OpText, true, stream, testKey)
			dst = AppendClose(dst, CodeNormal, "bye")
		},
		"answering an upgrade": func() { dst = AppendUpgradeResponse(dst[:0], "dGhlIHNhbXBsZSBub25jZQ==") },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: want no allocation, got %v", name, got)
		}
	}
}

func TestSplitControlFrameAllocatesOnce(t *testing.T) {
	stream := client{}.ping("0123456789")
	scratch := make([]byte, len(stream))
	got := testing.AllocsPerRun(100, func() {
		copy(scratch, stream)
		r := NewReader(true, 0)
		for i := range scratch {
			if _, _, err := r.Next(scratch[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if r.control != nil {
			t.Fatal("want the buffer dropped with its event")
		}
	})
	if got != 1 {
		t.Errorf("want one allocation, got %v", got)
	}
}

func BenchmarkReader(b *testing.B) {
	for name, n := range map[string]int{"100 B": 100, "2 KiB": 2048, "64 KiB": 65536} {
		b.Run(name, func(b *testing.B) {
			stream := []byte(client{}.text(strings.Repeat("x", n)))
			scratch := bytes.Clone(stream)
			b.SetBytes(int64(n))
			for b.Loop() {
				copy(scratch, stream)
				r := NewReader(true, 0)
				if _, _, err := r.Next(scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
