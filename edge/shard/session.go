package shard

import (
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Client is what the transport knows of a client whose WebSocket was accepted.
type Client struct {
	// ID is the connection id: unreserved characters, at least 128 bits of randomness.
	ID string
	// Hub is the lower-case hub name.
	Hub string
	// User is the user id; empty means none.
	User string
	// Open is the message that tells the app server of the client. The shard adds the protocol and sends it when the
	// handshake request is complete; it owns the message from Bind on.
	Open *service.OpenConnection
	// Claims is the compact form of the token's claims, kept for as long as the connection lives so that an app
	// server can read them (spec 3.7).
	Claims []byte
	// Sticky and ServerID come from asrs.s.ssticky and asrs.s.sn.
	Sticky   Sticky
	ServerID string
	// HandshakeTimeout is asrs.s.cht; 0 means the limit's.
	HandshakeTimeout time.Duration
	// DetailedErrors is asrs.s.derror: close texts may carry detail.
	DetailedErrors bool
	// Diagnostic is asrs.s.dc: a close never allows reconnect.
	Diagnostic bool
	// Expires is when the connection must be closed (asrs.s.coae, asrs.s.aeo); zero means never.
	Expires time.Time
	// Refuse, when set, answers the handshake request with this reason's text instead of routing the client.
	Refuse reason.Reason
	// Done is called once, from the shard, when the connection is gone.
	Done func()
}

// state is where a session stands.
type state uint8

const (
	// stateHandshake waits for the client's handshake request.
	stateHandshake state = iota
	// stateWaiting has the request and waits for a server connection.
	stateWaiting
	// stateOpening has told the app server and waits for its handshake response: the gate is shut.
	stateOpening
	// stateOpen has passed the response on: the gate is open.
	stateOpen
	// stateClosing has queued its last frame and waits for it to leave, then for the client's close.
	stateClosing
	// stateClosed has no socket any more.
	stateClosed
)

// hold is a set of reasons for which a client's input is kept back.
type hold uint8

const (
	holdNoServer hold = 1 << iota
	holdInvocation
	holdCongested
)

// dirty says in which flush queue a session stands.
type dirty uint8

const (
	dirtyNo dirty = iota
	dirtyBulk
	dirtyFirst
)

// session is one client connection: its socket, its queue, its place in the index and its link to an app server.
// Owned by its shard. The struct is the memory of an idle client: keep it small, put the rare into opening and extra.
type session struct {
	id   string
	user string
	list *memberList // hub and protocol, set when the handshake request is complete
	link Link

	ws     websocket.Reader
	in     []byte // input that is not a whole message yet, or is held
	out    outQueue
	groups []membership

	nextOfUser, prevOfUser *session

	opening *opening // until the gate is open; for good when the server is migratable
	extra   *extra   // nil until something rare happens
	stream  *stream  // the stream driver's half, nil for an epoll session
	claims  []byte
	done    func()

	mark uint64 // stamp of the last delivery that reached or excluded this session

	fd   int32
	slot int32
	pos  int32 // in list.members, -1 while not a receiver of broadcasts
	pend int32 // in shard.pending, -1 when not

	lastIn, lastOut uint32 // seconds of the shard's clock
	stalledSince    uint32 // since when the socket takes nothing; 0 when it does
	deadline        uint32 // of the present state; 0 for none
	expires         uint32 // authentication expiry; 0 for never

	state     state
	hold      hold
	dirty     dirty
	interest  uint8
	indexed   bool
	sentClose bool // the app server's own hub Close has passed
	detailed  bool
	diagnos   bool
	peerDone  bool // the client's WebSocket close frame has come
}

// opening is what a session keeps to tell an app server of its client.
type opening struct {
	open      *service.OpenConnection
	handshake []byte // the client's handshake request as it came
	sticky    Sticky
	serverID  string
	refuse    reason.Reason
	timeout   time.Duration
	held      []*frame // addressed to the client before its gate was open
	heldBytes int
	spoke     bool // the client said more than its handshake request before that was answered
	hub       string
}

// extra is the state of rare things.
type extra struct {
	partial     []byte // a server's message of which parts are missing
	partialType service.DataType
	migrate     bool // leave the present server as soon as possible
	previous    Link // whose late messages are still passed on after a migration
	previousEnd uint32
	invocations []string // client results that other servers wait for
	holds       int      // timers that must run out before holdInvocation ends
}

func (s *session) rare() *extra {
	if s.extra == nil {
		s.extra = &extra{}
	}
	return s.extra
}

// exists reports whether s counts as a connection for checks, groups and users.
func (s *session) exists() bool { return s.state == stateOpening || s.state == stateOpen }

func (s *session) hubName() string {
	if s.list != nil {
		return s.list.hub.name
	}
	return s.opening.hub
}

// newSession makes the session of c and registers its id. A repeated id is refused.
func (sh *shard) newSession(c *Client) *session {
	if sh.sessions[c.ID] != nil {
		return nil
	}
	limits := sh.owner.limits.Load()
	timeout := c.HandshakeTimeout
	if timeout == 0 {
		timeout = limits.HandshakeTimeout
	}
	s := &session{
		id: c.ID, user: c.User, claims: c.Claims, done: c.Done,
		ws: websocket.NewReader(true, limits.MaxWebSocketMessage),
		fd: -1, slot: -1, pos: -1, pend: -1,
		lastIn: sh.now, lastOut: sh.now,
		detailed: c.DetailedErrors, diagnos: c.Diagnostic,
		opening: &opening{
			open: c.Open, sticky: c.Sticky, serverID: c.ServerID, refuse: c.Refuse, timeout: timeout, hub: c.Hub,
		},
	}
	s.deadline = sh.now + seconds(timeout)
	if !c.Expires.IsZero() {
		s.expires = sh.owner.clockAfter(c.Expires)
	}
	sh.sessions[s.id] = s
	sh.watch(s)
	return s
}

// free takes the last traces of a session whose socket is gone.
func (sh *shard) free(s *session) {
	s.state = stateClosed
	sh.unwatch(s)
	delete(sh.sessions, s.id)
	sh.releaseQueue(s)
	if s.list != nil {
		s.list.sessions--
	}
	s.in, s.opening, s.extra, s.claims = nil, nil, nil, nil
	sh.owner.metrics.ClientConnections.Dec()
	if s.done != nil {
		s.done()
	}
}

// watch puts s among the sessions that the clock looks at every second: those with a deadline, an expiry or a socket
// that takes nothing.
func (sh *shard) watch(s *session) {
	if s.pend < 0 {
		s.pend = int32(len(sh.pending))
		sh.pending = append(sh.pending, s)
	}
}

func (sh *shard) unwatch(s *session) {
	if s.pend < 0 {
		return
	}
	last := len(sh.pending) - 1
	moved := sh.pending[last]
	sh.pending[s.pend] = moved
	moved.pend = s.pend
	sh.pending[last] = nil
	sh.pending = sh.pending[:last]
	s.pend = -1
}

// seconds rounds a duration up to whole seconds, at least one.
func seconds(d time.Duration) uint32 {
	return uint32(max((d+time.Second-1)/time.Second, 1))
}
