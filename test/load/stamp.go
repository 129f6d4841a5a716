//go:build linux

package load

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"
)

// A stamp is fixed-width ASCII inside a message's only string argument, so it is found in JSON and in MessagePack
// alike:
//
//	T=<19 digits: CLOCK_MONOTONIC ns>S<6 digits: sender>Q<10 digits: sequence>
//
// CLOCK_MONOTONIC is one clock for all processes of a machine, which is why clients and app server must share one.
const (
	stampMark   = "T="
	stampTime   = 19
	stampSender = 6
	stampSeq    = 10
	// StampSize is the number of bytes of a stamp, and so the least size of a datum.
	StampSize = len(stampMark) + stampTime + 1 + stampSender + 1 + stampSeq
	// publisherSender is the sender number of the app server's own broadcasts.
	publisherSender = 999999
)

// emptyDatum is a datum of size bytes with a stamp of zeros at its head.
func emptyDatum(size int) string {
	s := stampMark + strings.Repeat("0", stampTime) + "S" + strings.Repeat("0", stampSender) +
		"Q" + strings.Repeat("0", stampSeq)
	return s + strings.Repeat("x", max(0, size-len(s)))
}

// putStamp writes a stamp over the one that begins at b[0].
func putStamp(b []byte, at int64, sender int, seq uint32) {
	o := len(stampMark)
	putDigits(b[o:o+stampTime], uint64(at))
	o += stampTime + 1
	putDigits(b[o:o+stampSender], uint64(sender))
	o += stampSender + 1
	putDigits(b[o:o+stampSeq], uint64(seq))
}

func putDigits(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

func digits(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

type stamp struct {
	at     int64
	sender uint32
	seq    uint32
}

// nextStamp finds the first stamp in b and returns what follows it; ok is false when there is none.
func nextStamp(b []byte) (s stamp, rest []byte, ok bool) {
	for {
		i := bytes.Index(b, []byte(stampMark))
		if i < 0 || len(b)-i < StampSize {
			return stamp{}, nil, false
		}
		m := b[i : i+StampSize]
		o := len(stampMark)
		at, ok1 := digits(m[o : o+stampTime])
		o += stampTime + 1
		sender, ok2 := digits(m[o : o+stampSender])
		o += stampSender + 1
		seq, ok3 := digits(m[o : o+stampSeq])
		if ok1 && ok2 && ok3 {
			return stamp{int64(at), uint32(sender), uint32(seq)}, b[i+StampSize:], true
		}
		b = b[i+len(stampMark):]
	}
}

// now is CLOCK_MONOTONIC in nanoseconds.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot fail for this clock
	}
	return ts.Nano()
}
