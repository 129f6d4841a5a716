package hub

import "bytes"

// SSEComment is what a server-sent event stream begins with, so that proxies and browsers see it open (section 2.3).
const SSEComment = ":\r\n"

// AppendSSEEvent appends a payload, one or several whole messages of a text protocol, as one server-sent event: a data
// line for each of its lines and a blank line. CR LF inside a payload arrives as LF.
func AppendSSEEvent(dst, payload []byte) []byte {
	for more := true; more; {
		var line []byte
		line, payload, more = bytes.Cut(payload, []byte{'\n'})
		if more {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
