package websocket

import (
	"fmt"
	"testing"
	"unicode/utf8"
)

// kosme is the Greek word that the Autobahn suite puts in front of what it tests.
const kosme = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"

// validText and invalidText are the sequences of families 6.2 to 6.23 of the Autobahn suite.
var validText = map[string][]string{
	"6.2 text of several lengths": {
		"Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!", kosme, "",
	},
	"6.6 whole runes of a word": {kosme[:2], kosme[:5], kosme[:7], kosme[:9]},
	"6.7 first of each length":  {"\x00", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"},
	"6.9 last of each length":   {"\x7F", "\xDF\xBF", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"},
	"6.11 other boundaries":     {"\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"},
	"6.22 characters that are none": {
		"\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xF0\x9F\xBF\xBE", "\xF1\xBF\xBF\xBF", "\xF3\xAF\xBF\xBE",
	},
	"6.23 specials": {"\xEF\xBF\xB9", "\xEF\xBF\xBA", "\xEF\xBF\xBB", "\xEF\xBF\xBC", "\xEF\xBF\xBD"},
	"long ASCII with one rune": {
		"0123456789abcdefghijklmnopqrstuvwxyz\xE2\x82\xACABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
	},
}

var invalidText = map[string][]string{
	"6.3 surrogate in a word":      {kosme + "\xED\xA0\x80edited"},
	"6.4 above U+10FFFF in a word": {kosme + "\xF4\x90\x80\x80edited"},
	"6.6 word cut inside a rune":   {kosme[:1], kosme[:3], kosme[:4], kosme[:6], kosme[:8], kosme[:10]},
	"6.8 five and six bytes":       {"\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80"},
	"6.10 last of five and six":    {"\xF7\xBF\xBF\xBF", "\xFB\xBF\xBF\xBF\xBF", "\xFD\xBF\xBF\xBF\xBF\xBF"},
	"6.11 first beyond":            {"\xF4\x90\x80\x80"},
	"6.12 continuation out of line": {
		"\x80", "\xBF", "\x80\xBF", "\x80\xBF\x80", "\x80\xBF\x80\xBF", "\x80\xBF\x80\xBF\x80\xBF\x80",
	},
	"6.13 lonely first bytes": {
		"\xC0 \xC1 \xC2 ", "\xDF ", "\xE0 \xE1 ", "\xEF ", "\xF0 \xF1 ", "\xF4 ", "\xF7 ", "\xF8 ", "\xFB ", "\xFC \xFD ",
	},
	"6.14 last byte missing": {
		"\xC0", "\xE0\x80", "\xF0\x80\x80", "\xF8\x80\x80\x80", "\xFC\x80\x80\x80\x80", "\xDF", "\xEF\xBF", "\xF4\x8F\xBF",
		"\xF7\xBF\xBF", "\xFB\xBF\xBF\xBF", "\xFD\xBF\xBF\xBF\xBF", "\xE2\x82", "\xE2", "\xF0\x90\x80", "\xF0\x90", "\xF0",
	},
	"6.15 many of them": {
		"\xC0\xE0\x80\xF0\x80\x80\xF8\x80\x80\x80\xFC\x80\x80\x80\x80\xDF\xEF\xBF\xF7\xBF\xBF",
	},
	"6.16 impossible bytes": {"\xFE", "\xFF", "\xFE\xFE\xFF\xFF"},
	"6.17 overlong slash": {
		"\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xF8\x80\x80\x80\xAF", "\xFC\x80\x80\x80\x80\xAF",
	},
	"6.18 longest overlong": {
		"\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF8\x87\xBF\xBF\xBF", "\xFC\x83\xBF\xBF\xBF\xBF",
	},
	"6.19 overlong zero": {
		"\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF8\x80\x80\x80\x80", "\xFC\x80\x80\x80\x80\x80",
	},
	"6.20 surrogates": {
		"\xED\xA0\x80", "\xED\xAD\xBF", "\xED\xAE\x80", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBE\x80", "\xED\xBF\xBF",
	},
	"6.21 pairs of surrogates": {
		"\xED\xA0\x80\xED\xB0\x80", "\xED\xA0\x80\xED\xBF\xBF", "\xED\xAD\xBF\xED\xB0\x80", "\xED\xAF\xBF\xED\xBF\xBF",
	},
	"long ASCII with one bad byte": {"0123456789abcdefghijklmnopqrstuvwxyz\x80ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"},
}

// TestText is family 6: each sequence in one frame, in two fragments cut at every place, and in fragments of one
// byte; each of these read in all ways.
func TestText(t *testing.T) {
	t.Parallel()
	run := func(name, text string, valid bool) {
		t.Run(fmt.Sprintf("%s %q", name, text), func(t *testing.T) {
			t.Parallel()
			if utf8.ValidString(text) != valid {
				t.Fatal("the table is wrong")
			}
			want := notUTF8
			if valid {
				want = []string{show("text", []byte(text))}
			}
			readAllWays(t, fromClient, client{}.text(text), want)
			single := client{}.begin("")
			for i := range len(text) {
				readAllWays(t, fromClient, client{}.begin(text[:i]).end(text[i:]), want)
				single = single.more(text[i : i+1])
			}
			readAllWays(t, fromClient, single.end(""), want)
			// Between the fragments of a text a ping of rubbish changes nothing.
			withPing := client{}.begin(text).ping("\xFF").end("")
			if valid {
				want = append([]string{`ping "\xff"`}, want...)
				readAllWays(t, fromClient, withPing, want)
			}
			readAllWays(t, fromClient, client{}.binary(text), []string{show("binary", []byte(text))})
		})
	}
	for name, texts := range validText {
		for _, text := range texts {
			run(name, text, true)
		}
	}
	for name, texts := range invalidText {
		for _, text := range texts {
			run(name, text, false)
		}
	}
}

// TestTextFailsFast wants 1007 at the first byte that cannot go on (6.4.3, 6.4.4), without waiting for the frame to
// end.
func TestTextFailsFast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		bad  int
	}{
		"surrogate":         {kosme + "\xED\xA0\x80 and more", len(kosme) + 1},
		"above U+10FFFF":    {kosme + "\xF4\x90\x80\x80 and more", len(kosme) + 1},
		"overlong":          {"abc\xE0\x80\xAF and more", 4},
		"never a first":     {"abc\xFF and more", 3},
		"lonely first byte": {"abc\xE2 and more", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := client{}.text(c.text)
			header := len(stream) - len(c.text)
			r := NewReader(true, 0)
			if _, _, err := r.Next(stream[:header+c.bad]); err != nil {
				t.Fatalf("got %v before the bad byte", err)
			}
			_, _, err := r.Next(stream[header+c.bad : header+c.bad+1])
			if want := error(errText); err != want { //nolint:errorlint // identity is meant
				t.Fatalf("want %v at the bad byte, got %v", want, err)
			}
		})
	}
}

// TestTextState compares the validator with the standard library on texts of three and four interesting bytes, in all
// splits.
func TestTextState(t *testing.T) {
	t.Parallel()
	bytes := []byte{
		0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
		0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
	}
	check := func(b []byte) {
		for cut := range len(b) + 1 {
			var s textState
			got := s.add(b[:cut]) && s.add(b[cut:]) && s.done()
			if want := utf8.Valid(b); got != want {
				t.Fatalf("% x cut at %d: want %v, got %v", b, cut, want, got)
			}
		}
	}
	for _, a := range bytes {
		for _, b := range bytes {
			for _, c := range bytes {
				check([]byte{a, b, c})
				if a >= 0xF0 { // only these begin four bytes
					check([]byte{a, b, c, 0x7F})
					check([]byte{a, b, c, 0x80})
					check([]byte{a, b, c, 0xBF})
					check([]byte{a, b, c, 0xC0})
				}
			}
		}
	}
}
