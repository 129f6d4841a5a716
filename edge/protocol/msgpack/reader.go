package msgpack

import "errors"

// MaxDepth is how many arrays and maps [Reader.Skip] and [Reader.Raw] follow into each other.
const MaxDepth = 32

// The errors a [Reader] stops at. [Reader.Offset] then tells where the value that caused it starts.
var (
	// ErrTruncated says that a value, or the length or count it declares, goes beyond the end of the input.
	ErrTruncated = errors.New("input ends inside a value")
	// ErrKind says that the value is of another kind than the one asked for.
	ErrKind = errors.New("value of another kind")
	// ErrRange says that an integer or a time does not fit the type asked for.
	ErrRange = errors.New("number out of range")
	// ErrInvalid says that a first byte is the one MessagePack never uses.
	ErrInvalid = errors.New("invalid first byte")
	// ErrDepth says that a value to be skipped nests deeper than [MaxDepth].
	ErrDepth = errors.New("nested too deep")
)

// Reader reads values from a byte slice, one after the other.
//
// Its error is sticky: after the first failure every method returns the zero value and moves no further, so a caller
// may read a whole message and look at [Reader.Err] once. A loop over a count it returned is bounded by the input's
// length. The zero Reader reads from an empty input.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a Reader at the start of b, which it neither copies nor changes.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err returns the first failure, or nil.
func (r *Reader) Err() error { return r.err }

// Len returns the number of bytes not read yet.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Offset returns how many bytes were read; after a failure, where the value that caused it starts.
func (r *Reader) Offset() int { return r.off }

// Kind returns the kind of the next value without reading it; Invalid at the end, after a failure, and if the head of
// the value is not whole.
func (r *Reader) Kind() Kind {
	if r.err != nil {
		return Invalid
	}
	h, err := parseHead(r.b[r.off:])
	if err != nil {
		return Invalid
	}
	return h.kind
}

// IsNil reports whether the next value is nil, without reading it.
func (r *Reader) IsNil() bool {
	return r.err == nil && r.off < len(r.b) && r.b[r.off] == 0xc0
}

// Nil reads a nil.
func (r *Reader) Nil() { r.scalar(Nil) }

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	return r.scalar(Bool) != 0
}

// Int reads an integer of any width. One of 2^63 or more is [ErrRange].
func (r *Reader) Int() int64 {
	return int64(r.scalar(Int))
}

// Uint reads an integer of any width. A negative one is [ErrRange].
func (r *Reader) Uint() uint64 {
	h, ok := r.head()
	switch {
	case !ok:
		return 0
	case h.kind == Int && h.n>>63 != 0:
		r.err = ErrRange
		return 0
	case h.kind != Int && h.kind != BigUint:
		r.err = ErrKind
		return 0
	}
	r.off += h.width
	return h.n
}

// String reads a string and copies it; nil reads as "". The bytes are not checked to be UTF-8.
func (r *Reader) String() string {
	return string(r.StringView())
}

// NilString is like String and tells nil (false) from the empty string (true).
// It returns false after a failure as well.
func (r *Reader) NilString() (string, bool) {
	v := r.StringView()
	return string(v), v != nil
}

// StringView reads a string and returns a view of its bytes in the input; nil reads as nil, "" as an empty slice.
func (r *Reader) StringView() []byte { return r.bytes(String) }

// Bin reads a byte array and returns a view of it in the input; nil reads as nil, no bytes as an empty slice.
// A string is not accepted in its place.
func (r *Reader) Bin() []byte { return r.bytes(Bin) }

// ArrayHeader reads the head of an array and returns its number of items, which is at most [Reader.Len].
// The items follow. Nil is not an array.
func (r *Reader) ArrayHeader() int { return r.count(Array, 1) }

// MapHeader reads the head of a map and returns its number of pairs, which is at most half of [Reader.Len].
// The keys and values follow. Nil is not a map.
func (r *Reader) MapHeader() int { return r.count(Map, 2) }

// Ext reads an extension value and returns its type and a view of its bytes.
func (r *Reader) Ext() (typ int8, data []byte) {
	h, ok := r.head()
	switch {
	case !ok:
		return 0, nil
	case h.kind != Extension:
		r.err = ErrKind
		return 0, nil
	case h.n > uint64(r.Len()-h.width):
		r.err = ErrTruncated
		return 0, nil
	}
	start := r.off + h.width
	r.off = start + int(h.n)
	return int8(r.b[start-1]), r.b[start:r.off:r.off]
}

// Skip reads the next value, whatever it is and holds, and forgets it.
func (r *Reader) Skip() { r.Raw() }

// Raw reads the next value, whatever it is and holds, and returns a view of its bytes, head included.
func (r *Reader) Raw() []byte {
	if r.err != nil {
		return nil
	}
	end, err := skip(r.b, r.off, 0)
	if err != nil {
		r.err = err
		return nil
	}
	start := r.off
	r.off = end
	return r.b[start:end:end]
}

// skip returns the offset behind the value at off, which lies inside depth arrays and maps.
func skip(b []byte, off, depth int) (int, error) {
	h, err := parseHead(b[off:])
	if err != nil {
		return 0, err
	}
	off += h.width
	left := uint64(len(b) - off)
	var items uint64
	switch h.kind { //nolint:exhaustive // the other kinds hold nothing
	case String, Bin, Extension:
		if h.n > left {
			return 0, ErrTruncated
		}
		return off + int(h.n), nil
	case Array:
		items = h.n
	case Map:
		items = 2 * h.n
	default:
		return off, nil
	}
	if depth == MaxDepth {
		return 0, ErrDepth
	}
	if items > left {
		return 0, ErrTruncated
	}
	for range items {
		if off, err = skip(b, off, depth+1); err != nil {
			return 0, err
		}
	}
	return off, nil
}

// head parses the head of the next value without moving; not ok after a failure.
func (r *Reader) head() (head, bool) {
	if r.err != nil {
		return head{}, false
	}
	h, err := parseHead(r.b[r.off:])
	if err != nil {
		r.err = err
		return head{}, false
	}
	return h, true
}

// scalar reads a value of a kind that its head holds whole.
func (r *Reader) scalar(want Kind) uint64 {
	h, ok := r.head()
	if !ok {
		return 0
	}
	if h.kind != want {
		r.err = ErrKind
		if h.kind == BigUint && want == Int {
			r.err = ErrRange
		}
		return 0
	}
	r.off += h.width
	return h.n
}

// bytes reads a String or Bin, or nil.
func (r *Reader) bytes(want Kind) []byte {
	h, ok := r.head()
	switch {
	case !ok:
		return nil
	case h.kind == Nil:
		r.off++
		return nil
	case h.kind != want:
		r.err = ErrKind
		return nil
	case h.n > uint64(r.Len()-h.width):
		r.err = ErrTruncated
		return nil
	}
	start := r.off + h.width
	r.off = start + int(h.n)
	return r.b[start:r.off:r.off] // the capacity ends too: an append by the caller must not write into the input
}

// count reads the head of an Array or Map whose entries take at least entry bytes each.
func (r *Reader) count(want Kind, entry uint64) int {
	h, ok := r.head()
	switch {
	case !ok:
		return 0
	case h.kind != want:
		r.err = ErrKind
		return 0
	case h.n*entry > uint64(r.Len()-h.width): // n has 32 bits at most
		r.err = ErrTruncated
		return 0
	}
	r.off += h.width
	return int(h.n)
}
