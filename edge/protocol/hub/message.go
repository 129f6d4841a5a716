package hub

// MessageType is the type number of a hub message.
type MessageType uint8

// The message types of section 3.2.
const (
	// TypeUnknown stands for every number that is not below: such messages are skipped by everybody.
	TypeUnknown MessageType = 0
	// TypeInvocation calls a method; without an id no answer is wanted.
	TypeInvocation MessageType = 1
	// TypeStreamItem carries an item of a stream, in either direction.
	TypeStreamItem MessageType = 2
	// TypeCompletion ends an invocation or a stream with a result, an error, or neither.
	TypeCompletion MessageType = 3
	// TypeStreamInvocation calls a method that answers with a stream. Never sent to clients: the Java client throws.
	TypeStreamInvocation MessageType = 4
	// TypeCancelInvocation asks the callee to stop. Never sent to clients.
	TypeCancelInvocation MessageType = 5
	// TypePing says that the sender lives.
	TypePing MessageType = 6
	// TypeClose says that the sender closes, and why.
	TypeClose MessageType = 7
	// TypeAck says up to which sequence number messages came (stateful reconnect).
	TypeAck MessageType = 8
	// TypeSequence says which sequence number the next message has (stateful reconnect).
	TypeSequence MessageType = 9
)

// Message is the envelope of a hub message. Which fields mean something depends on Type. Strings are copies; []byte
// are views of the decoded message, in the encoding of its protocol.
type Message struct {
	// Type is what the message is.
	Type MessageType
	// HasInvocationID tells an invocation that wants an answer from one that does not.
	HasInvocationID bool
	// HasResult tells a Completion with a result (which may be null) from a void one.
	HasResult bool
	// HasError tells a Completion or Close with an error text (which may be empty) from one without.
	HasError bool
	// AllowReconnect is set in a Close after which the client may reconnect.
	AllowReconnect bool
	// InvocationID is the id of the invocation or stream; empty when HasInvocationID is not set.
	InvocationID string
	// Target is the method's name as the sender spelt it.
	Target string
	// Error is the error text of a Completion or Close.
	Error string
	// SequenceID is the number in an Ack or Sequence.
	SequenceID int64
	// StreamIDs are the ids of the streams that the caller will upload; mostly nil.
	StreamIDs []string
	// Headers is the raw map of header names to values; nil if there is none.
	Headers []byte
	// Arguments is the raw array of arguments.
	Arguments []byte
	// Item is the raw value in a StreamItem.
	Item []byte
	// Result is the raw value in a Completion; nil unless HasResult.
	Result []byte
}

// ProtocolError is a violation of the hub protocol by the peer.
type ProtocolError struct {
	// Text is what the error says; for JSON the text that ASP.NET Core has for it.
	Text string
}

// Error returns the text.
func (e *ProtocolError) Error() string { return "hub protocol: " + e.Text }

// TypeOf returns the type of a message as NextMessage gives it, TypeUnknown for a number that is none of ours. It is
// made for every message that passes through and looks only as far as it must: of a malformed message it may return
// the type. Where a JSON object names its type twice the last counts, as everywhere, save that it may return the
// first if that is of 1 to 5.
func TypeOf(p Protocol, msg []byte) (MessageType, error) {
	if p == MessagePack {
		return packType(msg)
	}
	return jsonType(msg)
}

// Decode reads the envelope of a message as NextMessage gives it, and checks that all of it is well-formed. A type
// that is none of ours gives a Message with TypeUnknown and no error. The error is a *ProtocolError.
func Decode(p Protocol, msg []byte) (Message, error) {
	if p == MessagePack {
		return decodePack(msg)
	}
	return decodeJSON(msg)
}

// messageType maps a type number to its MessageType.
func messageType(n int64) MessageType {
	if n < 1 || n > int64(TypeSequence) {
		return TypeUnknown
	}
	return MessageType(n)
}
