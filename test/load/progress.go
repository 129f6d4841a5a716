//go:build linux

package load

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressEvery is how often a progress line is written.
const progressEvery = 200 * time.Millisecond

// progress shows how far something is, on a terminal over and over on one line, elsewhere not at all.
type progress struct {
	w        io.Writer
	terminal bool
	what     string
	start    time.Time
	last     time.Time
	width    int
}

func newProgress(w io.Writer, terminal bool, what string) *progress {
	return &progress{w: w, terminal: terminal, what: what, start: time.Now()}
}

func (p *progress) show(n, of int64) {
	if !p.terminal || time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("%s: %d of %d, %.0f s", p.what, n, of, time.Since(p.start).Seconds())
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

func (p *progress) done() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
	}
}
