package msgpack

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// unhex decodes a hex dump; blanks are for the reader.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestInt(t *testing.T) {
	for v, short := range map[int64]string{
		0: "00", 1: "01", 127: "7f", 128: "cc80", 255: "ccff", 256: "cd0100", 65535: "cdffff", 65536: "ce00010000",
		math.MaxUint32: "ceffffffff", math.MaxUint32 + 1: "cf0000000100000000", math.MaxInt64: "cf7fffffffffffffff",
		-1: "ff", -32: "e0", -33: "d0df", -128: "d080", -129: "d1ff7f", -32768: "d18000", -32769: "d2ffff7fff",
		math.MinInt32: "d280000000", math.MinInt32 - 1: "d3ffffffff7fffffff", math.MinInt64: "d38000000000000000",
	} {
		t.Run(short, func(t *testing.T) {
			if got := hex.EncodeToString(AppendInt(nil, v)); got != short {
				t.Errorf("AppendInt(%d): want %s, got %s", v, short, got)
			}
			r := NewReader(unhex(t, short))
			if got := r.Int(); got != v || r.Err() != nil || r.Len() != 0 {
				t.Errorf("Int: want %d, got %d, error %v, %d bytes left", v, got, r.Err(), r.Len())
			}
		})
	}
}

func TestIntReadsEveryWidth(t *testing.T) {
	for form, want := range map[string]int64{
		"cc05": 5, "cd0005": 5, "ce00000005": 5, "cf0000000000000005": 5,
		"d005": 5, "d10005": 5, "d200000005": 5, "d30000000000000005": 5,
		"d0ff": -1, "d1ffff": -1, "d2ffffffff": -1, "d3ffffffffffffffff": -1,
	} {
		r := NewReader(unhex(t, form))
		if got := r.Int(); got != want || r.Err() != nil {
			t.Errorf("%s: want %d, got %d, error %v", form, want, got, r.Err())
		}
	}
	if got := hex.EncodeToString(AppendFixedInt32(nil, -2)); got != "d2fffffffe" {
		t.Errorf("AppendFixedInt32(-2): got %s", got)
	}
}

func TestUint(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want uint64
		err  error
	}{
		"reads the largest":            {"cfffffffffffffffff", math.MaxUint64, nil},
		"reads a signed form":          {"d205060708", 0x05060708, nil},
		"refuses a negative fixint":    {"ff", 0, ErrRange},
		"refuses a negative int64":     {"d3ffffffffffffffff", 0, ErrRange},
		"refuses a float":              {"ca00000000", 0, ErrKind},
		"refuses the end of the input": {"", 0, ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(unhex(t, tt.in))
			if got := r.Uint(); got != tt.want || !errors.Is(r.Err(), tt.err) {
				t.Errorf("want %d and %v, got %d and %v", tt.want, tt.err, got, r.Err())
			}
		})
	}
	r := NewReader(unhex(t, "cf8000000000000000"))
	if r.Int(); !errors.Is(r.Err(), ErrRange) {
		t.Errorf("Int of 2^63: want %v, got %v", ErrRange, r.Err())
	}
}

