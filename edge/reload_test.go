package edge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// doorStatus negotiates with a token and returns the answer's status.
func doorStatus(t *testing.T, n *peer.Node, token string) int {
	t.Helper()
	return n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat", "Authorization: Bearer "+token).Status
}

func TestReloadRotatesKeys(t *testing.T) {
	const second = "another-access-key-0123456789-0123456789"
	n := peer.Start(t)
	n.App(t)
	live := n.Join(t, "chat", peer.ClientToken("chat", "anna"), "json")
	renewed := peer.SignWith("HS256", second, peer.ClientClaims("chat"))
	if got := doorStatus(t, n, renewed); got != http.StatusUnauthorized {
		t.Fatalf("before the rotation the new key gives %d, want 401", got)
	}

	both := n.Config.Clone()
	both.Auth.Keys = append(both.Auth.Keys, config.Key{Name: "secondary", Value: second})
	if restart := n.Reload(both, nil); len(restart) > 0 {
		t.Errorf("keys need a restart: %v", restart)
	}
	for name, token := range map[string]string{"old": peer.ClientToken("chat", ""), "new": renewed} {
		if got := doorStatus(t, n, token); got != http.StatusOK {
			t.Errorf("with both keys the %s one gives %d, want 200", name, got)
		}
	}

	one := both.Clone()
	one.Auth.Keys = one.Auth.Keys[1:]
	n.Reload(one, nil)
	if got := doorStatus(t, n, peer.ClientToken("chat", "")); got != http.StatusUnauthorized {
		t.Errorf("after the rotation the old key gives %d, want 401", got)
	}
	if got := doorStatus(t, n, renewed); got != http.StatusOK {
		t.Errorf("after the rotation the new key gives %d, want 200", got)
	}
	live.Echo("the live client stays, and its app server too")
	keys := n.NodeStatus(t).Keys
	if len(keys) != 1 || keys[0].Name != "secondary" || strings.Contains(keys[0].Fingerprint, second) {
		t.Errorf("status shows the keys %+v", keys)
	}
}

func TestReloadKeepsTheLastGoodFile(t *testing.T) {
	n := peer.Start(t)
	before := n.NodeStatus(t).Config
	if before.Error != "" || before.Hash == "" {
		t.Fatalf("a fresh node says %+v", before)
	}
	if restart := n.Reload(nil, errors.New("line 3: field unitz is not known")); restart != nil {
		t.Errorf("a bad file needs a restart for %v", restart)
	}
	after := n.NodeStatus(t).Config
	if after.Error != "line 3: field unitz is not known" || after.Hash != before.Hash {
		t.Errorf("after a bad file /status says %+v, want its error and the hash %s", after, before.Hash)
	}
	if got := doorStatus(t, n, peer.ClientToken("chat", "")); got != http.StatusOK {
		t.Errorf("after a bad file the old key gives %d, want 200", got)
	}

	next := n.Config.Clone()
	next.Limits.MaxMessageBytes = 2048
	next.Timeouts.HandshakeSeconds = 3
	next.Drain.Seconds = 9
	if diff := cmp.Diff([]string{"timeouts", "drain"}, n.Reload(next, nil)); diff != "" {
		t.Errorf("fields that need a restart (-want +got):\n%s", diff)
	}
	after = n.NodeStatus(t).Config
	if !strings.Contains(after.Error, "timeouts, drain") || after.Hash == before.Hash {
		t.Errorf("after a reload that is half in force /status says %+v", after)
	}
	series := n.Metrics(t)
	for result, want := range map[string]float64{"ok": 1, "refused": 1} {
		if got := series[`signalr_edge_config_reloads_total{result="`+result+`"}`]; got != want {
			t.Errorf("reloads %s: %v, want %v", result, got, want)
		}
	}
	n.Reload(n.Config, nil)
	if got := n.NodeStatus(t).Config; got != before {
		t.Errorf("with the first file again /status says %+v, want %+v", got, before)
	}
}

func TestReloadChangesLimitsOfLiveClients(t *testing.T) {
	n := peer.Start(t)
	n.App(t)
	c := n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
	long := strings.Repeat("x", 3000)
	c.Invoke("1", "Echo", `["`+long+`"]`)
	if m, ev := c.Record(); !strings.Contains(m, long) {
		t.Fatalf("echo of 3,000 bytes: %.80q %+v", m, ev)
	}
	next := n.Config.Clone()
	next.Limits.MaxMessageBytes = 2048
	next.CORS.AllowedOrigins = []string{"https://chat.example"}
	n.Reload(next, nil)
	c.Invoke("2", "Echo", `["`+long+`"]`)
	messages, ev := c.End()
	if ev.Code != 1000 || len(messages) == 0 || !strings.Contains(messages[len(messages)-1], `"allowReconnect":true`) {
		t.Errorf("ended with %+v %q", ev, messages)
	}
	a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat",
		"Authorization: Bearer "+peer.ClientToken("chat", ""), "Origin: https://evil.example")
	if a.Status != http.StatusForbidden {
		t.Errorf("another origin gets %d, want 403", a.Status)
	}
}
