//go:build !race

package hub

import (
	"strings"
	"testing"
)

var (
	filler     = strings.Repeat("x", 2000)
	javaScript = []byte(`{"arguments":["` + filler + `"],"invocationId":"0","target":"Echo","type":1}` + "\x1e")
	dotNet     = []byte(`{"type":1,"invocationId":"0","target":"Echo","arguments":["` + filler + `"]}` + "\x1e")
	between    = []byte(`{"arguments":["` + filler + `"],"type":1,"target":"Echo"}` + "\x1e")
	packed     = AppendInvocation(nil, MessagePack, "0", "Echo", []byte("\x91\xda\x07\xd0"+filler))
)

func TestNothingIsAllocated(t *testing.T) {
	dst := make([]byte, 0, 8192)
	for name, f := range map[string]func(){
		"type last":     func() { _, _ = TypeOf(JSON, javaScript) },
		"type first":    func() { _, _ = TypeOf(JSON, dotNet) },
		"type between":  func() { _, _ = TypeOf(JSON, between) },
		"packed type":   func() { _, _ = TypeOf(MessagePack, packed) },
		"next message":  func() { _, _, _ = NextMessage(TextRecords, javaScript, 1<<20) },
		"write ping":    func() { dst = AppendPing(dst[:0], JSON) },
		"write close":   func() { dst = AppendClose(dst[:0], MessagePack, "gone", true) },
		"write message": func() { dst = AppendInvocation(dst[:0], MessagePack, "1", "Echo", packed[20:]) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: want no allocation, got %v", name, got)
		}
	}
}

func BenchmarkTypeOf(b *testing.B) {
	for name, c := range map[string]struct {
		p   Protocol
		msg []byte
	}{
		"JavaScript": {
			JSON, javaScript,
		}, ".NET": {JSON, dotNet}, "scan of 2 KiB": {JSON, between}, "MessagePack": {MessagePack, packed},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.msg)))
			for b.Loop() {
				if t, err := TypeOf(c.p, c.msg); t != TypeInvocation || err != nil {
					b.Fatal(t, err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, c := range map[string]struct {
		p   Protocol
		msg []byte
	}{"JSON": {JSON, javaScript}, "MessagePack": {MessagePack, packed}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.msg)))
			for b.Loop() {
				if _, err := Decode(c.p, c.msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
