//go:build !race

package service

import "testing"

func TestAppendDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 4096)
	payload := make([]byte, 2048)
	for name, run := range map[string]func(){
		"AppendConnectionData":        func() { AppendConnectionData(dst, "connection", payload) },
		"AppendPartialConnectionData": func() { AppendPartialConnectionData(dst, "connection", payload) },
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: want 0 allocations, got %v", name, got)
		}
	}
	for _, s := range samples() {
		if got := testing.AllocsPerRun(100, func() { Append(dst, s.m) }); got != 0 {
			t.Errorf("Append of %v: want 0 allocations, got %v", s.m.Type(), got)
		}
	}
}

func TestDecodeAllocatesOnlyWhatItReturns(t *testing.T) {
	data := AppendBody(nil, &ConnectionData{ConnectionID: "connection", Payload: make([]byte, 2048)})
	if got := testing.AllocsPerRun(100, func() { _, _ = Decode(data) }); got != 2 { // the message and its id
		t.Errorf("ConnectionData: want 2 allocations, got %v", got)
	}
	broadcast := AppendBody(nil, &BroadcastData{Payloads: Payloads{{"json", data}, {"messagepack", data}}})
	if got := testing.AllocsPerRun(100, func() { _, _ = Decode(broadcast) }); got != 3 { // and the decoder
		t.Errorf("BroadcastData: want 3 allocations, got %v", got)
	}
	frame := Append(nil, &Ping{})
	if got := testing.AllocsPerRun(100, func() { _, _, _ = NextFrame(frame, 0) }); got != 0 {
		t.Errorf("NextFrame: want 0 allocations, got %v", got)
	}
}
