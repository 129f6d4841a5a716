package websocket

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// DefaultMaxMessage is the largest WebSocket message, all fragments together, in bytes, where NewReader is given none.
const DefaultMaxMessage = 16 << 20

// Kind says what an Event is.
type Kind uint8

// The kinds of Event.
const (
	// None means that all input is used up and more is needed.
	None Kind = iota
	// Data is a chunk of a text or binary message.
	Data
	// Ping is a whole ping; the answer is an OpPong with the same payload.
	Ping
	// Pong is a whole pong.
	Pong
	// Close is the whole close frame; the peer has nothing more to say.
	Close
)

// Event is what Reader.Next found.
type Event struct {
	// Payload is a view of the bytes given to Next, unmasked in place: a chunk of data, the payload of a ping or pong,
	// or the UTF-8 reason of a close. A control frame that was split over calls has its payload in a small buffer of its
	// own.
	Payload []byte
	// Kind says which of the fields mean something.
	Kind Kind
	// Opcode is OpText or OpBinary for Data (that of the message, also in later fragments), else that of the frame.
	Opcode Opcode
	// Final is set on the chunk of Data that ends its message; it may be empty.
	Final bool
	// Code is the code of a Close, CodeNoStatus if it has none.
	Code Code
}

// The errors of Reader.Next are made once: refusing costs no memory.
var (
	errReservedBits   = &ProtocolError{CodeProtocolError, "reserved bit set"}
	errReservedOpcode = &ProtocolError{CodeProtocolError, "reserved opcode"}
	errNotMasked      = &ProtocolError{CodeProtocolError, "frame not masked"}
	errMasked         = &ProtocolError{CodeProtocolError, "frame masked"}
	errControlSize    = &ProtocolError{CodeProtocolError, "control frame over 125 bytes"}
	errControlSplit   = &ProtocolError{CodeProtocolError, "control frame fragmented"}
	errContinuation   = &ProtocolError{CodeProtocolError, "continuation without a message"}
	errInterleaved    = &ProtocolError{CodeProtocolError, "new message inside a fragmented one"}
	errLengthForm     = &ProtocolError{CodeProtocolError, "length not in its shortest form"}
	errLengthSign     = &ProtocolError{CodeProtocolError, "length over 63 bits"}
	errClosePayload   = &ProtocolError{CodeProtocolError, "close payload of one byte"}
	errCloseCode      = &ProtocolError{CodeProtocolError, "invalid close code"}
	errCloseReason    = &ProtocolError{CodeInvalidPayload, "close reason is not UTF-8"}
	errText           = &ProtocolError{CodeInvalidPayload, "text is not UTF-8"}
	errTooBig         = &ProtocolError{CodeTooBig, "message too big"}
)

// phase is where in a frame a Reader stands.
type phase uint8

const (
	phaseFirst   phase = iota // the byte with FIN and the opcode
	phaseLength               // the byte with MASK and the short length
	phaseLong16               // 2 bytes of length
	phaseLong64               // 8 bytes of length
	phaseKey                  // 4 bytes of key
	phasePayload              // remain bytes of payload
	phaseEnd                  // after a Close or an error
)

// Reader parses one peer's frames from arbitrary pieces of its byte stream. It never holds data payload: a chunk is
// given out as it comes. One is embedded in every connection, so it is 40 bytes and allocates only for a control
// frame whose payload is split over calls. The header's parts are folded into the fields byte by byte, so that no
// buffer for a header in halves is needed. Use NewReader; the zero value refuses every message with data.
type Reader struct {
	control *controlBuffer // payload of a split control frame, else nil
	remain  uint64         // payload bytes left; while the header is read, the length so far
	size    uint32         // bytes of the current message in the frames begun so far
	limit   uint32         // maximum of size
	key     uint32         // masking key, its low byte for the next payload byte
	phase   phase
	need    uint8 // bytes left of a long length or a key
	frame   byte  // first header byte of the current frame
	message Opcode
	text    textState
	masked  bool // whether the peer has to mask
}

// controlBuffer collects a control payload that comes in pieces.
type controlBuffer struct {
	n   uint8
	buf [MaxControlPayload]byte
}

// NewReader returns a Reader for the frames of a client (masked: each must be) or of a server (not masked: none may
// be). A message over maxMessage bytes, fragments counted together, is refused with CodeTooBig as soon as a header
// announces it; 0 means DefaultMaxMessage.
func NewReader(masked bool, maxMessage int) Reader {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	return Reader{masked: masked, limit: uint32(min(maxMessage, math.MaxInt32))}
}

// Next takes bytes from b up to the end of the first event and returns it with the rest of b. Kind None means that b
// is used up; the caller then comes again with the bytes that follow. It changes b, as it unmasks in place, and
// Payload is a view of it.
//
// The error is a *ProtocolError; data given out before it may belong to a message that never completes. After an
// error or a Close, Next swallows whatever comes (RFC 6455 section 5.5.1).
func (r *Reader) Next(b []byte) (ev Event, rest []byte, err error) {
	for len(b) > 0 && r.phase != phaseEnd {
		if r.phase != phasePayload {
			var violation *ProtocolError
			if b, violation = r.header(b); violation != nil {
				return r.fail(violation)
			}
			if r.phase != phasePayload {
				break
			}
		}
		n := int(min(uint64(len(b)), r.remain))
		chunk := b[:n:n]
		b = b[n:]
		r.remain -= uint64(n)
		if r.masked {
			r.key = unmask(chunk, r.key)
		}
		ev, violation := r.payload(chunk)
		if violation != nil {
			return r.fail(violation)
		}
		if r.remain == 0 && r.phase == phasePayload {
			r.phase = phaseFirst
		}
		if ev.Kind != None {
			return ev, b, nil
		}
	}
	return Event{}, nil, nil
}

