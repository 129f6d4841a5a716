package edge_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// raw opens a server connection of the hub chat that does only what the test says.
func raw(t *testing.T, n *peer.Node, serverID string, hello *service.HandshakeRequest) *appserver.RawConn {
	t.Helper()
	c, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{
		ConnectionString: n.ConnectionString(), Hub: "chat", ServerID: serverID, Handshake: hello,
	})
	if err != nil {
		t.Fatalf("open a server connection: %v", err)
	}
	t.Cleanup(c.Kill)
	return c
}

// hello is a handshake request of a type.
func hello(kind service.ConnectionType) *service.HandshakeRequest {
	return &service.HandshakeRequest{Version: service.ProtocolVersion, ConnectionType: kind}
}

// migratable is the handshake request of an app server that takes part in migration.
func migratable() *service.HandshakeRequest {
	return &service.HandshakeRequest{Version: service.ProtocolVersion, MigrationLevel: service.MigrationShutdown}
}

// accept waits for a client on c, answers its handshake and returns what the node said of it.
func accept(t *testing.T, c *appserver.RawConn) *service.OpenConnection {
	t.Helper()
	open := expect[*service.OpenConnection](t, c)
	expect[*service.ConnectionData](t, c)
	send(t, c, &service.ConnectionData{
		ConnectionID: open.ConnectionID, Payload: []byte("{}\x1e"), DataType: service.DataHandshake,
	})
	return open
}

// expect returns the next message of a type; others are skipped.
func expect[M service.Message](t *testing.T, c *appserver.RawConn) M {
	t.Helper()
	m, err := appserver.Expect[M](t.Context(), c)
	if err != nil {
		t.Fatalf("wait for %T: %v", m, err)
	}
	return m
}

func send(t *testing.T, c *appserver.RawConn, messages ...service.Message) {
	t.Helper()
	if err := c.Send(t.Context(), messages...); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// ask sends a ping and returns the value of the key in the answer.
func ask(t *testing.T, c *appserver.RawConn, key, value, answerKey string) (answer *service.Ping, got string) {
	t.Helper()
	send(t, c, &service.Ping{Pairs: []string{key, value}})
	m, err := c.ReceiveMatch(t.Context(), func(m service.Message) bool {
		p, ok := m.(*service.Ping)
		if ok {
			_, ok = p.Get(answerKey)
		}
		return ok
	})
	if err != nil {
		t.Fatalf("no answer to the ping %s: %v", key, err)
	}
	answer = m.(*service.Ping)
	got, _ = answer.Get(answerKey)
	return answer, got
}

// join connects a client whose app server is c, and returns both sides of it.
func join(t *testing.T, n *peer.Node, c *appserver.RawConn, token string) (*peer.Client, *service.OpenConnection) {
	t.Helper()
	client := n.Open(t, "chat", token)
	client.Text(peer.HandshakeJSON)
	open := accept(t, c)
	if answer, _ := client.Record(); answer != "{}" {
		t.Fatalf("handshake: %q", answer)
	}
	return client, open
}

var discard = slog.New(slog.DiscardHandler)
