package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept in memory and of what a user may send.
const (
	maxName       = 32    // characters of a user's or a room's name
	maxText       = 2_000 // characters of a message
	maxRooms      = 100
	maxHistory    = 100   // messages kept per room
	maxDirect     = 1_000 // direct messages kept in all
	directAtHello = 200   // of those, given to a user who comes
)

// refusal is an error whose text is meant for the user.
type refusal string

func (r refusal) Error() string { return string(r) }

// refuse returns a refusal with a formatted text.
func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// message is one thing that was said, to a room or to a user. The JSON names are what the page reads.
type message struct {
	// ID grows over all messages, restarts of the process included, and orders them.
	ID   int64  `json:"id"`
	Room string `json:"room,omitempty"`
	To   string `json:"to,omitempty"`
	From string `json:"from"`
	Text string `json:"text"`
	// At is in milliseconds since 1970, as the page's Date takes it.
	At int64 `json:"at"`
}

// person is somebody who is here, with so many tabs.
type person struct {
	Name string `json:"name"`
	Tabs int    `json:"tabs"`
}

// presence says who is here. A higher Version is newer: two of them may overtake each other on the way.
type presence struct {
	Version int64    `json:"version"`
	People  []person `json:"people"`
}

// welcome is what a page needs to know when it comes.
type welcome struct {
	Rooms    []string  `json:"rooms"`
	Presence presence  `json:"presence"`
	Direct   []message `json:"direct"`
}

// board is what the chat remembers. Its methods may be called by many goroutines at once.
type board struct {
	now func() time.Time

	mu sync.Mutex
	// All below is guarded by mu.
	lastID  int64
	rooms   []string
	history map[string][]message
	direct  []message
	tabs    map[string]int
}

// newBoard returns a board with these rooms; now is the clock.
func newBoard(now func() time.Time, rooms ...string) *board {
	b := &board{now: now, history: map[string][]message{}, tabs: map[string]int{}}
	for _, room := range rooms {
		b.rooms = append(b.rooms, room)
		b.history[room] = nil
	}
	return b
}

// nextLocked returns a number above all it has returned before, and above those of an earlier process.
func (b *board) nextLocked() int64 {
	b.lastID = max(b.lastID+1, b.now().UnixMicro())
	return b.lastID
}

// come notes one more connection of a user, and leave one less; both return who is here now.
func (b *board) come(name string) presence {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tabs[name]++
	return b.presenceLocked()
}

func (b *board) leave(name string) presence {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tabs[name]--; b.tabs[name] <= 0 {
		delete(b.tabs, name)
	}
	return b.presenceLocked()
}

func (b *board) presenceLocked() presence {
	people := make([]person, 0, len(b.tabs))
	for name, tabs := range b.tabs {
		people = append(people, person{Name: name, Tabs: tabs})
	}
	slices.SortFunc(people, func(a, b person) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return presence{Version: b.nextLocked(), People: people}
}

// hello returns what a user's page begins with.
func (b *board) hello(name string) welcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	direct := []message{}
	for _, m := range slices.Backward(b.direct) {
		if len(direct) == directAtHello {
			break
		}
		if m.From == name || m.To == name {
			direct = append(direct, m)
		}
	}
	slices.Reverse(direct)
	return welcome{Rooms: slices.Clone(b.rooms), Presence: b.presenceLocked(), Direct: direct}
}

// enter returns what was said in a room, and whether the room is new.
func (b *board) enter(room string) (history []message, created bool, err error) {
	if err := checkName("A room's name", room); err != nil {
		return nil, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.rooms, room) {
		if len(b.rooms) >= maxRooms {
			return nil, false, refuse("There are %d rooms already.", maxRooms)
		}
		b.rooms = append(b.rooms, room)
		created = true
	}
	return append([]message{}, b.history[room]...), created, nil
}

// say adds a message to a room and returns it.
func (b *board) say(from, room, text string) (message, error) {
	if err := checkText(text); err != nil {
		return message{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.rooms, room) {
		return message{}, refuse("There is no room of that name.")
	}
	m := message{ID: b.nextLocked(), Room: room, From: from, Text: text, At: b.now().UnixMilli()}
	b.history[room] = appendBounded(b.history[room], m, maxHistory)
	return m, nil
}

// tell adds a direct message and returns it.
func (b *board) tell(from, to, text string) (message, error) {
	if err := checkText(text); err != nil {
		return message{}, err
	}
	if err := checkName("A person's name", to); err != nil {
		return message{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := message{ID: b.nextLocked(), To: to, From: from, Text: text, At: b.now().UnixMilli()}
	b.direct = appendBounded(b.direct, m, maxDirect)
	return m, nil
}

// appendBounded appends m and drops the oldest beyond limit.
func appendBounded(list []message, m message, limit int) []message {
	list = append(list, m)
	if len(list) > limit {
		list = slices.Delete(list, 0, len(list)-limit)
	}
	return list
}

// checkName refuses a name that is empty, too long, padded, or holds what cannot be seen. `what` begins the text.
func checkName(what, name string) error {
	switch {
	case name == "" || strings.TrimSpace(name) != name:
		return refuse("%s must not be empty or begin or end with spaces.", what)
	case utf8.RuneCountInString(name) > maxName:
		return refuse("%s has at most %d characters.", what, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return refuse("%s must not hold control characters.", what)
	}
	return nil
}

// checkText refuses a message that is blank or too long.
func checkText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return refuse("There is nothing to send.")
	case utf8.RuneCountInString(text) > maxText:
		return refuse("A message has at most %d characters.", maxText)
	}
	return nil
}
