package main

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/signalr-operator/signalr-operator/test/appserver"
)

// Client methods of the page.
const (
	clientMessage = "Message" // one message
	clientPeople  = "People"  // one presence
	clientRoom    = "Room"    // the name of a new room
	clientTyping  = "Typing"  // a room, and who is writing there
)

// chatHub returns the hub "chat" over a board.
func chatHub(b *board, log *slog.Logger) *appserver.Hub {
	c := &chat{board: b, log: log}
	return appserver.NewHub("Chat").
		OnConnected(c.connected).
		OnDisconnected(c.disconnected).
		Method("Hello", c.hello).
		Method("Join", c.join).
		Method("Leave", c.leave).
		Method("Say", c.say).
		Method("Direct", c.direct).
		Method("Typing", c.typing)
}

// chat is the hub's methods: decode, ask the board, send.
type chat struct {
	board *board
	log   *slog.Logger
}

func (c *chat) connected(call *appserver.Context) error {
	c.tellPeople(call, c.board.come(call.UserID()))
	return nil
}

func (c *chat) disconnected(call *appserver.Context, _ string) {
	c.tellPeople(call, c.board.leave(call.UserID()))
}

// tellPeople tells everybody who is here. The caller's connection may be gone by now, so a failure is no error.
func (c *chat) tellPeople(call *appserver.Context, p presence) {
	if err := call.Hub().Clients().All().Send(clientPeople, p); err != nil {
		c.log.Debug("presence not sent", "err", err)
	}
}

func (c *chat) hello(call *appserver.Context, _ appserver.Args) (any, error) {
	return c.board.hello(call.UserID()), nil
}

// join makes the caller a member of the room's group and returns what was said there.
func (c *chat) join(call *appserver.Context, args appserver.Args) (any, error) {
	var room string
	if err := args.Decode(&room); err != nil {
		return nil, err
	}
	// Before the group: the room may be refused. What is said in between comes twice and is known by its id.
	if _, created, err := c.board.enter(room); err != nil {
		return nil, shown(err)
	} else if created {
		if err := call.Clients().All().Send(clientRoom, room); err != nil {
			return nil, err
		}
	}
	if err := call.Groups().Add(call.Context(), call.ConnectionID(), groupOf(room)); err != nil {
		return nil, err
	}
	history, _, err := c.board.enter(room)
	return history, shown(err)
}

func (c *chat) leave(call *appserver.Context, args appserver.Args) (any, error) {
	var room string
	if err := args.Decode(&room); err != nil {
		return nil, err
	}
	if err := checkName("A room's name", room); err != nil {
		return nil, shown(err)
	}
	return nil, call.Groups().Remove(call.Context(), call.ConnectionID(), groupOf(room))
}

func (c *chat) say(call *appserver.Context, args appserver.Args) (any, error) {
	var room, text string
	if err := args.Decode(&room, &text); err != nil {
		return nil, err
	}
	m, err := c.board.say(call.UserID(), room, text)
	if err != nil {
		return nil, shown(err)
	}
	return nil, call.Clients().Group(groupOf(room)).Send(clientMessage, m)
}

// direct sends to every tab of both users: the sender's other tabs show it too.
func (c *chat) direct(call *appserver.Context, args appserver.Args) (any, error) {
	var to, text string
	if err := args.Decode(&to, &text); err != nil {
		return nil, err
	}
	m, err := c.board.tell(call.UserID(), to, text)
	if err != nil {
		return nil, shown(err)
	}
	return nil, call.Clients().Users(m.From, m.To).Send(clientMessage, m)
}

func (c *chat) typing(call *appserver.Context, args appserver.Args) (any, error) {
	var room string
	if err := args.Decode(&room); err != nil {
		return nil, err
	}
	return nil, call.Clients().OthersInGroup(groupOf(room)).Send(clientTyping, room, call.UserID())
}

// groupOf returns the group of a room.
func groupOf(room string) string { return "room/" + room }

// shown turns a refusal into an error whose text the page gets; other errors keep their text to themselves.
func shown(err error) error {
	if r, ok := errors.AsType[refusal](err); ok {
		return appserver.NewHubError("%s", string(r))
	}
	return err
}

// signIn takes the user's name from the query: a demo has no passwords.
func signIn(r *http.Request) (appserver.Identity, error) {
	name := r.URL.Query().Get("name")
	if err := checkName("Your name", name); err != nil {
		return appserver.Identity{}, err
	}
	return appserver.Identity{UserID: name}, nil
}
