package websocket

import "unicode/utf8"

// textState validates UTF-8 that comes in chunks: between chunks it holds how many bytes the rune begun still needs
// and the range its next byte must be in. The zero value is at the start of a rune. Three bytes, as one lives in each
// Reader.
type textState struct {
	need   uint8
	lo, hi uint8
}

// add takes the next chunk and reports whether all so far is UTF-8 or a beginning of it. It fails at the first byte
// that no text can go on with, not when the rune would be complete.
func (s *textState) add(b []byte) bool {
	for s.need > 0 && len(b) > 0 {
		if !s.step(b[0]) {
			return false
		}
		b = b[1:]
	}
	whole := len(b) - tail(b)
	// The standard library goes over ASCII a word at a time.
	if !utf8.Valid(b[:whole]) {
		return false
	}
	for _, c := range b[whole:] {
		if !s.step(c) {
			return false
		}
	}
	return true
}

// done reports whether the text may end here.
func (s *textState) done() bool { return s.need == 0 }

// step takes one byte; the ranges are those of RFC 3629 section 4.
func (s *textState) step(c byte) bool {
	if s.need > 0 {
		ok := c >= s.lo && c <= s.hi
		*s = textState{need: s.need - 1, lo: 0x80, hi: 0xBF}
		return ok
	}
	switch {
	case c < 0x80:
	case c >= 0xC2 && c <= 0xDF:
		*s = textState{1, 0x80, 0xBF}
	case c == 0xE0: // no overlong forms
		*s = textState{2, 0xA0, 0xBF}
	case c == 0xED: // no surrogates
		*s = textState{2, 0x80, 0x9F}
	case c >= 0xE1 && c <= 0xEF:
		*s = textState{2, 0x80, 0xBF}
	case c == 0xF0: // no overlong forms
		*s = textState{3, 0x90, 0xBF}
	case c >= 0xF1 && c <= 0xF3:
		*s = textState{3, 0x80, 0xBF}
	case c == 0xF4: // nothing above U+10FFFF
		*s = textState{3, 0x80, 0x8F}
	default:
		return false
	}
	return true
}

// tail returns how many bytes at the end of b, at most 3, begin a rune that b does not end.
func tail(b []byte) int {
	for n := 1; n <= min(3, len(b)); n++ {
		switch c := b[len(b)-n]; {
		case c < 0x80:
			return 0
		case c >= 0xC0: // a first byte: of a rune of 2, 3 or 4 bytes
			if n == 1 || n == 2 && c >= 0xE0 || n == 3 && c >= 0xF0 {
				return n
			}
			return 0
		}
	}
	return 0
}
