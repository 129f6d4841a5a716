package appserver

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// notConnectedText is the SDK's answer to negotiate while it has no live server connection (2.4).
const notConnectedText = "Azure SignalR Service is not connected yet, please try again later."

// negotiateBody is the first leg's answer in the SDK's order of fields.
type negotiateBody struct {
	Version             int      `json:"negotiateVersion"`
	URL                 string   `json:"url"`
	AccessToken         string   `json:"accessToken"`
	AvailableTransports []string `json:"availableTransports"`
}

// Handler returns a handler that answers "{hub path}/negotiate" for every hub of the server and 404 to all else.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range s.hubs {
			if r.URL.Path == strings.TrimSuffix(h.hub.Path, "/")+"/negotiate" {
				h.negotiate(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})
}

// NegotiateHandler returns a handler that answers the first leg of negotiation for this hub at whatever path it is
// mounted (2.4).
func (h *HubServer) NegotiateHandler() http.Handler { return http.HandlerFunc(h.negotiate) }

func (h *HubServer) negotiate(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		allowOrigin(w, r)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	allowOrigin(w, r)
	if r.Method != http.MethodPost {
		http.Error(w, "", http.StatusMethodNotAllowed)
		return
	}
	s := h.srv
	var id Identity
	if s.opts.Authenticate != nil {
		var err error
		if id, err = s.opts.Authenticate(r); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	if s.opts.ConnectionCount > 0 && h.ConnectionCount() == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, notConnectedText)
		return
	}
	token, err := s.ClientToken(h.name, id)
	if errors.Is(err, ErrTokenTooLong) {
		http.Error(w, tokenTooLongText, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(negotiateBody{
		URL:                 s.conn.ClientURL(h.name) + negotiateQuery(r),
		AccessToken:         token,
		AvailableTransports: []string{},
	})
}

// negotiateQuery returns what follows the hub's name in the client's address, in the SDK's order: original path, the
// client's own query as it is, request id.
func negotiateQuery(r *http.Request) string {
	var b strings.Builder
	if path, ok := strings.CutSuffix(r.URL.Path, "/negotiate"); ok && path != "" {
		b.WriteString("&asrs.op=" + url.QueryEscape(path))
	}
	if r.URL.RawQuery != "" {
		b.WriteString("&" + r.URL.RawQuery)
	}
	var id [8]byte
	_, _ = rand.Read(id[:])
	b.WriteString("&asrs_request_id=" + url.QueryEscape(base64.StdEncoding.EncodeToString(id[:])))
	return b.String()
}

// allowOrigin lets pages of any origin negotiate with a test server.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", origin)
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		header.Set("Access-Control-Allow-Headers", wanted)
	}
}
