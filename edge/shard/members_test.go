package shard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

const (
	yes = service.AckOK
	no  = service.AckNotFound
)

func TestAcks(t *testing.T) {
	cases := map[string]struct {
		message service.Message
		want    service.AckStatus
	}{
		"18 joins a connection": {&service.JoinGroupWithAck{ConnectionID: "dan", Group: "n", AckID: 7}, yes},
		"18 unknown connection": {&service.JoinGroupWithAck{ConnectionID: "x", Group: "n", AckID: 7}, no},
		"18 of another hub":     {&service.JoinGroupWithAck{ConnectionID: "twin", Group: "n", AckID: 7}, no},
		"19 leaves":             {&service.LeaveGroupWithAck{ConnectionID: "ann", Group: "g", AckID: 7}, yes},
		"19 where it is not":    {&service.LeaveGroupWithAck{ConnectionID: "dan", Group: "g", AckID: 7}, yes},
		"19 unknown connection": {&service.LeaveGroupWithAck{ConnectionID: "x", Group: "g", AckID: 7}, no},
		"19 all groups":         {&service.LeaveGroupWithAck{ConnectionID: "bob", AllGroups: true, AckID: 7}, yes},
		"21 user in group":      {&service.CheckUserInGroupWithAck{UserID: "ann", Group: "g", AckID: 7}, yes},
		"21 user not in group":  {&service.CheckUserInGroupWithAck{UserID: "ann", Group: "h", AckID: 7}, no},
		"21 unknown user":       {&service.CheckUserInGroupWithAck{UserID: "zoe", Group: "g", AckID: 7}, no},
		"23 group":              {&service.CheckGroupExistenceWithAck{Group: "h", AckID: 7}, yes},
		"23 no group":           {&service.CheckGroupExistenceWithAck{Group: "H", AckID: 7}, no},
		"24 connection":         {&service.CheckConnectionExistenceWithAck{ConnectionID: "dan", AckID: 7}, yes},
		"24 no connection":      {&service.CheckConnectionExistenceWithAck{ConnectionID: "x", AckID: 7}, no},
		"24 of another hub":     {&service.CheckConnectionExistenceWithAck{ConnectionID: "twin", AckID: 7}, no},
		"25 user":               {&service.CheckUserExistenceWithAck{UserID: "bob", AckID: 7}, yes},
		"25 no user":            {&service.CheckUserExistenceWithAck{UserID: "zoe", AckID: 7}, no},
		"26 user joins":         {&service.UserJoinGroupWithAck{UserID: "ann", Group: "n", AckID: 7}, yes},
		"26 unknown user joins": {
			&service.UserJoinGroupWithAck{UserID: "zoe", Group: "n", AckID: 7, TTL: new(int32(0))}, yes,
		},
		"27 user leaves":            {&service.UserLeaveGroupWithAck{UserID: "ann", Group: "g", AckID: 7}, yes},
		"27 unknown user leaves":    {&service.UserLeaveGroupWithAck{UserID: "zoe", AllGroups: true, AckID: 7}, yes},
		"30 closes a connection":    {&service.CloseConnectionWithAck{ConnectionID: "dan", AckID: 7}, yes},
		"30 unknown connection":     {&service.CloseConnectionWithAck{ConnectionID: "x", AckID: 7}, no},
		"31 closes a hub":           {&service.CloseConnectionsWithAck{AckID: 7}, yes},
		"32 closes a user":          {&service.CloseUserConnectionsWithAck{UserID: "ann", AckID: 7}, yes},
		"32 unknown user":           {&service.CloseUserConnectionsWithAck{UserID: "zoe", AckID: 7}, yes},
		"33 closes a group":         {&service.CloseGroupConnectionsWithAck{Group: "g", AckID: 7}, yes},
		"33 unknown group":          {&service.CloseGroupConnectionsWithAck{Group: "zoo", AckID: 7}, yes},
		"40 an unknown group":       {&service.GroupMemberQuery{Group: "zoo", AckID: 7}, yes},
		"41 an unknown token":       {&service.RefreshAuth{ConnectionToken: "x", AckID: 7}, no},
		"42 an unknown token":       {&service.GetConnectionClaims{ConnectionToken: "x", AckID: 7}, no},
		"42 token of another hub":   {&service.GetConnectionClaims{ConnectionToken: "token of twin", AckID: 7}, no},
		"41 token of a gone client": {&service.RefreshAuth{ConnectionToken: "token of nobody", AckID: 7}, no},
	}
	for name, tc := range cases {
		each(t, name, func(e *stage) {
			k := newCast(e)
			e.tokens["token of twin"], e.tokens["token of nobody"] = "twin", "nobody"
			w := e.server("chat", "management", weak) // answers go where the question came from
			e.says(w, tc.message)
			w.wantAck(e, 7, tc.want)
			e.wantNothing(w)
			e.wantNothing(k.elsewhere)
		})
	}
}

