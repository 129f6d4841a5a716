// Package reason is the one catalogue of why the edge closed a connection, refused a request or dropped a message.
// Logs, metrics, hub Close messages, HTTP answers and the generated documentation all read the same table.
//
// It is not a transport: it sends nothing and knows no connection.
//
// Concurrency: the table is immutable after package initialisation; everything here may be called from anywhere.
package reason

// Reason says why something ended or was refused. The zero value is None.
type Reason uint8

// Kind says what a Reason applies to.
type Kind uint8

// The kinds of reason.
const (
	// KindClose ends a live client connection.
	KindClose Kind = iota
	// KindRefuse answers an HTTP request with an error status.
	KindRefuse
	// KindDrop discards one message for one or all of its recipients.
	KindDrop
	// KindServerClose ends or refuses a server connection.
	KindServerClose
)

// String returns the name used in the documentation.
func (k Kind) String() string {
	return [...]string{"close", "refuse", "drop", "server-close"}[k]
}

// HubPlaceholder in a text is replaced by the hub's name.
const HubPlaceholder = "{hub}"

// Info is one row of the catalogue.
type Info struct {
	// Reason is the row's key.
	Reason Reason
	// Kind says what the row applies to.
	Kind Kind
	// Name is the stable metric label and log value, lower-case with dashes.
	Name string
	// Status is the HTTP status of a refusal, 0 for other kinds.
	Status int
	// Code is the WebSocket close code of a close (RFC 6455 7.4.1); 0 means the socket is cut without a close frame.
	Code uint16
	// Text is the fixed service text that clients and callers see; internal detail is never part of it. HubPlaceholder
	// stands for the hub's name.
	Text string
	// AllowReconnect is the hub Close message's allowReconnect: whether clients may come back by themselves.
	AllowReconnect bool
	// Category is the vendor's ConnectionCloseCategory (rest-and-serverless.md 6.1), empty where none applies.
	Category string
	// Description tells an operator what happened, for the documentation.
	Description string
}

// The catalogue. The order is the order of the documentation.
const (
	None Reason = iota

	// Closes of client connections.

	ClientClosed
	ClientGone
	ServerClosed
	ServerLost
	ServerDraining
	NoServer
	StickyServerMissing
	ModeNotDefault
	HandshakeTimeout
	HandshakeInvalid
	HandshakeRefused
	MessageTooLarge
	MessageInvalid
	WebSocketProtocol
	WebSocketUTF8
	WebSocketTooBig
	SlowQueue
	SlowStalled
	AuthExpired
	IdleTimeout
	Drain
	MessageQuota
	ClosedByManagement
	DuplicateConnection
	Overloaded
	InternalError

	// Refusals of HTTP requests.

	HubMissing
	HubInvalid
	ParameterRepeated
	ParameterInvalid
	Unauthorized
	TransportForbidden
	TransportUnsupported
	ConnectionIDRequired
	ConnectionUnknown
	ConnectionInUse
	ConnectionQuota
	MethodNotAllowed
	UpgradeInvalid
	HeadersTooLarge
	OriginForbidden
	Draining
	Unavailable
	NotFound

	// Drops of messages.

	DropNoPayload
	DropFilter
	DropUnknownConnection
	DropNotCarrier
	DropBeforeHandshake
	DropUnknownType
	DropMalformed

	// Ends of server connections.

	ServerConnClosed
	ServerConnGone
	ServerConnSilent
	ServerConnHandshake
	ServerConnVersion
	ServerConnRefused
	ServerConnMode
	ServerConnFrame
	ServerConnMessageQuota
	ServerConnDrain
	ServerConnStalled

	count
)

// The fixed texts of the service (spec: service-protocol.md 7.3, client-protocol.md 3.1 and 4.2,
// rest-and-serverless.md 5.5).
const (
	textQuota    = "Connection count reaches limit."
	textMessages = "Message count reaches limit."
	textError    = "Connection closed with an error."
	textReload   = "Service reloading, try reconnecting"
)

