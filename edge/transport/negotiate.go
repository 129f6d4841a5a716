package transport

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

type transportInfo struct {
	Transport       string   `json:"transport"`
	TransferFormats []string `json:"transferFormats"`
}

// negotiation is the answer to negotiate. negotiateVersion is always there: some clients fail without it.
type negotiation struct {
	NegotiateVersion    int             `json:"negotiateVersion"`
	ConnectionID        string          `json:"connectionId,omitempty"`
	ConnectionToken     string          `json:"connectionToken,omitempty"`
	AvailableTransports []transportInfo `json:"availableTransports,omitempty"`
	Error               string          `json:"error,omitempty"`
}

var webSockets = []transportInfo{{Transport: "WebSockets", TransferFormats: []string{"Text", "Binary"}}}

// negotiate answers the second leg: it makes a connection id, of which nothing is kept (client-protocol.md 1).
func (h *Handler) negotiate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		h.refuse(w, reason.MethodNotAllowed, "")
		return
	}
	q, id, ok := h.authorize(w, r)
	if !ok {
		return
	}
	version := 0
	if q.negotiateVersion != "" {
		n, err := strconv.Atoi(q.negotiateVersion)
		if err != nil {
			h.answer(w, negotiation{Error: "The client requested a non-integer protocol version."})
			return
		}
		version = min(max(n, 0), 1)
	}
	if why := h.Mode(q.hub, q.fromServer); why != reason.None {
		h.Metrics.Count(why, 1)
		h.answer(w, negotiation{NegotiateVersion: version, Error: why.Info().Text})
		return
	}
	if h.Quota.Full() {
		h.refuse(w, reason.ConnectionQuota, "")
		return
	}
	connectionID, token, err := h.Tokens.Mint(q.hub, id.User)
	if err != nil {
		h.Log.Error("mint connection token", "err", err)
		h.refuse(w, reason.Unavailable, "")
		return
	}
	a := negotiation{NegotiateVersion: version, ConnectionID: connectionID, AvailableTransports: webSockets}
	if id.NoWebSockets {
		a.AvailableTransports = nil
	}
	if version == 0 {
		// The id is what comes back: remember that it was given to this hub and user.
		h.offered.put(connectionID, q.hub+"\x00"+id.User, h.FirstUse)
	} else {
		a.ConnectionToken = token
	}
	h.Metrics.Negotiations.Inc()
	h.answer(w, a)
}

func (h *Handler) answer(w http.ResponseWriter, a negotiation) {
	b, err := json.Marshal(a)
	if err != nil {
		h.refuse(w, reason.Unavailable, "")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// authorize checks the query and the token of a client's request, and answers it if they are not good.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) (query, *Identity, bool) {
	q, why := parseQuery(r.URL.RawQuery)
	if why != reason.None {
		h.refuse(w, why, "")
		return q, nil, false
	}
	id, err := h.Auth.Client(bearer(r, q), q.hub)
	if err != nil {
		h.unauthorized(w, err)
		return q, nil, false
	}
	if h.draining.Load() {
		h.refuse(w, reason.Draining, "")
		return q, nil, false
	}
	return q, id, true
}

func (h *Handler) unauthorized(w http.ResponseWriter, err error) {
	h.Metrics.AuthFailures.WithLabelValues(h.Auth.Reason(err)).Inc()
	h.refuse(w, reason.Unauthorized, err.Error())
}