func TestGroups(t *testing.T) {
	// in asks which of the cast are in a group.
	in := func(k *cast, group string) (names []string) {
		k.Helper()
		k.says(k.server, &service.GroupMemberQuery{Group: group, AckID: 99})
		ack := k.server.wantAck(k, 99, yes)
		p, err := service.DecodeGroupMemberPage(ack.Payload)
		if err != nil || p.ContinuationToken != "" {
			k.Fatalf("page %+v, %v", p, err)
		}
		for _, m := range p.Members {
			names = append(names, m.ConnectionID)
		}
		return names
	}
	want := func(k *cast, group string, names ...string) {
		k.Helper()
		if diff := cmp.Diff(names, in(k, group)); diff != "" {
			k.Errorf("group %s (-want +got)\n%s", group, diff)
		}
	}
	newcomer := func(k *cast, id, name string) *client {
		k.Helper()
		return k.client(k.server, "json", user(name), func(c *Client) { c.ID = id })
	}
	each(t, "joining twice is joining once", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.JoinGroup{ConnectionID: "ann", Group: "g"})
		e.says(k.server, &service.GroupBroadcastData{Group: "g", Payloads: both("m")})
		k.wantTo("ann", "bob", "cat")
		e.says(k.server, &service.LeaveGroup{ConnectionID: "ann", Group: "g"})
		want(k, "g", "bob", "cat")
	})
	each(t, "leaving all groups leaves the others alone", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.LeaveGroup{ConnectionID: "bob", AllGroups: true})
		want(k, "g", "ann", "cat")
		want(k, "h", "cat")
	})
	each(t, "a connection leaves its groups when it ends, before its close reaches it", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.CloseConnection{ConnectionID: "cat"}, &service.CloseConnection{ConnectionID: "bob"},
			&service.CheckGroupExistenceWithAck{Group: "h", AckID: 1},
			&service.CheckConnectionExistenceWithAck{ConnectionID: "cat", AckID: 2},
			&service.CheckUserExistenceWithAck{UserID: "bob", AckID: 3})
		var acks []*service.Ack
		for range 3 {
			acks = append(acks, next[*service.Ack](e, k.server))
		}
		for _, a := range acks {
			if a.Status != no {
				e.Errorf("ack %d says it is still there", a.AckID)
			}
		}
		want(k, "g", "ann")
	})
	each(t, "a user's connections join, later ones too", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.UserJoinGroup{UserID: "ann", Group: "n"})
		want(k, "n", "ann", "ann2")
		newcomer(k, "ann3", "ann")
		want(k, "n", "ann", "ann2", "ann3")
		e.says(k.server, &service.UserLeaveGroup{UserID: "ann", Group: "n"})
		want(k, "n")
		newcomer(k, "ann4", "ann")
		want(k, "n")
	})
	each(t, "a rule waits for a user who is not there", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.UserJoinGroup{UserID: "zoe", Group: "n", TTL: new(int32(60))},
			&service.CheckUserInGroupWithAck{UserID: "zoe", Group: "n", AckID: 1},
			&service.CheckGroupExistenceWithAck{Group: "n", AckID: 2})
		k.server.wantAck(e, 1, yes)
		k.server.wantAck(e, 2, no)
		c := newcomer(k, "zoe", "zoe")
		want(k, "n", "zoe")
		c.goodbye()
		k.server.wantClosed(e, c)
		newcomer(k, "zoe2", "zoe")
		want(k, "n", "zoe2")
	})
	each(t, "TTL 0 is for the present connections only", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.UserJoinGroup{UserID: "ann", Group: "n", TTL: new(int32(0))})
		newcomer(k, "ann3", "ann")
		want(k, "n", "ann", "ann2")
	})
	each(t, "an expired rule joins nobody and leaves members in", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.UserJoinGroup{UserID: "ann", Group: "n", TTL: new(int32(10))},
			&service.UserJoinGroup{UserID: "zoe", Group: "n", TTL: new(int32(10))})
		e.tick(9 * time.Second)
		newcomer(k, "ann3", "ann")
		e.says(k.server, &service.UserJoinGroup{UserID: "zoe", Group: "n", TTL: new(int32(10))}) // starts again
		e.tick(time.Second)
		newcomer(k, "ann4", "ann")
		want(k, "n", "ann", "ann2", "ann3")
		newcomer(k, "zoe", "zoe")
		want(k, "n", "ann", "ann2", "ann3", "zoe")
		e.tick(10 * time.Second)
		newcomer(k, "zoe2", "zoe")
		want(k, "n", "ann", "ann2", "ann3", "zoe")
		e.says(k.server, &service.UserLeaveGroupWithAck{UserID: "zoe", AllGroups: true, AckID: 5})
		k.server.wantAck(e, 5, yes)
		e.says(k.server, &service.CheckUserInGroupWithAck{UserID: "zoe", Group: "n", AckID: 6})
		k.server.wantAck(e, 6, no)
	})
	each(t, "expired rules of users who never came are forgotten", func(e *stage) {
		l := e.server("chat", "s1")
		for i := range 1000 {
			e.says(l, &service.UserJoinGroup{UserID: fmt.Sprint("u", i), Group: "n", TTL: new(int32(1))})
		}
		e.until("forgotten", func() bool {
			e.tick(time.Second)
			left := make(chan int)
			e.x.shards[0].postMust(command{do: func(sh *shard) { left <- len(sh.hub("chat").rules) }})
			return <-left == 0
		})
	})
	each(t, "a user has at most 100 rules, the oldest updated falls out", func(e *stage) {
		k := newCast(e)
		for i := range maxRules {
			e.says(k.server, &service.UserJoinGroup{UserID: "zoe", Group: fmt.Sprint("n", i)})
		}
		e.says(k.server, &service.UserJoinGroup{UserID: "zoe", Group: "n0"},
			&service.UserJoinGroup{UserID: "zoe", Group: "n100"})
		newcomer(k, "zoe", "zoe")
		want(k, "n0", "zoe")
		want(k, "n1")
		want(k, "n2", "zoe")
		want(k, "n100", "zoe")
	})
	each(t, "leaving all groups forgets all rules", func(e *stage) {
		k := newCast(e)
		e.says(k.server, &service.UserJoinGroup{UserID: "ann", Group: "n"},
			&service.UserLeaveGroup{UserID: "ann", AllGroups: true})
		newcomer(k, "ann3", "ann")
		want(k, "n")
		want(k, "g", "bob", "cat")
	})
	each(t, "rules stay in their hub", func(e *stage) {
		k := newCast(e)
		e.says(k.elsewhere, &service.UserJoinGroup{UserID: "ann", Group: "n"})
		want(k, "n")
	})
}

