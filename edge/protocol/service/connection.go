package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// Names of headers in [OpenConnection] and [CloseConnection].
const (
	// HeaderInstanceID names the edge instance that holds the client (section 5.1); see [PingOffline].
	HeaderInstanceID = "Asrs-Instance-Id"
	// HeaderDiagnosticClient is "true" for a diagnostic client (section 5.1).
	HeaderDiagnosticClient = "Asrs-Is-Diagnostic-Client"
	// HeaderMigrateFrom, in OpenConnection, names the app server a client comes from (section 4.8).
	HeaderMigrateFrom = "Asrs-Migrate-From"
	// HeaderMigrateTo, in CloseConnection, names the app server a client goes to (section 4.8).
	HeaderMigrateTo = "Asrs-Migrate-To"
)

// DataType says what a [ConnectionData] holds (section 3.3, key 5). SDKs before the 2026 line do not say it: 0.
type DataType int32

// The data types.
const (
	DataHandshake  DataType = 1 // the hub protocol's handshake
	DataInvocation DataType = 2 // a message that belongs to an invocation: hub message types 1 to 5
	DataOther      DataType = 3 // ping, ack, sequence
	DataClose      DataType = 4 // close
)

// OpenConnection hands a new client to an app server (section 5.1).
//
//	[4, connectionId str, claims map(str: str), (headers map(str: [str]), queryString str, ext{1, 3})]
//
// Keys of claims may repeat. Accepted too: 3 items (id and claims), 5 (no ext).
type OpenConnection struct {
	ConnectionID string
	Claims       Claims
	Headers      Headers
	QueryString  string // with its leading "?"
	Protocol     string // ext 3: the client's hub protocol; always set it
	TracingID    uint64 // ext 1
}

// Type returns [TypeOpenConnection].
func (*OpenConnection) Type() Type { return TypeOpenConnection }

func (m *OpenConnection) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeOpenConnection)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = appendClaims(dst, m.Claims)
	dst = appendHeaders(dst, m.Headers)
	dst = msgpack.AppendString(dst, m.QueryString)
	return appendExt(dst, ext{tracingID: m.TracingID, protocol: m.Protocol})
}

func (m *OpenConnection) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Claims = d.claims("claims")
	if d.more() {
		m.Headers = d.headers("headers")
		m.QueryString = d.str("queryString")
	}
	e := d.ext()
	m.Protocol, m.TracingID = e.protocol, e.tracingID
}

// CloseConnection ends a client's connection, in either direction (section 5.2).
//
//	[5, connectionId str, errorMessage str, (headers map(str: [str])), (ext{1})]
//
// Accepted too: 3 items (no headers), 4 (no ext).
type CloseConnection struct {
	ConnectionID string
	ErrorMessage string  // why; may be empty
	Headers      Headers // only HeaderMigrateTo and HeaderMigrateFrom mean something
	TracingID    uint64  // ext 1
}

// Type returns [TypeCloseConnection].
func (*CloseConnection) Type() Type { return TypeCloseConnection }

func (m *CloseConnection) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeCloseConnection)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.ErrorMessage)
	dst = appendHeaders(dst, m.Headers)
	return appendTraced(dst, m.TracingID)
}

func (m *CloseConnection) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.ErrorMessage = d.str("errorMessage")
	if d.more() {
		m.Headers = d.headers("headers")
	}
	m.TracingID = d.ext().tracingID
}

// ConnectionData carries bytes from or to one client, in order (section 5.3).
//
//	[6, connectionId str, payload bin, (ext{1, 5, 6})]
//
// Accepted too: 3 items (no ext).
type ConnectionData struct {
	ConnectionID string
	Payload      []byte   // bytes of the client's transport; when decoded, a view
	DataType     DataType // ext 5; 0: not said
	IsPartial    bool     // ext 6: the next one for this client continues the message
	TracingID    uint64   // ext 1
}

// Type returns [TypeConnectionData].
func (*ConnectionData) Type() Type { return TypeConnectionData }

func (m *ConnectionData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeConnectionData)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendBin(dst, m.Payload)
	return appendExt(dst, ext{tracingID: m.TracingID, dataType: m.DataType, isPartial: m.IsPartial})
}

func (m *ConnectionData) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Payload = d.bin("payload")
	e := d.ext()
	m.DataType, m.IsPartial, m.TracingID = e.dataType, e.isPartial, e.tracingID
}

// ConnectionReconnect tells an app server to forget an unfinished partial message of a client (section 5.9).
//
//	[38, connectionId str, ext]
type ConnectionReconnect struct {
	ConnectionID string
}

// Type returns [TypeConnectionReconnect].
func (*ConnectionReconnect) Type() Type { return TypeConnectionReconnect }

func (m *ConnectionReconnect) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 3, TypeConnectionReconnect)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	return appendNoExt(dst)
}

func (m *ConnectionReconnect) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	d.ext()
}