func TestLengthsTakeTheShortestForm(t *testing.T) {
	for n, heads := range map[int][4]string{ // string, bin, array, map
		0:     {"a0", "c400", "90", "80"},
		15:    {"af", "c40f", "9f", "8f"},
		16:    {"b0", "c410", "dc0010", "de0010"},
		31:    {"bf", "c41f", "dc001f", "de001f"},
		32:    {"d920", "c420", "dc0020", "de0020"},
		255:   {"d9ff", "c4ff", "dc00ff", "de00ff"},
		256:   {"da0100", "c50100", "dc0100", "de0100"},
		65535: {"daffff", "c5ffff", "dcffff", "deffff"},
		65536: {"db00010000", "c600010000", "dd00010000", "df00010000"},
	} {
		body := bytes.Repeat([]byte{0xc0}, n)
		got := [4]string{
			hex.EncodeToString(bytes.TrimSuffix(AppendString(nil, string(body)), body)),
			hex.EncodeToString(bytes.TrimSuffix(AppendBin(nil, body), body)),
			hex.EncodeToString(AppendArrayHeader(nil, n)),
			hex.EncodeToString(AppendMapHeader(nil, n)),
		}
		if got != heads {
			t.Errorf("%d: want %v, got %v", n, heads, got)
		}
		if got, want := StringSize(n), len(AppendString(nil, string(body))); got != want {
			t.Errorf("StringSize(%d): want %d, got %d", n, want, got)
		}
		if got, want := BinSize(n), len(AppendBin(nil, body)); got != want {
			t.Errorf("BinSize(%d): want %d, got %d", n, want, got)
		}
		r := NewReader(append(AppendString(nil, string(body)), AppendBin(nil, body)...))
		if s, b := r.String(), r.Bin(); s != string(body) || !bytes.Equal(b, body) || r.Err() != nil || r.Len() != 0 {
			t.Errorf("%d: does not read back: %v", n, r.Err())
		}
		r = NewReader(append(AppendArrayHeader(nil, n), body...))
		if got := r.ArrayHeader(); got != n {
			t.Errorf("ArrayHeader: want %d, got %d", n, got)
		}
		r = NewReader(append(AppendMapHeader(nil, n), append(body, body...)...))
		if got := r.MapHeader(); got != n {
			t.Errorf("MapHeader: want %d, got %d", n, got)
		}
	}
}

func TestNilReadsAsEmptyForStringsAndBytesOnly(t *testing.T) {
	nilThen := func() Reader { return NewReader(unhex(t, "c0 a0")) }
	r := nilThen()
	if !r.IsNil() || r.String() != "" || r.IsNil() {
		t.Error("String of nil: want the empty string and nothing else read")
	}
	if s, ok := r.NilString(); s != "" || !ok {
		t.Error(`NilString of "": want true`)
	}
	r = nilThen()
	if s, ok := r.NilString(); s != "" || ok || r.Err() != nil {
		t.Error("NilString of nil: want false")
	}
	r = nilThen()
	if v := r.StringView(); v != nil || r.StringView() == nil || r.Err() != nil {
		t.Error(`StringView: want nil of nil, an empty slice of ""`)
	}
	r = nilThen()
	if v := r.Bin(); v != nil || r.Err() != nil {
		t.Error("Bin of nil: want nil")
	}
	r = nilThen()
	if r.Nil(); r.Err() != nil || r.Len() != 1 {
		t.Errorf("Nil: %v", r.Err())
	}
	for name, read := range map[string]func(*Reader){
		"Bool": func(r *Reader) { r.Bool() }, "Int": func(r *Reader) { r.Int() }, "Uint": func(r *Reader) { r.Uint() },
		"ArrayHeader": func(r *Reader) { r.ArrayHeader() }, "MapHeader": func(r *Reader) { r.MapHeader() },
		"Ext": func(r *Reader) { r.Ext() }, "Timestamp": func(r *Reader) { r.Timestamp() },
	} {
		r := nilThen()
		if read(&r); !errors.Is(r.Err(), ErrKind) {
			t.Errorf("%s of nil: want %v, got %v", name, ErrKind, r.Err())
		}
	}
}

func TestViewsEndAtTheirValue(t *testing.T) {
	in := unhex(t, "c402 0102 a161 c403 040506 d5 05 0708")
	r := NewReader(in)
	bin, str, raw := r.Bin(), r.StringView(), r.Raw()
	typ, ext := r.Ext()
	if r.Err() != nil || typ != 5 {
		t.Fatalf("type %d, error %v", typ, r.Err())
	}
	for _, v := range [][]byte{bin, str, raw, ext} {
		_ = append(v, 0xff)
	}
	if want := unhex(t, "c402 0102 a161 c403 040506 d5 05 0708"); !bytes.Equal(in, want) {
		t.Errorf("an append to a view wrote into the input: want %x, got %x", want, in)
	}
	if &bin[0] != &in[2] {
		t.Error("Bin copied")
	}
}

