//go:build linux

package load

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Result is what one scenario measured. Sizes are in bytes, CPU times in microseconds.
type Result struct {
	Scenario  string  `json:"scenario"`
	Machine   string  `json:"machine"`
	Clients   int     `json:"clients"`
	Processes int     `json:"processes"`
	Protocol  string  `json:"protocol"`
	Size      int     `json:"messageSize,omitempty"`
	Rate      float64 `json:"messagesPerSecond,omitempty"`
	Window    int     `json:"window,omitempty"`

	// Connected and Failed count clients (scenario connect).
	Connected int64 `json:"connected,omitempty"`
	Failed    int64 `json:"failed,omitempty"`

	Seconds float64 `json:"seconds"`
	// Sent counts messages as their senders see them, Refused those that could not be sent, Expected the deliveries that
	// the sent ones must cause and Received those that happened.
	Sent     int64 `json:"sent"`
	Refused  int64 `json:"refused"`
	Expected int64 `json:"expected"`
	Received int64 `json:"received"`
	// Lost is Expected less what was received once; Reordered and Duplicated go by sequence numbers.
	Lost       int64 `json:"lost"`
	Reordered  int64 `json:"reordered"`
	Duplicated int64 `json:"duplicated"`
	// Closed counts reading clients that lost their connection.
	Closed int64 `json:"closed"`
	// LateMillis is how far the publisher fell behind its pace at worst. It is part of every latency.
	LateMillis float64      `json:"lateMs,omitempty"`
	PerSecond  float64      `json:"perSecond"`
	Latency    Distribution `json:"latency"`

	// EdgeCPU is the edge's CPU time per delivery (per connection in scenario connect), EdgeUserShare its share in user
	// mode, EdgeCores the edge's load; the others are the bench's own price.
	EdgeCPU       float64 `json:"edgeCpuMicros"`
	EdgeUserShare float64 `json:"edgeUserShare"`
	EdgeCores     float64 `json:"edgeCores"`
	ClientCPU     float64 `json:"clientCpuMicros"`
	AppServerCPU  float64 `json:"appServerCpuMicros"`
	EdgeRSS       int64   `json:"edgeRssBytes"`

	Memory *Memory `json:"memory,omitempty"`
	Slow   *Slow   `json:"slow,omitempty"`
}

// Memory is the edge's memory with idle clients.
type Memory struct {
	// Base is its RSS with the app server connected and no client, Before and After that with all clients, around a forced
	// collection.
	Base   int64 `json:"baseRssBytes"`
	Before int64 `json:"rssBeforeCollectionBytes"`
	After  int64 `json:"rssAfterCollectionBytes"`
	// PerConnection is the bar's figure: (After - Base) / clients.
	PerConnection       float64 `json:"perConnectionBytes"`
	PerConnectionBefore float64 `json:"perConnectionBeforeCollectionBytes"`
	// KernelPerPair is the kernel's memory for both ends of a loopback connection, machine-wide and so rough.
	KernelPerPair  float64 `json:"kernelPerPairBytes"`
	IdleCPUPercent float64 `json:"idleCpuPercent"`
}

// Slow is what became of clients that stopped reading.
type Slow struct {
	Stalled int64 `json:"stalled"`
	// Cut counts those whose CloseConnection the app server got; CutAfter is when, from the first message they did not
	// read.
	Cut      int64        `json:"cut"`
	CutAfter Distribution `json:"cutAfter"`
	// HungUp counts those whose own socket saw the end without reading (a reset, or FIN with nothing before it).
	HungUp int64 `json:"hungUp"`
	// Reasons is what the edge itself counted meanwhile, by series and reason, if it was asked.
	Reasons map[string]int `json:"reasons"`
	// Without is the same traffic without slow clients; P99Ratio compares the readers' p99 with it.
	Without  Distribution `json:"without"`
	P99Ratio float64      `json:"p99Ratio"`
	// PeakRSS is the edge's largest RSS seen meanwhile.
	PeakRSS int64 `json:"peakEdgeRssBytes"`
}

