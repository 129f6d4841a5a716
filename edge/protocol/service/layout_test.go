package service

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// split cuts a body into the raw items of its array, the type included.
func split(tb testing.TB, body []byte) [][]byte {
	tb.Helper()
	r := msgpack.NewReader(body)
	n := r.ArrayHeader()
	items := make([][]byte, 0, n)
	for range n {
		items = append(items, r.Raw())
	}
	if r.Err() != nil || r.Len() != 0 {
		tb.Fatalf("split %x: %v, %d bytes left", body, r.Err(), r.Len())
	}
	return items
}

// join makes a body of raw items.
func join(items ...[]byte) []byte {
	return append(msgpack.AppendArrayHeader(nil, len(items)), bytes.Join(items, nil)...)
}

// with returns a body whose item i is replaced.
func with(items [][]byte, i int, item []byte) []byte {
	items = slices.Clone(items)
	items[i] = item
	return join(items...)
}

func TestSamplesCoverEveryTypeAndField(t *testing.T) {
	list := samples()
	for i, s := range list {
		if int(s.m.Type()) != i+1 {
			t.Fatalf("sample %d is a %v", i+1, s.m.Type())
		}
		v := reflect.ValueOf(s.m).Elem()
		for f := range v.NumField() {
			if v.Field(f).IsZero() && v.Type().Field(f).Name != "AllGroups" {
				t.Errorf("%v: %s is not filled", s.m.Type(), v.Type().Field(f).Name)
			}
		}
		if m := newMessage(s.m.Type()); m == nil || reflect.TypeOf(m) != reflect.TypeOf(s.m) {
			t.Errorf("newMessage(%v) gives a %T", s.m.Type(), m)
		}
		if want := strings.TrimPrefix(fmt.Sprintf("%T", s.m), "*service."); s.m.Type().String() != want {
			t.Errorf("want name %s, got %v", want, s.m.Type())
		}
	}
	if len(list) != 43 {
		t.Errorf("want 43 types, got %d", len(list))
	}
}

func TestEveryTypeRoundTrips(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.m.Type().String(), func(t *testing.T) {
			body := AppendBody(nil, s.m)
			if n := len(split(t, body)); n != 1+len(s.kinds) {
				t.Errorf("want %d items, got %d", 1+len(s.kinds), n)
			}
			if d := diff(s.m, mustDecode(t, body)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestShorterFormsAreReadDownToTheShortest(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, s.m))
			for n := s.least; n <= len(items); n++ {
				if s.m.Type() == TypeHandshakeRequest && n == 3 || s.m.Type() == TypeOpenConnection && n == 4 {
					continue // two items were added at once: there is no form between
				}
				mustDecode(t, join(items[:n]...))
			}
			if s.least == 1 {
				return
			}
			_, err := Decode(join(items[:s.least-1]...))
			if !errors.Is(err, ErrMalformed) || !errors.Is(err, errMissing) {
				t.Errorf("want %v: %v, got %v", ErrMalformed, errMissing, err)
			}
			if err != nil && !strings.Contains(err.Error(), s.m.Type().String()+": ") {
				t.Errorf("%q does not name the message", err)
			}
		})
	}
}

func TestMoreItemsAndBytesAreIgnored(t *testing.T) {
	for _, s := range samples() {
		if s.m.Type() == TypePing {
			continue // every item is a part of it
		}
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, s.m))
			for _, extra := range []string{"c0", "93010203", "81a16101", "dd0000000101", "c7020501ff"} {
				body := join(append(slices.Clone(items), unhex(t, extra), []byte{0x2a})...)
				if d := diff(s.m, mustDecode(t, append(body, 0xc1))); d != "" {
					t.Errorf("with %s (-want +got):\n%s", extra, d)
				}
			}
		})
	}
}

// allKeys is an extension map with every known key, unknown ones of every kind, and a repeated one.
const allKeys = "8b" +
	"00" + "91c0" + // unknown key
	"01" + "2a" + // tracing id
	"02" + "2b" + // ttl
	"03" + "a470726f74" + // protocol "prot"
	"04" + "a466696c74" + // filter "filt"
	"05" + "03" + // data type
	"06" + "c3" + // partial
	"07" + "81a161dd0000000101" + // unknown key with a nested value
	"a178" + "c7020501ff" + // unknown key that is no number
	"ff" + "cb0000000000000000" + // negative key
	"cd0102" + "c0" // a key whose low byte is a known one

