package msgpack

import "encoding/binary"

// Kind is the family of a MessagePack value, as its first byte tells it.
type Kind uint8

// The kinds of values. Invalid stands for the end of the input and for the byte 0xc1, which MessagePack never uses.
const (
	Invalid   Kind = iota
	Nil            // c0
	Bool           // c2, c3
	Int            // any integer that fits int64: 00-7f, e0-ff, d0-d3, and cc-cf below 2^63
	BigUint        // cf with 2^63 or more
	Float          // ca, cb
	String         // a0-bf, d9, da, db
	Bin            // c4, c5, c6
	Array          // 90-9f, dc, dd
	Map            // 80-8f, de, df
	Extension      // d4-d8, c7, c8, c9
)

// head is the parsed start of a value: everything up to the bytes or the items it holds.
type head struct {
	kind Kind
	// width counts the bytes of the head: first byte, length or number and, in an extension, its type byte.
	width int
	// n is the number of bytes held (String, Bin, Extension), of items (Array), of pairs (Map), the value itself
	// (Int and BigUint as two's complement, Bool as 0 or 1), and 0 else.
	n uint64
}

// parseHead reads the head of the value at the start of b.
// It does not look at what the value holds: n may be larger than b.
func parseHead(b []byte) (head, error) {
	if len(b) == 0 {
		return head{}, ErrTruncated
	}
	c := b[0]
	switch {
	case c <= 0x7f: // positive fixint
		return head{Int, 1, uint64(c)}, nil
	case c <= 0x8f: // fixmap
		return head{Map, 1, uint64(c & 0x0f)}, nil
	case c <= 0x9f: // fixarray
		return head{Array, 1, uint64(c & 0x0f)}, nil
	case c <= 0xbf: // fixstr
		return head{String, 1, uint64(c & 0x1f)}, nil
	case c >= 0xe0: // negative fixint
		return head{Int, 1, uint64(int64(int8(c)))}, nil
	}
	f := forms[c-0xc0]
	if f.kind == Invalid {
		return head{}, ErrInvalid
	}
	if len(b) < f.width {
		return head{}, ErrTruncated
	}
	h := head{kind: f.kind, width: f.width, n: uint64(f.n)}
	switch f.number {
	case 1:
		h.n = uint64(b[1])
	case 2:
		h.n = uint64(binary.BigEndian.Uint16(b[1:]))
	case 4:
		h.n = uint64(binary.BigEndian.Uint32(b[1:]))
	case 8:
		h.n = binary.BigEndian.Uint64(b[1:])
	}
	switch c {
	case 0xcf:
		if h.n>>63 != 0 {
			h.kind = BigUint
		}
	case 0xd0, 0xd1, 0xd2, 0xd3: // signed integers of 1, 2, 4, 8 bytes
		shift := 64 - 8*uint(f.number)
		h.n = uint64(int64(h.n<<shift) >> shift)
	}
	return h, nil
}

// form describes a first byte of c0 to df.
type form struct {
	kind   Kind
	width  int   // bytes of the head
	number uint8 // bytes of the big-endian number behind the first byte that n is read from; 0: n is fixed
	n      uint8 // n when it is fixed
}

// forms is the table of the first bytes c0 to df (MessagePack specification, "Formats").
var forms = [32]form{
	0x00: {Nil, 1, 0, 0},
	0x01: {Invalid, 0, 0, 0}, // c1, never used
	0x02: {Bool, 1, 0, 0},
	0x03: {Bool, 1, 0, 1},
	0x04: {Bin, 2, 1, 0},
	0x05: {Bin, 3, 2, 0},
	0x06: {Bin, 5, 4, 0},
	0x07: {Extension, 3, 1, 0}, // length, then type
	0x08: {Extension, 4, 2, 0},
	0x09: {Extension, 6, 4, 0},
	0x0a: {Float, 5, 0, 0},
	0x0b: {Float, 9, 0, 0},
	0x0c: {Int, 2, 1, 0}, // uint8 to uint64
	0x0d: {Int, 3, 2, 0},
	0x0e: {Int, 5, 4, 0},
	0x0f: {Int, 9, 8, 0},
	0x10: {Int, 2, 1, 0}, // int8 to int64
	0x11: {Int, 3, 2, 0},
	0x12: {Int, 5, 4, 0},
	0x13: {Int, 9, 8, 0},
	0x14: {Extension, 2, 0, 1}, // fixext of 1, 2, 4, 8, 16 bytes: type only
	0x15: {Extension, 2, 0, 2},
	0x16: {Extension, 2, 0, 4},
	0x17: {Extension, 2, 0, 8},
	0x18: {Extension, 2, 0, 16},
	0x19: {String, 2, 1, 0},
	0x1a: {String, 3, 2, 0},
	0x1b: {String, 5, 4, 0},
	0x1c: {Array, 3, 2, 0},
	0x1d: {Array, 5, 4, 0},
	0x1e: {Map, 3, 2, 0},
	0x1f: {Map, 5, 4, 0},
}
