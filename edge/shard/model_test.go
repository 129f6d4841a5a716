package shard

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	hubproto "github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/protocol/websocket"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

const (
	modelClients = 240
	modelRounds  = 1500
)

// model is random app servers and clients that do whatever they may, in any order, from many goroutines.
type model struct {
	*stage
	hubs, groups, users []string
	large               string
	over                chan struct{}
	work, pumps         sync.WaitGroup
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func (m *model) anyID(r *rand.Rand) string {
	return fmt.Sprintf("%s-%04d", pick(r, m.hubs), r.IntN(modelClients))
}

func (m *model) ids(r *rand.Rand) (ids []string) {
	for range r.IntN(6) {
		ids = append(ids, m.anyID(r))
	}
	return ids
}

// random makes any message that an app server may send.
func (m *model) random(r *rand.Rand, l *fakeLink) service.Message {
	id, group, user := m.anyID(r), pick(r, m.groups), pick(r, m.users)
	payloads := both("m")
	if r.IntN(8) == 0 {
		payloads = both(m.large)
	}
	ack := r.Int32N(1000)
	kinds := []service.Message{
		&service.ConnectionData{ConnectionID: id, Payload: text("data")},
		&service.ConnectionData{ConnectionID: id, Payload: text("data")[:7], IsPartial: true},
		&service.BroadcastData{Payloads: payloads, ExcludedConnectionIDs: m.ids(r)},
		&service.GroupBroadcastData{
			Group: group, Payloads: payloads, ExcludedConnectionIDs: m.ids(r), ExcludedUserIDs: []string{user},
		},
		&service.MultiGroupBroadcastData{Groups: m.groups[:r.IntN(4)], Payloads: payloads},
		&service.UserData{UserID: user, Payloads: payloads},
		&service.MultiUserData{UserIDs: []string{user, pick(r, m.users)}, Payloads: payloads},
		&service.MultiConnectionData{ConnectionIDs: m.ids(r), Payloads: payloads},
		&service.JoinGroup{ConnectionID: id, Group: group},
		&service.JoinGroup{ConnectionID: m.anyID(r), Group: group},
		&service.JoinGroupWithAck{ConnectionID: id, Group: group, AckID: ack},
		&service.LeaveGroup{ConnectionID: id, Group: group},
		&service.LeaveGroupWithAck{ConnectionID: id, AllGroups: r.IntN(2) == 0, Group: group, AckID: ack},
		&service.UserJoinGroup{UserID: user, Group: group, TTL: new(r.Int32N(4))},
		&service.UserLeaveGroupWithAck{UserID: user, Group: group, AllGroups: r.IntN(4) == 0, AckID: ack},
		&service.CheckUserInGroupWithAck{UserID: user, Group: group, AckID: ack},
		&service.GroupMemberQuery{Group: group, AckID: ack, MaxPageSize: new(int32(3))},
		&service.ClientInvocation{
			InvocationID: fmt.Sprint(ack), ConnectionID: id, CallerServerID: l.server, Payloads: payloads,
		},
		&service.ClientCompletion{InvocationID: fmt.Sprint(ack), ConnectionID: id, Protocol: "json", Payload: text("done")},
	}
	if r.IntN(30) == 0 {
		kinds = []service.Message{
			&service.CloseConnection{ConnectionID: id},
			&service.CloseConnectionWithAck{ConnectionID: id, AckID: ack},
			&service.CloseUserConnectionsWithAck{UserID: user, AckID: ack, ExcludedConnectionIDs: m.ids(r)},
			&service.CloseGroupConnectionsWithAck{Group: group, AckID: ack, ExcludedConnectionIDs: m.ids(r)},
		}
	}
	return pick(r, kinds)
}

// answer accepts every handshake that comes to l.
func (m *model) answer(l *fakeLink) {
	for {
		for _, got := range l.take() {
			if open, ok := got.(*service.OpenConnection); ok {
				m.x.Dispatch(l, &service.ConnectionData{
					ConnectionID: open.ConnectionID, Payload: hubproto.AppendHandshakeOK(nil), DataType: service.DataHandshake,
				})
			}
		}
		select {
		case <-l.arrived:
		case <-m.over:
			return
		}
	}
}

// appServer sends random messages, falls behind, leaves and comes back.
func (m *model) appServer(number int) {
	r := rand.New(rand.NewPCG(1, uint64(number)))
	connect := func(generation int) *fakeLink {
		l := m.server(m.hubs[number%2], fmt.Sprint("s", number), migratable, func(l *fakeLink) {
			l.migratable = number%4 < 2
			l.id = fmt.Sprint("s", number, "-", generation)
			l.hold.Store(int64(time.Millisecond) * int64(number%2))
		})
		m.pumps.Go(func() { m.answer(l) })
		return l
	}
	l := connect(0)
	for i := range modelRounds {
		m.x.Dispatch(l, m.random(r, l))
		switch r.IntN(100) {
		case 0:
			l.congested.Store(true)
		case 1:
			l.congested.Store(false)
			m.x.ServerReady(l)
		case 2:
			m.x.ServerLeaves(l)
		case 3:
			l.draining.Store(r.IntN(2) == 0)
		case 4:
			m.lose(l)
			l = connect(i + 1)
		}
	}
	l.congested.Store(false)
	m.x.ServerReady(l)
}

// behave is a client: some read, some do not, all say something and leave in one way or another, or stay.
func (m *model) behave(c *client, number int) {
	r := rand.New(rand.NewPCG(2, uint64(number)))
	if number%8 != 0 {
		m.pumps.Go(func() { _, _ = io.Copy(io.Discard, c.conn) })
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	say := func(op websocket.Opcode, b []byte) {
		wire := websocket.AppendMaskedFrame(nil, op, true, b, maskKey)
		cut := r.IntN(len(wire))
		_, _ = c.conn.Write(wire[:cut])
		_, _ = c.conn.Write(wire[cut:])
	}
	if number%16 == 1 {
		return
	}
	say(c.opcode(), c.request())
	for range r.IntN(40) {
		b := append(c.message("hello"), c.message("again")...)
		cut := r.IntN(len(b))
		say(c.opcode(), b[:cut])
		say(c.opcode(), b[cut:])
		say(websocket.OpPing, []byte("p"))
	}
	switch r.IntN(5) {
	case 0:
		c.reset()
	case 1:
		say(websocket.OpClose, nil)
	case 2:
		_ = c.conn.Close()
	case 3:
		say(websocket.Opcode(7), nil)
	}
}

// leftovers names what a shard without clients still has of them.
func (sh *shard) leftovers() (found string) {
	for name, h := range sh.hubs {
		if n := len(h.groups) + len(h.users) + h.live; n > 0 {
			found += fmt.Sprintf("%d groups and users of %s; ", n, name)
		}
	}
	if n := len(sh.sessions) + len(sh.pending) + len(sh.invocations) + sh.leaving + sh.backlog; n > 0 {
		found += fmt.Sprintf("%d sessions, %d watched, %d invocations, %d leaving, %d frames",
			len(sh.sessions), len(sh.pending), len(sh.invocations), sh.leaving, sh.backlog)
	}
	return found
}

// TestModel lets everything happen at once: whatever the order, the shards stay consistent, and at the end nothing is
// left of anybody.
func TestModel(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			m := &model{
				stage: newStage(t, d, func(l *Limits) { l.SendQueue = 64 << 10; l.SlowAfter = 3 * time.Second }),
				hubs:  []string{"chat", "other"}, groups: []string{"a", "b", "c", "d"}, users: []string{"", "ann", "bob", "cat"},
				large: strings.Repeat("x", 9000), over: make(chan struct{}),
			}
			for i := range 4 {
				m.work.Go(func() { m.appServer(i) })
			}
			for i := range modelClients {
				c := m.connect(m.hubs[i%2], []string{"json", "messagepack", "json", "custom"}[i%4], user(m.users[i%3]))
				m.work.Go(func() { m.behave(c, i) })
				if i%10 == 0 {
					m.tick(300 * time.Millisecond)
				}
				if i%40 == 0 {
					if err := m.x.CheckForTest(); err != nil {
						t.Fatalf("invariant broken: %v", err)
					}
				}
			}
			m.work.Wait()
			if err := m.x.CheckForTest(); err != nil {
				t.Errorf("invariant broken: %v", err)
			}
			m.x.CloseAll(reason.Drain)
			m.until("all are gone", func() bool {
				m.tick(time.Second)
				return value(m.metrics.ClientConnections) == 0
			})
			for _, sh := range m.x.shards {
				left := make(chan string)
				sh.postMust(command{do: func(sh *shard) { left <- sh.leftovers() }})
				if found := <-left; found != "" {
					t.Errorf("a shard keeps %s", found)
				}
			}
			close(m.over)
			for _, c := range m.clients {
				_ = c.conn.Close()
			}
			m.pumps.Wait()
		})
	}
}
