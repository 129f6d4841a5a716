package main

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPageServesItsFilesAndAllowsItsServiceOnly(t *testing.T) {
	static, err := fs.Sub(files, "static")
	if err != nil {
		t.Fatal(err)
	}
	h := page(static, []byte("client"), "http://127.0.0.1:8888")
	tests := map[string]struct {
		status   int
		contains string
	}{
		"/":                      {http.StatusOK, `data-testid="composer"`},
		"/style.css":             {http.StatusOK, "--accent"},
		"/main.js":               {http.StatusOK, "import"},
		"/icon.svg":              {http.StatusOK, "<svg"},
		"/vendor/signalr.min.js": {http.StatusOK, "client"},
		"/no-such-file":          {http.StatusNotFound, ""},
		"/../main.go":            {http.StatusNotFound, ""},
	}
	for path, want := range tests {
		t.Run(path, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody))
			if w.Code == http.StatusTemporaryRedirect || w.Code == http.StatusMovedPermanently {
				w.Code = http.StatusNotFound // a path that is not clean is sent to one that is not there
			}
			if w.Code != want.status || !strings.Contains(w.Body.String(), want.contains) {
				t.Errorf("status %d, body %.80q; want %d with %q", w.Code, w.Body, want.status, want.contains)
			}
			policy := w.Header().Get("Content-Security-Policy")
			if !strings.Contains(policy, "connect-src 'self' http://127.0.0.1:8888 ws://127.0.0.1:8888;") {
				t.Errorf("policy is %q", policy)
			}
		})
	}
}

// TestPageNeedsNothingFromElsewhere looks for addresses in the page's files: the demo works without a network.
func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	err := fs.WalkDir(files, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/vendor/") {
			return err
		}
		b, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "//cdn") {
			t.Errorf("%s names an address", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestClientLibraryIsFoundOrAskedFor(t *testing.T) {
	embedded := fstest.MapFS{"vendor/signalr.min.js": {Data: []byte("embedded")}}
	folder := t.TempDir()
	dist := filepath.Join(folder, "node_modules", "@microsoft", "signalr", "dist", "browser")
	if err := os.MkdirAll(dist, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dist, clientFile), []byte("package"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := clientLibrary(embedded, folder); err != nil || string(got) != "embedded" {
		t.Errorf("got %q, %v; want the embedded file", got, err)
	}
	if got, err := clientLibrary(fstest.MapFS{}, t.TempDir(), folder); err != nil || string(got) != "package" {
		t.Errorf("got %q, %v; want the package's file", got, err)
	}
	if _, err := clientLibrary(fstest.MapFS{}, t.TempDir()); !errors.Is(err, errNoClient) {
		t.Errorf("got %v, want %v", err, errNoClient)
	}
}

func TestListenNearTakesTheNextFreePort(t *testing.T) {
	first, err := listenNear(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	wanted := first.Addr().String()
	second, err := listenNear(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.Addr().String() == wanted {
		t.Errorf("both listen at %s", wanted)
	}
	host, _, err := net.SplitHostPort(second.Addr().String())
	if err != nil || host != "127.0.0.1" {
		t.Errorf("listens at %s, want the same host", second.Addr())
	}
	if _, err := listenNear(t.Context(), "nonsense"); err == nil {
		t.Error("an address without a port was taken")
	}
	if got, err := freeNear(t.Context(), wanted, second.Addr().String()); err != nil || got == wanted {
		t.Errorf("got %s, %v; want a free address", got, err)
	}
}
