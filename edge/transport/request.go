package transport

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// maxHubName is the longest hub name (rest-and-serverless.md 1.2).
const maxHubName = 128

// query is the part of a query string that the edge understands. Names compare without case; of repeated ones the
// last counts, but hub, id and access_token may stand once only: whoever checks one must not be shown another.
type query struct {
	hub, id, token   string
	hasID            bool
	negotiateVersion string
	clientID, target string // of server connections
	fromServer       bool   // asrs_request_id: an app server's SDK made this URL
	forward          string // for the app server: with "?", without access_token
}

func parseQuery(raw string) (q query, why reason.Reason) {
	kept := make([]string, 0, 8)
	var hubs, ids, tokens int
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return q, reason.ParameterInvalid
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return q, reason.ParameterInvalid
		}
		switch lowerASCII(name) {
		case "hub":
			q.hub, hubs = lowerASCII(value), hubs+1
		case "id":
			q.id, q.hasID, ids = value, true, ids+1
		case "access_token":
			q.token, tokens = value, tokens+1
			continue
		case "negotiateversion":
			q.negotiateVersion = value
		case "cid":
			q.clientID = value
		case "target":
			q.target = value
		case "asrs_request_id":
			q.fromServer = true
		}
		kept = append(kept, part)
	}
	if len(kept) > 0 {
		q.forward = "?" + strings.Join(kept, "&")
	}
	switch {
	case hubs > 1 || ids > 1 || tokens > 1:
		return q, reason.ParameterRepeated
	case hubs == 0 || q.hub == "":
		return q, reason.HubMissing
	case !validHub(q.hub):
		return q, reason.HubInvalid
	}
	return q, reason.None
}

// lowerASCII lowers A to Z alone: by the rules of Unicode other letters would become ASCII, the Kelvin sign a k.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// validHub checks a lower-case hub name: a letter, then letters, digits and the characters of generic type names.
func validHub(s string) bool {
	if len(s) > maxHubName {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || strings.IndexByte("_`,.[]", c) >= 0):
		default:
			return false
		}
	}
	return s != ""
}

// bearer returns the access token: of the header, else of the query (service-protocol.md 2.7).
func bearer(r *http.Request, q query) string {
	const scheme = "bearer "
	if v := r.Header.Get("Authorization"); len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
		return strings.TrimSpace(v[len(scheme):])
	}
	return q.token
}

// ours reports whether a header is not the client's to send to an app server: it would forge what the edge says
// (Asrs-*, forwarding), is a secret, or belongs to one hop.
func ours(name string) bool {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(lower, "asrs-"), strings.HasPrefix(lower, "x-asrs-"),
		strings.HasPrefix(lower, "x-forwarded-"), strings.HasPrefix(lower, "sec-websocket-"),
		strings.HasPrefix(lower, "proxy-"):
		return true
	}
	switch lower {
	case "authorization", "forwarded", "x-real-ip", "x-original-for", "x-client-ip", "true-client-ip",
		"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length":
		return true
	}
	return false
}

// forwardedHeaders are the client's headers for OpenConnection, with what the edge adds (service-protocol.md 5.1).
func (h *Handler) forwardedHeaders(r *http.Request, id *Identity) service.Headers {
	hop := r.Header.Values("Connection")
	out := make(service.Headers, 0, len(r.Header)+3)
	for name, values := range r.Header {
		if !ours(name) && !named(hop, name) {
			out = append(out, service.Header{Name: name, Values: values})
		}
	}
	slices.SortFunc(out, func(a, b service.Header) int { return strings.Compare(a.Name, b.Name) })
	out = append(out, service.Header{Name: service.HeaderInstanceID, Values: []string{h.Node}})
	if ip := h.clientIP(r); ip != "" {
		out = append(out, service.Header{Name: "X-Forwarded-For", Values: []string{ip}})
	}
	if id.Diagnostic {
		out = append(out, service.Header{Name: service.HeaderDiagnosticClient, Values: []string{"true"}})
	}
	return out
}

// named reports whether a Connection header lists name as belonging to this hop.
func named(connection []string, name string) bool {
	for _, v := range connection {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), name) {
				return true
			}
		}
	}
	return false
}

// clientIP returns the client's address as a bare IP, which is all the SDK can parse. A trusted proxy is believed,
// and so is the one before it, from the right; the first that is not trusted is the client.
func (h *Handler) clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	peer = peer.Unmap().WithZone("")
	trusted := h.settings.Load().Proxies
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0 && contains(trusted, peer); i-- {
		next, ok := parseIP(strings.TrimSpace(chain[i]))
		if !ok {
			break
		}
		peer = next
	}
	return peer.String()
}

// parseIP takes an address with or without a port.
func parseIP(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// cors answers preflights and puts the CORS headers on whatever the answer will be, so that browsers show errors
// (client-protocol.md 1.5). It reports whether the request goes on.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	head := w.Header()
	head.Add("Vary", "Origin")
	allowed := origin != "" && h.originAllowed(origin)
	if allowed {
		head.Set("Access-Control-Allow-Origin", origin)
		head.Set("Access-Control-Allow-Credentials", "true")
	}
	if r.Method != http.MethodOptions {
		if origin != "" && !allowed {
			h.refuse(w, reason.OriginForbidden, "")
			return false
		}
		return true
	}
	if allowed {
		asked := r.Header.Get("Access-Control-Request-Headers")
		if asked == "" {
			asked = "authorization, content-type, x-requested-with, x-signalr-user-agent"
		}
		head.Add("Vary", "Access-Control-Request-Headers")
		head.Set("Access-Control-Allow-Headers", asked)
		head.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
		head.Set("Access-Control-Max-Age", "7200")
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}

func (h *Handler) originAllowed(origin string) bool {
	return slices.ContainsFunc(h.settings.Load().AllowedOrigins, func(s string) bool {
		return s == "*" || strings.EqualFold(s, origin)
	})
}
