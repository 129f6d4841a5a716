package service

import (
	"fmt"

	"github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"
)

// GroupMemberQuery asks for a page of a group's members; the [Ack] carries a [GroupMemberPage] (section 3.8).
//
//	[40, ext{1}, group str, ackId int, top int or null, continuationToken str or null, (maxPageSize int or null)]
//
// The extension map comes first. Accepted too: 6 items (no maxPageSize).
type GroupMemberQuery struct {
	Group             string
	AckID             int32
	Top               *int32 // most members wanted in all; nil: no limit
	ContinuationToken string // from the page before; null if empty
	MaxPageSize       *int32 // most members wanted in this page; nil: the service decides
	TracingID         uint64 // ext 1
}

// Type returns [TypeGroupMemberQuery].
func (*GroupMemberQuery) Type() Type { return TypeGroupMemberQuery }

func (m *GroupMemberQuery) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 7, TypeGroupMemberQuery)
	dst = appendTraced(dst, m.TracingID)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendInt32(dst, m.AckID)
	dst = appendInt32OrNull(dst, m.Top)
	dst = appendNullable(dst, m.ContinuationToken)
	return appendInt32OrNull(dst, m.MaxPageSize)
}

func (m *GroupMemberQuery) decode(d *decoder) {
	m.TracingID = d.ext().tracingID
	m.Group = d.str("group")
	m.AckID = d.int32("ackId")
	m.Top = d.int32OrNull("top")
	m.ContinuationToken = d.str("continuationToken")
	if d.more() {
		m.MaxPageSize = d.int32OrNull("maxPageSize")
	}
}

// GroupMember is one client of a group.
type GroupMember struct {
	ConnectionID string
	UserID       string // null if empty: no user
}

// GroupMemberPage is the payload of the [Ack] to a [GroupMemberQuery].
//
//	[[[connectionId str, userId str or null], ...], continuationToken str or null]
type GroupMemberPage struct {
	Members []GroupMember
	// ContinuationToken asks for the next page; empty (null on the wire) if this is the last.
	ContinuationToken string
}

// AppendGroupMemberPage appends a page as it belongs into [Ack.Payload].
func AppendGroupMemberPage(dst []byte, p GroupMemberPage) []byte {
	dst = msgpack.AppendArrayHeader(dst, 2)
	dst = msgpack.AppendArrayHeader(dst, len(p.Members))
	for i := range p.Members {
		dst = msgpack.AppendArrayHeader(dst, 2)
		dst = msgpack.AppendString(dst, p.Members[i].ConnectionID)
		dst = appendNullable(dst, p.Members[i].UserID)
	}
	return appendNullable(dst, p.ContinuationToken)
}

// DecodeGroupMemberPage reads an [Ack.Payload] that holds a page. Every error wraps [ErrMalformed].
func DecodeGroupMemberPage(b []byte) (GroupMemberPage, error) {
	r := msgpack.NewReader(b)
	var p GroupMemberPage
	items := r.ArrayHeader()
	if r.Err() == nil && items < 2 {
		return GroupMemberPage{}, fmt.Errorf("%w: group member page: %w", ErrMalformed, errMissing)
	}
	n := r.ArrayHeader()
	if n > 0 {
		p.Members = make([]GroupMember, 0, min(n, prealloc))
	}
	for range n {
		m, err := decodeGroupMember(&r)
		if err != nil {
			return GroupMemberPage{}, err
		}
		p.Members = append(p.Members, m)
	}
	p.ContinuationToken = r.String()
	if err := r.Err(); err != nil {
		return GroupMemberPage{}, fmt.Errorf("%w: group member page: %w", ErrMalformed, err)
	}
	return p, nil
}

// decodeGroupMember reads one member; items it does not know are skipped.
func decodeGroupMember(r *msgpack.Reader) (GroupMember, error) {
	fields := r.ArrayHeader()
	if r.Err() == nil && fields < 2 {
		return GroupMember{}, fmt.Errorf("%w: group member: %w", ErrMalformed, errMissing)
	}
	m := GroupMember{ConnectionID: r.String(), UserID: r.String()}
	for range fields - 2 {
		r.Skip()
	}
	if err := r.Err(); err != nil {
		return GroupMember{}, fmt.Errorf("%w: group member: %w", ErrMalformed, err)
	}
	return m, nil
}
