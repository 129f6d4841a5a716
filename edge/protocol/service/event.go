package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// ServiceError tells an app server why its connection is about to be closed: the SDK stops writing to it, but reads
// on. It has no extension map.
//
//	[15, errorMessage str]
type ServiceError struct {
	ErrorMessage string
}

// Type returns [TypeServiceError].
func (*ServiceError) Type() Type { return TypeServiceError }

func (m *ServiceError) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 2, TypeServiceError)
	return msgpack.AppendString(dst, m.ErrorMessage)
}

func (m *ServiceError) decode(d *decoder) { m.ErrorMessage = d.str("errorMessage") }

// EventObject is what a [ServiceEvent] is about.
type EventObject int32

// The objects of service events.
const (
	EventServiceInstance  EventObject = 0
	EventConnection       EventObject = 1
	EventUser             EventObject = 2
	EventGroup            EventObject = 3
	EventServerConnection EventObject = 4
)

// EventKind is what happened to the object of a [ServiceEvent].
type EventKind int32

// The kinds of service events.
const (
	EventReloading  EventKind = 0
	EventInvalid    EventKind = 1
	EventNotExisted EventKind = 2
	EventBufferFull EventKind = 3
)

// ServiceEvent is a warning that the SDK writes to its log.
//
//	[22, objectType int, id str, kind int, message str, ext]
type ServiceEvent struct {
	ObjectType EventObject
	ID         string
	Kind       EventKind
	Message    string
}

// Type returns [TypeServiceEvent].
func (*ServiceEvent) Type() Type { return TypeServiceEvent }

func (m *ServiceEvent) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeServiceEvent)
	dst = appendInt32(dst, int32(m.ObjectType))
	dst = msgpack.AppendString(dst, m.ID)
	dst = appendInt32(dst, int32(m.Kind))
	dst = msgpack.AppendString(dst, m.Message)
	return appendNoExt(dst)
}

func (m *ServiceEvent) decode(d *decoder) {
	m.ObjectType = EventObject(d.int32("objectType"))
	m.ID = d.str("id")
	m.Kind = EventKind(d.int32("kind"))
	m.Message = d.str("message")
	d.ext()
}
