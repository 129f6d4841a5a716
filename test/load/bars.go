//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Bar is a promise about performance and what became of it.
type Bar struct {
	Name     string `json:"name"`
	Want     string `json:"want"`
	Measured string `json:"measured"`
	// Met is not set when nothing was measured, and in a quick run, whose figures mean nothing.
	Met *bool `json:"met,omitempty"`
}

// judge compares what was measured with the bars.
func (s *SuiteResult) judge() []Bar {
	var bars []Bar
	add := func(name, want string, measured bool, met bool, format string, args ...any) {
		b := Bar{Name: name, Want: want, Measured: "not measured"}
		if measured {
			b.Measured = fmt.Sprintf(format, args...)
		}
		if measured && !s.Quick {
			b.Met = &met
		}
		bars = append(bars, b)
	}
	memory, has := s.Idle.Memory, s.Idle.Memory != nil
	if !has {
		memory = &Memory{}
	}
	add(fmt.Sprintf("RSS per idle client, %d clients", s.Idle.Clients), "≤ 2048 B after a forced collection (aim 1229)",
		has, memory.PerConnection <= 2048,
		"%.0f B; %.0f B before the collection", memory.PerConnection, memory.PerConnectionBefore)

	ratio, has := spreadOf(s.Pairs, func(p Pair) float64 { return p.Ratio })
	edge, _ := spreadOf(s.Pairs, func(p Pair) float64 { return p.Edge.EdgeCPU })
	floor, _ := spreadOf(s.Pairs, func(p Pair) float64 { return p.Floor.CPUMicrosPerCall })
	add(fmt.Sprintf("edge CPU per broadcast delivery, %d B, %d messages/s, against the C loop", barSize, barRate),
		"≤ 1.3 × (aim 1.15)", has, ratio.median <= 1.3, "%.2f × (%.2f to %.2f, %d pairs); edge %v µs, C loop %v µs",
		ratio.median, ratio.low, ratio.high, len(s.Pairs), edge, floor)

	window, has := spreadOf(s.Window, func(r Result) float64 { return r.EdgeCPU })
	rate, _ := spreadOf(s.Window, func(r Result) float64 { return r.PerSecond })
	add(fmt.Sprintf("edge CPU per delivery, closed loop, %d outstanding", barWindow), "≤ 0.7 µs (aim 0.45)", has,
		window.median <= 0.7, "%v µs; %.0f deliveries/s", window, rate.median)

	add(fmt.Sprintf("echo through the app server, %d clients × 1 message/s of 2 KiB", s.Echo.Clients), "p99 < 20 ms",
		s.Echo.Received > 0, s.Echo.Latency.P99 < 20,
		"p99 %s ms, max %s ms", figure(s.Echo.Latency.P99), figure(s.Echo.Latency.Max))

	ready, has := spreadOf(s.Dev, func(d DevStart) float64 { return d.ReadyMillis })
	rss, _ := spreadOf(s.Dev, func(d DevStart) float64 { return float64(d.RSS) / (1 << 20) })
	add("`signalr-edge dev` from start to ready", "< 100 ms, < 20 MiB RSS", has, ready.median < 100 && rss.median < 20,
		"%v ms, %v MiB", ready, rss)

	slow, has := s.Slow.Slow, s.Slow.Slow != nil
	if !has {
		slow = &Slow{}
	}
	add(fmt.Sprintf("%d clients that stop reading during broadcasts of %d B", slow.Stalled, s.Slow.Size),
		"all cut within 30 s, the others' p99 ≤ 2 × without them", has,
		slow.Cut == slow.Stalled && slow.CutAfter.Max <= 30e3 && slow.P99Ratio <= 2,
		"%d cut, the last after %.1f s; p99 %s ms against %s ms (%.2f ×)",
		slow.Cut, slow.CutAfter.Max/1e3, figure(s.Slow.Latency.P99), figure(slow.Without.P99), slow.P99Ratio)
	return bars
}

// Missed is the number of bars that were not met or not measured.
func (s *SuiteResult) Missed() int {
	if s.Quick {
		return 0
	}
	n := 0
	for _, b := range s.Bars {
		if b.Met == nil || !*b.Met {
			n++
		}
	}
	return n
}

