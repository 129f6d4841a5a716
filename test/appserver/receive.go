package appserver

import (
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

const headerForwardedFor = "X-Forwarded-For"

// receive acts on one message of the service. It runs on the connection's reader and never blocks on hub code.
func (h *HubServer) receive(c *serverConn, m service.Message) {
	if f := h.srv.opts.OnMessage; f != nil {
		f(c.cid, m)
	}
	switch m := m.(type) {
	case *service.Ping:
		h.receivePing(c, m)
	case *service.OpenConnection:
		h.openClient(c, m)
	case *service.CloseConnection:
		h.closeClient(m)
	case *service.ConnectionData:
		if cl := h.srv.client(m.ConnectionID); cl != nil {
			cl.receive(m)
		}
	case *service.ConnectionReconnect:
		if cl := h.srv.client(m.ConnectionID); cl != nil {
			cl.dropPartial()
		}
	case *service.ConnectionFlowControl:
		h.receiveFlowControl(c, m)
	case *service.Ack:
		h.receiveAck(m)
	case *service.ClientInvocation:
		h.srv.results.routed(h.srv, c, m)
	case *service.ClientCompletion:
		h.srv.results.completed(m)
	case *service.ErrorCompletion:
		h.srv.results.failed(m.InvocationID, m.Error)
	case *service.ServiceMapping:
		h.srv.results.mapped(m)
	case *service.UpdateConnectionClaims:
		if cl := h.srv.client(m.ConnectionID); cl != nil {
			cl.updateClaims(m.Claims)
		}
	case *service.ServiceError:
		if m.ErrorMessage != "" {
			c.mu.Lock()
			c.failure = m.ErrorMessage
			c.mu.Unlock()
			h.srv.log.Error("service error", "hub", h.name, "cid", c.cid, "err", m.ErrorMessage)
		}
	case *service.ServiceEvent:
		h.srv.log.Info("service event", "hub", h.name, "cid", c.cid, "id", m.ID, "message", m.Message)
	default:
		h.srv.log.Debug("message ignored", "hub", h.name, "cid", c.cid, "type", m.Type())
	}
}

func (h *HubServer) receivePing(c *serverConn, p *service.Ping) {
	if _, ok := p.Get("echo"); ok {
		_ = c.send(p) // the identical ping goes back; a closing connection needs no answer
		return
	}
	if v, _ := p.Get("shutdown"); v == "finack" {
		c.finOnce.Do(func() { close(c.finack) })
	}
	if target, ok := p.Get("target"); ok {
		h.openOnDemand(target)
	}
	if instance, ok := p.Get("offline"); ok {
		for _, cl := range h.srv.clientsWhere(func(cl *client) bool {
			return cl.boundTo(c) && (instance == "" || cl.instanceID == instance)
		}) {
			cl.end(ending{})
		}
		h.srv.results.instanceGone(instance)
	}
	h.answered(p)
}

// openClient builds the context of a new client (5.1). A connection id that is there already is not added.
func (h *HubServer) openClient(c *serverConn, m *service.OpenConnection) {
	cl := newClient(h, c, m)
	if !h.srv.addClient(cl) {
		h.srv.log.Warn("connection id is taken", "hub", h.name, "connectionId", m.ConnectionID)
		return
	}
	c.clients.Add(1)
	if cl.protocol == "" {
		// 1.34.0 resolves the protocol by ext Protocol and cannot serve a client without it.
		h.srv.log.Error("client without a known protocol", "hub", h.name, "protocol", m.Protocol)
		cl.end(ending{tellService: true, reason: "unknown hub protocol"})
	}
	h.notify()
}

// closeClient ends a client that the service says is gone; nothing is sent back (5.2).
func (h *HubServer) closeClient(m *service.CloseConnection) {
	cl := h.srv.client(m.ConnectionID)
	if cl == nil {
		return
	}
	e := ending{err: m.ErrorMessage}
	if _, migrates := m.Headers.Get(service.HeaderMigrateTo); migrates {
		e = ending{} // its OnDisconnected is told nothing: the client lives on
	}
	cl.end(e)
}

// receiveFlowControl is 5.10: pause, resume, takeover by another connection, a connection that goes offline.
func (h *HubServer) receiveFlowControl(c *serverConn, m *service.ConnectionFlowControl) {
	switch {
	case m.ConnectionType == service.FlowClient && m.Operation == service.FlowPause:
		if cl := h.srv.client(m.ConnectionID); cl != nil {
			cl.pause()
		}
	case m.ConnectionType == service.FlowClient && m.Operation == service.FlowResume:
		if cl := h.srv.client(m.ConnectionID); cl != nil {
			cl.resume(c)
		}
	case m.ConnectionType == service.FlowServer && m.Operation == service.FlowOffline:
		for _, other := range h.connections() {
			if other.cid == m.ConnectionID {
				other.mu.Lock()
				other.offline = true
				other.mu.Unlock()
			}
		}
	default:
		h.srv.log.Error("unknown flow control", "hub", h.name, "connectionType", m.ConnectionType,
			"operation", m.Operation)
	}
}
