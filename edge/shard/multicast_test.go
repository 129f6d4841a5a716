package shard

import (
	"slices"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// cast is clients of both protocols and several users in one hub, and one client in a hub of the same names.
type cast struct {
	*stage
	server, elsewhere *fakeLink
	all               map[string]*client
}

// newCast: ann and ann2 are one user; ann, bob and cat are in group g, bob and cat in group h.
func newCast(e *stage) *cast {
	e.Helper()
	k := &cast{stage: e, server: e.server("chat", "s1"), elsewhere: e.server("other", "s2"), all: map[string]*client{}}
	for name, about := range map[string]struct{ protocol, user string }{
		"ann": {"json", "ann"}, "ann2": {"messagepack", "ann"}, "bob": {"messagepack", "bob"},
		"cat": {"json", "cat"}, "dan": {"json", ""},
	} {
		k.all[name] = e.client(k.server, about.protocol, user(about.user), func(c *Client) { c.ID = name })
	}
	k.all["twin"] = e.client(k.elsewhere, "json", user("ann"), func(c *Client) { c.ID = "twin" })
	for _, id := range []string{"ann", "bob", "cat"} {
		e.says(k.server, &service.JoinGroup{ConnectionID: id, Group: "g"})
	}
	for _, id := range []string{"bob", "cat"} {
		e.says(k.server, &service.JoinGroup{ConnectionID: id, Group: "h"})
	}
	e.says(k.elsewhere, &service.JoinGroup{ConnectionID: "twin", Group: "g"})
	return k
}

// wantTo checks that exactly the named clients get one "m", those named twice two. A mark behind it shows the end.
func (k *cast) wantTo(names ...string) {
	k.Helper()
	k.says(k.server, &service.BroadcastData{Payloads: both("mark")})
	k.says(k.elsewhere, &service.BroadcastData{Payloads: both("mark")})
	for name, c := range k.all {
		for _, to := range names {
			if to == name {
				c.wantCalls("m")
			}
		}
		c.wantCalls("mark")
	}
}

func TestMulticast(t *testing.T) {
	cases := map[string]struct {
		message service.Message
		to      []string
	}{
		"all": {
			&service.BroadcastData{Payloads: both("m")},
			[]string{"ann", "ann2", "bob", "cat", "dan"},
		},
		"all but some": {
			&service.BroadcastData{Payloads: both("m"), ExcludedConnectionIDs: []string{"bob", "nobody", "twin"}},
			[]string{"ann", "ann2", "cat", "dan"},
		},
		"a connection, several times": {
			&service.MultiConnectionData{ConnectionIDs: []string{"dan", "dan"}, Payloads: both("m")},
			[]string{"dan"},
		},
		"connections, some unknown, some of another hub": {
			&service.MultiConnectionData{ConnectionIDs: []string{"bob", "x", "twin", "ann", "bob"}, Payloads: both("m")},
			[]string{"ann", "bob"},
		},
		"a user": {
			&service.UserData{UserID: "ann", Payloads: both("m")}, []string{"ann", "ann2"},
		},
		"an unknown user": {
			&service.UserData{UserID: "zoe", Payloads: both("m")}, nil,
		},
		"the empty user": {
			&service.UserData{UserID: "", Payloads: both("m")}, nil,
		},
		"users, each connection once": {
			&service.MultiUserData{UserIDs: []string{"ann", "cat", "ann"}, Payloads: both("m")},
			[]string{"ann", "ann2", "cat"},
		},
		"a group": {
			&service.GroupBroadcastData{Group: "g", Payloads: both("m")}, []string{"ann", "bob", "cat"},
		},
		"an unknown group": {
			&service.GroupBroadcastData{Group: "G", Payloads: both("m")}, nil,
		},
		"a group but connections and users": {
			&service.GroupBroadcastData{
				Group: "g", Payloads: both("m"), ExcludedConnectionIDs: []string{"bob"}, ExcludedUserIDs: []string{"ann", "zoe"},
			}, []string{"cat"},
		},
		"groups, a member of both twice": {
			&service.MultiGroupBroadcastData{Groups: []string{"g", "h", "none"}, Payloads: both("m")},
			[]string{"ann", "bob", "bob", "cat", "cat"},
		},
		"a message with a filter": {
			&service.BroadcastData{Payloads: both("m"), Filter: "x eq 1"}, nil,
		},
		"a message for connections with a filter": {
			&service.MultiConnectionData{ConnectionIDs: []string{"dan"}, Payloads: both("m"), Filter: "x"}, nil,
		},
		"a message in one protocol": {
			&service.BroadcastData{Payloads: service.Payloads{{Protocol: "JSON", Data: text("m")}}},
			[]string{"ann", "cat", "dan"},
		},
		"a message in no protocol": {
			&service.BroadcastData{}, nil,
		},
	}
	for name, tc := range cases {
		each(t, name, func(e *stage) {
			k := newCast(e)
			e.says(k.server, tc.message)
			k.wantTo(tc.to...)
			e.wantNothing(k.server)
		})
	}
	each(t, "what nobody can read is counted for each", func(e *stage) {
		k := newCast(e)
		e.says(k.server,
			&service.BroadcastData{Payloads: service.Payloads{{Protocol: "json", Data: text("m")}}},
			&service.MultiConnectionData{
				ConnectionIDs: []string{"bob"}, Payloads: service.Payloads{{Protocol: "json", Data: text("m")}},
			},
			&service.BroadcastData{Payloads: both("m"), Filter: "f"})
		e.wantCounted(reason.DropNoPayload, 3)
		e.wantCounted(reason.DropFilter, 1)
	})
	each(t, "weak connections reach every client of their hub", func(e *stage) {
		k := newCast(e)
		w := e.server("chat", "management", weak)
		e.says(w, &service.BroadcastData{Payloads: both("m")})
		e.sync()
		k.wantTo("ann", "ann2", "bob", "cat", "dan")
	})
	each(t, "join then send, leave then send", func(e *stage) {
		k := newCast(e)
		to := &service.GroupBroadcastData{Group: "new", Payloads: both("m")}
		for range 50 {
			e.says(k.server, &service.JoinGroup{ConnectionID: "dan", Group: "new"}, to,
				&service.LeaveGroup{ConnectionID: "dan", Group: "new"}, to)
		}
		k.wantTo(slices.Repeat([]string{"dan"}, 50)...)
	})
	each(t, "one sender's messages of all kinds keep their order", func(e *stage) {
		k := newCast(e)
		c := k.all["cat"]
		var want []string
		for range 100 {
			e.says(k.server,
				&service.BroadcastData{Payloads: both("1")},
				c.data(text("2")),
				&service.GroupBroadcastData{Group: "g", Payloads: both("3")},
				&service.UserData{UserID: "cat", Payloads: both("4")},
				c.typed(text("5"), service.DataInvocation),
				&service.MultiConnectionData{ConnectionIDs: []string{"cat"}, Payloads: both("6")},
				&service.MultiGroupBroadcastData{Groups: []string{"h"}, Payloads: both("7")},
				&service.MultiUserData{UserIDs: []string{"cat"}, Payloads: both("8")})
			want = append(want, "1", "2", "3", "4", "5", "6", "7", "8")
		}
		c.wantCalls(want...)
	})
	each(t, "a fan-out of many is written in slices and complete", func(e *stage) {
		l := e.server("chat", "s1")
		var all []*client
		for i := range 200 {
			all = append(all, e.client(l, []string{"json", "messagepack"}[i%2]))
		}
		for range 20 {
			e.says(l, &service.BroadcastData{Payloads: both("x")})
		}
		for _, c := range all {
			c.wantCalls(slices.Repeat([]string{"x"}, 20)...)
		}
	})
}
