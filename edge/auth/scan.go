package auth

// The functions here walk over text that json.Valid has found to be JSON, so that they need not look for faults: each
// index they reach is in the text. encoding/json alone would cost ten times as many allocations for each connect, or
// lose order and repeats. FuzzPayload holds them against it.

// skipSpace returns the index of the first byte from i on that is not JSON white space, or the length of b.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the index behind the value that begins at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return textEnd(b, i)
	case '{', '[':
		for depth := 0; ; {
			switch b[i] {
			case '"':
				i = textEnd(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	default: // a number, true, false or null
		for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
			i++
		}
		return i
	}
}

// textEnd returns the index behind the text whose opening quote is at i.
func textEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// elements returns the elements of a list, as views into it.
func elements(list []byte) [][]byte {
	var out [][]byte
	for i := skipSpace(list, 1); list[i] != ']'; {
		end := valueEnd(list, i)
		out = append(out, list[i:end])
		if i = skipSpace(list, end); list[i] == ',' {
			i = skipSpace(list, i+1)
		}
	}
	return out
}
