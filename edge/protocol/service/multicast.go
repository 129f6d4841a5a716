package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// MultiConnectionData goes to the listed clients, each once however often it is named.
//
//	[7, connectionIds [str], payloads map(str: bin), (ext{1, 4})]
type MultiConnectionData struct {
	ConnectionIDs []string
	Payloads      Payloads
	TracingID     uint64 // ext 1
	Filter        string // ext 4: a subscriber filter; drop the message if there is one, never deliver it unfiltered
}

// Type returns [TypeMultiConnectionData].
func (*MultiConnectionData) Type() Type { return TypeMultiConnectionData }

func (m *MultiConnectionData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeMultiConnectionData)
	dst = appendStrs(dst, m.ConnectionIDs)
	dst = appendPayloads(dst, m.Payloads)
	return appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
}

func (m *MultiConnectionData) decode(d *decoder) {
	m.ConnectionIDs = d.strs("connectionIds")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
}

// UserData goes to all clients of a user.
//
//	[8, userId str, payloads map(str: bin), (ext{1, 4})]
type UserData struct {
	UserID    string
	Payloads  Payloads
	TracingID uint64 // ext 1
	Filter    string // ext 4; see MultiConnectionData
}

// Type returns [TypeUserData].
func (*UserData) Type() Type { return TypeUserData }

func (m *UserData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeUserData)
	dst = msgpack.AppendString(dst, m.UserID)
	dst = appendPayloads(dst, m.Payloads)
	return appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
}

func (m *UserData) decode(d *decoder) {
	m.UserID = d.str("userId")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
}

// MultiUserData goes to all clients of the listed users, to each once however often its user is named.
//
//	[9, userIds [str], payloads map(str: bin), (ext{1, 4})]
type MultiUserData struct {
	UserIDs   []string
	Payloads  Payloads
	TracingID uint64 // ext 1
	Filter    string // ext 4; see MultiConnectionData
}

// Type returns [TypeMultiUserData].
func (*MultiUserData) Type() Type { return TypeMultiUserData }

func (m *MultiUserData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeMultiUserData)
	dst = appendStrs(dst, m.UserIDs)
	dst = appendPayloads(dst, m.Payloads)
	return appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
}

func (m *MultiUserData) decode(d *decoder) {
	m.UserIDs = d.strs("userIds")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
}

// BroadcastData goes to all clients of the hub but the excluded ones.
//
//	[10, excludedConnectionIds [str], payloads map(str: bin), (ext{1, 4})]
type BroadcastData struct {
	ExcludedConnectionIDs []string
	Payloads              Payloads
	TracingID             uint64 // ext 1
	Filter                string // ext 4; see MultiConnectionData
}

// Type returns [TypeBroadcastData].
func (*BroadcastData) Type() Type { return TypeBroadcastData }

func (m *BroadcastData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeBroadcastData)
	dst = appendStrs(dst, m.ExcludedConnectionIDs)
	dst = appendPayloads(dst, m.Payloads)
	return appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
}

func (m *BroadcastData) decode(d *decoder) {
	m.ExcludedConnectionIDs = d.strs("excludedConnectionIds")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
}

// GroupBroadcastData goes to all clients of a group but the excluded ones and those of excluded users.
//
//	[13, group str, excludedConnectionIds [str], payloads map(str: bin), (ext{1, 4}),
//	 (excludedUserIds [str], callerUserId str or null)]
//
// The extension map stands in the middle. Accepted too: 4 items (no ext), 5 (ext last).
type GroupBroadcastData struct {
	Group                 string
	ExcludedConnectionIDs []string
	Payloads              Payloads
	ExcludedUserIDs       []string
	CallerUserID          string // not used by the SDK; null if empty
	TracingID             uint64 // ext 1
	Filter                string // ext 4; see MultiConnectionData
}

// Type returns [TypeGroupBroadcastData].
func (*GroupBroadcastData) Type() Type { return TypeGroupBroadcastData }

func (m *GroupBroadcastData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 7, TypeGroupBroadcastData)
	dst = msgpack.AppendString(dst, m.Group)
	dst = appendStrs(dst, m.ExcludedConnectionIDs)
	dst = appendPayloads(dst, m.Payloads)
	dst = appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
	dst = appendStrs(dst, m.ExcludedUserIDs)
	return appendNullable(dst, m.CallerUserID)
}

func (m *GroupBroadcastData) decode(d *decoder) {
	m.Group = d.str("group")
	m.ExcludedConnectionIDs = d.strs("excludedConnectionIds")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
	if d.more() {
		m.ExcludedUserIDs = d.strs("excludedUserIds")
	}
	if d.more() {
		m.CallerUserID = d.str("callerUserId")
	}
}

// MultiGroupBroadcastData goes to all clients of the listed groups: to a client in three of them three times.
//
//	[14, groups [str], payloads map(str: bin), (ext{1, 4})]
type MultiGroupBroadcastData struct {
	Groups    []string
	Payloads  Payloads
	TracingID uint64 // ext 1
	Filter    string // ext 4; see MultiConnectionData
}

// Type returns [TypeMultiGroupBroadcastData].
func (*MultiGroupBroadcastData) Type() Type { return TypeMultiGroupBroadcastData }

func (m *MultiGroupBroadcastData) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 4, TypeMultiGroupBroadcastData)
	dst = appendStrs(dst, m.Groups)
	dst = appendPayloads(dst, m.Payloads)
	return appendExt(dst, ext{tracingID: m.TracingID, filter: m.Filter})
}

func (m *MultiGroupBroadcastData) decode(d *decoder) {
	m.Groups = d.strs("groups")
	m.Payloads = d.payloads()
	e := d.ext()
	m.TracingID, m.Filter = e.tracingID, e.filter
}
