package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalr-operator/signalr-operator/edge"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/appserver"
)

func TestDevAnnouncesWhatADeveloperPastes(t *testing.T) {
	cfg := config.Dev()
	cfg.Listen = config.Listen{Client: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	node, err := edge.Start(t.Context(), cfg, edge.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Stop()
	var out bytes.Buffer
	announce(&out, node, cfg)
	for _, line := range []string{
		"Endpoint:          http://" + node.ClientAddr(), "Admin:             http://" + node.AdminAddr(),
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("%q is not in\n%s", line, out.String())
		}
	}
	_, rest, _ := strings.Cut(out.String(), "Connection string: ")
	text, _, _ := strings.Cut(rest, "\n")
	cs, err := appserver.ParseConnectionString(text)
	if err != nil {
		t.Fatalf("the connection string %q: %v", text, err)
	}
	if cs.Endpoint.Host != node.ClientAddr() || cs.AccessKey != config.EmulatorKey {
		t.Errorf("it leads to %s with the key %s", cs.Endpoint, cs.AccessKey)
	}
	c, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{ConnectionString: text, Hub: "chat"})
	if err != nil {
		t.Fatalf("an app server with it: %v", err)
	}
	c.Kill()
}

func TestBracketed(t *testing.T) {
	for host, want := range map[string]string{"::1": "[::1]", "127.0.0.1": "127.0.0.1", "localhost": "localhost"} {
		if got := bracketed(host); got != want {
			t.Errorf("%s becomes %s, want %s", host, got, want)
		}
	}
}

func TestCommandsSayWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(file, []byte("unitz: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`required flag(s) "config" not set`: {"serve"}, "no such file": {"serve", "--config", file + "x"},
		"unitz": {"serve", "--config", file}, "unknown command": {"run"}, "serviceMode": {"dev", "--mode", "Serverles"},
		"the emulator's published key": {"dev", "--listen", "0.0.0.0:0"}, "auth.keys[0].value": {"dev", "--key", "short"},
	} {
		cmd := command()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q in it", args, err, want)
		}
	}
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestServe runs the command as its user does: a file, a change of it, a signal.
func TestServe(t *testing.T) {
	const first, second = "first-key-0123456789-0123456789-01", "second-key-0123456789-0123456789-0"
	file := filepath.Join(t.TempDir(), "edge.yaml")
	client, admin := freeAddress(t), freeAddress(t)
	write := func(key string) {
		t.Helper()
		text := "listen: {client: '" + client + "', admin: '" + admin + "'}\n" +
			"auth: {keys: [{name: primary, value: " + key + "}]}\n" +
			"drain: {readinessDelaySeconds: 0, seconds: 0}\nlog: {level: error}\n"
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	cmd := command()
	cmd.SetArgs([]string{"serve", "--config", file})
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(t.Context()) }()
	dial := func(key string) error {
		c, err := appserver.OpenRaw(t.Context(), appserver.RawOptions{
			ConnectionString: "Endpoint=http://" + client + ";AccessKey=" + key + ";Version=1.0;", Hub: "chat",
		})
		if err == nil {
			c.Kill()
		}
		return err
	}
	wait := func(what string, cond func() bool) {
		t.Helper()
		deadline, tick := time.NewTimer(20*time.Second), time.NewTicker(10*time.Millisecond)
		defer deadline.Stop()
		defer tick.Stop()
		for !cond() {
			select {
			case err := <-done:
				t.Fatalf("%s: the command ended: %v", what, err)
			case <-deadline.C:
				t.Fatalf("waited in vain: %s", what)
			case <-tick.C:
			}
		}
	}
	wait("the node serves", func() bool { return dial(first) == nil })
	write(second)
	wait("the new key is in force", func() bool { return dial(second) == nil })
	if dial(first) == nil {
		t.Error("the old key still is")
	}
	web := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("readyz: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the command ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("SIGTERM does not end it")
	}
}
