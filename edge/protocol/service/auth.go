package service

import (
	"strconv"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// The messages of this file are unproven: no bytes of them were ever seen. Their layouts come from the change
// descriptions and the public surface of SDK 1.34.0 (section 3.7); only its build for .NET 11 can send 41 and 42. They
// are read tolerantly: claims may be null, and a claim's value may be a list, a number or a boolean.

// RefreshAuth puts new claims and a new expiry on a live client. Unproven.
//
//	[41, connectionToken str, claims map(str: str) or null, expiresOn timestamp or int, ackId int, ext]
//
// The service answers with an [Ack] of status [AckOK], [AckNotFound] or [AckForbidden], whose payload holds claims
// ([AppendClaimsPayload]), and tells the client's app server with [UpdateConnectionClaims].
type RefreshAuth struct {
	ConnectionToken string // the client's connection token, not its id: a secret, never to be logged
	Claims          Claims // nil: null, no new claims; empty: none any more
	// ExpiresOn is a MessagePack timestamp on the wire; an integer is read as .NET ticks, null as the zero time.
	// Times before year 1 or after 9999 are malformed: .NET has none.
	ExpiresOn time.Time
	AckID     int32
}

// Type returns [TypeRefreshAuth].
func (*RefreshAuth) Type() Type { return TypeRefreshAuth }

func (m *RefreshAuth) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 6, TypeRefreshAuth)
	dst = msgpack.AppendString(dst, m.ConnectionToken)
	if m.Claims == nil {
		dst = msgpack.AppendNil(dst)
	} else {
		dst = appendClaims(dst, m.Claims)
	}
	dst = msgpack.AppendTimestamp(dst, m.ExpiresOn)
	dst = appendInt32(dst, m.AckID)
	return appendNoExt(dst)
}

func (m *RefreshAuth) decode(d *decoder) {
	m.ConnectionToken = d.str("connectionToken")
	m.Claims = d.looseClaims("claims")
	m.ExpiresOn = d.time("expiresOn")
	m.AckID = d.int32("ackId")
	d.ext()
}

// GetConnectionClaims asks for the claims of a live client, which the [Ack] carries as payload. Unproven.
//
//	[42, connectionToken str, ackId int, ext]
type GetConnectionClaims struct {
	ConnectionToken string // the client's connection token, not its id: a secret, never to be logged
	AckID           int32
}

// Type returns [TypeGetConnectionClaims].
func (*GetConnectionClaims) Type() Type { return TypeGetConnectionClaims }

func (m *GetConnectionClaims) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeGetConnectionClaims)
	dst = msgpack.AppendString(dst, m.ConnectionToken)
	dst = appendInt32(dst, m.AckID)
	return appendNoExt(dst)
}

func (m *GetConnectionClaims) decode(d *decoder) {
	m.ConnectionToken = d.str("connectionToken")
	m.AckID = d.int32("ackId")
	d.ext()
}

// UpdateConnectionClaims tells a client's app server its full new claims. Unproven.
//
//	[43, connectionId str, claims map(str: str), ext]
type UpdateConnectionClaims struct {
	ConnectionID string
	Claims       Claims
}

// Type returns [TypeUpdateConnectionClaims].
func (*UpdateConnectionClaims) Type() Type { return TypeUpdateConnectionClaims }

func (m *UpdateConnectionClaims) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeUpdateConnectionClaims)
	dst = msgpack.AppendString(dst, m.ConnectionID)
	dst = appendClaims(dst, m.Claims)
	return appendNoExt(dst)
}

func (m *UpdateConnectionClaims) decode(d *decoder) {
	m.ConnectionID = d.str("connectionId")
	m.Claims = d.looseClaims("claims")
	d.ext()
}

// AppendClaimsPayload appends claims as they belong into the [Ack.Payload] that answers [RefreshAuth] and
// [GetConnectionClaims]: a map of claim type to value. Unproven; whether the SDK takes repeated types there is not
// known.
func AppendClaimsPayload(dst []byte, c Claims) []byte { return appendClaims(dst, c) }

// DecodeClaimsPayload reads an [Ack.Payload] that holds claims; no bytes, or a null, give nil. Every error wraps
// [ErrMalformed].
func DecodeClaimsPayload(b []byte) (Claims, error) {
	if len(b) == 0 {
		return nil, nil
	}
	d := decoder{r: msgpack.NewReader(b), left: 1}
	c := d.looseClaims("claims payload")
	if d.failed() {
		return nil, d.malformed()
	}
	return c, nil
}

// looseClaims reads claims whose exact form is not known: null gives nil, an empty map an empty list, a list of
// values one claim each.
func (d *decoder) looseClaims(field string) Claims {
	if !d.next(field) {
		return nil
	}
	if d.r.IsNil() {
		d.r.Nil()
		return nil
	}
	n := d.r.MapHeader()
	list := make(Claims, 0, min(n, prealloc))
	for range n {
		typ, values := d.r.String(), 1
		if d.r.Kind() == msgpack.Array {
			values = d.r.ArrayHeader()
		}
		for range values {
			value := d.looseText()
			if d.failed() {
				return nil
			}
			list = append(list, Claim{Type: typ, Value: value})
		}
	}
	if d.failed() {
		return nil
	}
	return list
}

// looseText reads a string, an integer or a boolean as text.
func (d *decoder) looseText() string {
	switch d.r.Kind() { //nolint:exhaustive // the rest is left to String to refuse
	case msgpack.Int:
		return strconv.FormatInt(d.r.Int(), 10)
	case msgpack.BigUint:
		return strconv.FormatUint(d.r.Uint(), 10)
	case msgpack.Bool:
		return strconv.FormatBool(d.r.Bool())
	default:
		return d.r.String()
	}
}

// .NET times: ticks of 100 ns from the beginning of year 1.
const (
	ticksPerSecond = 10_000_000
	ticksMask      = 1<<62 - 1                 // the upper two bits tell local time and UTC apart
	maxTicks       = 3_155_378_975_999_999_999 // the last tick of year 9999
	yearOneToUnix  = 62_135_596_800            // seconds from year 1 to 1970
	maxUnix        = maxTicks/ticksPerSecond - yearOneToUnix
)

// time reads a timestamp, .NET ticks or null. The zero time.Time is the .NET one: the beginning of year 1.
func (d *decoder) time(field string) time.Time {
	if !d.next(field) {
		return time.Time{}
	}
	switch d.r.Kind() { //nolint:exhaustive // the rest is left to Timestamp to refuse
	case msgpack.Nil:
		d.r.Nil()
		return time.Time{}
	case msgpack.Int:
		ticks := d.r.Int() & ticksMask
		if ticks > maxTicks {
			d.fail(msgpack.ErrRange)
			return time.Time{}
		}
		return time.Unix(ticks/ticksPerSecond-yearOneToUnix, ticks%ticksPerSecond*100).UTC()
	}
	t := d.r.Timestamp()
	if !d.failed() && (t.Unix() < -yearOneToUnix || t.Unix() > maxUnix) {
		d.fail(msgpack.ErrRange)
		return time.Time{}
	}
	return t
}
