package config

import (
	"context"
	"crypto/sha256"
	"os"
	"sync"
	"time"
)

// DefaultWatchInterval is how often a Watcher looks at its file unless told otherwise.
const DefaultWatchInterval = time.Second

// settle is how old a file's modification time must be before an unchanged time proves unchanged contents: within the
// granularity of file systems (two seconds on the coarsest) one time can stand for two writes.
const settle = 2 * time.Second

// Watcher polls a configuration file and reports each change of its contents. It follows symbolic links, so that the
// swap by which Kubernetes updates a mounted Secret is seen, and needs no notification from the file system.
type Watcher struct {
	path     string
	interval time.Duration
	report   func(*Config, error)

	// mu guards what follows, and keeps reports in order.
	mu   sync.Mutex
	info os.FileInfo // of the file when it was last read; nil: read it again
	sum  [sha256.Size]byte
	read bool   // sum is that of contents that were reported
	hash string // of the last good configuration
	bad  string // the error reported last; empty when the last report was good
}

// NewWatcher returns a Watcher for the file at path, of which last is what Load returned. An interval of 0 is
// DefaultWatchInterval. Each change calls report with either a new valid configuration or an error: after an error the
// last good configuration stays in force, and once the file is good again report is called even if that is the last
// good one. A file that differs in comments alone is no change. report must not call the Watcher.
func NewWatcher(path string, last *Config, interval time.Duration, report func(*Config, error)) *Watcher {
	if interval <= 0 {
		interval = DefaultWatchInterval
	}
	w := &Watcher{path: path, interval: interval, report: report}
	if last != nil {
		w.hash = last.Hash()
	}
	return w
}

// Run polls until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	t := time.NewTicker(w.interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.Poll()
		}
	}
}

// Poll looks at the file once, now, and reports what changed before it returns.
func (w *Watcher) Poll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The look comes before the read: a write between the two is then seen by the next look.
	info, err := os.Stat(w.path)
	if err == nil && w.unchanged(info) {
		return
	}
	var b []byte
	if err == nil {
		b, err = readFile(w.path)
	}
	if err != nil {
		w.info, w.read = nil, false
		w.fail(err)
		return
	}
	w.info = info
	sum := sha256.Sum256(b)
	if w.read && sum == w.sum {
		return
	}
	w.sum, w.read = sum, true
	c, err := Parse(b)
	if err != nil {
		w.fail(err)
		return
	}
	hash := c.Hash()
	if hash == w.hash && w.bad == "" {
		return
	}
	w.hash, w.bad = hash, ""
	w.report(c, nil)
}

// unchanged reports whether info proves that the file is the one read last.
func (w *Watcher) unchanged(info os.FileInfo) bool {
	return w.info != nil && os.SameFile(w.info, info) && w.info.Size() == info.Size() &&
		w.info.ModTime().Equal(info.ModTime()) && time.Since(info.ModTime()) > settle
}

// fail reports an error unless it is the one reported last.
func (w *Watcher) fail(err error) {
	if err.Error() == w.bad {
		return
	}
	w.bad = err.Error()
	w.report(nil, err)
}
