package appserver

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// results keeps the client results of a process in both roles (5.7): calls it made, and calls of other servers that are
// routed to its clients.
type results struct {
	mu sync.Mutex
	// own and routes are guarded by mu, by invocation id.
	own    map[string]*ownCall
	routes map[string]routedCall
}

type ownCall struct {
	connectionID string
	local        *client // nil when another server carries the client
	instance     string  // of ServiceMapping
	done         chan callResult
}

type callResult struct {
	value RawValue
	err   error
}

type routedCall struct {
	connectionID   string
	callerServerID string
}

func (r *results) init() {
	r.own, r.routes = map[string]*ownCall{}, map[string]routedCall{}
}

func disconnectedText(connectionID string) string {
	return fmt.Sprintf("Connection '%s' is disconnected.", connectionID)
}

// call is the caller's role.
func (r *results) call(ctx context.Context, h *HubServer, scope *client, connectionID, method string, args []any) (
	RawValue, error,
) {
	s := h.srv
	id := connectionID + "-" + s.callTag + "-" + strconv.FormatInt(s.callID.Add(1), 10)
	protocols := s.opts.Protocols
	local := s.client(connectionID)
	if local != nil {
		protocols, scope = []string{local.protocol}, local
	}
	p, err := payloads(protocols, id, method, args)
	if err != nil {
		return RawValue{}, err
	}
	pending := &ownCall{connectionID: connectionID, local: local, done: make(chan callResult, 1)}
	delay := s.opts.ClientResultRegistrationDelay
	if delay == 0 {
		r.register(id, pending)
	}
	defer r.take(id)
	m := &service.ClientInvocation{InvocationID: id, ConnectionID: connectionID, CallerServerID: s.id, Payloads: p}
	if err := h.write(ctx, scope, "", m); err != nil {
		return RawValue{}, err
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return RawValue{}, ctx.Err()
		}
		r.register(id, pending)
	}
	select {
	case result := <-pending.done:
		return result.value, result.err
	case <-ctx.Done():
		return RawValue{}, ctx.Err()
	}
}

func (r *results) register(id string, p *ownCall) {
	r.mu.Lock()
	r.own[id] = p
	r.mu.Unlock()
}

func (r *results) take(id string) *ownCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.own[id]
	delete(r.own, id)
	return p
}

// answered takes a Completion that a client of this process sent: for a call of our own, or for another server's.
func (r *results) answered(c *client, m hub.Message) {
	r.mu.Lock()
	p := r.own[m.InvocationID]
	if p != nil && p.connectionID == c.id {
		delete(r.own, m.InvocationID)
	} else {
		p = nil
	}
	route, routed := r.routes[m.InvocationID]
	if routed = routed && route.connectionID == c.id; routed {
		delete(r.routes, m.InvocationID)
	}
	r.mu.Unlock()
	done := &service.ClientCompletion{
		InvocationID: m.InvocationID, ConnectionID: c.id, CallerServerID: c.h.srv.id, Protocol: c.protocol,
	}
	switch {
	case p != nil:
		p.done <- resultOf(c.protocol, m)
		_ = c.connection().send(done) // the empty payload tells the service to forget the call
	case routed:
		var result any
		if m.HasResult {
			result = RawValue{protocol: c.protocol, data: bytes.Clone(m.Result)}
		}
		frame, err := completionFrame(c.protocol, m.InvocationID, m.Error, result)
		if err != nil {
			return
		}
		done.Payload = frame
		_ = c.connection().send(done)
	}
}

func resultOf(protocol string, m hub.Message) callResult {
	switch {
	case m.HasError:
		return callResult{err: &HubError{Text: m.Error}}
	case m.HasResult:
		return callResult{value: RawValue{protocol: protocol, data: bytes.Clone(m.Result)}}
	}
	return callResult{}
}

// routed is the router's role: the service announces a call of another server to a client that this server carries.
func (r *results) routed(s *Server, c *serverConn, m *service.ClientInvocation) {
	if s.client(m.ConnectionID) == nil {
		_ = c.send(&service.ErrorCompletion{
			InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: s.id,
			Error: disconnectedText(m.ConnectionID),
		})
		return
	}
	r.mu.Lock()
	r.routes[m.InvocationID] = routedCall{connectionID: m.ConnectionID, callerServerID: m.CallerServerID}
	r.mu.Unlock()
}

// completed takes the answer of a client that another server carries.
func (r *results) completed(m *service.ClientCompletion) {
	p := r.take(m.InvocationID)
	if p == nil {
		return
	}
	result := callResult{err: fmt.Errorf("client completion in unknown protocol %q", m.Protocol)}
	if wire, ok := hub.ParseProtocol(m.Protocol); ok {
		msg, _, err := hub.NextMessage(wire.Framing(), m.Payload, maxFrame)
		var completion hub.Message
		if err == nil {
			completion, err = hub.Decode(wire, msg)
		}
		if err != nil {
			result.err = fmt.Errorf("client completion: %w", err)
		} else {
			result = resultOf(wire.String(), completion)
		}
	}
	p.done <- result
}

func (r *results) failed(id, text string) {
	if p := r.take(id); p != nil {
		p.done <- callResult{err: &HubError{Text: text}}
	}
}

func (r *results) mapped(m *service.ServiceMapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.own[m.InvocationID]; p != nil {
		p.instance = m.InstanceID
	}
}

// instanceGone fails the calls that wait for a client of a service instance that went offline.
func (r *results) instanceGone(instance string) {
	if instance == "" {
		return
	}
	r.failWhere(func(p *ownCall) bool { return p.instance == instance })
}

// clientGone fails the calls that wait for a client of this process, and tells other servers'.
func (r *results) clientGone(c *client) {
	r.failWhere(func(p *ownCall) bool { return p.local == c })
	var gone []*service.ErrorCompletion
	r.mu.Lock()
	for id, route := range r.routes {
		if route.connectionID == c.id {
			delete(r.routes, id)
			gone = append(gone, &service.ErrorCompletion{
				InvocationID: id, ConnectionID: c.id, CallerServerID: c.h.srv.id, Error: disconnectedText(c.id),
			})
		}
	}
	r.mu.Unlock()
	for _, m := range gone {
		_ = c.connection().send(m) // a dead connection: the service tells the caller itself
	}
}

func (r *results) failWhere(match func(*ownCall) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range r.own {
		if match(p) {
			delete(r.own, id)
			p.done <- callResult{err: &HubError{Text: disconnectedText(p.connectionID)}}
		}
	}
}