// Markdown is the generated part of docs/performance.md.
func (s *SuiteResult) Markdown(command string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Written by `%s`. Machine: %s.\n", command, s.Machine)
	if s.Quick {
		fmt.Fprint(&b, "\n**A quick run: the figures show that the bench works, nothing else.**\n")
	}
	fmt.Fprint(&b, "\n| | bar | measured | |\n|---|---|---|---|\n")
	for _, bar := range s.Bars {
		verdict := "–"
		if bar.Met != nil {
			verdict = map[bool]string{true: "met", false: "**missed**"}[*bar.Met]
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", bar.Name, bar.Want, bar.Measured, verdict)
	}
	s.others(&b)
	if len(s.Scenarios) > 0 {
		fmt.Fprintf(&b, "\nThe vendor's four scenarios at the size of its Unit10 (%d clients, %d B messages):\n\n",
			s.Scenarios[0].Clients, vendorSize)
		fmt.Fprint(&b, "| scenario | in/s | out/s | p50 ms | p99 ms | max ms | lost | edge CPU-µs per delivery |\n")
		fmt.Fprint(&b, "|---|---|---|---|---|---|---|---|\n")
		for i := range s.Scenarios {
			r := &s.Scenarios[i]
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s | %s | %s | %d | %s |\n", r.Scenario, r.Rate, r.PerSecond,
				figure(r.Latency.P50), figure(r.Latency.P99), figure(r.Latency.Max), r.Lost, figure(r.EdgeCPU))
		}
	}
	return b.Bytes()
}

// others lists figures without a bar.
func (s *SuiteResult) others(b *bytes.Buffer) {
	fmt.Fprint(b, "\nWithout a bar:\n\n")
	if c := s.Connect; c.Connected > 0 {
		fmt.Fprintf(b, "- Connecting %d clients, hub handshake included: %.0f/s, %s CPU-µs in the edge each, p99 %s ms.\n",
			c.Connected, c.PerSecond, figure(c.EdgeCPU), figure(c.Latency.P99))
	}
	if m := s.IdleMigratable.Memory; m != nil {
		fmt.Fprintf(b, "- RSS per idle client of a migratable app server: %.0f B after a forced collection, %.0f B before.\n",
			m.PerConnection, m.PerConnectionBefore)
	}
	if m := s.Idle.Memory; m != nil {
		fmt.Fprintf(b, "- Kernel memory for both ends of an idle loopback connection: about %.0f B (machine-wide slab).\n",
			m.KernelPerPair)
		fmt.Fprintf(b, "- Edge CPU with all clients idle: %.1f %% of a core.\n", m.IdleCPUPercent)
	}
	if latency, has := spreadOf(s.Pairs, func(p Pair) float64 { return p.Edge.Latency.P99 }); has {
		fmt.Fprintf(b, "- p99 of a broadcast to %d clients at %d messages/s: %v ms; the length of the fan-out sets it.\n",
			s.Pairs[0].Edge.Clients, barRate, latency)
	}
	if s.Slow.Slow != nil {
		fmt.Fprintf(b, "- Largest RSS of the edge with the slow clients: %.1f MiB.\n", float64(s.Slow.Slow.PeakRSS)/(1<<20))
	}
}

const (
	docsBegin = "<!-- signalr-bench:begin -->"
	docsEnd   = "<!-- signalr-bench:end -->"
	docsHead  = "# Performance\n\nWhat the edge delivers, measured by `make bench` against the bars it must reach.\n\n"
)

// WriteDocs puts text between the markers of the file, or at its end if it has none. A file that does not exist is
// made.
func WriteDocs(name string, text []byte) error {
	old, err := os.ReadFile(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write performance: %w", err)
		}
		old = []byte(docsHead)
	}
	if err := os.WriteFile(name, []byte(splice(string(old), string(text))), 0o644); err != nil {
		return fmt.Errorf("write performance: %w", err)
	}
	return nil
}

func splice(old, text string) string {
	block := docsBegin + "\n" + strings.TrimSpace(text) + "\n" + docsEnd
	before, rest, found := strings.Cut(old, docsBegin)
	if found {
		if _, after, closed := strings.Cut(rest, docsEnd); closed {
			return before + block + after
		}
	}
	return strings.TrimRight(old, "\n") + "\n\n" + block + "\n"
}
