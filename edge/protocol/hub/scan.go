package hub

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects of a JSON message may nest, its own object included: that of
// System.Text.Json, and what the bits of one word hold.
const maxDepth = 64

// The functions below skip from b[i] and return the index behind what they skipped, or -1 if it is not there or not
// well-formed by RFC 8259. As in encoding/json, strings are not checked to be UTF-8.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue skips white space and one value in which arrays and objects may nest limit deep, 64 at most.
func skipValue(b []byte, i, limit int) int {
	open := nesting{limit: limit}
	for {
		if i = skipSpace(b, i); i == len(b) {
			return -1
		}
		opened := b[i] == '{' || b[i] == '['
		if opened {
			i = open.push(b, i)
		} else {
			i = skipScalar(b, i)
		}
		if i < 0 {
			return -1
		}
		if i = open.next(b, i, opened); i < 0 || open.depth == 0 {
			return i
		}
	}
}

// nesting is the arrays and objects that are open, as a stack of bits: hostile nesting costs neither memory nor
// recursion.
type nesting struct {
	objects uint64 // the lowest bit is set if the innermost one is an object
	depth   int
	limit   int
}

// push opens the container whose bracket is b[i].
func (n *nesting) push(b []byte, i int) int {
	if n.depth == n.limit {
		return -1
	}
	n.depth++
	n.objects <<= 1
	if b[i] == '{' {
		n.objects |= 1
	}
	return i + 1
}

// next goes on from behind a value, or from behind a bracket just opened, to where the next value begins. Containers
// that end there it closes, up to the outermost, behind which it stops.
func (n *nesting) next(b []byte, i int, opened bool) int {
	for n.depth > 0 {
		if i = skipSpace(b, i); i == len(b) {
			return -1
		}
		switch {
		case b[i] == n.closer():
			n.depth--
			n.objects >>= 1
			i++
			opened = false
			continue
		case opened: // no comma before the first
		case b[i] == ',':
			i++
		default:
			return -1
		}
		if n.objects&1 != 0 {
			return skipKey(b, i)
		}
		return i
	}
	return i
}

func (n *nesting) closer() byte {
	if n.objects&1 != 0 {
		return '}'
	}
	return ']'
}

// skipKey skips a key and the colon behind it.
func skipKey(b []byte, i int) int {
	if i = skipString(b, skipSpace(b, i)); i < 0 {
		return -1
	}
	if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
		return -1
	}
	return i + 1
}

func skipScalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case 't':
		return skipLiteral(b, i, "true")
	case 'f':
		return skipLiteral(b, i, "false")
	case 'n':
		return skipLiteral(b, i, "null")
	default:
		return skipNumber(b, i)
	}
}

func skipLiteral(b []byte, i int, literal string) int {
	if end := i + len(literal); end <= len(b) && string(b[i:end]) == literal {
		return end
	}
	return -1
}

// skipString skips a string with its quotes.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; {
		if i = plainEnd(b, i); i == len(b) {
			return -1
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			if i = skipEscape(b, i); i < 0 {
				return -1
			}
		default: // a control character
			return -1
		}
	}
}

// plainEnd returns the index of the first quote, backslash or control character at or behind b[i], or len(b). It
// looks at eight bytes at a time: a byte's top bit is set in stop if it is one of them, exactly so up to the first.
func plainEnd(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		stop := ((w-ones*0x20)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & tops
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

func skipEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 <= len(b) {
			if _, ok := hex4(b[i+2 : i+6]); ok {
				return i + 6
			}
		}
	}
	return -1
}

func hex4(b []byte) (rune, bool) {
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i = skipDigits(b, i); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = skipDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return skipDigits(b, i)
	}
	return i
}

func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// object walks over the members of the JSON object that is all of a message.
type object struct {
	b []byte
	i int // behind the opening brace or the last member; -1 after malformed input
}

// openObject begins with the object in b, around which there may be white space.
func openObject(b []byte) (object, *ProtocolError) {
	i := skipSpace(b, 0)
	if i == len(b) {
		return object{}, errJSON
	}
	if b[i] != '{' {
		if end := skipValue(b, i, maxDepth); end < 0 || skipSpace(b, end) != len(b) {
			return object{}, errJSON
		}
		return object{}, &ProtocolError{"Unexpected JSON Token Type '" + kind(b[i:]) + "'. Expected a JSON Object."}
	}
	return object{b: b, i: i + 1}, nil
}

// next returns the next member, its key without quotes and escapes; ok is false at the end, and if the object is
// malformed. Err tells them apart.
func (o *object) next() (key, value []byte, ok bool) {
	i := skipSpace(o.b, o.i)
	if i < len(o.b) && o.b[i] == '}' {
		return nil, nil, o.end(i + 1)
	}
	if o.b[o.i-1] != '{' { // not the first member: a brace ends in no other byte that may stand before o.i
		if i == len(o.b) || o.b[i] != ',' {
			return nil, nil, o.end(-1)
		}
		i = skipSpace(o.b, i+1)
	}
	start := i
	if i = skipString(o.b, start); i < 0 {
		return nil, nil, o.end(-1)
	}
	key = o.b[start+1 : i-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(unescape(key))
	}
	if i = skipSpace(o.b, i); i == len(o.b) || o.b[i] != ':' {
		return nil, nil, o.end(-1)
	}
	start = skipSpace(o.b, i+1)
	if i = skipValue(o.b, start, maxDepth-1); i < 0 {
		return nil, nil, o.end(-1)
	}
	o.i = i
	return key, o.b[start:i:i], true
}

// end notes that the walk is over, at index i or with -1 at malformed input. It returns false.
func (o *object) end(i int) bool {
	if i >= 0 && skipSpace(o.b, i) != len(o.b) {
		i = -1
	}
	o.i = i
	return false
}

// err returns an error if the walk ended at malformed input.
func (o *object) err() error {
	if o.i < 0 {
		return errJSON
	}
	return nil
}

// kind names the type of a well-formed value as System.Text.Json and upstream's errors do.
func kind(value []byte) string {
	switch value[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't', 'f':
		return "Boolean"
	case 'n':
		return "Null"
	default:
		return "Number"
	}
}

// integer returns the value of a well-formed number that is written as an integer of the given bits.
func integer(value []byte, bitSize int) (int64, bool) {
	n, err := strconv.ParseInt(string(value), 10, bitSize)
	return n, err == nil
}

// unescape returns the text of a well-formed string's inside. What is not UTF-8, and half a surrogate pair, becomes
// U+FFFD.
func unescape(inside []byte) string {
	if bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside)
	}
	text := make([]byte, 0, len(inside))
	for len(inside) > 0 {
		if inside[0] != '\\' {
			r, n := utf8.DecodeRune(inside)
			text = utf8.AppendRune(text, r)
			inside = inside[n:]
			continue
		}
		c := inside[1]
		if c != 'u' {
			text = append(text, escaped(c))
			inside = inside[2:]
			continue
		}
		r, _ := hex4(inside[2:])
		inside = inside[6:]
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if len(inside) >= 6 && inside[0] == '\\' && inside[1] == 'u' {
				low, _ = hex4(inside[2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				inside = inside[6:]
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return string(text)
}

// escaped returns the byte that a backslash with c stands for.
func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // quote, backslash, slash
		return c
	}
}
