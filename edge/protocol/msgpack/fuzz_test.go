package msgpack

import (
	"errors"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// FuzzSkip compares the length of every value Skip accepts with what an independent implementation finds.
func FuzzSkip(f *testing.F) {
	for in := range values {
		f.Add(unhex(f, in))
	}
	f.Add(unhex(f, "ddffffffff"))
	f.Add(unhex(f, "dfffffffffdfffffffff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(in)
		raw := r.Raw()
		if err := r.Err(); err != nil {
			if raw != nil || r.Offset() != 0 {
				t.Fatalf("failed with %v, but moved to %d", err, r.Offset())
			}
			if rest, err2 := msgp.Skip(in); err2 == nil && !errors.Is(err, ErrDepth) {
				t.Fatalf("%v, but msgp reads %d bytes", err, len(in)-len(rest))
			}
			return
		}
		rest, err := msgp.Skip(in)
		if err != nil {
			t.Fatalf("read %d bytes, but msgp says %v", len(raw), err)
		}
		if len(rest) != r.Len() || len(raw) != r.Offset() {
			t.Fatalf("read %d bytes, msgp %d", len(raw), len(in)-len(rest))
		}
	})
}
