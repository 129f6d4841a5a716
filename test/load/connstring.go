//go:build linux

package load

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Endpoint is where a service listens and the key that signs tokens for it.
type Endpoint struct {
	// Address is host:port as dialled.
	Address string
	// Audience is scheme, host and a slash: what token audiences begin with (service-protocol.md 1.2: no port, no path).
	Audience string
	// AccessKey is the text of the key; its UTF-8 bytes are the HMAC key.
	AccessKey string
}

// ParseConnectionString reads a connection string as the stock SDK does (service-protocol.md 1.1), as far as a load
// generator needs it: Endpoint, AccessKey and Port. Only plain http endpoints are accepted: the raw sockets speak no
// TLS.
func ParseConnectionString(s string) (Endpoint, error) {
	parts := map[string]string{}
	for piece := range strings.SplitSeq(s, ";") {
		key, value, found := strings.Cut(piece, "=")
		if !found {
			continue
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if _, twice := parts[key]; twice {
			return Endpoint{}, fmt.Errorf("connection string: key %q appears twice", key)
		}
		parts[key] = strings.TrimSpace(value)
	}
	if parts["endpoint"] == "" || parts["accesskey"] == "" {
		return Endpoint{}, errors.New("connection string: Endpoint and AccessKey are required")
	}
	u, err := url.Parse(parts["endpoint"])
	if err != nil {
		return Endpoint{}, fmt.Errorf("connection string: Endpoint: %w", err)
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		return Endpoint{}, fmt.Errorf("connection string: Endpoint %q: only http://host[:port] can be driven", u)
	}
	port := u.Port()
	if p := parts["port"]; p != "" {
		port = p
	}
	if port == "" {
		port = "80"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return Endpoint{}, fmt.Errorf("connection string: port %q is not within 1 to 65535", port)
	}
	return Endpoint{
		Address:   net.JoinHostPort(u.Hostname(), port),
		Audience:  "http://" + u.Hostname() + "/",
		AccessKey: parts["accesskey"],
	}, nil
}