var table = [count]Info{
	None: {Name: "none", Description: "No reason: never reported."},

	ClientClosed: {
		Name: "client-closed", Code: 1000, Category: "Normal",
		Description: "The client said goodbye: hub Close or a WebSocket close frame.",
	},
	ClientGone: {
		Name: "client-gone", Category: "Normal",
		Description: "The client's TCP connection ended without a goodbye.",
	},
	ServerClosed: {
		Name: "server-closed", Code: 1000, Category: "ClosedByAppServer",
		Description: "The app server ended the connection: Abort, an error in the hub, a refused handshake.",
	},
	ServerLost: {
		Name: "server-lost", Code: 1000, AllowReconnect: true, Text: "ServerOffline",
		Category:    "ServerConnectionClosed",
		Description: "The server connection that carried the client ended.",
	},
	ServerDraining: {
		Name: "server-draining", Code: 1000, AllowReconnect: true,
		Text: "Application server closed the connection", Category: "ServerConnectionClosed",
		Description: "The app server shuts down and let the client go.",
	},
	NoServer: {
		Name: "no-server", Code: 1000, Category: "NoAvailableServerConnection",
		Text: "Hub '{hub}' is in Default mode, where client traffic is routed to app servers, " +
			"and no app server is connected.",
		Description: "No app server was connected for the hub while the client waited after its handshake request.",
	},
	StickyServerMissing: {
		Name: "sticky-server-missing", Code: 1000, Category: "ServerConnectionNotFound",
		Text:        "The app server that this client is bound to is not connected.",
		Description: "Sticky mode Required, and the named app server has no connection here.",
	},
	ModeNotDefault: {
		Name: "mode-not-default", Code: 1000, Category: "ServiceModeSwitched",
		Text: "This connection needs serverless mode, which this edge does not support: " +
			"connect an app server for the hub, or start the edge with service mode Default.",
		Description: "The service mode makes this client a serverless one, which is not built yet.",
	},
	HandshakeTimeout: {
		Name: "handshake-timeout", Code: 1000, Text: "Handshake was canceled.",
		Category: "HandshakeError", Description: "No handshake request, or no answer to it, in time.",
	},
	HandshakeInvalid: {
		Name: "handshake-invalid", Code: 1000,
		Text:        "An unexpected error occurred during connection handshake.",
		Category:    "HandshakeError",
		Description: "The first bytes are not a handshake request.",
	},
	HandshakeRefused: {
		Name: "handshake-refused", Code: 1000, Category: "HandshakeError",
		Description: "The app server answered the handshake with an error.",
	},
	MessageTooLarge: {
		Name: "message-too-large", Code: 1000, Text: textError, AllowReconnect: true,
		Category: "BadRequest", Description: "A hub message from the client is above limits.maxMessageBytes.",
	},
	MessageInvalid: {
		Name: "message-invalid", Code: 1000, Text: textError, AllowReconnect: true,
		Category: "BadRequest", Description: "The client's bytes are not framed as hub messages.",
	},
	WebSocketProtocol: {
		Name: "websocket-protocol", Code: 1002, Category: "BadRequest",
		Description: "The client broke RFC 6455.",
	},
	WebSocketUTF8: {
		Name: "websocket-utf8", Code: 1007, Category: "BadRequest",
		Description: "A WebSocket text message is not valid UTF-8.",
	},
	WebSocketTooBig: {
		Name: "websocket-too-big", Code: 1009, Category: "BadRequest",
		Description: "A WebSocket message is above 16 MiB.",
	},
	SlowQueue: {
		Name: "slow-queue", AllowReconnect: true, Category: "SlowClient",
		Description: "More than limits.sendQueueBytes waited for a client that does not read; its socket is cut.",
	},
	SlowStalled: {
		Name: "slow-stalled", AllowReconnect: true, Category: "SlowClient",
		Description: "The client took no byte for limits.slowPeerSeconds; its socket is cut.",
	},
	AuthExpired: {
		Name: "auth-expired", Code: 1000, AllowReconnect: true, Category: "Unauthorized",
		Text:        "The connection's authentication has expired.",
		Description: "Close on authentication expiry was asked for, and the time has come.",
	},
	IdleTimeout: {
		Name: "idle-timeout", Code: 1000, AllowReconnect: true, Category: "PingTimeout",
		Text: "Connection ping timeout", Description: "No byte either way for timeouts.idleSeconds.",
	},
	Drain: {
		Name: "drain", Code: 1000, AllowReconnect: true, Category: "ServiceReload",
		Text: textReload, Description: "The edge drains: it is being stopped or replaced.",
	},
	MessageQuota: {
		Name: "message-quota", Code: 1000, Category: "Throttled",
		Text: textMessages, Description: "The day's hard message quota is used up (Free tier).",
	},
	ClosedByManagement: {
		Name: "closed-by-management", Code: 1000, Category: "ClosedByAppServer",
		Description: "A management call closed the connection.",
	},
	DuplicateConnection: {
		Name: "duplicate-connection", Code: 1000, Category: "BadRequest", Text: textError,
		Description: "The connection id is in use already.",
	},
	Overloaded: {
		Name: "overloaded", AllowReconnect: true, Category: "ServiceTransientError", Text: textError,
		Description: "A shard's queue was full; nothing more could be taken in.",
	},
	InternalError: {
		Name: "internal-error", Code: 1011, AllowReconnect: true, Category: "ServiceTransientError",
		Text: "Internal server transient error", Description: "A fault of the edge itself.",
	},

	HubMissing: {
		Name: "hub-missing", Status: 400,
		Text:        "The query parameter 'hub' is required.",
		Description: "No hub in the query.",
	},
	HubInvalid: {
		Name: "hub-invalid", Status: 400,
		Text: "The query parameter 'hub' is not a hub name: a letter, then up to 127 letters, digits, " +
			"'_', '`', ',', '.', '[' or ']'. A hyphen is not allowed.",
		Description: "The hub's name breaks the rule.",
	},
	ParameterRepeated: {
		Name: "parameter-repeated", Status: 400,
		Text:        "The query parameters 'hub', 'id' and 'access_token' may stand once only.",
		Description: "A security-relevant query parameter stands twice.",
	},
	ParameterInvalid: {
		Name: "parameter-invalid", Status: 400,
		Text:        "The query string is not well-formed.",
		Description: "The query cannot be parsed.",
	},
	Unauthorized: {
		Name: "unauthorized", Status: 401, Text: "The request is not authorized.",
		Category: "Unauthorized", Description: "The token is missing or not valid; the answer's text says what is wrong.",
	},
	TransportForbidden: {
		Name: "transport-forbidden", Status: 403,
		Text:        "The token does not allow the WebSockets transport.",
		Description: "The token's asrs.s.htt leaves the transport out.",
	},
	TransportUnsupported: {
		Name: "transport-unsupported", Status: 404,
		Text:        "Only the WebSockets transport is supported by this end point type",
		Description: "Server-sent events or long polling, which this edge does not serve.",
	},
	ConnectionIDRequired: {
		Name: "connection-id-required", Status: 400, Text: "Connection ID required",
		Description: "A request that needs an id has none.",
	},
	ConnectionUnknown: {
		Name: "connection-unknown", Status: 404, Text: "No Connection with that ID",
		Description: "The connection token is unknown, used, forged or expired.",
	},
	ConnectionInUse: {
		Name: "connection-in-use", Status: 409,
		Text:        "The connection already has a WebSocket.",
		Description: "A second WebSocket with the token of a live connection.",
	},
	ConnectionQuota: {
		Name: "connection-quota", Status: 429, Text: textQuota, Category: "Throttled",
		Description: "The instance's connection quota is used up.",
	},
	MethodNotAllowed: {
		Name: "method-not-allowed", Status: 405, Text: "Method not allowed.",
		Description: "Another method than the resource has.",
	},
	UpgradeInvalid: {
		Name: "upgrade-invalid", Status: 400,
		Text:        "The request is not a valid WebSocket upgrade (RFC 6455 4.2.1).",
		Description: "The WebSocket handshake is malformed.",
	},
	HeadersTooLarge: {
		Name: "headers-too-large", Status: 431, Text: "The request's headers are above 16 KiB.",
		Description: "All headers together are above 16 KiB.",
	},
	OriginForbidden: {
		Name: "origin-forbidden", Status: 403,
		Text:        "The origin is not among the allowed origins.",
		Description: "A browser's Origin is not in cors.allowedOrigins.",
	},
	Draining: {
		Name: "draining", Status: 503, Text: textReload,
		Description: "The edge drains and takes nobody in.",
	},
	Unavailable: {
		Name: "unavailable", Status: 503, Text: "The service is overloaded, try again.",
		Description: "A shard's queue was full.",
	},
	NotFound: {Name: "not-found", Status: 404, Text: "Not found.", Description: "No such resource."},

	DropNoPayload: {
		Name:        "no-payload-for-protocol",
		Description: "The message carries no payload in the client's hub protocol.",
	},
	DropFilter: {
		Name:        "filter-unsupported",
		Description: "The message has a subscriber filter, which is never delivered unfiltered.",
	},
	DropUnknownConnection: {
		Name:        "unknown-connection",
		Description: "The message names a connection that is not here.",
	},
	DropNotCarrier: {
		Name:        "not-carrier",
		Description: "Connection data from a server connection that does not carry the client.",
	},
	DropBeforeHandshake: {
		Name:        "before-handshake",
		Description: "Too much waited for a client whose handshake is not answered yet.",
	},
	DropUnknownType: {Name: "unknown-type", Description: "A service message of an unknown type."},
	DropMalformed:   {Name: "malformed", Description: "A service message that cannot be decoded."},

	ServerConnClosed: {Name: "server-conn-closed", Code: 1000, Description: "The app server closed it."},
	ServerConnGone:   {Name: "server-conn-gone", Description: "Its TCP connection ended without a close frame."},
	ServerConnSilent: {
		Name: "server-conn-silent", Code: 1000,
		Text: "Connection ping timeout", Description: "Nothing came for timeouts.serverSilenceSeconds.",
	},
	ServerConnHandshake: {
		Name: "server-conn-handshake", Code: 1000, Text: "Handshake failed.",
		Description: "The first message was not a handshake request, or it did not come in time.",
	},
	ServerConnVersion: {
		Name: "server-conn-version", Code: 1000, Text: "Version mismatch.",
		Description: "The handshake asks for another protocol version than 1.",
	},
	ServerConnRefused: {
		Name: "server-conn-refused", Code: 1000,
		Text:        "This on-demand connection is not wanted here.",
		Description: "An on-demand connection that asked for another edge.",
	},
	ServerConnMode: {
		Name: "server-conn-mode", Code: 1000,
		Text:        "The service is in Serverless mode and accepts no app servers.",
		Description: "An app server connected in serverless mode.",
	},
	ServerConnFrame: {
		Name: "server-conn-frame", Code: 1002, Text: "The frame cannot be read.",
		Description: "WebSocket or service framing is broken, or a frame is above limits.maxServiceFrameBytes.",
	},
	ServerConnMessageQuota: {
		Name: "server-conn-message-quota", Code: 1000,
		Text:        "Maximum message count limit reached",
		Description: "The day's hard message quota is used up (Free tier).",
	},
	ServerConnDrain: {Name: "server-conn-drain", Code: 1000, Description: "The edge drains; its clients are gone."},
	ServerConnStalled: {
		Name:        "server-conn-stalled",
		Description: "The app server took no byte for a minute; the socket is cut.",
	},
}

func init() {
	for i := range table {
		table[i].Reason = Reason(i)
		switch r := Reason(i); {
		case r >= ServerConnClosed:
			table[i].Kind = KindServerClose
		case r >= DropNoPayload:
			table[i].Kind = KindDrop
		case r >= HubMissing:
			table[i].Kind = KindRefuse
		default:
			table[i].Kind = KindClose
		}
	}
}

// Info returns the row of r.
func (r Reason) Info() *Info { return &table[r] }

// String returns the row's name: the metric label and the log value.
func (r Reason) String() string { return table[r].Name }

// All returns every row but None, in the order of the documentation.
func All() []Info { return append([]Info(nil), table[1:]...) }
