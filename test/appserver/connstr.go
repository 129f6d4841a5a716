package appserver

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ErrConnectionString is wrapped by every error that ParseConnectionString returns.
var ErrConnectionString = errors.New("connection string")

// versionPattern is the SDK's rule for the Version key (1.1): only 1.x, then optional word characters, dots or dashes.
var versionPattern = regexp.MustCompile(`^1\.\d+(?:[\w.-]+)?$`)

// ConnectionString is a parsed connection string of the service (1.1).
type ConnectionString struct {
	// Endpoint is the base address with Port applied.
	Endpoint *url.URL
	// ClientEndpoint is the address handed to clients at negotiate; Endpoint unless given.
	ClientEndpoint *url.URL
	// ServerEndpoint is the address that server connections go to; Endpoint unless given.
	ServerEndpoint *url.URL
	// AccessKey is the shared secret; its UTF-8 text is the HMAC key.
	AccessKey string
}

// ParseConnectionString parses s by the SDK's grammar (1.1). Only access keys are supported: the Entra modes are
// refused.
func ParseConnectionString(s string) (*ConnectionString, error) {
	values, err := splitConnectionString(s)
	if err != nil {
		return nil, err
	}
	endpoint, ok := values["endpoint"]
	if !ok {
		return nil, fmt.Errorf("%w: missing endpoint", ErrConnectionString)
	}
	cs := &ConnectionString{AccessKey: values["accesskey"]}
	if cs.Endpoint, err = parseEndpoint("Endpoint", endpoint); err != nil {
		return nil, err
	}
	if v, ok := values["version"]; ok && !versionPattern.MatchString(v) {
		return nil, fmt.Errorf("%w: version %q is not supported", ErrConnectionString, v)
	}
	if p, ok := values["port"]; ok {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%w: invalid port %q", ErrConnectionString, p)
		}
		cs.Endpoint.Host = cs.Endpoint.Hostname() + ":" + p
	}
	switch strings.ToLower(values["authtype"]) {
	case "aad", "azure", "azure.app", "azure.msi":
		return nil, fmt.Errorf("%w: authentication type %q is not supported", ErrConnectionString, values["authtype"])
	}
	if cs.AccessKey == "" {
		return nil, fmt.Errorf("%w: missing access key", ErrConnectionString)
	}
	cs.ClientEndpoint, cs.ServerEndpoint = cs.Endpoint, cs.Endpoint
	if v, ok := values["clientendpoint"]; ok {
		if cs.ClientEndpoint, err = parseEndpoint("ClientEndpoint", v); err != nil {
			return nil, err
		}
	}
	if v, ok := values["serverendpoint"]; ok {
		if cs.ServerEndpoint, err = parseEndpoint("ServerEndpoint", v); err != nil {
			return nil, err
		}
	}
	return cs, nil
}

// splitConnectionString returns the pieces of s by lower-cased key.
func splitConnectionString(s string) (map[string]string, error) {
	values := map[string]string{}
	pieces := 0
	for piece := range strings.SplitSeq(s, ";") {
		if piece == "" {
			continue
		}
		pieces++
		key, value, ok := strings.Cut(piece, "=")
		if !ok {
			continue
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("%w: key %q appears twice", ErrConnectionString, key)
		}
		values[key] = strings.TrimSpace(value)
	}
	if pieces < 2 {
		return nil, fmt.Errorf("%w: missing endpoint", ErrConnectionString)
	}
	return values, nil
}

func parseEndpoint(name, value string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(value, "/"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConnectionString, name, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%w: %s must be an absolute http or https address", ErrConnectionString, name)
	}
	return u, nil
}

// AudienceBase returns scheme and host of Endpoint without port and path, with a final slash (1.2).
func (c *ConnectionString) AudienceBase() string {
	host := c.Endpoint.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return c.Endpoint.Scheme + "://" + host + "/"
}

// ClientURL returns the address that negotiate hands to clients of hub, up to and including the hub's name.
func (c *ConnectionString) ClientURL(hub string) string {
	return absoluteURI(c.ClientEndpoint) + "client/?hub=" + hub
}

// ServerURL returns the WebSocket address of server connections of hub, without cid.
func (c *ConnectionString) ServerURL(hub string) string {
	s := absoluteURI(c.ServerEndpoint) + "server/?hub=" + hub
	return "ws" + strings.TrimPrefix(s, "http")
}

// ClientAudience returns the audience of client tokens of hub.
func (c *ConnectionString) ClientAudience(hub string) string {
	return c.AudienceBase() + "client/?hub=" + hub
}

// ServerAudience returns the audience of server tokens of hub.
func (c *ConnectionString) ServerAudience(hub string) string {
	return c.AudienceBase() + "server/?hub=" + hub
}

// absoluteURI is .NET's Uri.AbsoluteUri: a slash ends it only when there is no path. The SDK joins by text, so an
// endpoint with a path gives a broken address there (trap 32) and here.
func absoluteURI(u *url.URL) string {
	if u.Path == "" {
		return u.Scheme + "://" + u.Host + "/"
	}
	return u.String()
}

// HubName returns the wire name of a hub (2.1): lower-cased, with the lower-cased application name and an underscore in
// front when there is one.
func HubName(application, hub string) string {
	if application == "" {
		return strings.ToLower(hub)
	}
	return strings.ToLower(application) + "_" + strings.ToLower(hub)
}
