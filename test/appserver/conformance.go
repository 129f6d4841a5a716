package appserver

import (
	"context"
	"errors"
	"strings"
	"time"
)

// receiveMethod is the client method that every multicast of ConformanceHub invokes, with (kind, message).
const receiveMethod = "Receive"

// ConformanceHub returns the hub named "conformance" (path "/conformance") that the conformance suite and the bench
// call. Its methods are registered below; each multicast invokes "Receive" with the kind and the message.
func ConformanceHub() *Hub { return ConformanceHubNamed("conformance") }

// ConformanceHubNamed is ConformanceHub with another name.
func ConformanceHubNamed(name string) *Hub {
	h := NewHub(name)
	addCalls(h)
	addMulticasts(h)
	addGroups(h)
	addStreams(h)
	addInfo(h)
	return h
}

func addCalls(h *Hub) {
	h.Method("Echo", func(_ *Context, args Args) (any, error) {
		var v RawValue
		err := args.Decode(&v)
		return v, err
	})
	h.Method("Add", func(_ *Context, args Args) (any, error) {
		var a, b float64
		if err := args.Decode(&a, &b); err != nil {
			return nil, err
		}
		return number(a + b), nil
	})
	h.Method("Throw", func(_ *Context, args Args) (any, error) {
		var text string
		if err := args.Decode(&text); err != nil {
			return nil, err
		}
		return nil, &HubError{Text: text}
	})
	h.Method("Fail", func(*Context, Args) (any, error) { return nil, errors.New("secret detail") })
	h.Method("Ask", func(c *Context, args Args) (any, error) {
		var id string
		var question RawValue
		if err := args.Decode(&id, &question); err != nil {
			return nil, err
		}
		if id == "" {
			id = c.ConnectionID()
		}
		return c.Clients().Invoke(c.Context(), id, "Ask", question)
	})
	h.Method("Long", func(c *Context, args Args) (any, error) {
		var ms int64
		if err := args.Decode(&ms); err != nil {
			return nil, err
		}
		if err := wait(c, ms); err != nil {
			return nil, err
		}
		return "done", nil
	})
	h.Method("Abort", func(c *Context, _ Args) (any, error) {
		c.Abort()
		return nil, nil
	})
	h.Method("CloseWithError", func(c *Context, _ Args) (any, error) {
		c.CloseWithError()
		return nil, nil
	})
	h.Method("Burst", func(c *Context, args Args) (any, error) {
		var n, size int
		if err := args.Decode(&n, &size); err != nil {
			return nil, err
		}
		caller, pad := c.Clients().Caller(), strings.Repeat("x", max(size, 0))
		for i := range n {
			// (kind, message) as always, and behind the message's number its padding.
			if err := caller.Send(receiveMethod, "burst", i, pad); err != nil {
				return nil, err
			}
		}
		return n, nil
	})
}

// number keeps whole results integers in both protocols.
func number(f float64) any {
	if i := int64(f); float64(i) == f {
		return i
	}
	return f
}

// wait waits for ms milliseconds or the end of the call.
func wait(c *Context, ms int64) error {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.Context().Done():
		return c.Context().Err()
	}
}

// multicast registers a method whose arguments are one target of type T and the message.
func multicast[T any](h *Hub, name, kind string, to func(Clients, T) Sender) {
	h.Method(name, func(c *Context, args Args) (any, error) {
		var target T
		var message RawValue
		if err := args.Decode(&target, &message); err != nil {
			return nil, err
		}
		return nil, to(c.Clients(), target).Send(receiveMethod, kind, message)
	})
}

func addMulticasts(h *Hub) {
	h.Method("Broadcast", func(c *Context, args Args) (any, error) {
		var message RawValue
		if err := args.Decode(&message); err != nil {
			return nil, err
		}
		return nil, c.Clients().All().Send(receiveMethod, "all", message)
	})
	h.Method("Others", func(c *Context, args Args) (any, error) {
		var message RawValue
		if err := args.Decode(&message); err != nil {
			return nil, err
		}
		return nil, c.Clients().Others().Send(receiveMethod, "others", message)
	})
	multicast(h, "AllExcept", "allExcept", func(c Clients, ids []string) Sender { return c.AllExcept(ids...) })
	multicast(h, "SendClient", "client", Clients.Client)
	multicast(h, "SendClients", "clients", func(c Clients, ids []string) Sender { return c.Clients(ids...) })
	multicast(h, "Group", "group", Clients.Group)
	multicast(h, "Groups", "groups", func(c Clients, groups []string) Sender { return c.Groups(groups...) })
	multicast(h, "OthersInGroup", "othersInGroup", Clients.OthersInGroup)
	multicast(h, "User", "user", Clients.User)
	multicast(h, "Users", "users", func(c Clients, ids []string) Sender { return c.Users(ids...) })
	h.Method("GroupExcept", func(c *Context, args Args) (any, error) {
		var group string
		var ids []string
		var message RawValue
		if err := args.Decode(&group, &ids, &message); err != nil {
			return nil, err
		}
		return nil, c.Clients().GroupExcept(group, ids...).Send(receiveMethod, "groupExcept", message)
	})
}

func addGroups(h *Hub) {
	h.Method("Join", func(c *Context, args Args) (any, error) {
		var group string
		if err := args.Decode(&group); err != nil {
			return nil, err
		}
		return nil, c.Groups().Add(c.Context(), c.ConnectionID(), group)
	})
	h.Method("Leave", func(c *Context, args Args) (any, error) {
		var group string
		if err := args.Decode(&group); err != nil {
			return nil, err
		}
		return nil, c.Groups().Remove(c.Context(), c.ConnectionID(), group)
	})
	both := func(name, kind string, change groupChange) {
		h.Method(name, func(c *Context, args Args) (any, error) {
			var group string
			var message RawValue
			if err := args.Decode(&group, &message); err != nil {
				return nil, err
			}
			// The send goes out behind the change without waiting for its ack: one server connection keeps the order, so
			// the change must be in effect (5.4).
			acked, err := change(c.Groups(), c.ConnectionID(), group)
			if err != nil {
				return nil, err
			}
			sendErr := c.Clients().Group(group).Send(receiveMethod, kind, message)
			return nil, errors.Join(acked(c.Context()), sendErr)
		})
	}
	both("JoinAndSend", "joinAndSend", Groups.StartAdd)
	both("LeaveAndSend", "leaveAndSend", Groups.StartRemove)
}

// groupChange is Groups.StartAdd or Groups.StartRemove.
type groupChange = func(g Groups, connectionID, group string) (wait func(context.Context) error, err error)