func TestExtensionKeys(t *testing.T) {
	writes := map[byte]string{
		'1': "012a", '2': "022b", '3': "03a470726f74", '4': "04a466696c74", '5': "0503", '6': "06c3",
	}
	for _, s := range samples() {
		at := strings.IndexByte(s.kinds, 'e')
		if at < 0 {
			continue // Ping and ServiceError have no extension map
		}
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, s.m))
			m := mustDecode(t, with(items, 1+at, unhex(t, allKeys)))
			want := unhex(t, fmt.Sprintf("%02x", 0x80+len(s.keys)))
			for _, key := range []byte(s.keys) {
				want = append(want, unhex(t, writes[key])...)
			}
			if s.m.Type() == TypeClientCompletion { // the item goes before the key
				want = unhex(t, "82012a03a46a736f6e")
			}
			if got := split(t, AppendBody(nil, m))[1+at]; !bytes.Equal(got, want) {
				t.Errorf("written after all keys were read:\nwant %x\ngot  %x", want, got)
			}
			plain := mustDecode(t, with(items, 1+at, []byte{0x80}))
			nulls := mustDecode(t, with(items, 1+at, unhex(t, "8601c002c003c004c005c006c0")))
			if d := diff(plain, nulls); d != "" {
				t.Errorf("null values differ from absent ones:\n%s", d)
			}
			for _, key := range []byte(s.keys) { // a value of the wrong kind where the key means something
				_, err := Decode(with(items, 1+at, []byte{0x81, key - '0', 0x90}))
				if !errors.Is(err, ErrMalformed) || !errors.Is(err, msgpack.ErrKind) {
					t.Errorf("key %c with an array: want %v, got %v", key, ErrMalformed, err)
				}
			}
		})
	}
}

func TestNullIsReadWhereTheSDKReadsIt(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, s.m))
			for i, kind := range s.kinds {
				_, err := Decode(with(items, 1+i, []byte{0xc0}))
				if ok := strings.ContainsRune("spNTM", kind); ok && err != nil {
					t.Errorf("item %d (%c): %v", 1+i, kind, err)
				} else if !ok && !errors.Is(err, ErrMalformed) {
					t.Errorf("item %d (%c): want %v, got %v", 1+i, kind, ErrMalformed, err)
				}
			}
		})
	}
}

func TestNullIsWrittenOnlyForStringsThatMayBeNull(t *testing.T) {
	empty := map[rune]byte{
		's': 0xa0, 'i': 0x00, 'p': 0xc4, 'm': 0x80, 'a': 0x90, 'e': 0x80, 'N': 0xc0, 'T': 0xc7, 'M': 0xc0,
	}
	for _, s := range samples() {
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, newMessage(s.m.Type())))
			for i, item := range items[1:] {
				kind := rune(s.kinds[i])
				want := empty[kind]
				switch {
				case strings.Contains(s.nulls, string(rune('0'+i))):
					want = 0xc0
				case s.m.Type() == TypeUpdateConnectionClaims && kind == 'M':
					want = 0x80
				case s.m.Type() == TypeConnectionFlowControl && kind == 'i':
					want = 0xd2
				}
				if item[0] != want {
					t.Errorf("item %d (%c): want first byte %02x, got %x", 1+i, kind, want, item)
				}
			}
		})
	}
}

func TestItemsOfAnotherKindAreMalformed(t *testing.T) {
	wrong := []string{"ca00000000", "d40501"} // a float and an extension fit nowhere
	for _, s := range samples() {
		t.Run(s.m.Type().String(), func(t *testing.T) {
			items := split(t, AppendBody(nil, s.m))
			for i := range s.kinds {
				for _, w := range wrong {
					_, err := Decode(with(items, 1+i, unhex(t, w)))
					if !errors.Is(err, ErrMalformed) || !errors.Is(err, msgpack.ErrKind) {
						t.Errorf("item %d is %s: want %v, got %v", 1+i, w, msgpack.ErrKind, err)
					}
				}
			}
		})
	}
}

func TestNumbersBeyond32BitsAreMalformed(t *testing.T) {
	for _, s := range samples() {
		items := split(t, AppendBody(nil, s.m))
		for i, kind := range s.kinds {
			if kind != 'i' && kind != 'N' {
				continue
			}
			for _, n := range []string{"ce80000000", "d3ffffffff7fffffff", "cfffffffffffffffff"} {
				_, err := Decode(with(items, 1+i, unhex(t, n)))
				if !errors.Is(err, ErrMalformed) || !errors.Is(err, msgpack.ErrRange) {
					t.Errorf("%v item %d is %s: want %v, got %v", s.m.Type(), 1+i, n, msgpack.ErrRange, err)
				}
			}
		}
	}
}

func TestCutBodiesAreMalformed(t *testing.T) {
	for _, s := range samples() {
		body := AppendBody(nil, s.m)
		for n := range body {
			if m, err := Decode(body[:n]); !errors.Is(err, ErrMalformed) || m != nil {
				t.Errorf("%v cut to %d of %d bytes: want %v, got %v, %v", s.m.Type(), n, len(body), ErrMalformed, m, err)
			}
		}
	}
}
