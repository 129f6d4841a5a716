package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// ProtocolVersion is the only version of the service protocol; others are refused in the handshake (section 4.1).
const ProtocolVersion = 1

// ConnectionType is what a server connection is for (section 4.1).
type ConnectionType int32

// The types of server connections.
const (
	ConnectionDefault  ConnectionType = 0 // may carry clients, always accepted
	ConnectionOnDemand ConnectionType = 1 // may carry clients; a refusal is taken quietly
	ConnectionWeak     ConnectionType = 2 // never carries clients, may send any message
)

// MigrationLevel is when the clients of a server connection may move to another server (section 4.1).
type MigrationLevel int32

// The migration levels.
const (
	MigrationOff      MigrationLevel = 0
	MigrationShutdown MigrationLevel = 1 // when the server shuts down gracefully
	MigrationAny      MigrationLevel = 2 // always; the SDK never says so
)

// HandshakeRequest opens a server connection; the app server sends it at once.
//
//	[1, version int, connectionType int, target str, migrationLevel int, ext, (allowStatefulReconnects bool)]
//
// Accepted too: 2 items (version only), 4 (no level), 5 (no ext).
type HandshakeRequest struct {
	Version        int32 // ProtocolVersion
	ConnectionType ConnectionType
	Target         string // always empty in practice: the wish is in the request's URL
	MigrationLevel MigrationLevel
	// AllowStatefulReconnects is the seventh item (section 5.9); nil if absent, as SDKs before the 2026 line leave it.
	AllowStatefulReconnects *bool
}

// Type returns [TypeHandshakeRequest].
func (*HandshakeRequest) Type() Type { return TypeHandshakeRequest }

func (m *HandshakeRequest) appendBody(dst []byte) []byte {
	n := 6
	if m.AllowStatefulReconnects != nil {
		n = 7
	}
	dst = appendHead(dst, n, TypeHandshakeRequest)
	dst = appendInt32(dst, m.Version)
	dst = appendInt32(dst, int32(m.ConnectionType))
	dst = msgpack.AppendString(dst, m.Target)
	dst = appendInt32(dst, int32(m.MigrationLevel))
	dst = appendNoExt(dst)
	if m.AllowStatefulReconnects != nil {
		dst = msgpack.AppendBool(dst, *m.AllowStatefulReconnects)
	}
	return dst
}

func (m *HandshakeRequest) decode(d *decoder) {
	m.Version = d.int32("version")
	if d.more() {
		m.ConnectionType = ConnectionType(d.int32("connectionType"))
		m.Target = d.str("target")
	}
	if d.more() {
		m.MigrationLevel = MigrationLevel(d.int32("migrationLevel"))
	}
	d.ext()
	if d.more() {
		d.next("allowStatefulReconnects")
		m.AllowStatefulReconnects = new(d.r.Bool())
	}
}

// HandshakeResponse answers a [HandshakeRequest]; nothing else may be sent before it.
//
//	[2, errorMessage str, (ext), (connectionId str or null)]
//
// The extension map stands before the last item. Accepted too: 2 items (no ext), 3 (no id).
type HandshakeResponse struct {
	ErrorMessage string // empty: accepted
	ConnectionID string // the server connection's id, ignored by the SDK; null if empty
}

// Type returns [TypeHandshakeResponse].
func (*HandshakeResponse) Type() Type { return TypeHandshakeResponse }

func (m *HandshakeResponse) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeHandshakeResponse)
	dst = msgpack.AppendString(dst, m.ErrorMessage)
	dst = appendNoExt(dst)
	return appendNullable(dst, m.ConnectionID)
}

func (m *HandshakeResponse) decode(d *decoder) {
	m.ErrorMessage = d.str("errorMessage")
	d.ext()
	if d.more() {
		m.ConnectionID = d.str("connectionId")
	}
}
