package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// ClientInvocation asks a client for a result (section 5.7), from the caller's app server to the service and on to
// the app server that carries the client.
//
//	[34, invocationId str, connectionId str, callerServerId str, payloads map(str: bin), ext{1}]
type ClientInvocation struct {
	InvocationID   string
	ConnectionID   string
	CallerServerID string
	Payloads       Payloads // towards app servers it may be empty
	TracingID      uint64   // ext 1
}

// Type returns [TypeClientInvocation].
func (*ClientInvocation) Type() Type { return TypeClientInvocation }

func (m *ClientInvocation) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeClientInvocation)
	dst = msgpack.AppendString(dst, m.InvocationID)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.CallerServerID)
	dst = appendPayloads(dst, m.Payloads)
	return appendTraced(dst, m.TracingID)
}

func (m *ClientInvocation) decode(d *decoder) {
	m.InvocationID = d.str("invocationId")
	m.ConnectionID = d.str("connectionId")
	m.CallerServerID = d.str("callerServerId")
	m.Payloads = d.payloads()
	m.TracingID = d.ext().tracingID
}

// ClientCompletion carries a client's result to the app server that asked for it. From the caller's own server, with
// an empty payload, it only says that the invocation is done.
//
//	[35, invocationId str, connectionId str, callerServerId str, protocol str, payload bin, ext{1, 3}]
//
// The protocol's name is written twice: as an item and as key 3 of the extension map.
type ClientCompletion struct {
	InvocationID   string
	ConnectionID   string
	CallerServerID string // the router's own server id: find the caller by InvocationID
	Protocol       string // hub protocol of Payload
	Payload        []byte // a whole Completion frame, or nothing; when decoded, a view
	TracingID      uint64 // ext 1
}

// Type returns [TypeClientCompletion].
func (*ClientCompletion) Type() Type { return TypeClientCompletion }

func (m *ClientCompletion) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 7, TypeClientCompletion)
	dst = msgpack.AppendString(dst, m.InvocationID)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.CallerServerID)
	dst = msgpack.AppendString(dst, m.Protocol)
	dst = msgpack.AppendBin(dst, m.Payload)
	return appendExt(dst, ext{tracingID: m.TracingID, protocol: m.Protocol})
}

func (m *ClientCompletion) decode(d *decoder) {
	m.InvocationID = d.str("invocationId")
	m.ConnectionID = d.str("connectionId")
	m.CallerServerID = d.str("callerServerId")
	if d.next("protocol") {
		m.Protocol = d.rawProtocol()
	}
	m.Payload = d.bin("payload")
	e := d.ext()
	if m.Protocol == "" {
		m.Protocol = e.protocol
	}
	m.TracingID = e.tracingID
}

// ErrorCompletion ends a [ClientInvocation] without a result: no such client, the client is gone, or time is up.
//
//	[36, invocationId str, connectionId str, callerServerId str, error str, ext{1}]
type ErrorCompletion struct {
	InvocationID   string
	ConnectionID   string
	CallerServerID string
	Error          string // text for the caller
	TracingID      uint64 // ext 1
}

// Type returns [TypeErrorCompletion].
func (*ErrorCompletion) Type() Type { return TypeErrorCompletion }

func (m *ErrorCompletion) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeErrorCompletion)
	dst = msgpack.AppendString(dst, m.InvocationID)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.CallerServerID)
	dst = msgpack.AppendString(dst, m.Error)
	return appendTraced(dst, m.TracingID)
}

func (m *ErrorCompletion) decode(d *decoder) {
	m.InvocationID = d.str("invocationId")
	m.ConnectionID = d.str("connectionId")
	m.CallerServerID = d.str("callerServerId")
	m.Error = d.str("error")
	m.TracingID = d.ext().tracingID
}

// ServiceMapping tells the caller's app server which edge instance holds the client of an invocation: if a [Ping]
// with [PingOffline] names it, the invocation fails.
//
//	[37, invocationId str, connectionId str, instanceId str, ext]
type ServiceMapping struct {
	InvocationID string
	ConnectionID string
	InstanceID   string
}

// Type returns [TypeServiceMapping].
func (*ServiceMapping) Type() Type { return TypeServiceMapping }

func (m *ServiceMapping) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeServiceMapping)
	dst = msgpack.AppendString(dst, m.InvocationID)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendString(dst, m.InstanceID)
	return appendNoExt(dst)
}

func (m *ServiceMapping) decode(d *decoder) {
	m.InvocationID = d.str("invocationId")
	m.ConnectionID = d.str("connectionId")
	m.InstanceID = d.str("instanceId")
	d.ext()
}
