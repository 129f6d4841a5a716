package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/signalr-operator/signalr-operator/edge/auth"
	"github.com/signalr-operator/signalr-operator/edge/metrics"
	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// sections are the kinds of reasons in the order of the page.
var sections = []struct {
	kind        reason.Kind
	title, says string
}{
	{reason.KindClose, "Closed client connections", "The hub Close message carries the text and `allowReconnect`, then " +
		"the WebSocket is closed with the code. Code 0: the socket is cut, the peer does not read."},
	{reason.KindRefuse, "Refused requests", "The HTTP answer's status and body."},
	{reason.KindDrop, "Dropped messages", "One message for one recipient or all of them; the connection stays."},
	{reason.KindServerClose, "Closed server connections", "The connections of app servers. Code 0: the socket is cut."},
}

func reasonsPage(context.Context, string) ([]byte, error) {
	var w bytes.Buffer
	w.WriteString("# Reasons\n\nEvery close, refusal and drop has one of these reasons: in logs as `reason`, in " +
		"[metrics](metrics.md) as the label `reason`. What to do about them: " +
		"[failure modes](../operations/failure-modes.md).\n\n")
	for _, s := range sections {
		head := []string{"reason", "what happened", "text"}
		switch s.kind {
		case reason.KindClose:
			head = append(head, "code", "reconnects", "category")
		case reason.KindRefuse:
			head = append(head, "status")
		case reason.KindServerClose:
			head = append(head, "code")
		case reason.KindDrop:
			head = head[:2]
		}
		var rows [][]string
		for _, info := range reason.All() {
			if info.Kind != s.kind {
				continue
			}
			row := []string{code(info.Name), info.Description, info.Text}
			switch s.kind {
			case reason.KindClose:
				row = append(row, strconv.Itoa(int(info.Code)), yesNo(info.AllowReconnect), info.Category)
			case reason.KindRefuse:
				row = append(row, strconv.Itoa(info.Status))
			case reason.KindServerClose:
				row = append(row, strconv.Itoa(int(info.Code)))
			case reason.KindDrop:
				row = row[:2]
			}
			rows = append(rows, row)
		}
		fmt.Fprintf(&w, "## %s\n\n%s\n\n", s.title, s.says)
		table(&w, head, rows)
	}
	return w.Bytes(), nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// manyValues is the number of a label's values above which a page says how many rather than which.
const manyValues = 8

// buildVersion stands for the version in the page: the label's value differs from build to build.
const buildVersion = "VERSION"

func metricsPage(context.Context, string) ([]byte, error) {
	shown := metrics.New(buildVersion)
	var causes []string
	for _, r := range auth.Reasons() { // as the edge does when it starts
		shown.AuthFailures.WithLabelValues(string(r))
		causes = append(causes, code(string(r)))
	}
	families, err := shown.Registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	var w bytes.Buffer
	w.WriteString("# Metrics\n\n`GET /metrics` on the admin address. Every series is there from the start, at " +
		"zero. No label names a user or a connection. The values of `reason` " +
		"are in [reasons](reasons.md), but for those of `signalr_edge_auth_failures_total`, which are what is wrong with a " +
		"token: " + strings.Join(causes, ", ") + ".\n\n")
	rows := make([][]string, 0, len(families))
	for _, f := range families {
		rows = append(rows, []string{
			code(f.GetName()), strings.ToLower(f.GetType().String()), f.GetHelp(), labels(f),
		})
	}
	table(&w, []string{"name", "type", "meaning", "labels"}, rows)
	return w.Bytes(), nil
}

// labels describes the labels of a family by the values that its series have.
func labels(f *dto.MetricFamily) string {
	values := map[string][]string{}
	for _, series := range f.GetMetric() {
		for _, l := range series.GetLabel() {
			if !slices.Contains(values[l.GetName()], l.GetValue()) {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
	}
	var said []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		vs := values[name]
		switch {
		case slices.Equal(vs, []string{buildVersion}):
			said = append(said, code(name))
		case len(vs) > manyValues:
			said = append(said, fmt.Sprintf("%s (%d values)", code(name), len(vs)))
		default:
			slices.Sort(vs)
			said = append(said, fmt.Sprintf("%s (%s)", code(name), strings.Join(vs, ", ")))
		}
	}
	return strings.Join(said, ", ")
}
