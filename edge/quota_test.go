package edge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

const textFull = "Connection count reaches limit."

func free(c *config.Config) {
	c.Tier, c.Units, c.Quota = config.TierFree, 1, config.Quota{}
}

func TestFreeTierTakesTwentyClients(t *testing.T) {
	n := peer.Start(t, free)
	n.App(t)
	token := peer.ClientToken("chat", "")
	clients := make([]*peer.Client, 20)
	for i := range clients {
		clients[i] = n.Join(t, "chat", token, "json")
	}
	refused := func(when string) {
		t.Helper()
		a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat", "Authorization: Bearer "+token)
		if a.Status != http.StatusTooManyRequests || a.Body != textFull {
			t.Errorf("%s negotiate gives %d %q, want 429 %q", when, a.Status, a.Body, textFull)
		}
		c := n.Dial(t)
		a = c.Request(peer.UpgradeRequest("/client/?hub=chat&access_token=" + token))
		if a.Status != http.StatusTooManyRequests || a.Body != textFull || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s connect gives %d %q %v, want 429 %q", when, a.Status, a.Body, a.Header, textFull)
		}
		_ = c.Conn.Close()
	}
	refused("with 20 clients")
	if got := n.Metrics(t)[peer.Refused("connection-quota")]; got != 2 {
		t.Errorf("%v refusals counted, want 2", got)
	}
	s := n.NodeStatus(t).Connections
	if s.Client != 20 || s.Limit != 20 || s.Server != 2 {
		t.Errorf("status says %+v, want 20 of 20 clients and 2 servers, which are never refused", s)
	}

	lower := n.Config.Clone()
	lower.Quota.Connections = 5
	n.Reload(lower, nil)
	for i, c := range clients {
		c.Echo("client-" + string(rune('a'+i)))
	}
	refused("with a lower quota")
	for _, c := range clients[4:] {
		c.Close()
	}
	peer.Wait(t, "the places are given back", func() bool { return n.NodeStatus(t).Connections.Client == 4 })
	n.Join(t, "chat", token, "json").Echo("the fifth")
	refused("with five clients")
}

func TestANegotiatedClientFindsTheQuotaFull(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Quota.Connections = 1 })
	n.App(t)
	token := peer.ClientToken("chat", "")
	a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat&negotiateVersion=1", "Authorization: Bearer "+token)
	_, rest, _ := strings.Cut(a.Body, `"connectionToken":"`)
	id, _, _ := strings.Cut(rest, `"`)
	first := n.Join(t, "chat", token, "json")
	target := "/client/?hub=chat&id=" + id + "&access_token=" + token
	c := n.Dial(t)
	if a := c.Request(peer.UpgradeRequest(target)); a.Status != http.StatusTooManyRequests {
		t.Fatalf("connect with a full quota gives %d, want 429", a.Status)
	}
	first.Close()
	peer.Wait(t, "the place is given back", func() bool { return n.NodeStatus(t).Connections.Client == 0 })
	c = n.Dial(t)
	if a := c.Request(peer.UpgradeRequest(target)); a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("the token of the refused connect gives %d %s, want 101: it was not used", a.Status, a.Body)
	}
}

// talk sends messages until the node has counted n of them.
func talk(t *testing.T, n *peer.Node, c *peer.Client, count int64) {
	t.Helper()
	for n.NodeStatus(t).Messages.Today < count {
		c.Echo("one in, one out")
	}
}

func TestSoftMessageQuota(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.Quota.MessagesPerDay = 10 })
	n.App(t)
	c := n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
	talk(t, n, c, 20)
	peer.Wait(t, "the gauge shows it", func() bool { return n.Metrics(t)["signalr_edge_messages_today"] >= 20 })
	c.Echo("still served")
	n.Join(t, "chat", peer.ClientToken("chat", ""), "json").Echo("new ones too")
	s := n.NodeStatus(t).Messages
	if s.Limit != 10 || s.Today < 20 || s.ResetsAt.IsZero() {
		t.Errorf("status says %+v", s)
	}
}

