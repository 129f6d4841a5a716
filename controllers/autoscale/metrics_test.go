package autoscale

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func TestMetrics(t *testing.T) {
	const (
		connections = signalrv1alpha1.MetricConnectionQuotaUtilization
		messages    = signalrv1alpha1.MetricMessageRate
		serverLoad  = signalrv1alpha1.MetricServerLoad
	)
	for name, c := range map[string]struct {
		spec    *signalrv1alpha1.SignalRInstanceSpec
		current int32
		steps   []step
	}{
		"of several metrics the one that asks for most decides": {
			instance(looksAt(
				signalrv1alpha1.AutoscaleMetric{Type: connections, TargetPercent: 70},
				signalrv1alpha1.AutoscaleMetric{Type: serverLoad, TargetPercent: 50},
			)), 1,
			[]step{
				{at: 0, edges: []Edge{{Node: "a", Connections: 1400, LoadPercent: 10}}, want: 2},
				{at: 15 * second, edges: []Edge{{Node: "a", Connections: 1400, LoadPercent: 90}}, want: 6},
				{at: 30 * second, edges: []Edge{{Node: "a", Connections: 1400, LoadPercent: 90}}, want: 11},
			},
		},
		"messages per second need two readings": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: messages, TargetPercent: 50})), 1,
			[]step{
				{at: 0, edges: sent(1_000_000), want: 1, wantBlind: true},
				{at: 1 * second, edges: sent(1_002_000), want: 1, wantBlind: true}, // too soon to say
				{at: 20 * second, edges: sent(1_040_000), want: 4},                 // 2,000 per second
				{at: 21 * second, edges: sent(1_040_000), want: 4},                 // the rate of before
			},
		},
		"messages of an edge that is new are missing: out only": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: messages, TargetPercent: 50}),
				behaves(nil, window(0))), 8,
			[]step{
				{at: 0, edges: sent(0), want: 8, wantBlind: true},
				{at: 10 * second, edges: sent(40_000), want: 8},
				{at: 20 * second, edges: sent(50_000, 90_000), want: 8}, // 1,000 per second and an unknown number
				{at: 30 * second, edges: sent(60_000, 100_000), want: 4},
			},
		},
		"the day's counter begins anew at midnight": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: messages, TargetPercent: 50}),
				behaves(nil, window(0))), 4,
			[]step{
				{at: 0, edges: sent(80_000_000), want: 4, wantBlind: true},
				{at: 10 * second, edges: sent(80_020_000), want: 4},
				{at: 20 * second, edges: sent(20_000), want: 4},
				{at: 30 * second, edges: sent(60_000), want: 8},
			},
		},
		"server load asks for edges": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: serverLoad, TargetPercent: 60}),
				behaves(policies(autoscalingv2.MaxChangePolicySelect, units(100, 15)), window(0))), 5,
			[]step{
				{at: 0, edges: load(58), want: 5},
				{at: 15 * second, edges: load(90), want: 11}, // two edges
				{at: 30 * second, edges: load(45, 45), want: 11},
				{at: 45 * second, edges: load(90, 90), want: 21}, // three
				{at: 60 * second, edges: load(10, 20, 10), want: 1},
			},
		},
		"server load that one edge too few would not bear does not flap": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: serverLoad, TargetPercent: 70}),
				behaves(nil, window(0))), 20,
			[]step{
				{at: 0, edges: load(40, 40), want: 11}, // not below: one edge would have 80 %
				{at: 15 * second, edges: load(40, 40), want: 11},
			},
		},
		"server load asks for nothing that the least number of edges gives": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: serverLoad, TargetPercent: 70}),
				func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Edge.MinReplicas = 3 }), 1,
			[]step{{at: 0, edges: load(50, 50, 50), want: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, c.spec, c.current, c.steps) })
	}
}
