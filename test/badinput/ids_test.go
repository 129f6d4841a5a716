package badinput

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// negotiation is the answer to negotiate, as far as these tests read it.
type negotiation struct {
	ConnectionID    string
	ConnectionToken string
	Error           string
}

func negotiated(t trial, n *peer.Node, hub, token, version string) negotiation {
	t.Helper()
	t.Helper()
	var got negotiation
	a := n.Ask(t, "POST", "/client/negotiate?hub="+hub+"&negotiateVersion="+version, "Authorization: Bearer "+token)
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Status != 200 || got.ConnectionID == "" {
		t.Fatalf("negotiate: status %d, %s", a.Status, a.Body)
	}
	return got
}

// ids are connection ids and tokens that open nothing: unknown, forged, used, somebody else's.
func (w *world) ids(t *testing.T) {
	const unknown, inUse = "connection-unknown", "connection-in-use"
	anna, bert := peer.ClientToken("chat", "anna"), peer.ClientToken("chat", "bert")
	other := peer.ClientToken("other", "anna")
	connect := func(hub, token, id string) string {
		return peer.UpgradeRequest("/client/?hub=" + hub + "&id=" + id + "&access_token=" + token)
	}
	foreign := peer.Start(t, func(c *config.Config) { c.Node = "another-node" })
	refused := func(name string, status int, body, counter string, text func(t trial) string) {
		w.step(t, name, peer.Refused(counter), func(t trial) {
			c := w.Dial(t)
			answers(t, c.Request(text(t)), status, body)
			_ = c.Conn.Close()
		})
	}
	const textUnknown, textInUse = "No Connection with that ID", "The connection already has a WebSocket."
	for name, id := range map[string]string{
		"an id nobody gave": "nobody", "an empty id": "", "an id of 4 KiB": strings.Repeat("a", 4096),
		"an id of slashes": "%2F..%2F", "an id of nulls": "%00%00",
	} {
		refused(name, 404, textUnknown, unknown, func(trial) string { return connect("chat", anna, id) })
	}
	refused("a forged connection token", 404, textUnknown, unknown, func(t trial) string {
		id := []byte(negotiated(t, w.Node, "chat", anna, "1").ConnectionToken)
		id[len(id)-3] ^= 1
		return connect("chat", anna, string(id))
	})
	refused("a connection token of another node", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", anna, negotiated(t, foreign, "chat", anna, "1").ConnectionToken)
	})
	refused("a connection token of another user", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", bert, negotiated(t, w.Node, "chat", anna, "1").ConnectionToken)
	})
	refused("a connection token of a user for nobody", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", peer.ClientToken("chat", ""), negotiated(t, w.Node, "chat", anna, "1").ConnectionToken)
	})
	refused("a connection token of another hub", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", anna, negotiated(t, w.Node, "other", other, "1").ConnectionToken)
	})
	refused("the id where the token belongs", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", anna, negotiated(t, w.Node, "chat", anna, "1").ConnectionID)
	})
	refused("an id of version 0 of another user", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", bert, negotiated(t, w.Node, "chat", anna, "0").ConnectionID)
	})
	refused("an id of version 0 of another hub", 404, textUnknown, unknown, func(t trial) string {
		return connect("chat", anna, negotiated(t, w.Node, "other", other, "0").ConnectionID)
	})
	for version, field := range map[string]func(negotiation) string{
		"0": func(n negotiation) string { return n.ConnectionID },
		"1": func(n negotiation) string { return n.ConnectionToken },
	} {
		w.usedTwice(t, version, func(t trial) string {
			return connect("chat", anna, field(negotiated(t, w.Node, "chat", anna, version)))
		})
	}
	w.expired(t, func(t trial) string {
		return connect("chat", anna, negotiated(t, w.Node, "chat", anna, "1").ConnectionToken)
	})

	// Other transports, with an id that is good, alive, or unknown.
	fresh := func(t trial) string { return negotiated(t, w.Node, "chat", anna, "1").ConnectionToken }
	target := func(id string) string { return "/client/?hub=chat&id=" + id + "&access_token=" + anna }
	refused("server-sent events", 404, "ServerSentEvents "+textUnsupported, "transport-unsupported", func(t trial) string {
		return plain("GET", target(fresh(t)), "Accept: text/event-stream")
	})
	refused("a long poll", 404, "LongPolling "+textUnsupported, "transport-unsupported", func(t trial) string {
		return plain("GET", target(fresh(t)), "Accept: */*")
	})
	for _, method := range []string{"POST", "DELETE"} {
		refused(method+" for an id nobody gave", 404, textUnknown, unknown, func(trial) string {
			return plain(method, target("nobody"), "Content-Length: 0")
		})
		refused(method+" for an id without a socket", 404, textUnknown, unknown, func(t trial) string {
			return plain(method, target(fresh(t)), "Content-Length: 0")
		})
		refused(method+" without an id", 400, textNoID, "connection-id-required", func(trial) string {
			return plain(method, "/client/?hub=chat&access_token="+anna, "Content-Length: 0")
		})
	}
	w.step(t, "POST and DELETE for a WebSocket", peer.Refused(inUse), func(t trial) {
		id := fresh(t)
		c := w.Dial(t)
		answers(t, c.Request(connect("chat", anna, id)), 101, "")
		c.Handshake(peer.HandshakeJSON)
		answers(t, w.Ask(t, "POST", target(id)), 405, "POST requests are not allowed for WebSocket connections.")
		answers(t, w.Ask(t, "DELETE", target(id)), 400, "Cannot terminate this connection using the DELETE endpoint.")
		second := w.Dial(t)
		answers(t, second.Request(connect("chat", anna, id)), 409, textInUse)
		_ = second.Conn.Close()
		c.Close()
	})
}

// usedTwice uses an id a second time while its connection lives, and after.
func (w *world) usedTwice(t *testing.T, version string, request func(t trial) string) {
	t.Helper()
	var used string
	w.step(t, "an id of version "+version+" that is in use", peer.Refused("connection-in-use"), func(t trial) {
		used = request(t)
		first, second := w.Dial(t), w.Dial(t)
		answers(t, first.Request(used), 101, "")
		first.Handshake(peer.HandshakeJSON)
		answers(t, second.Request(used), 409, "The connection already has a WebSocket.")
		first.Echo("still here")
		first.Close()
		_ = second.Conn.Close()
	})
	w.step(t, "an id of version "+version+" whose connection is gone", peer.Refused("connection-unknown"), func(t trial) {
		c := w.Dial(t)
		answers(t, c.Request(used), 404, "No Connection with that ID")
		_ = c.Conn.Close()
	})
}

// expired waits until an id that was never used is refused.
func (w *world) expired(t *testing.T, request func(t trial) string) {
	t.Helper()
	w.step(t, "an id that was not used in time", "", func(t trial) {
		late := request(t)
		peer.WaitFor(t, w.Config.Timeouts.ConnectSeconds)
		c := w.Dial(t)
		answers(t, c.Request(late), 404, "No Connection with that ID")
		_ = c.Conn.Close()
	})
}
