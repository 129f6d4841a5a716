package edge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
	"github.com/signalr-operator/signalr-operator/edge/reason"
	"github.com/signalr-operator/signalr-operator/test/appserver"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// negotiateText returns what negotiate says to a client: "" if it is taken in, else the error of the answer.
func negotiateText(t *testing.T, n *peer.Node, query string) string {
	t.Helper()
	a := n.Ask(t, http.MethodPost, "/client/negotiate?hub=chat"+query,
		"Authorization: Bearer "+peer.ClientToken("chat", ""))
	if a.Status != http.StatusOK {
		t.Fatalf("negotiate: %d %s", a.Status, a.Body)
	}
	_, rest, ok := strings.Cut(a.Body, `"error":"`)
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, `"}`)
	return text
}

// handshakeText returns the answer to a client's handshake.
func handshakeText(t *testing.T, n *peer.Node, query string) string {
	t.Helper()
	c := n.Dial(t)
	a := c.Request(peer.UpgradeRequest("/client/?hub=chat&access_token=" + peer.ClientToken("chat", "") + query))
	if a.Status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d %s", a.Status, a.Body)
	}
	defer func() { _ = c.Conn.Close() }()
	return c.Handshake(peer.HandshakeJSON)
}

func TestServiceModes(t *testing.T) {
	const fromServer = "&asrs_request_id=abc%3D"
	notDefault := reason.ModeNotDefault.Info().Text
	tests := map[string]struct {
		mode   config.ServiceMode
		server *service.HandshakeRequest // nil: none is connected
		query  string
		// refused says that negotiate and handshake are refused because the client is a serverless one.
		refused bool
		// answer is the handshake's if it is not refused for that.
		answer string
	}{
		"Default takes a client of a hub with an app server": {
			config.ServiceModeDefault, hello(service.ConnectionDefault), "", false, "{}",
		},
		"Default lets a client wait, then says why": {
			config.ServiceModeDefault, nil, "", false, "no app server is connected",
		},
		"Serverless refuses every client for now": {
			config.ServiceModeServerless, hello(service.ConnectionWeak), fromServer, true, "",
		},
		"Classic takes a client of a hub with an app server": {
			config.ServiceModeClassic, hello(service.ConnectionDefault), "", false, "{}",
		},
		"Classic without an app server is serverless": {config.ServiceModeClassic, nil, fromServer, true, ""},
		"Classic does not count Weak connections": {
			config.ServiceModeClassic, hello(service.ConnectionWeak), "", true, "",
		},
		"auto takes a client of a hub with an app server": {
			config.ServiceModeAuto, hello(service.ConnectionDefault), "", false, "{}",
		},
		"auto takes on-demand connections for app servers": {
			config.ServiceModeAuto, hello(service.ConnectionOnDemand), "", false, "{}",
		},
		"auto does not count Weak connections": {
			config.ServiceModeAuto, hello(service.ConnectionWeak), "", true, "",
		},
		"auto without an app server is serverless": {config.ServiceModeAuto, nil, "", true, ""},
		"auto believes the server SDK's request id": {
			config.ServiceModeAuto, nil, fromServer, false, "no app server is connected",
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			n := peer.Start(t, func(c *config.Config) {
				c.ServiceMode = tt.mode
				c.Timeouts.NoServerWaitSeconds = 0
			})
			if tt.server != nil {
				c := raw(t, n, "server-1", tt.server)
				if tt.answer == "{}" {
					done := make(chan struct{})
					go func() { defer close(done); accept(t, c) }()
					defer func() { <-done }()
				}
			}
			text := negotiateText(t, n, tt.query)
			answer := handshakeText(t, n, tt.query)
			if tt.refused {
				if text != notDefault || answer != `{"error":"`+notDefault+`"}` {
					t.Errorf("negotiate says %q, the handshake %s; want both to say %q", text, answer, notDefault)
				}
				return
			}
			if text != "" {
				t.Errorf("negotiate says %q", text)
			}
			if !strings.Contains(answer, tt.answer) {
				t.Errorf("the handshake gives %s, want %s in it", answer, tt.answer)
			}
		})
	}
}

func TestAutoRemembersTheLastAppServer(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.ServiceMode = config.ServiceModeAuto })
	c := raw(t, n, "server-1", hello(service.ConnectionDefault))
	_ = c.Close()
	peer.Wait(t, "the app server is gone", func() bool { return n.NodeStatus(t).Connections.Server == 0 })
	if text := negotiateText(t, n, ""); text != "" {
		t.Errorf("right after its last app server the hub is not one of Default mode: %s", text)
	}
}

func TestServerlessRefusesAppServers(t *testing.T) {
	n := peer.Start(t, func(c *config.Config) { c.ServiceMode = config.ServiceModeServerless })
	for _, kind := range []service.ConnectionType{service.ConnectionDefault, service.ConnectionOnDemand} {
		_, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{
			ConnectionString: n.ConnectionString(), Hub: "chat", Handshake: hello(kind),
		})
		if err == nil || !strings.Contains(err.Error(), reason.ServerConnMode.Info().Text) {
			t.Errorf("type %d: %v", kind, err)
		}
	}
	raw(t, n, "management", hello(service.ConnectionWeak))
	if got := n.Metrics(t).Closed("server", "server-conn-mode"); got != 2 {
		t.Errorf("%v refusals counted, want 2", got)
	}
}

func TestAClientWaitsForItsAppServer(t *testing.T) {
	n := peer.Start(t)
	c := n.Open(t, "chat", peer.ClientToken("chat", ""))
	c.Text(peer.HandshakeJSON)
	peer.Wait(t, "the client is in", func() bool { return n.NodeStatus(t).Connections.Client == 1 })
	server := raw(t, n, "server-1", nil)
	accept(t, server)
	if answer, _ := c.Record(); answer != "{}" {
		t.Errorf("handshake: %q", answer)
	}
}