func TestGroupMemberPages(t *testing.T) {
	cases := map[string]struct {
		top, page *int32
		want      []int // page sizes
	}{
		"everything in one page":       {nil, nil, []int{23}},
		"pages of five":                {nil, new(int32(5)), []int{5, 5, 5, 5, 3}},
		"the last page is full":        {nil, new(int32(23)), []int{23}},
		"no more than wanted":          {new(int32(7)), nil, []int{7}},
		"wanted over pages":            {new(int32(12)), new(int32(5)), []int{5, 5, 2}},
		"wanted is a multiple of page": {new(int32(10)), new(int32(5)), []int{5, 5}},
		"wanted more than there is":    {new(int32(100)), new(int32(20)), []int{20, 3}},
		"nothing wanted":               {new(int32(0)), nil, []int{0}},
		"nonsense":                     {new(int32(-1)), new(int32(-1)), []int{0}},
	}
	for name, tc := range cases {
		each(t, name, func(e *stage) {
			l := e.server("chat", "s1")
			var all []string
			for i := range 23 {
				c := e.client(l, []string{"json", "messagepack"}[i%2], user([]string{"", "ann"}[i%2]))
				all = append(all, c.id)
				e.says(l, &service.JoinGroup{ConnectionID: c.id, Group: "g"})
			}
			e.client(l, "json") // not in the group
			q := &service.GroupMemberQuery{Group: "g", AckID: 1, Top: tc.top, MaxPageSize: tc.page}
			var sizes []int
			var got []string
			for {
				e.says(l, q)
				p, err := service.DecodeGroupMemberPage(l.wantAck(e, q.AckID, yes).Payload)
				if err != nil {
					e.Fatal(err)
				}
				sizes = append(sizes, len(p.Members))
				for _, m := range p.Members {
					got = append(got, m.ConnectionID)
					if i := slices.Index(all, m.ConnectionID); m.UserID != []string{"", "ann"}[i%2] {
						e.Errorf("%s has user %q", m.ConnectionID, m.UserID)
					}
				}
				if p.ContinuationToken == "" {
					break
				}
				next := *q // as the SDK goes on: it subtracts what it has
				next.AckID, next.ContinuationToken = q.AckID+1, p.ContinuationToken
				if q.Top != nil {
					next.Top = new(*q.Top - int32(len(p.Members)))
				}
				q = &next
			}
			if diff := cmp.Diff(tc.want, sizes); diff != "" {
				e.Errorf("page sizes (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(all[:len(got)], append([]string{}, got...)); diff != "" {
				e.Errorf("members (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAuthRefresh(t *testing.T) {
	each(t, "claims and expiry are replaced and the carrier is told", func(e *stage) {
		l, w := e.server("chat", "s1"), e.server("chat", "management", weak)
		old := service.Claims{{Type: "name", Value: "ann"}}
		c := e.client(l, "json", func(c *Client) {
			c.Claims = service.AppendClaimsPayload(nil, old)
			c.Expires = e.now.Add(20 * time.Second)
		})
		e.tokens["t"] = c.id
		e.says(w, &service.GetConnectionClaims{ConnectionToken: "t", AckID: 1})
		wantClaims(e, w.wantAck(e, 1, yes).Payload, old)
		fresh := service.Claims{{Type: "name", Value: "eve"}, {Type: "role", Value: "x"}}
		e.says(w, &service.RefreshAuth{ConnectionToken: "t", AckID: 2, Claims: fresh, ExpiresOn: e.now.Add(time.Minute)})
		w.wantAck(e, 2, yes)
		told := next[*service.UpdateConnectionClaims](e, l)
		if diff := cmp.Diff(fresh, told.Claims); diff != "" || told.ConnectionID != c.id {
			e.Errorf("told of %s (-want +got)\n%s", told.ConnectionID, diff)
		}
		e.says(w, &service.GetConnectionClaims{ConnectionToken: "t", AckID: 3})
		wantClaims(e, w.wantAck(e, 3, yes).Payload, fresh)
		e.tick(59 * time.Second)
		if e.state(c) != stateOpen {
			e.Fatal("closed at the old expiry")
		}
		e.tick(time.Second)
		c.wantHubClose(reason.AuthExpired.Info().Text, true)
		c.wantClose(1000)
		l.wantClosed(e, c)
	})
	each(t, "an expiry may be taken away and may be far", func(e *stage) {
		l := e.server("chat", "s1")
		c := e.client(l, "json", func(c *Client) { c.Expires = e.now.Add(20 * time.Second) })
		d := e.client(l, "json", func(c *Client) { c.Expires = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) })
		f := e.client(l, "json", func(c *Client) { c.Expires = e.now.Add((1<<32 + 5) * time.Second) })
		e.tokens["t"] = c.id
		e.says(l, &service.RefreshAuth{ConnectionToken: "t", AckID: 2})
		l.wantAck(e, 2, yes)
		next[*service.UpdateConnectionClaims](e, l)
		e.tick(time.Hour)
		for _, c := range []*client{c, d, f} {
			if e.state(c) != stateOpen {
				e.Errorf("%s was closed", c.id)
			}
		}
	}, func(l *Limits) { l.Idle = 0 })
}

func wantClaims(e *stage, payload []byte, want service.Claims) {
	e.Helper()
	got, err := service.DecodeClaimsPayload(payload)
	if err != nil {
		e.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("claims (-want +got)\n%s", diff)
	}
}