// account fills in the price of n units of work between two looks at /proc.
func (r *Result) account(before, after usage, n int64) {
	r.Seconds = float64(after.at-before.at) / 1e9
	r.EdgeCores = (after.edge.CPU - before.edge.CPU) / r.Seconds
	r.EdgeRSS = after.edge.RSS
	user, system := after.edge.User-before.edge.User, after.edge.System-before.edge.System
	if user+system > 0 {
		r.EdgeUserShare = user / (user + system)
	}
	if n <= 0 {
		return
	}
	r.PerSecond = float64(n) / r.Seconds
	micros := 1e6 / float64(n)
	r.EdgeCPU = (after.edge.CPU - before.edge.CPU) * micros
	r.ClientCPU = (after.clients - before.clients) * micros
	r.AppServerCPU = (after.appHost - before.appHost) * micros
}

// Faults says what a correct service would not have done; empty when all is well.
func (r *Result) Faults() string {
	var faults []string
	add := func(n int64, what string) {
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(r.Failed, "clients failed to connect")
	add(r.Lost, "messages lost")
	add(r.Reordered, "reordered")
	add(r.Duplicated, "duplicated")
	add(r.Closed, "connections closed")
	if r.Slow != nil {
		add(r.Slow.Stalled-r.Slow.Cut, "slow clients not cut")
	}
	return strings.Join(faults, ", ")
}

// rows is the result as the table shows it.
func (r *Result) rows() [][2]string {
	var rows [][2]string
	add := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if r.Scenario == "connect" {
		add("connected", "%d of %d, %.0f/s", r.Connected, r.Clients, r.PerSecond)
	}
	if r.Received > 0 || r.Expected > 0 {
		add("sent", "%d (%.1f/s)", r.Sent, float64(r.Sent)/r.Seconds)
		add("received", "%d of %d (%.0f/s)", r.Received, r.Expected, r.PerSecond)
		add("lost / reordered / duplicated", "%d / %d / %d", r.Lost, r.Reordered, r.Duplicated)
		add("connections closed", "%d", r.Closed)
		add("publisher late at most", "%.2f ms", r.LateMillis)
	}
	if l := r.Latency; l.Count > 0 {
		add("latency p50 / p90 / p99 / p99.9 / max", "%s / %s / %s / %s / %s ms",
			figure(l.P50), figure(l.P90), figure(l.P99), figure(l.P999), figure(l.Max))
	}
	if r.EdgeCPU > 0 {
		add("edge CPU", "%s µs each, %.0f %% of it user; %.2f cores", figure(r.EdgeCPU), r.EdgeUserShare*100, r.EdgeCores)
		add("bench's own CPU", "%s µs clients, %s µs app server", figure(r.ClientCPU), figure(r.AppServerCPU))
	}
	if r.EdgeRSS > 0 {
		add("edge RSS", "%.1f MiB", float64(r.EdgeRSS)/(1<<20))
	}
	if m := r.Memory; m != nil {
		add("edge RSS without clients", "%.1f MiB", float64(m.Base)/(1<<20))
		if m.After > 0 {
			add("RSS per connection", "%.0f B after a forced collection, %.0f B before", m.PerConnection, m.PerConnectionBefore)
		} else {
			add("RSS per connection", "%.0f B", m.PerConnectionBefore)
		}
		add("kernel, both ends of a connection", "%.0f B", m.KernelPerPair)
		add("idle CPU", "%.2f %% of a core", m.IdleCPUPercent)
	}
	if s := r.Slow; s != nil {
		add("slow clients cut", "%d of %d, median %.1f s, last %.1f s",
			s.Cut, s.Stalled, s.CutAfter.P50/1e3, s.CutAfter.Max/1e3)
		for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
			add("  the edge counts", "%d × %s", s.Reasons[reason], reason)
		}
		add("readers' p99 with / without", "%s / %s ms (%.2f)", figure(r.Latency.P99), figure(s.Without.P99), s.P99Ratio)
		add("edge RSS at most", "%.1f MiB", float64(s.PeakRSS)/(1<<20))
	}
	return rows
}

// WriteTable prints the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	head := fmt.Sprintf("%s: %d clients in %d processes, %s", r.Scenario, r.Clients, r.Processes, r.Protocol)
	if r.Size > 0 {
		head += fmt.Sprintf(", %d B", r.Size)
	}
	if r.Rate > 0 {
		head += fmt.Sprintf(", %g messages/s", r.Rate)
	}
	if r.Window > 0 {
		head += fmt.Sprintf(", %d outstanding", r.Window)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, head); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for _, row := range r.rows() {
		if _, err := fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1]); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return table.Flush()
}

// figure prints three significant digits.
func figure(v float64) string {
	if v == 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return fmt.Sprintf("%.*f", decimals, v)
}