// Idle reports whether the Reader stands between two messages: a stream that ends elsewhere was cut.
func (r *Reader) Idle() bool {
	return r.phase == phaseEnd || r.phase == phaseFirst && r.message == OpContinuation
}

func (r *Reader) fail(err *ProtocolError) (Event, []byte, error) {
	r.phase = phaseEnd
	r.control = nil
	return Event{}, nil, err
}

// header folds bytes into the frame's header until it is complete (phasePayload) or b is used up.
func (r *Reader) header(b []byte) ([]byte, *ProtocolError) {
	for len(b) > 0 && r.phase != phasePayload {
		c := b[0]
		b = b[1:]
		var err *ProtocolError
		switch r.phase {
		case phaseFirst:
			err = r.first(c)
		case phaseLength:
			err = r.length(c)
		case phaseLong16, phaseLong64:
			r.remain = r.remain<<8 | uint64(c)
			if r.need--; r.need == 0 {
				err = r.sized()
			}
		case phaseKey:
			r.key = r.key>>8 | uint32(c)<<24
			if r.need--; r.need == 0 {
				r.phase = phasePayload
			}
		case phasePayload, phaseEnd:
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// first takes the byte with FIN, the reserved bits and the opcode.
func (r *Reader) first(c byte) *ProtocolError {
	if c&bitsReserved != 0 {
		return errReservedBits
	}
	switch op := Opcode(c & bitsOpcode); op {
	case OpContinuation:
		if r.message == OpContinuation {
			return errContinuation
		}
	case OpText, OpBinary:
		if r.message != OpContinuation {
			return errInterleaved
		}
		r.message, r.size = op, 0 // text ended at the start of a rune
	case OpClose, OpPing, OpPong:
		if c&bitFin == 0 {
			return errControlSplit
		}
	default:
		return errReservedOpcode
	}
	r.frame = c
	r.phase = phaseLength
	return nil
}

// length takes the byte with MASK and the short length.
func (r *Reader) length(c byte) *ProtocolError {
	if c&bitMask != 0 != r.masked {
		if r.masked {
			return errNotMasked
		}
		return errMasked
	}
	n := c & bitsLength
	if n > MaxControlPayload && r.opcode().Control() {
		return errControlSize
	}
	r.remain = 0
	switch n {
	case length16:
		r.phase, r.need = phaseLong16, 2
		return nil
	case length64:
		r.phase, r.need = phaseLong64, 8
		return nil
	default:
		r.remain = uint64(n)
		return r.sized()
	}
}

// sized checks the complete length in remain against its form and the limit, and goes on to the key or the payload.
func (r *Reader) sized() *ProtocolError {
	switch {
	case r.remain > math.MaxInt64:
		return errLengthSign
	case r.phase == phaseLong16 && r.remain <= MaxControlPayload, r.phase == phaseLong64 && r.remain <= math.MaxUint16:
		return errLengthForm
	}
	if !r.opcode().Control() {
		if r.remain > uint64(r.limit-r.size) {
			return errTooBig
		}
		r.size += uint32(r.remain)
	}
	r.phase = phasePayload
	if r.masked {
		r.phase, r.need = phaseKey, 4
	}
	return nil
}

func (r *Reader) opcode() Opcode { return Opcode(r.frame & bitsOpcode) }

// payload makes the event of the next piece of a frame's payload, which ends the frame if nothing remains.
func (r *Reader) payload(chunk []byte) (Event, *ProtocolError) {
	if r.opcode().Control() {
		return r.controlPayload(chunk)
	}
	final := r.remain == 0 && r.frame&bitFin != 0
	if len(chunk) == 0 && !final {
		return Event{}, nil
	}
	ev := Event{Kind: Data, Opcode: r.message, Payload: chunk, Final: final}
	if r.message == OpText && (!r.text.add(chunk) || final && !r.text.done()) {
		return Event{}, errText
	}
	if final {
		r.message = OpContinuation
	}
	return ev, nil
}

func (r *Reader) controlPayload(chunk []byte) (Event, *ProtocolError) {
	if r.remain > 0 || r.control != nil {
		if chunk = r.collect(chunk); chunk == nil {
			return Event{}, nil
		}
	}
	switch op := r.opcode(); op { //nolint:exhaustive // see the default
	case OpPing:
		return Event{Kind: Ping, Opcode: op, Payload: chunk}, nil
	case OpPong:
		return Event{Kind: Pong, Opcode: op, Payload: chunk}, nil
	default: // OpClose: first lets no other pass
		r.phase = phaseEnd
		return closeEvent(chunk)
	}
}

// collect adds a piece to the payload of a control frame that comes in several, and returns all of it once it is
// there.
func (r *Reader) collect(chunk []byte) []byte {
	if len(chunk) > 0 && r.control == nil {
		r.control = new(controlBuffer)
	}
	if r.control != nil {
		r.control.n += uint8(copy(r.control.buf[r.control.n:], chunk))
	}
	if r.remain > 0 {
		return nil
	}
	payload := r.control.buf[:r.control.n]
	r.control = nil
	return payload
}

func closeEvent(payload []byte) (Event, *ProtocolError) {
	ev := Event{Kind: Close, Opcode: OpClose, Code: CodeNoStatus}
	if len(payload) == 0 {
		return ev, nil
	}
	if len(payload) == 1 {
		return Event{}, errClosePayload
	}
	ev.Code = Code(binary.BigEndian.Uint16(payload))
	ev.Payload = payload[2:]
	if !ev.Code.Valid() {
		return Event{}, errCloseCode
	}
	if !utf8.Valid(ev.Payload) {
		return Event{}, errCloseReason
	}
	return ev, nil
}
