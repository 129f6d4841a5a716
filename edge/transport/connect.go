package transport

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// client answers requests on the connection endpoint; only WebSockets are served (client-protocol.md 2).
func (h *Handler) client(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
	default:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		h.refuse(w, reason.MethodNotAllowed, "")
		return
	}
	q, id, ok := h.authorize(w, r)
	if !ok {
		return
	}
	if r.Method != http.MethodGet || !websocket.IsUpgrade(r) {
		h.otherTransport(w, r, q, id)
		return
	}
	if err := websocket.CheckUpgrade(r); err != nil {
		h.badUpgrade(w, err)
		return
	}
	if id.NoWebSockets {
		h.refuse(w, reason.TransportForbidden, "")
		return
	}
	connectionID, why := h.connectionID(q, id)
	if why != reason.None {
		h.refuse(w, why, "")
		return
	}
	if !h.Quota.Acquire() {
		h.used.drop(connectionID)
		h.refuse(w, reason.ConnectionQuota, "")
		return
	}
	c := &Client{
		ID: connectionID, Hub: q.hub, Identity: id, Refuse: h.Mode(q.hub, q.fromServer), Done: h.release,
		Open: &service.OpenConnection{
			ConnectionID: connectionID, Claims: id.Claims,
			Headers: h.forwardedHeaders(r, id), QueryString: q.forward,
		},
	}
	sock, buffered, err := hijack(w, r)
	if err != nil {
		h.Quota.Release()
		h.Log.Debug("client went away during its upgrade", "err", err)
		return
	}
	h.bind(sock, buffered, c)
}

// bind hands the socket to the sessions: its descriptor if possible, for which net/http's part is closed.
func (h *Handler) bind(sock net.Conn, buffered []byte, c *Client) {
	fd := -1
	if h.Native {
		fd = duplicate(sock)
	}
	if fd >= 0 {
		_ = sock.Close()
		sock = nil
	}
	if !h.Sessions.Bind(fd, sock, buffered, c) {
		closeSocket(fd, sock)
		h.Quota.Release()
		h.Metrics.Count(reason.Overloaded, 1)
	}
}

// connectionID finds the id of a new connection: of its token, its negotiated id (version 0), or a fresh one for a
// client that did not negotiate.
func (h *Handler) connectionID(q query, id *Identity) (string, reason.Reason) {
	if !q.hasID {
		connectionID, _, err := h.Tokens.Mint(q.hub, id.User)
		if err != nil {
			return "", reason.Unavailable
		}
		return connectionID, reason.None
	}
	connectionID, expired, ok := h.Tokens.Open(q.id, q.hub, id.User)
	if !ok {
		if !h.offered.take(q.id, q.hub+"\x00"+id.User) {
			return "", h.known(q.id)
		}
		return q.id, h.claim(q.id)
	}
	if expired {
		return "", h.known(connectionID)
	}
	return connectionID, h.claim(connectionID)
}

// claim makes the first use of a connection token; the second is refused.
func (h *Handler) claim(connectionID string) reason.Reason {
	if h.used.put(connectionID, "", h.FirstUse+time.Minute) {
		return reason.None
	}
	return h.known(connectionID)
}

// known tells a second WebSocket of a live connection (409) from one of a connection that is gone (404).
func (h *Handler) known(connectionID string) reason.Reason {
	if h.Sessions.Exists(connectionID) {
		return reason.ConnectionInUse
	}
	return reason.ConnectionUnknown
}

// otherTransport refuses what is not a WebSocket, each as the framework would (client-protocol.md 2.1).
func (h *Handler) otherTransport(w http.ResponseWriter, r *http.Request, q query, id *Identity) {
	name := "LongPolling"
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		name = "ServerSentEvents"
	}
	switch {
	case !q.hasID || q.id == "":
		h.refuse(w, reason.ConnectionIDRequired, "")
	case r.Method == http.MethodGet:
		h.refuse(w, reason.TransportUnsupported, name+" transport not supported by this end point type")
	default:
		connectionID, _, ok := h.Tokens.Open(q.id, q.hub, id.User)
		if !ok || !h.Sessions.Exists(connectionID) {
			h.refuse(w, reason.ConnectionUnknown, "")
			return
		}
		if r.Method == http.MethodDelete { // an order to end a long-polling connection, which this is not
			h.refuseAs(w, reason.MethodNotAllowed, http.StatusBadRequest,
				"Cannot terminate this connection using the DELETE endpoint.")
			return
		}
		w.Header().Set("Allow", "GET")
		h.refuse(w, reason.MethodNotAllowed, r.Method+" requests are not allowed for WebSocket connections.")
	}
}

// server answers an app server's upgrade (service-protocol.md 2.2).
func (h *Handler) server(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		h.refuse(w, reason.MethodNotAllowed, "")
		return
	}
	q, why := parseQuery(r.URL.RawQuery)
	if why != reason.None {
		h.refuse(w, why, "")
		return
	}
	nameID, err := h.Auth.Server(bearer(r, q), q.hub)
	if err != nil {
		h.unauthorized(w, err)
		return
	}
	if h.draining.Load() {
		h.refuse(w, reason.Draining, "")
		return
	}
	if err := websocket.CheckUpgrade(r); err != nil {
		h.badUpgrade(w, err)
		return
	}
	s := Server{ID: q.clientID, Hub: q.hub, ServerID: r.Header.Get("X-Asrs-Server-Id"), Target: q.target}
	if s.ServerID == "" {
		s.ServerID = nameID
	}
	if s.ID == "" {
		if s.ID, _, err = h.Tokens.Mint(q.hub, ""); err != nil {
			h.refuse(w, reason.Unavailable, "")
			return
		}
	}
	sock, buffered, err := hijack(w, r)
	if err != nil {
		h.Log.Debug("app server went away during its upgrade", "err", err)
		return
	}
	h.Serve(sock, buffered, s)
}

func (h *Handler) badUpgrade(w http.ResponseWriter, err error) {
	var bad *websocket.UpgradeError
	if !errors.As(err, &bad) {
		h.refuse(w, reason.UpgradeInvalid, "")
		return
	}
	h.Metrics.Count(reason.UpgradeInvalid, 1)
	bad.SetHeader(w.Header())
	http.Error(w, bad.Text, bad.Status)
}

// upgradeTimeout is how long the 101 may take to be written.
const upgradeTimeout = 15 * time.Second

// hijack takes the socket out of net/http, answers 101 on it, and returns it with what was read behind the request.
func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, []byte, error) {
	sock, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	var buffered []byte
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Peek(n) // cannot fail: it is buffered
		buffered = append([]byte(nil), b...)
	}
	_ = sock.SetDeadline(time.Now().Add(upgradeTimeout))
	if _, err := sock.Write(websocket.AppendUpgradeResponse(nil, r.Header.Get("Sec-Websocket-Key"))); err != nil {
		_ = sock.Close()
		return nil, nil, err
	}
	_ = sock.SetDeadline(time.Time{})
	return sock, buffered, nil
}
