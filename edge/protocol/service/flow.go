package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// FlowTarget is what a [ConnectionFlowControl] is about.
type FlowTarget int32

// The targets of flow control. Any other makes the SDK's parser throw.
const (
	FlowClient FlowTarget = 1
	FlowServer FlowTarget = 2
)

// FlowOperation is what a [ConnectionFlowControl] asks for or reports (section 5.10).
type FlowOperation int32

// The operations of flow control. Any other makes the SDK's parser throw.
const (
	FlowPause    FlowOperation = 1 // client: stop forwarding its messages after the current one
	FlowPauseAck FlowOperation = 2 // client: everything before this was sent
	FlowResume   FlowOperation = 3 // client: go on, on the connection this comes on
	FlowOffline  FlowOperation = 4 // server: write through other server connections
)

// ConnectionFlowControl pauses and moves clients, and silences server connections (section 5.10).
//
//	[39, connectionId str, connectionType int32, operation int32, ext]
//
// Both numbers are written in the form d2 and four bytes, never shorter.
type ConnectionFlowControl struct {
	ConnectionID   string // a client's id, or the cid of a server connection
	ConnectionType FlowTarget
	Operation      FlowOperation
}

// Type returns [TypeConnectionFlowControl].
func (*ConnectionFlowControl) Type() Type { return TypeConnectionFlowControl }

func (m *ConnectionFlowControl) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 5, TypeConnectionFlowControl)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = msgpack.AppendFixedInt32(dst, int32(m.ConnectionType))
	dst = msgpack.AppendFixedInt32(dst, int32(m.Operation))
	return appendNoExt(dst)
}

func (m *ConnectionFlowControl) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.ConnectionType = FlowTarget(d.int32("connectionType"))
	m.Operation = FlowOperation(d.int32("operation"))
	d.ext()
}
