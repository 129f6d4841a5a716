package appserver

import (
	"context"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// Clients makes senders. From Context.Clients its writes go over the calling client's server connection; from
// HubServer.Clients over a random one, or one fixed by group or kind ([34] in 5.4).
type Clients struct {
	h     *HubServer
	scope *client
	ctx   context.Context
}

// Clients returns the senders for use outside hub calls.
func (h *HubServer) Clients() Clients { return Clients{h: h, ctx: h.srv.run} }

// Sender sends one invocation to a set of clients.
type Sender struct {
	clients Clients
	key     string
	id      string // of a single client
	message func(service.Payloads) service.Message
}

// Send invokes method with args on every client of the set, without an answer. It returns when the message is handed to
// a server connection, which may have to wait for room.
func (s Sender) Send(method string, args ...any) error {
	h := s.clients.h
	protocols := h.srv.opts.Protocols
	if s.id != "" {
		if c := h.srv.client(s.id); c != nil && c.protocol != "" {
			// The SDK knows the protocol of its own clients and sends that alone (3.5).
			protocols = []string{c.protocol}
		}
	}
	p, err := payloads(protocols, "", method, args)
	if err != nil {
		return err
	}
	return h.write(s.clients.ctx, s.clients.scope, s.key, s.message(p))
}

// All addresses every client of the hub.
func (c Clients) All() Sender { return c.AllExcept() }

// AllExcept addresses every client but those connection ids.
func (c Clients) AllExcept(excluded ...string) Sender {
	return Sender{clients: c, key: "all", message: func(p service.Payloads) service.Message {
		return &service.BroadcastData{ExcludedConnectionIDs: excluded, Payloads: p}
	}}
}

// Others addresses every client but the caller; outside a hub call it is All.
func (c Clients) Others() Sender { return c.AllExcept(c.self()...) }

// Caller addresses the calling client; outside a hub call nobody.
func (c Clients) Caller() Sender {
	if c.scope == nil {
		return c.Clients()
	}
	return c.Client(c.scope.id)
}

// Client addresses one connection.
func (c Clients) Client(id string) Sender {
	s := c.Clients(id)
	s.id = id
	return s
}

// Clients addresses several connections.
func (c Clients) Clients(ids ...string) Sender {
	return Sender{clients: c, message: func(p service.Payloads) service.Message {
		return &service.MultiConnectionData{ConnectionIDs: ids, Payloads: p}
	}}
}

// Group addresses the members of a group.
func (c Clients) Group(group string) Sender { return c.GroupExcept(group) }

// GroupExcept addresses the members of a group but those connection ids.
func (c Clients) GroupExcept(group string, excluded ...string) Sender {
	return Sender{clients: c, key: "group:" + group, message: func(p service.Payloads) service.Message {
		return &service.GroupBroadcastData{Group: group, ExcludedConnectionIDs: excluded, Payloads: p}
	}}
}

// OthersInGroup addresses the members of a group but the caller.
func (c Clients) OthersInGroup(group string) Sender { return c.GroupExcept(group, c.self()...) }

// Groups addresses the members of several groups; who is in two of them gets the message twice.
func (c Clients) Groups(groups ...string) Sender {
	return Sender{clients: c, key: "groups", message: func(p service.Payloads) service.Message {
		return &service.MultiGroupBroadcastData{Groups: groups, Payloads: p}
	}}
}

// User addresses every connection of a user.
func (c Clients) User(id string) Sender {
	return Sender{clients: c, key: "user", message: func(p service.Payloads) service.Message {
		return &service.UserData{UserID: id, Payloads: p}
	}}
}

// Users addresses every connection of several users.
func (c Clients) Users(ids ...string) Sender {
	return Sender{clients: c, key: "users", message: func(p service.Payloads) service.Message {
		return &service.MultiUserData{UserIDs: ids, Payloads: p}
	}}
}

func (c Clients) self() []string {
	if c.scope == nil {
		return nil
	}
	return []string{c.scope.id}
}

// Invoke calls method on one client and waits for its result (5.7). It works for clients of any server of the hub; the
// error of a client without a handler, or that went, is a *HubError.
func (c Clients) Invoke(ctx context.Context, connectionID, method string, args ...any) (RawValue, error) {
	return c.h.srv.results.call(ctx, c.h, c.scope, connectionID, method, args)
}

// Invoke calls method on the single client that the sender addresses and waits for its result. Only Client and Caller
// make such senders; others get an error.
func (s Sender) Invoke(ctx context.Context, method string, args ...any) (RawValue, error) {
	if s.id == "" {
		return RawValue{}, ErrNotOneClient
	}
	return s.clients.Invoke(ctx, s.id, method, args...)
}

// Groups adds to and removes from groups, waiting for the service's acknowledgement.
type Groups struct {
	h     *HubServer
	scope *client
}

// Groups returns the group operations for use outside hub calls.
func (h *HubServer) Groups() Groups { return Groups{h: h} }

// Add puts a connection into a group. A connection that does not exist is no error.
func (g Groups) Add(ctx context.Context, connectionID, group string) error {
	return g.wait(ctx, g.StartAdd, connectionID, group)
}

// Remove takes a connection out of a group. A connection that does not exist is no error.
func (g Groups) Remove(ctx context.Context, connectionID, group string) error {
	return g.wait(ctx, g.StartRemove, connectionID, group)
}

// StartAdd sends what Add sends and returns a function that waits for the acknowledgement, to be called once.
func (g Groups) StartAdd(connectionID, group string) (wait func(context.Context) error, err error) {
	return g.start(func(id int32) service.Message {
		return &service.JoinGroupWithAck{ConnectionID: connectionID, Group: group, AckID: id}
	})
}

// StartRemove sends what Remove sends and returns a function that waits for the acknowledgement, to be called once.
func (g Groups) StartRemove(connectionID, group string) (wait func(context.Context) error, err error) {
	return g.start(func(id int32) service.Message {
		return &service.LeaveGroupWithAck{ConnectionID: connectionID, Group: group, AckID: id}
	})
}

func (g Groups) start(build func(int32) service.Message) (func(context.Context) error, error) {
	answer, err := g.h.startAsk(g.h.srv.run, g.scope, build)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := answer(ctx)
		return err
	}, nil
}

func (g Groups) wait(ctx context.Context, start func(string, string) (func(context.Context) error, error),
	connectionID, group string,
) error {
	answer, err := start(connectionID, group)
	if err != nil {
		return err
	}
	return answer(ctx)
}