func TestErrorSticksAndOffsetStays(t *testing.T) {
	r := NewReader(unhex(t, "01 a161 02 03"))
	r.Int()
	r.Int()
	if !errors.Is(r.Err(), ErrKind) || r.Offset() != 1 {
		t.Fatalf("want %v at 1, got %v at %d", ErrKind, r.Err(), r.Offset())
	}
	first := r.Err()
	r.Nil()
	r.Skip()
	typ, ext := r.Ext()
	switch {
	case r.Int() != 0, r.Uint() != 0, r.Bool(), r.String() != "", r.Bin() != nil, r.StringView() != nil,
		r.Raw() != nil, r.ArrayHeader() != 0, r.MapHeader() != 0, r.IsNil(), r.Kind() != Invalid,
		!r.Timestamp().IsZero(), typ != 0, ext != nil:
		t.Error("a method returned a value after a failure")
	}
	if !errors.Is(r.Err(), first) || r.Offset() != 1 || r.Len() != 4 {
		t.Errorf("want %v at 1, got %v at %d", first, r.Err(), r.Offset())
	}
}

// values holds one value of each kind and width.
var values = map[string]Kind{
	"c0": Nil, "c2": Bool, "c3": Bool,
	"00": Int, "ff": Int, "cc80": Int, "cd0100": Int, "ce00010000": Int, "cf0000000100000000": Int,
	"d080": Int, "d18000": Int, "d280000000": Int, "d38000000000000000": Int, "cf8000000000000000": BigUint,
	"ca00000000": Float, "cb0000000000000000": Float,
	"a0": String, "a161": String, "d90161": String, "da000161": String, "db0000000161": String,
	"c400": Bin, "c40161": Bin, "c5000161": Bin, "c60000000161": Bin,
	"90": Array, "9101": Array, "dc000101": Array, "dd0000000101": Array, "92 91c0 80": Array,
	"80": Map, "810102": Map, "de00010102": Map, "df000000010102": Map, "81a161 9101": Map,
	"d40561": Extension, "d5050102": Extension, "d60501020304": Extension, "d7050102030405060708": Extension,
	"d80500000000000000000000000000000000": Extension, "c70005": Extension, "c7020561ff": Extension,
	"c800010561": Extension, "c9000000010561": Extension,
}

func TestKindAndSkip(t *testing.T) {
	for in, kind := range values {
		value := unhex(t, in)
		r := NewReader(append(bytes.Clone(value), 0x2a))
		if got := r.Kind(); got != kind {
			t.Errorf("%s: want kind %d, got %d", in, kind, got)
		}
		if got := r.Raw(); !bytes.Equal(got, value) {
			t.Errorf("%s: want itself, got %x, error %v", in, got, r.Err())
		}
		if r.Int() != 0x2a || r.Err() != nil {
			t.Errorf("%s: not at the next value: %v", in, r.Err())
		}
		for n := range value {
			r := NewReader(value[:n])
			if r.Skip(); !errors.Is(r.Err(), ErrTruncated) {
				t.Errorf("%s cut to %d bytes: want %v, got %v", in, n, ErrTruncated, r.Err())
			}
		}
	}
	r := NewReader([]byte{0xc1})
	if r.Skip(); !errors.Is(r.Err(), ErrInvalid) || r.Kind() != Invalid {
		t.Errorf("c1: want %v, got %v", ErrInvalid, r.Err())
	}
}

func TestCutValuesAreRefusedByTheirMethods(t *testing.T) {
	read := map[Kind]func(*Reader){
		Nil: (*Reader).Nil, Bool: func(r *Reader) { r.Bool() }, Int: func(r *Reader) { r.Int() },
		BigUint: func(r *Reader) { r.Uint() }, Float: (*Reader).Skip, String: func(r *Reader) { _ = r.String() },
		Bin: func(r *Reader) { r.Bin() }, Array: (*Reader).Skip, Map: (*Reader).Skip,
		Extension: func(r *Reader) { r.Ext() },
	}
	for in, kind := range values {
		value := unhex(t, in)
		for n := range value {
			r := NewReader(value[:n])
			if read[kind](&r); !errors.Is(r.Err(), ErrTruncated) {
				t.Errorf("%s cut to %d bytes: want %v, got %v", in, n, ErrTruncated, r.Err())
			}
		}
	}
}

