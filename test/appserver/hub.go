package appserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// Method is a hub method: it gets the call's context and arguments and returns the result. A nil result completes
// without a value, Null with an explicit null. A *HubError shows its text to the client, any other error does not.
type Method func(c *Context, args Args) (any, error)

// StreamMethod is a hub method that streams: each send is one item to the client. It ends the stream by returning. When
// the client cancels, c.Context() ends and send returns its error.
type StreamMethod func(c *Context, args Args, send func(item any) error) error

// Hub is a hub class: a name, methods and hooks. Build it completely before giving it to New; one Hub may serve in
// several servers.
type Hub struct {
	// Name is the class name; its lower case is the hub's name on the wire.
	Name string
	// Path is where negotiate is answered, without "/negotiate"; default "/" and the lower-cased name.
	Path string

	methods        map[string]method
	onConnected    func(*Context) error
	onDisconnected func(*Context, string)
	onShutdown     func(context.Context, *HubServer)
}

type method struct {
	call    Method
	stream  StreamMethod
	uploads bool
}

// NewHub returns a hub without methods.
func NewHub(name string) *Hub {
	return &Hub{Name: name, Path: "/" + strings.ToLower(name), methods: map[string]method{}}
}

// Method registers a method by a name that clients may spell in any case.
func (h *Hub) Method(name string, f Method) *Hub {
	h.methods[strings.ToLower(name)] = method{call: f}
	return h
}

// Upload registers a method that takes upload streams. Like the framework, the server does not count it in the one
// invocation that a client may have running.
func (h *Hub) Upload(name string, f Method) *Hub {
	h.methods[strings.ToLower(name)] = method{call: f, uploads: true}
	return h
}

// Stream registers a method that streams to the client.
func (h *Hub) Stream(name string, f StreamMethod) *Hub {
	h.methods[strings.ToLower(name)] = method{stream: f}
	return h
}

// OnConnected sets what runs before any method of a new client. An error closes the client.
func (h *Hub) OnConnected(f func(*Context) error) *Hub {
	h.onConnected = f
	return h
}

// OnDisconnected sets what runs last for a client, with the reason as text: empty for a graceful end.
func (h *Hub) OnDisconnected(f func(c *Context, errText string)) *Hub {
	h.onDisconnected = f
	return h
}

// OnShutdown sets the hook that runs between finack and the wait for clients in a graceful shutdown (4.7). It may send.
func (h *Hub) OnShutdown(f func(context.Context, *HubServer)) *Hub {
	h.onShutdown = f
	return h
}

// HubError is an error whose text the client may see, the framework's HubException.
type HubError struct {
	// Text is shown to the client behind the framework's own words.
	Text string
}

// Error returns the text.
func (e *HubError) Error() string { return e.Text }

// NewHubError returns a HubError with a formatted text.
func NewHubError(format string, args ...any) *HubError {
	return &HubError{Text: fmt.Sprintf(format, args...)}
}

// exceptionText is how the framework shows an error in details: type and message.
func exceptionText(err error) string {
	if hubErr, ok := errors.AsType[*HubError](err); ok {
		return "HubException: " + hubErr.Text
	}
	return "Exception: " + err.Error()
}

// errorText appends to base what the client may know of err (client protocol 3.3).
func errorText(base string, err error, detailed bool) string {
	if _, shown := errors.AsType[*HubError](err); shown || detailed {
		return base + " " + exceptionText(err)
	}
	return base
}

// Context is one call of a hub: who calls, and the way to answer. It stays usable after the call; its writes go over
// the calling client's server connection (5.4).
type Context struct {
	c   *client
	ctx context.Context
}

func (c *client) context(ctx context.Context) *Context { return &Context{c: c, ctx: ctx} }

// Context ends when the client is gone, the invocation is cancelled, or the server closes.
func (c *Context) Context() context.Context { return c.ctx }

// ConnectionID returns the client's connection id.
func (c *Context) ConnectionID() string { return c.c.id }

// UserID returns the client's user id, or "".
func (c *Context) UserID() string { return c.c.userID }

// User returns the user as rebuilt from the claims of OpenConnection.
func (c *Context) User() *Principal { return c.c.principal }

// HTTPUser returns the HTTP context's user, which UpdateConnectionClaims changes (3.7).
func (c *Context) HTTPUser() *Principal {
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	return c.c.httpUser
}

// RawClaims returns the claims of OpenConnection as they came, system claims included.
func (c *Context) RawClaims() []Claim { return c.c.claims }

// Headers returns the client's request headers as the service gave them. They must not be changed.
func (c *Context) Headers() http.Header { return c.c.headers }

// QueryString returns the query as the service gave it, with its question mark.
func (c *Context) QueryString() string { return c.c.query }

// Query returns the parsed query; nil when QueryString has no question mark.
func (c *Context) Query() url.Values { return c.c.values }

// Path returns the original hub path, from asrs.op.
func (c *Context) Path() string { return c.c.path }

// RemoteIP returns the first address of X-Forwarded-For; invalid unless it is a bare address.
func (c *Context) RemoteIP() netip.Addr { return c.c.remote }

// InstanceID returns the id of the service instance that holds the client.
func (c *Context) InstanceID() string { return c.c.instanceID }

// Protocol returns the client's hub protocol name.
func (c *Context) Protocol() string { return c.c.protocol }

// Diagnostic reports whether the service marked the client as diagnostic.
func (c *Context) Diagnostic() bool {
	return equalFold(c.c.headers.Get(service.HeaderDiagnosticClient), "true")
}

// MigratedFrom returns the server id that the client was migrated from, or "".
func (c *Context) MigratedFrom() string { return c.c.headers.Get(service.HeaderMigrateFrom) }

// ServerConnectionID returns the cid of the server connection that carries the client now.
func (c *Context) ServerConnectionID() string { return c.c.connection().cid }

// Items is a table that lives as long as the connection.
func (c *Context) Items() *sync.Map { return &c.c.items }

// Hub returns the running hub.
func (c *Context) Hub() *HubServer { return c.c.h }

// Clients returns the senders whose writes keep this call's order.
func (c *Context) Clients() Clients { return Clients{h: c.c.h, scope: c.c, ctx: c.ctx} }

// Groups returns the group operations whose writes keep this call's order.
func (c *Context) Groups() Groups { return Groups{h: c.c.h, scope: c.c} }

// Abort closes the client: a hub Close without reconnect, then OnDisconnected, then CloseConnection.
func (c *Context) Abort() { c.c.end(ending{closeFrame: true, tellService: true}) }

// CloseWithError ends the client as an error of its connection does: Close with an error text and allowReconnect.
func (c *Context) CloseWithError() { c.c.fail("") }
