package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stillBoard returns a board whose clock stands.
func stillBoard() *board {
	at := time.UnixMilli(1_000)
	return newBoard(func() time.Time { return at }, "General", "Random")
}

func TestBoardKnowsWhoIsHere(t *testing.T) {
	b := stillBoard()
	first := b.come("Bob")
	b.come("ada")
	third := b.come("Bob")
	want := []person{{Name: "ada", Tabs: 1}, {Name: "Bob", Tabs: 2}}
	if diff := cmp.Diff(want, third.People); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
	if third.Version <= first.Version {
		t.Errorf("version went from %d to %d, want it to grow", first.Version, third.Version)
	}
	b.leave("Bob")
	last := b.leave("Bob")
	if diff := cmp.Diff([]person{{Name: "ada", Tabs: 1}}, last.People); diff != "" {
		t.Errorf("people after Bob left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]person{}, b.leave("ada").People); diff != "" {
		t.Errorf("nobody is an empty list, not null (-want +got):\n%s", diff)
	}
}

func TestBoardNumbersGrowOverRestarts(t *testing.T) {
	at := time.UnixMilli(1_000)
	b := newBoard(func() time.Time { return at }, "General")
	first, _ := b.say("Ada", "General", "one")
	second, _ := b.say("Ada", "General", "two")
	again := newBoard(func() time.Time { return at.Add(time.Second) }, "General")
	third, _ := again.say("Ada", "General", "three")
	if first.ID >= second.ID || second.ID >= third.ID {
		t.Errorf("ids are %d, %d, %d, want them to grow", first.ID, second.ID, third.ID)
	}
}

func TestBoardKeepsTheEndOfWhatWasSaid(t *testing.T) {
	b := stillBoard()
	for i := range maxHistory + 5 {
		if _, err := b.say("Ada", "General", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	history, created, err := b.enter("General")
	if err != nil || created {
		t.Fatalf("enter: created %v, %v", created, err)
	}
	if len(history) != maxHistory || history[0].Text != "5" || history[maxHistory-1].Text != fmt.Sprint(maxHistory+4) {
		t.Errorf("history has %d messages from %q, want %d from \"5\"", len(history), history[0].Text, maxHistory)
	}
}

func TestBoardShowsDirectMessagesToTheirTwoUsersOnly(t *testing.T) {
	b := stillBoard()
	for _, m := range [][3]string{{"Ada", "Bob", "1"}, {"Bob", "Ada", "2"}, {"Eve", "Bob", "3"}} {
		if _, err := b.tell(m[0], m[1], m[2]); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"Ada": "12", "Bob": "123", "Eve": "3", "Mallory": ""} {
		var got strings.Builder
		for _, m := range b.hello(name).Direct {
			got.WriteString(m.Text)
		}
		if got.String() != want {
			t.Errorf("%s sees %q, want %q", name, got.String(), want)
		}
	}
}

func TestBoardRefuses(t *testing.T) {
	longName, longText := strings.Repeat("ä", maxName+1), strings.Repeat("x", maxText+1)
	tests := map[string]func(*board) error{
		"a room without a name":         func(b *board) error { _, _, err := b.enter(""); return err },
		"a room's name with edges":      func(b *board) error { _, _, err := b.enter(" x"); return err },
		"a room's name that is long":    func(b *board) error { _, _, err := b.enter(longName); return err },
		"a room's name with a control":  func(b *board) error { _, _, err := b.enter("a\u0007b"); return err },
		"a room's name that is no text": func(b *board) error { _, _, err := b.enter("a\xff"); return err },
		"a blank message":               func(b *board) error { _, err := b.say("Ada", "General", " \n"); return err },
		"a long message":                func(b *board) error { _, err := b.say("Ada", "General", longText); return err },
		"a message to no room":          func(b *board) error { _, err := b.say("Ada", "Nowhere", "x"); return err },
		"a direct message to nobody":    func(b *board) error { _, err := b.tell("Ada", "", "x"); return err },
		"a blank direct message":        func(b *board) error { _, err := b.tell("Ada", "Bob", ""); return err },
		"one room too many": func(b *board) error {
			for i := range maxRooms {
				if _, _, err := b.enter(fmt.Sprint("room ", i)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, try := range tests {
		t.Run(name, func(t *testing.T) {
			if err := try(stillBoard()); !errors.As(err, new(refusal)) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
}

func TestBoardTakesTheLongestNameAndText(t *testing.T) {
	b := stillBoard()
	room := strings.Repeat("ä", maxName)
	if _, created, err := b.enter(room); err != nil || !created {
		t.Fatalf("enter: created %v, %v", created, err)
	}
	if _, err := b.say("Ada", room, strings.Repeat("ü", maxText)); err != nil {
		t.Error(err)
	}
}
