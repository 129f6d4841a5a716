//go:build linux

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// fakeEdge is the least that the bench needs of a service: it checks tokens, pairs clients with server connections, and
// routes. It can be told to misbehave.
type fakeEdge struct {
	t *testing.T
	// lose, if set, says which broadcast (from 1) is not delivered; swap delivers it behind the next one.
	lose, swap int

	mu         sync.Mutex // guards what follows
	servers    []*fakePeer
	clients    map[string]*fakePeer
	groups     map[string][]string
	next       int
	broadcasts int
	held       []byte
	headers    http.Header // of the last client's upgrade
	query      string
	negotiated int
}

type fakePeer struct {
	conn     *websocket.Conn
	protocol string
	server   *fakePeer
	mu       sync.Mutex // guards writes
}

func (p *fakePeer) write(ctx context.Context, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := websocket.MessageBinary
	if p.protocol == "json" {
		kind = websocket.MessageText
	}
	_ = p.conn.Write(ctx, kind, b)
}

func startFakeEdge(t *testing.T, e *fakeEdge) Endpoint {
	t.Helper()
	e.t, e.clients, e.groups = t, map[string]*fakePeer{}, map[string][]string{}
	mux := http.NewServeMux()
	mux.HandleFunc("/server/", e.server)
	mux.HandleFunc("GET /client/", e.client)
	mux.HandleFunc("POST /client/negotiate", e.negotiate)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return Endpoint{
		Address: strings.TrimPrefix(srv.URL, "http://"), Audience: "http://127.0.0.1/", AccessKey: "key of the fake edge 0123456789",
	}
}

func (e *fakeEdge) claims(r *http.Request, role string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
		return []byte("key of the fake edge 0123456789"), nil
	}, jwt.WithExpirationRequired(), jwt.WithAudience("http://127.0.0.1/"+role+"/?hub="+r.URL.Query().Get("hub")))
	return claims, err
}

func (e *fakeEdge) negotiate(w http.ResponseWriter, r *http.Request) {
	if _, err := e.claims(r, "client"); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	e.mu.Lock()
	e.negotiated++
	e.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{
		"negotiateVersion": 1, "connectionId": "public", "connectionToken": "secret",
	})
}

func (e *fakeEdge) server(w http.ResponseWriter, r *http.Request) {
	if _, err := e.claims(r, "server"); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	conn.SetReadLimit(-1)
	peer := &fakePeer{conn: conn}
	var stream []byte
	for {
		_, b, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		stream = append(stream, b...)
		for {
			body, rest, err := service.NextFrame(stream, 0)
			if err != nil || body == nil {
				break
			}
			e.fromServer(r.Context(), peer, body)
			stream = rest
		}
		stream = bytes.Clone(stream)
	}
}

func (e *fakeEdge) fromServer(ctx context.Context, peer *fakePeer, body []byte) {
	decoded, err := service.Decode(body)
	if err != nil {
		e.t.Errorf("decode from app server: %v", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch m := decoded.(type) {
	case *service.HandshakeRequest:
		e.servers = append(e.servers, peer)
		// Two messages at once, as a fast edge sends them.
		both := service.Append(nil, &service.HandshakeResponse{ConnectionID: "cid"})
		peer.write(ctx, service.Append(both, &service.Ping{}))
	case *service.ConnectionData:
		e.deliver(ctx, m.ConnectionID, m.Payload)
	case *service.MultiConnectionData:
		for _, id := range m.ConnectionIDs {
			e.multicast(ctx, id, m.Payloads)
		}
	case *service.JoinGroupWithAck:
		e.groups[m.Group] = append(e.groups[m.Group], m.ConnectionID)
		peer.write(ctx, service.Append(nil, &service.Ack{AckID: m.AckID, Status: service.AckOK}))
	case *service.GroupBroadcastData:
		for _, id := range e.groups[m.Group] {
			e.multicast(ctx, id, m.Payloads)
		}
	case *service.BroadcastData:
		e.broadcast(ctx, body, m)
	}
}

func (e *fakeEdge) broadcast(ctx context.Context, body []byte, m *service.BroadcastData) {
	e.broadcasts++
	switch e.broadcasts {
	case e.lose:
		return
	case e.swap:
		e.held = bytes.Clone(body)
		return
	}
	for id := range e.clients {
		e.multicast(ctx, id, m.Payloads)
	}
	if held := e.held; held != nil {
		e.held = nil
		again, err := service.Decode(held)
		if err != nil {
			e.t.Errorf("decode: %v", err)
			return
		}
		for id := range e.clients {
			e.multicast(ctx, id, again.(*service.BroadcastData).Payloads)
		}
	}
}

func (e *fakeEdge) multicast(ctx context.Context, id string, payloads service.Payloads) {
	if c := e.clients[id]; c != nil {
		data, ok := payloads.Get(c.protocol)
		if !ok {
			e.t.Errorf("no payload for protocol %q", c.protocol)
		}
		e.deliver(ctx, id, data)
	}
}

func (e *fakeEdge) deliver(ctx context.Context, id string, b []byte) {
	if c := e.clients[id]; c != nil {
		c.write(ctx, b)
	}
}

func (e *fakeEdge) client(w http.ResponseWriter, r *http.Request) {
	claims, err := e.claims(r, "client")
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	ctx := r.Context()
	_, first, err := conn.Read(ctx)
	if err != nil {
		return
	}
	request, _, _ := bytes.Cut(first, []byte{recordSeparator})
	var handshake struct{ Protocol string }
	if err := json.Unmarshal(request, &handshake); err != nil {
		e.t.Errorf("handshake request %q: %v", first, err)
		return
	}
	e.mu.Lock()
	e.next++
	id := fmt.Sprintf("connection-%d", e.next)
	c := &fakePeer{conn: conn, protocol: handshake.Protocol, server: e.servers[e.next%len(e.servers)]}
	e.clients[id] = c
	e.headers, e.query = r.Header, r.URL.RawQuery
	e.mu.Unlock()
	open := &service.OpenConnection{ConnectionID: id, Protocol: handshake.Protocol}
	for key, value := range claims {
		open.Claims = append(open.Claims, service.Claim{Type: key, Value: fmt.Sprint(value)})
	}
	c.server.write(ctx, service.Append(nil, open))
	for msg := first; err == nil; _, msg, err = conn.Read(ctx) {
		c.server.write(ctx, service.AppendConnectionData(nil, id, msg))
	}
	e.mu.Lock()
	delete(e.clients, id)
	e.mu.Unlock()
	background, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	c.server.write(background, service.Append(nil, &service.CloseConnection{ConnectionID: id, ErrorMessage: "gone"}))
}

// cut ends the connections of the clients with these connection numbers.
func (e *fakeEdge) cut(numbers ...int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, c := range e.clients {
		if slices.ContainsFunc(numbers, func(n int) bool { return id == fmt.Sprintf("connection-%d", n) }) {
			_ = c.conn.CloseNow()
		}
	}
}
