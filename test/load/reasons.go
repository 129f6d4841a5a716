//go:build linux

package load

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"strconv"
)

// reasonSeries matches a series of the edge's metrics that counts by reason (Prometheus text format).
var reasonSeries = regexp.MustCompile(
	`(?m)^signalr_edge_(\w+)_total\{(?:[^}]*,)?reason="([^"]*)"[^}]*\} ([0-9.e+]+)$`)

// countedReasons reads what the edge closed, refused and dropped so far, by series and reason.
func countedReasons(exposition []byte) map[string]int {
	counted := map[string]int{}
	for _, m := range reasonSeries.FindAllSubmatch(exposition, -1) {
		n, err := strconv.ParseFloat(string(m[3]), 64)
		if err == nil && n > 0 {
			counted[string(m[1])+": "+string(m[2])] += int(n)
		}
	}
	return counted
}

// Reasons asks the edge what it closed, refused and dropped so far; nil if its admin port is not known.
func (s *Service) Reasons(ctx context.Context) map[string]int {
	if s.Admin == "" {
		return nil
	}
	var text []byte
	if err := s.admin(ctx, http.MethodGet, "/metrics", &text); err != nil {
		return nil
	}
	return countedReasons(text)
}

// since is what was counted between two looks.
func since(before, after map[string]int) map[string]int {
	more := map[string]int{}
	maps.Copy(more, after)
	for reason, n := range before {
		more[reason] -= n
	}
	maps.DeleteFunc(more, func(_ string, n int) bool { return n <= 0 })
	return more
}
