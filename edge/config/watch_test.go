package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a Watcher and what it reported.
type watched struct {
	*Watcher

	configs []*Config
	errs    []error
}

func watch(path string, last *Config) *watched {
	w := &watched{}
	w.Watcher = NewWatcher(path, last, 0, func(c *Config, err error) {
		w.configs, w.errs = append(w.configs, c), append(w.errs, err)
	})
	return w
}

// poll polls and says what was reported: "", "error", or the configuration's units.
func (w *watched) poll(t *testing.T) string {
	t.Helper()
	w.configs, w.errs = nil, nil
	w.Poll()
	switch {
	case len(w.errs) == 0:
		return ""
	case len(w.errs) > 1:
		t.Fatalf("one poll reported %d times", len(w.errs))
	case w.errs[0] != nil && w.configs[0] != nil:
		t.Fatal("a report has both a configuration and an error")
	case w.errs[0] != nil:
		return "error"
	}
	return strings.Repeat("u", w.configs[0].Units)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, path string) *Config {
	t.Helper()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWatcher(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.yaml")
	write(t, path, valid)
	w := watch(path, load(t, path))
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"what was loaded is no change", func() {}, ""},
		{"a new value is", func() { write(t, path, valid+"units: 2\n") }, "uu"},
		{"and is told once", func() {}, ""},
		{"a comment is no change", func() { write(t, path, "# hello\n"+valid+"units: 2\n") }, ""},
		{"a bad file is an error", func() { write(t, path, valid+"units: x\n") }, "error"},
		{"and is told once", func() {}, ""},
		{"another bad file is another error", func() { write(t, path, valid+"unitz: 1\n") }, "error"},
		{"the last good file again ends the error", func() { write(t, path, valid+"units: 2\n") }, "uu"},
		{"no file is an error", func() { _ = os.Remove(path) }, "error"},
		{"and is told once", func() {}, ""},
		{"the same file again ends the error", func() { write(t, path, valid+"units: 2\n") }, "uu"},
		{"an empty file is an error", func() { write(t, path, "") }, "error"},
		{"a change after an error", func() { write(t, path, valid+"units: 3\n") }, "uuu"},
		{"the same size in the same moment", func() { write(t, path, valid+"units: 4\n") }, "uuuu"},
	}
	for _, s := range steps {
		s.do()
		if got := w.poll(t); got != s.want {
			t.Fatalf("%s: want %q, got %q (%v)", s.name, s.want, got, w.errs)
		}
	}
}

func TestWatcherReadsOnlyWhatMayHaveChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.yaml")
	write(t, path, valid)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	w := watch(path, load(t, path))
	w.poll(t)
	// Contents change behind a file system that shows no trace of it: nobody writes so, and only so can be seen that
	// the file was not read.
	write(t, path, strings.Replace(valid, "primary", "PRIMARY", 1))
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if got := w.poll(t); got != "" {
		t.Errorf("an unchanged file was read: got %q", got)
	}
	if err := os.Chtimes(path, old, old.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := w.poll(t); got != "u" {
		t.Errorf("a file with another time: want it read, got %q", got)
	}
}

// TestWatcherFollowsKubernetes swaps the link to a directory, as the kubelet does for a mounted Secret:
// edge.yaml -> ..data/edge.yaml, ..data -> ..2026_1.
func TestWatcherFollowsKubernetes(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name, "edge.yaml")
		write(t, file, text)
		if err := os.Chtimes(file, old, old); err != nil { // the same time for all: only the file differs
			t.Fatal(err)
		}
		link := filepath.Join(dir, "..tmp")
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", valid+"units: 1\n")
	path := filepath.Join(dir, "edge.yaml")
	if err := os.Symlink(filepath.Join("..data", "edge.yaml"), path); err != nil {
		t.Fatal(err)
	}
	w := watch(path, load(t, path))
	if got := w.poll(t); got != "" {
		t.Errorf("before the swap: want nothing, got %q", got)
	}
	version("..2", valid+"units: 2\n")
	if got := w.poll(t); got != "uu" {
		t.Errorf("after the swap: want the new file, got %q", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	if got := w.poll(t); got != "" {
		t.Errorf("after the old one went: want nothing, got %q", got)
	}
}

func TestWatcherRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.yaml")
	write(t, path, valid)
	last := load(t, path)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		reports := make(chan *Config, 1)
		done := make(chan struct{})
		w := NewWatcher(path, last, 10*time.Second, func(c *Config, _ error) { reports <- c })
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		write(t, path, valid+"units: 5\n")
		start := time.Now()
		c := <-reports
		if c == nil || c.Units != 5 {
			t.Errorf("report: want 5 units, got %v", c)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("the report came after %v, want one interval", waited)
		}
		cancel()
		<-done
	})
}
