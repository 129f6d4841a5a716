package edge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/auth"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/edge/reason"
	"github.com/signalr-operator/signalr-operator/test/badinput/peer"
)

// shape replaces every value by the name of its JSON type.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = shape(x)
		}
		return out
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{shape(v[0])}
	case string:
		return "text"
	case float64:
		return "number"
	case bool:
		return "bool"
	}
	return "null"
}

func TestStatusHasTheDocumentedShape(t *testing.T) {
	n := peer.Start(t)
	n.App(t)
	n.Join(t, "chat", peer.ClientToken("chat", ""), "json")
	var got any
	a := n.Admin(t, http.MethodGet, "/status")
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
		t.Fatal(err)
	}
	// design.md section 10.
	want := map[string]any{
		"node": "text", "version": "text", "configVersion": "number", "capabilities": []any{"text"},
		"ready": "bool", "draining": "bool",
		"config":      map[string]any{"hash": "text", "error": "text"},
		"keys":        []any{map[string]any{"name": "text", "fingerprint": "text"}},
		"connections": map[string]any{"client": "number", "server": "number", "limit": "number"},
		"messages":    map[string]any{"today": "number", "limit": "number", "resetsAt": "text"},
		"load":        map[string]any{"percent": "number"},
		"hubs":        []any{map[string]any{"name": "text", "clients": "number", "servers": "number"}},
	}
	if diff := cmp.Diff(any(want), shape(got)); diff != "" {
		t.Errorf("the shape of /status (-want +got):\n%s", diff)
	}
	if strings.Contains(a.Body, peer.Key) {
		t.Error("/status shows a key")
	}
	s := n.NodeStatus(t)
	if diff := cmp.Diff([]config.StatusHub{{Name: "chat", Clients: 1, Servers: 2}}, s.Hubs); diff != "" {
		t.Errorf("hubs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mode/Default"}, s.Capabilities); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
}

func TestAdminTokenGuardsStatusAlone(t *testing.T) {
	const token = "admin-token-0123456789-0123456789"
	n := peer.StartWith(t, edge.Options{Debug: true}, func(c *config.Config) { c.Auth.AdminToken = token })
	for name, header := range map[string]string{
		"no token": "X-Nothing: 1", "a wrong token": "Authorization: Bearer wrong",
		"another scheme": "Authorization: Basic " + token,
		"no scheme":      "Authorization: " + token, "an access key": "Authorization: Bearer " + peer.Key,
	} {
		for _, path := range []string{"/status", "/debug/pprof/"} {
			if a := n.Admin(t, http.MethodGet, path, header); a.Status != http.StatusUnauthorized ||
				a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %s gives %d %v, want 401", path, name, a.Status, a.Header)
			}
		}
	}
	for path, want := range map[string]int{
		"/status": 200, "/debug/pprof/": 200, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/client/": 404,
	} {
		if a := n.Admin(t, http.MethodGet, path, "Authorization: Bearer "+token); a.Status != want {
			t.Errorf("%s gives %d, want %d", path, a.Status, want)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a := n.Admin(t, http.MethodGet, path); a.Status != http.StatusOK {
			t.Errorf("%s without a token gives %d, want 200", path, a.Status)
		}
	}
}

func TestPprofNeedsDebug(t *testing.T) {
	n := peer.Start(t)
	if a := n.Admin(t, http.MethodGet, "/debug/pprof/"); a.Status != http.StatusNotFound {
		t.Errorf("pprof without --debug gives %d, want 404", a.Status)
	}
	if a := n.Admin(t, http.MethodPost, "/status"); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("POST /status gives %d, want 405", a.Status)
	}
}

func TestEveryReasonIsCountedFromZero(t *testing.T) {
	s := peer.Start(t).Metrics(t)
	for _, row := range reason.All() {
		var got float64
		ok := true
		switch row.Kind {
		case reason.KindClose:
			got = s.Closed("client", row.Name)
		case reason.KindServerClose:
			got = s.Closed("server", row.Name)
		case reason.KindRefuse:
			got, ok = s[peer.Refused(row.Name)]
		case reason.KindDrop:
			got, ok = s[peer.Dropped(row.Name)]
		}
		if !ok || got != 0 {
			t.Errorf("%s %s: %v (there: %t), want 0", row.Kind, row.Name, got, ok)
		}
	}
	for _, why := range auth.Reasons() {
		if got, ok := s[peer.AuthFailure(string(why))]; !ok || got != 0 {
			t.Errorf("auth failure %s: %v (there: %t), want 0", why, got, ok)
		}
	}
	for _, name := range []string{
		`signalr_edge_connections{endpoint="client"}`, `signalr_edge_connections{endpoint="server"}`,
		`signalr_edge_connections_opened_total{endpoint="client"}`, `signalr_edge_messages_total{direction="in"}`,
		`signalr_edge_messages_total{direction="out"}`, `signalr_edge_bytes_total{direction="in",endpoint="server"}`,
		`signalr_edge_config_reloads_total{result="ok"}`, `signalr_edge_config_reloads_total{result="refused"}`,
		"signalr_edge_deliveries_total", "signalr_edge_negotiations_total", "signalr_edge_draining",
	} {
		if got, ok := s[name]; !ok || got != 0 {
			t.Errorf("%s: %v (there: %t), want 0", name, got, ok)
		}
	}
}