func TestDeclaredSizesAreComparedWithTheInput(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		read func(*Reader)
	}{
		"array":                    {"dd ffffffff", func(r *Reader) { r.ArrayHeader() }},
		"array one item short":     {"93 0102", func(r *Reader) { r.ArrayHeader() }},
		"map":                      {"df ffffffff", func(r *Reader) { r.MapHeader() }},
		"map half a pair short":    {"82 010203", func(r *Reader) { r.MapHeader() }},
		"string":                   {"db ffffffff", func(r *Reader) { _ = r.String() }},
		"bytes":                    {"c6 ffffffff", func(r *Reader) { r.Bin() }},
		"extension":                {"c9 ffffffff 01", func(r *Reader) { r.Ext() }},
		"skipped array":            {"dd ffffffff", (*Reader).Skip},
		"skipped map":              {"df ffffffff", (*Reader).Skip},
		"array in a skipped array": {"92 c0 dd ffffffff", (*Reader).Skip},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(unhex(t, tt.in))
			if tt.read(&r); !errors.Is(r.Err(), ErrTruncated) {
				t.Errorf("want %v, got %v", ErrTruncated, r.Err())
			}
		})
	}
}

func TestSkipFollowsMaxDepthLevels(t *testing.T) {
	for _, head := range []string{"\x91", "\x81\x01"} {
		r := NewReader([]byte(strings.Repeat(head, MaxDepth) + "\xc0"))
		if r.Skip(); r.Err() != nil || r.Len() != 0 {
			t.Errorf("%x at the limit: %v", head, r.Err())
		}
		r = NewReader([]byte(strings.Repeat(head, MaxDepth+1) + "\xc0"))
		if r.Skip(); !errors.Is(r.Err(), ErrDepth) {
			t.Errorf("%x beyond the limit: want %v, got %v", head, ErrDepth, r.Err())
		}
	}
}

func TestTimestamp(t *testing.T) {
	for form, want := range map[string]time.Time{
		"d6ff 00000000":                    time.Unix(0, 0),
		"d6ff ffffffff":                    time.Unix(math.MaxUint32, 0),
		"d7ff 0000000100000000":            time.Unix(1<<32, 0),
		"d7ff 0000000400000001":            time.Unix(1, 1),
		"d7ff ee6b27fbffffffff":            time.Unix(1<<34-1, 999_999_998),
		"c70cff 00000000 0000000400000000": time.Unix(1<<34, 0),
		"c70cff 3b9ac9ff ffffffffffffffff": time.Unix(-1, 999_999_999),
		"c70cff 00000000 fffffff1886e0900": {},
	} {
		r := NewReader(unhex(t, form))
		if got := r.Timestamp(); !got.Equal(want) || r.Err() != nil || r.Len() != 0 {
			t.Errorf("%s: want %v, got %v, error %v", form, want, got, r.Err())
		}
		if diff := cmp.Diff(unhex(t, form), AppendTimestamp(nil, want)); diff != "" {
			t.Errorf("%v: %s", want, diff)
		}
	}
	for form, want := range map[string]error{
		"d601 00000000":                    ErrKind,
		"d5ff 0000":                        ErrKind,
		"d7ff ee6b280000000000":            ErrRange,
		"c70cff 3b9aca00 0000000000000000": ErrRange,
		"05":                               ErrKind,
		"d6ff 0000":                        ErrTruncated,
	} {
		r := NewReader(unhex(t, form))
		if got := r.Timestamp(); !got.IsZero() || !errors.Is(r.Err(), want) || r.Offset() != 0 {
			t.Errorf("%s: want %v at 0, got %v, %v at %d", form, want, got, r.Err(), r.Offset())
		}
	}
}

func TestBoolAndNil(t *testing.T) {
	b := AppendNil(AppendBool(AppendBool(nil, true), false))
	r := NewReader(b)
	if first, second := r.Bool(), r.Bool(); !first || second || !r.IsNil() {
		t.Errorf("%x does not read back", b)
	}
}
