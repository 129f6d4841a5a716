package service

import "testing"

func BenchmarkDecodeConnectionData(b *testing.B) {
	body := AppendBody(nil, &ConnectionData{
		ConnectionID: "rBZedl-NkjxGrSRKGHrs1A", Payload: make([]byte, 100), DataType: DataInvocation,
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBroadcastData(b *testing.B) {
	body := AppendBody(nil, &BroadcastData{Payloads: Payloads{
		{"json", make([]byte, 100)}, {"messagepack", make([]byte, 80)},
	}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendConnectionData(b *testing.B) {
	dst, payload := make([]byte, 0, 4096), make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		AppendConnectionData(dst, "rBZedl-NkjxGrSRKGHrs1A", payload)
	}
}
