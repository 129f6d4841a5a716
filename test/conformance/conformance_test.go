package conformance

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Fewer tests than these mean that a file was not found or a loop declared nothing. Raise them with the suite.
const (
	leastSuiteTests   = 212
	leastBrowserTests = 12
)

// browsers are the names Chromium goes by.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// suiteTimeout bounds one run of node: far above what it takes, below go test's own limit.
const suiteTimeout = 8 * time.Minute

// TestStockClients runs suite/ in Node.
func TestStockClients(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and takes minutes")
	}
	npmInstall(t, ".")
	w := &world{t: t, bin: build(t, edgeFolder, echoserverFolder), nodes: map[string]*node{}}
	main, err := w.newNode()
	if err != nil {
		t.Fatal(err)
	}
	runNode(t, "suite", leastSuiteTests,
		"CONFORMANCE_ENDPOINT="+main.Endpoint,
		"CONFORMANCE_APP="+main.App,
		"CONFORMANCE_HUB="+hubName,
		"CONFORMANCE_KEY="+accessKey,
		"CONFORMANCE_CONTROL="+w.control(main),
	)
}

// TestDemoInChromium runs browser/ against the demo as a user starts it.
func TestDemoInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := program(t, browsers...)
	npmInstall(t, ".")
	npmInstall(t, filepath.Join(root(t), "hack", "demo"))
	bin := build(t, edgeFolder, "./hack/demo")
	var args []string
	var url string
	for _, flag := range []string{"--listen", "--edge-listen", "--edge-admin"} {
		address, err := freeAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, flag, address)
		if flag == "--listen" {
			url = "http://" + address
		}
	}
	demo, err := start(t, "demo", filepath.Join(bin, "demo"), args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.ready(t.Context(), answers("POST", url+"/chat/negotiate?negotiateVersion=1&name=probe")); err != nil {
		t.Fatal(err)
	}
	artefacts, err := filepath.Abs("artefacts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(artefacts, 0o750); err != nil {
		t.Fatal(err)
	}
	runNode(t, "browser", leastBrowserTests,
		"DEMO_URL="+url,
		"DEMO_CHROMIUM="+browser,
		"DEMO_ARTEFACTS="+artefacts,
	)

	demo.terminate()
	select {
	case <-demo.done:
		if demo.code != 0 {
			t.Errorf("demo ended with code %d, want 0", demo.code)
		}
	case <-time.After(30 * time.Second):
		t.Error("demo did not end within 30 s of SIGTERM")
	}
}

// counts finds the numbers of node's own summary.
var counts = regexp.MustCompile(`(?m)^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$`)

// runNode runs the test files of a folder and fails unless at least that many tests ran and all passed.
func runNode(t *testing.T, folder string, least int, env ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files in %s: %v", folder, err)
	}
	slices.Sort(files)
	summary := filepath.Join(t.TempDir(), "summary.tap")
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
	defer cancel()
	args := append([]string{
		"--test",
		// One file at a time: some stop processes that the others use.
		"--test-concurrency=1",
		"--test-reporter=spec", "--test-reporter-destination=stdout",
		"--test-reporter=tap", "--test-reporter-destination=" + summary,
	}, files...)
	cmd := exec.CommandContext(ctx, program(t, "node"), args...)
	cmd.Env = append(os.Environ(), env...)
	dieWithTest(cmd)
	var out bytes.Buffer
	// Shown as it comes with -v; kept for a failure otherwise. One writer for both: exec then writes from one goroutine.
	var shown io.Writer = &out
	if testing.Verbose() {
		shown = io.MultiWriter(&out, os.Stdout)
	}
	cmd.Stdout, cmd.Stderr = shown, shown
	runErr := cmd.Run()
	tap, err := os.ReadFile(summary)
	if err != nil {
		t.Fatalf("node: %v; no summary: %v\n%s", runErr, err, out.Bytes())
	}
	got := map[string]int{}
	for _, m := range counts.FindAllSubmatch(tap, -1) {
		// The last summary is that of the whole run.
		got[string(m[1])], _ = strconv.Atoi(string(m[2]))
	}
	t.Logf("%s: %d tests, %d passed, %d failed, %d cancelled, %d skipped", folder,
		got["tests"], got["pass"], got["fail"], got["cancelled"], got["skipped"])
	if runErr != nil || got["fail"] > 0 || got["cancelled"] > 0 {
		t.Errorf("node: %v", runErr)
		if !testing.Verbose() {
			t.Logf("%s", out.Bytes())
		}
	}
	if got["pass"] < least {
		t.Errorf("%d tests of %s passed, want at least %d", got["pass"], folder, least)
	}
	if got["skipped"]+got["todo"] > 0 {
		t.Errorf("%d tests of %s were skipped, want none", got["skipped"]+got["todo"], folder)
	}
}
