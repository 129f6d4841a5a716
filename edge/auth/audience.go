package auth

import (
	"net/url"
	"strings"
)

// splitAudience cuts an audience as the SDK writes it, scheme://host[:port]/path?query, by hand: the hub in the query
// is not escaped (service protocol 2.1), and scheme and port do not matter. The host is lower case. An audience
// without a scheme has no host. A fragment is dropped.
func splitAudience(s string) (host, path, query string) {
	s, _, _ = strings.Cut(s, "#")
	s, query, _ = strings.Cut(s, "?")
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", s, query
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return "", "", query
	}
	authority, path := rest[:slash], rest[slash:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	return hostOf(authority), path, query
}

// hostOf returns the host of host:port or [IPv6]:port in lower case, without brackets.
func hostOf(authority string) string {
	if rest, ok := strings.CutPrefix(authority, "["); ok {
		host, _, _ := strings.Cut(rest, "]")
		return strings.ToLower(host)
	}
	host, _, _ := strings.Cut(authority, ":")
	return strings.ToLower(host)
}

// audienceHub returns the hub that a query names, percent-decoded. A query that names two is refused, as nobody can
// say which of them was meant; other items are ignored.
func audienceHub(query string) (hub string, ok bool) {
	for item := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(item, "=")
		if name != "hub" {
			continue
		}
		decoded, err := url.QueryUnescape(value)
		if ok || err != nil {
			return "", false
		}
		hub, ok = decoded, true
	}
	return hub, ok
}

// lowerASCII lowers A to Z alone. Hub names are ASCII; the Unicode rules would make other letters equal to them, the
// Kelvin sign to k for one.
func lowerASCII(s string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	if i < 0 {
		return s
	}
	b := []byte(s)
	for ; i < len(b); i++ {
		if c := b[i]; 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
