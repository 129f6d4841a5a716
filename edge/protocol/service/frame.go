package service

import (
	"errors"
	"fmt"
)

// MaxFrame is the largest body that the length prefix can declare.
const MaxFrame = 1<<31 - 1

// maxLengthSize is the most bytes a length prefix may have; the last of them may be at most 7.
const maxLengthSize = 5

// ErrFrameLength says that a length prefix has more than five bytes or exceeds [MaxFrame]. The stream cannot be read
// any further.
var ErrFrameLength = errors.New("malformed frame length")

// FrameTooLargeError says that a frame declares more than the caller allows. The stream cannot be read any further.
type FrameTooLargeError struct {
	Size int // declared length of the body, bytes
	Max  int // what the caller allows, bytes
}

// Error names both sizes.
func (e *FrameTooLargeError) Error() string {
	return fmt.Sprintf("frame of %d bytes exceeds the limit of %d", e.Size, e.Max)
}

// NextFrame cuts the first frame off b: body is a view of its body, rest what follows it.
//
// When b holds no whole frame yet, body and err are nil and rest is b; a frame without a body gives an empty slice
// that is not nil. A body above limit bytes is a [*FrameTooLargeError] as soon as its length is known; a limit at or
// below 0 means [MaxFrame]. After an error nothing more can be cut from the stream.
func NextFrame(b []byte, limit int) (body, rest []byte, err error) {
	if limit <= 0 || limit > MaxFrame {
		limit = MaxFrame
	}
	size := 0
	for i, c := range b[:min(len(b), maxLengthSize)] {
		if i == maxLengthSize-1 && c > 7 {
			return nil, b, ErrFrameLength
		}
		size |= int(c&0x7f) << (7 * i)
		if c&0x80 != 0 {
			continue
		}
		end := i + 1 + size
		switch {
		case size > limit:
			return nil, b, &FrameTooLargeError{Size: size, Max: limit}
		case end > len(b):
			return nil, b, nil
		}
		return b[i+1 : end : end], b[end:], nil
	}
	return nil, b, nil
}

// appendLength appends a length prefix: LEB128, least significant seven bits first.
func appendLength(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// lengthSize returns how many bytes appendLength appends.
func lengthSize(n int) int {
	size := 1
	for n >= 0x80 {
		size++
		n >>= 7
	}
	return size
}