func TestLongMessagesCountMoreThanOnce(t *testing.T) {
	n := peer.Start(t)
	n.App(t)
	c := n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
	c.Text(`{"type":6}` + peer.Separator) // free, as the handshake was
	c.Invoke("1", "Echo", `["`+strings.Repeat("x", 4096)+`"]`)
	c.Record()
	peer.Wait(t, "3 in and 3 out are counted", func() bool { return n.NodeStatus(t).Messages.Today == 6 })
}

func TestCarriedMessagesCountAgainstAHardQuota(t *testing.T) {
	today := func() config.Carried {
		return config.Carried{Day: time.Now().UTC().Format(time.DateOnly), Messages: 10}
	}
	n := peer.Start(t, free, func(c *config.Config) { c.Quota.MessagesPerDay, c.Quota.Carried = 10, today() })
	refused := func() bool {
		a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat", "Authorization: Bearer "+peer.ClientToken("chat", ""))
		return strings.Contains(a.Body, `"error":"Message count reaches limit."`)
	}
	if !refused() {
		t.Error("a node that begins with a quota used up by others lets a client in")
	}
	if s := n.NodeStatus(t).Messages; s.Today != 0 || s.Carried != 10 {
		t.Errorf("status says %+v, want none counted and 10 carried", s)
	}
	yesterday := n.Config.Clone()
	yesterday.Quota.Carried.Day = "2026-01-01"
	n.Reload(yesterday, nil)
	if refused() {
		t.Error("what others counted on another day keeps a client out")
	}
	again := n.Config.Clone()
	again.Quota.Carried = today()
	n.Reload(again, nil)
	if !refused() {
		t.Error("a node that learns that others used the quota up lets a client in")
	}
}

func TestHardMessageQuota(t *testing.T) {
	n := peer.Start(t, free, func(c *config.Config) { c.Quota.MessagesPerDay = 10 })
	server := raw(t, n, "server-1", nil)
	c, open := join(t, n, server, peer.ClientToken("chat", ""))
	for range 11 {
		send(t, server, &service.ConnectionData{
			ConnectionID: open.ConnectionID, DataType: service.DataInvocation,
			Payload: []byte(`{"type":1,"target":"x","arguments":[]}` + peer.Separator),
		})
	}
	const text = "Maximum message count limit reached: 10"
	if m := expect[*service.ServiceError](t, server); m.ErrorMessage != text {
		t.Errorf("ServiceError %q, want %q", m.ErrorMessage, text)
	}
	messages, ev := c.End()
	if ev.Code != 1000 || messages[len(messages)-1] != `{"type":7,"error":"Message count reaches limit."}` {
		t.Errorf("the client ended with %+v %q", ev, messages[len(messages)-1])
	}
	for err := error(nil); err == nil; { // who does not read does not answer the close either
		_, err = server.Receive(t.Context())
	}
	peer.Wait(t, "the server connection's end is counted", func() bool {
		return n.Metrics(t).Closed("server", "server-conn-message-quota") == 1
	})

	_, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{ConnectionString: n.ConnectionString(), Hub: "chat"})
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("a new server connection gets %v, want %q", err, text)
	}
	a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat", "Authorization: Bearer "+peer.ClientToken("chat", ""))
	if a.Status != http.StatusOK || !strings.Contains(a.Body, `"error":"Message count reaches limit."`) {
		t.Errorf("negotiate gives %d %s", a.Status, a.Body)
	}
	late := n.Open(t, "chat", peer.ClientToken("chat", ""))
	if answer := late.Handshake(peer.HandshakeJSON); answer != `{"error":"Message count reaches limit."}` {
		t.Errorf("a new client's handshake gives %s", answer)
	}

	more := n.Config.Clone()
	more.Quota.MessagesPerDay = 1000
	n.Reload(more, nil)
	raw(t, n, "server-1", nil)
}
