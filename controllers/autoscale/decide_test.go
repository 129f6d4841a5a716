package autoscale

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// noon is a Wednesday in winter.
var noon = time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)

// instance is a spec of one unit that may grow to 100.
func instance(change ...func(*signalrv1alpha1.SignalRInstanceSpec)) *signalrv1alpha1.SignalRInstanceSpec {
	s := &signalrv1alpha1.SignalRInstanceSpec{
		Units:     1,
		Edge:      signalrv1alpha1.EdgeSpec{UnitsPerPod: 10, MinReplicas: 1},
		Autoscale: &signalrv1alpha1.AutoscaleSpec{MaxUnits: 100},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func looksAt(metrics ...signalrv1alpha1.AutoscaleMetric) func(*signalrv1alpha1.SignalRInstanceSpec) {
	return func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Autoscale.Metrics = metrics }
}

func behaves(up, down *autoscalingv2.HPAScalingRules) func(*signalrv1alpha1.SignalRInstanceSpec) {
	return func(s *signalrv1alpha1.SignalRInstanceSpec) {
		s.Autoscale.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: up, ScaleDown: down}
	}
}

func bounds(floor, bound int32) func(*signalrv1alpha1.SignalRInstanceSpec) {
	return func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Units, s.Autoscale.MaxUnits = floor, bound }
}

func window(seconds int32) *autoscalingv2.HPAScalingRules {
	return &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &seconds}
}

func policies(choice autoscalingv2.ScalingPolicySelect, p ...autoscalingv2.HPAScalingPolicy,
) *autoscalingv2.HPAScalingRules {
	var none int32
	return &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &none, SelectPolicy: &choice, Policies: p}
}

func units(value, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: value, PeriodSeconds: seconds}
}

func percent(value, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{
		Type: autoscalingv2.PercentScalingPolicy, Value: value, PeriodSeconds: seconds,
	}
}

// step is one decision of a run: what the edges say at a time after the beginning, and what must come of it.
type step struct {
	at      time.Duration
	edges   []Edge
	blind   int // unreachable edges
	restart bool
	spec    func(*signalrv1alpha1.SignalRInstanceSpec)

	want      int32
	wantLimit Limit
	wantBlind bool
}

// live is one edge with so many connections.
func live(connections int64) []Edge { return []Edge{{Node: "a", Connections: connections}} }

func load(percent ...int) []Edge {
	var out []Edge
	for i, p := range percent {
		out = append(out, Edge{Node: string(rune('a' + i)), LoadPercent: p})
	}
	return out
}

func sent(messages ...int64) []Edge {
	var out []Edge
	for i, m := range messages {
		out = append(out, Edge{Node: string(rune('a' + i)), MessagesToday: m})
	}
	return out
}

const (
	second = time.Second
	minute = time.Minute
)

// play runs steps one after the other, with the status that each leaves to the next.
func play(t *testing.T, spec *signalrv1alpha1.SignalRInstanceSpec, current int32, steps []step) {
	t.Helper()
	var h History
	for _, s := range steps {
		if s.restart {
			h = History{}
		}
		if s.spec != nil {
			s.spec(spec)
		}
		d := Decide(Input{
			Spec: spec, Current: current, Edges: s.edges, Unreachable: s.blind, History: h, Now: noon.Add(s.at),
		})
		if d.Effective != s.want || d.Limit != s.wantLimit || d.Blind != s.wantBlind {
			t.Errorf("at %s: want %d units, limit %q, blind %t; got %d, %q, %t (%s)",
				s.at, s.want, s.wantLimit, s.wantBlind, d.Effective, d.Limit, d.Blind, d.Message)
		}
		current, h = d.Effective, d.History
	}
}

// As in a HorizontalPodAutoscaler, where nothing at all asks for nothing: the floor holds the units up from the first
// decision on.
func TestAnIdleInstanceIsAtItsFloor(t *testing.T) {
	t.Parallel()
	for _, metric := range []signalrv1alpha1.MetricType{"ConnectionQuotaUtilization", "ServerLoad", "MessageRate"} {
		t.Run(string(metric), func(t *testing.T) {
			t.Parallel()
			spec := instance(looksAt(signalrv1alpha1.AutoscaleMetric{Type: metric, TargetPercent: 70}))
			play(t, spec, 0, []step{
				{edges: live(0), want: 1, wantLimit: LimitAtFloor},
				{at: 15 * second, edges: live(0), want: 1, wantLimit: LimitAtFloor},
				{at: 30 * second, edges: live(0), want: 1, wantLimit: LimitAtFloor},
			})
		})
	}
}

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		spec    *signalrv1alpha1.SignalRInstanceSpec
		current int32
		steps   []step
	}{
		"a ramp is followed at once, one unit for each 700 connections": {
			instance(), 1,
			[]step{
				{at: 0, edges: live(700), want: 1},
				{at: 15 * second, edges: live(760), want: 1}, // 76 %: within 10 % of the target
				{at: 30 * second, edges: live(780), want: 2}, // 78 %
				{at: 45 * second, edges: live(1500), want: 2},
				{at: 60 * second, edges: live(2100), want: 3},
				{at: 75 * second, edges: live(3500), want: 5},
			},
		},
		"a ramp down is followed after the window, to the most of the window": {
			instance(), 10,
			[]step{
				{at: 0, edges: live(7000), want: 10},
				{at: 5 * minute, edges: live(4000), want: 10},
				{at: 10 * minute, edges: live(3000), want: 10},
				{at: 15*minute - second, edges: live(2000), want: 10},
				{at: 15*minute + second, edges: live(2000), want: 6}, // 4,000 are in the window still
				{at: 21 * minute, edges: live(2000), want: 5},        // now 3,000 are the most
				{at: 30 * minute, edges: live(2000), want: 3},
			},
		},
		"a flood is met by doubling each quarter of a minute": {
			instance(), 1,
			[]step{
				{at: 0, edges: live(90_000), want: 5}, // 4 more units are more than twice as many
				{at: 5 * second, edges: live(90_000), want: 5},
				{at: 15 * second, edges: live(90_000), want: 10},
				{at: 30 * second, edges: live(90_000), want: 20},
				{at: 45 * second, edges: live(90_000), want: 40},
				{at: 60 * second, edges: live(90_000), want: 80},
				{at: 75 * second, edges: live(90_000), want: 100, wantLimit: LimitAtMaxUnits},
			},
		},
		"a spike goes out at once and comes in a window later": {
			instance(), 2,
			[]step{
				{at: 0, edges: live(1400), want: 2},
				{at: 15 * second, edges: live(4200), want: 6},
				{at: 30 * second, edges: live(1400), want: 6},
				{at: 15*minute + 14*second, edges: live(1400), want: 6},
				{at: 15*minute + 16*second, edges: live(1400), want: 2},
			},
		},
		"a spike is ridden out with a window for scaling out": {
			instance(behaves(window(60), nil)), 2,
			[]step{
				{at: 0, edges: live(1400), want: 2},
				{at: 15 * second, edges: live(4200), want: 2},
				{at: 30 * second, edges: live(1400), want: 2},
				{at: 45 * second, edges: live(4200), want: 2},
				{at: 91 * second, edges: live(4200), want: 6},
			},
		},
		"a load that swings within the window does not flap": {
			instance(), 5,
			[]step{
				{at: 0, edges: live(3500), want: 5},
				{at: 4 * minute, edges: live(1400), want: 5},
				{at: 8 * minute, edges: live(3500), want: 5},
				{at: 12 * minute, edges: live(1400), want: 5},
				{at: 16 * minute, edges: live(3500), want: 5},
				{at: 20 * minute, edges: live(1400), want: 5},
				{at: 24 * minute, edges: live(1400), want: 5},
				{at: 31*minute + second, edges: live(1400), want: 2},
			},
		},
		"a load that trembles around a step does not flap, even without windows": {
			instance(behaves(nil, window(0))), 10,
			[]step{
				{at: 0, edges: live(7000), want: 10},
				{at: 15 * second, edges: live(7300), want: 10},
				{at: 30 * second, edges: live(6800), want: 10},
				{at: 45 * second, edges: live(7600), want: 10},
				{at: 60 * second, edges: live(6400), want: 10},
				{at: 75 * second, edges: live(7000), want: 10},
			},
		},
		"the bound holds and is named": {
			instance(bounds(2, 4)), 2,
			[]step{
				{at: 0, edges: live(2800), want: 4},
				{at: 15 * second, edges: live(3200), want: 4, wantLimit: LimitAtMaxUnits},
			},
		},
		"the floor holds and is named": {
			instance(bounds(3, 10)), 3,
			[]step{{at: 0, edges: live(100), want: 3, wantLimit: LimitAtFloor}},
		},
		"a floor that is raised counts at once, whatever the policies say": {
			instance(behaves(policies(autoscalingv2.DisabledPolicySelect), nil)), 1,
			[]step{
				{at: 0, edges: live(700), want: 1},
				{at: 15 * second, spec: bounds(40, 100), edges: live(700), want: 40, wantLimit: LimitAtFloor},
			},
		},
		"a bound that is lowered counts at once": {
			instance(), 20,
			[]step{
				{at: 0, edges: live(14_000), want: 20},
				{at: 15 * second, spec: bounds(1, 5), edges: live(14_000), want: 5, wantLimit: LimitAtMaxUnits},
			},
		},
		"blind, units stay": {
			instance(), 6,
			[]step{
				{at: 0, edges: live(4200), want: 6},
				{at: 15 * second, blind: 1, want: 6, wantBlind: true},
				{at: 16 * minute, edges: live(100), blind: 1, want: 6, wantBlind: true},
				{at: 32 * minute, edges: live(60_000), blind: 2, want: 6, wantBlind: true},
				{at: 60 * minute, want: 6, wantBlind: true},
			},
		},
		"after blindness a scale-in waits a whole window, a scale-out does not wait": {
			instance(), 6,
			[]step{
				{at: 0, edges: live(4200), want: 6},
				{at: 15 * minute, blind: 1, want: 6, wantBlind: true},
				{at: 30 * minute, blind: 1, want: 6, wantBlind: true},
				{at: 31 * minute, edges: live(700), want: 6},
				{at: 44 * minute, edges: live(700), want: 6},
				{at: 46 * minute, edges: live(700), want: 1},
				{at: 47 * minute, blind: 1, want: 1, wantBlind: true},
				{at: 48 * minute, edges: live(2100), want: 3},
			},
		},
		"blind, floor and bound still obey the user": {
			instance(), 6,
			[]step{
				{at: 0, edges: live(4200), want: 6},
				{at: 15 * second, spec: bounds(8, 100), blind: 1, want: 8, wantBlind: true},
				{at: 30 * second, spec: bounds(1, 4), blind: 1, want: 4, wantBlind: true},
			},
		},
		"a restart with a status goes on from there and scales in nothing for a window": {
			instance(), 30,
			[]step{
				{at: 0, edges: live(21_000), want: 30},
				{at: 15 * second, restart: true, edges: live(7000), want: 30},
				{at: 14 * minute, edges: live(7000), want: 30},
				{at: 15*minute + 16*second, edges: live(7000), want: 10},
			},
		},
		"a restart blind and with a status stays there": {
			instance(), 30,
			[]step{{at: 0, restart: true, blind: 3, want: 30, wantBlind: true}},
		},
		"an empty status under load starts from the load, without climbing": {
			instance(), 0,
			[]step{{at: 0, edges: live(50_000), want: 72}},
		},
		"an empty status without load starts from the floor": {
			instance(bounds(3, 10)), 0,
			[]step{{at: 0, edges: live(0), want: 3, wantLimit: LimitAtFloor}},
		},
		"an empty status starts from the load by the target that is set": {
			instance(looksAt(signalrv1alpha1.AutoscaleMetric{
				Type: signalrv1alpha1.MetricConnectionQuotaUtilization, TargetPercent: 50,
			})), 0,
			[]step{{at: 0, edges: live(10_000), want: 20}},
		},
		"an empty status and blind starts from the floor, and from the load when it is seen": {
			instance(), 0,
			[]step{
				{at: 0, want: 1, wantBlind: true},
				{at: 15 * second, blind: 5, want: 1, wantBlind: true},
				{at: 30 * second, edges: live(50_000), want: 72}, // though the status says 1 by now
				{at: 45 * second, edges: live(700), want: 72},
			},
		},
		"units per period bound a scale-out": {
			instance(behaves(policies(autoscalingv2.MaxChangePolicySelect, units(2, 60)), nil)), 1,
			[]step{
				{at: 0, edges: live(7000), want: 3},
				{at: 30 * second, edges: live(7000), want: 3},
				{at: 60 * second, edges: live(7000), want: 5},
				{at: 120 * second, edges: live(7000), want: 7},
			},
		},
		"of policies that bound a scale-out the most permissive counts": {
			instance(behaves(policies(autoscalingv2.MaxChangePolicySelect, units(1, 60), percent(50, 60)), nil)), 10,
			[]step{
				{at: 0, edges: live(70_000), want: 15},
				{at: 60 * second, edges: live(70_000), want: 23}, // 22.5, rounded up
			},
		},
		"of policies that bound a scale-out the strictest counts with Min": {
			instance(behaves(policies(autoscalingv2.MinChangePolicySelect, units(1, 60), percent(50, 60)), nil)), 10,
			[]step{
				{at: 0, edges: live(70_000), want: 11},
				{at: 60 * second, edges: live(70_000), want: 12},
			},
		},
		"a percentage of few units grows by one at least": {
			instance(behaves(policies(autoscalingv2.MaxChangePolicySelect, percent(10, 60)), nil)), 1,
			[]step{{at: 0, edges: live(7000), want: 2}},
		},
		"units per period bound a scale-in": {
			instance(behaves(nil, policies(autoscalingv2.MaxChangePolicySelect, units(1, 300)))), 10,
			[]step{
				{at: 0, edges: live(700), want: 9},
				{at: 1 * minute, edges: live(700), want: 9},
				{at: 4 * minute, edges: live(700), want: 9},
				{at: 5 * minute, edges: live(700), want: 8},
			},
		},
		"of policies that bound a scale-in the strictest counts with Min": {
			instance(behaves(nil, policies(autoscalingv2.MinChangePolicySelect, units(1, 60), percent(50, 60)))), 10,
			[]step{
				{at: 0, edges: live(700), want: 9},
				{at: 1 * minute, edges: live(700), want: 8},
			},
		},
		"of policies that bound a scale-in the most permissive counts": {
			instance(behaves(nil, policies(autoscalingv2.MaxChangePolicySelect, units(1, 60), percent(50, 60)))), 10,
			[]step{
				{at: 0, edges: live(700), want: 5},
				{at: 1 * minute, edges: live(700), want: 2}, // 2.5, rounded down
			},
		},
		"a direction can be disabled": {
			instance(behaves(policies(autoscalingv2.DisabledPolicySelect),
				policies(autoscalingv2.DisabledPolicySelect))), 5,
			[]step{
				{at: 0, edges: live(70_000), want: 5},
				{at: 60 * minute, edges: live(0), want: 5},
			},
		},
		"what came in counts back when the same period scales out": {
			instance(behaves(policies(autoscalingv2.MaxChangePolicySelect, units(2, 600)), window(0))), 10,
			[]step{
				{at: 0, edges: live(7000), want: 10},
				{at: 1 * minute, edges: live(3500), want: 5},
				{at: 2 * minute, edges: live(14_000), want: 12}, // 2 above what the period began with
			},
		},
		"a tolerance can be set for each direction": {
			instance(behaves(
				&autoscalingv2.HPAScalingRules{Tolerance: new(resource.MustParse("0"))},
				&autoscalingv2.HPAScalingRules{
					Tolerance: new(resource.MustParse("0.5")), StabilizationWindowSeconds: new(int32(0)),
				},
			)), 10,
			[]step{
				{at: 0, edges: live(7001), want: 11},
				{at: 15 * second, edges: live(4000), want: 11}, // 36 %, above half of 70
				{at: 30 * second, edges: live(3800), want: 6},
			},
		},
		"connections of all edges count": {
			instance(), 2,
			[]step{{at: 0, edges: []Edge{{Node: "a", Connections: 1500}, {Node: "b", Connections: 1300}}, want: 4}},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, c.spec, c.current, c.steps) })
	}
}

func TestDecideWithoutAutoscale(t *testing.T) {
	spec := instance()
	spec.Autoscale, spec.Units = nil, 7
	want := Decision{Desired: 7, Effective: 7, Floor: 7}
	got := Decide(Input{Spec: spec, Current: 3, Edges: live(90_000), History: History{Units: 3}, Now: noon})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(History{})); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

// TestDecideIsPure decides twice on the same values, and looks whether the first time has left a trace.
func TestDecideIsPure(t *testing.T) {
	spec, h := instance(), History{}
	for i := range 10 {
		h = Decide(Input{
			Spec: spec, Current: 1, Edges: live(int64(i) * 900), History: h, Now: noon.Add(time.Duration(i) * minute),
		}).History
	}
	in := Input{Spec: spec, Current: 3, Edges: live(700), History: h, Now: noon.Add(20 * minute)}
	opts := cmp.AllowUnexported(History{}, recommendation{}, event{}, counter{})
	first := Decide(in)
	second := Decide(in)
	if diff := cmp.Diff(first, second, opts); diff != "" {
		t.Errorf("second decision differs (-first +second):\n%s", diff)
	}
}

// TestHistoryIsBounded runs a day of readings that differ each time: memory of an instance must not grow with its age.
func TestHistoryIsBounded(t *testing.T) {
	spec, h := instance(behaves(nil, window(3600))), History{}
	for i := range 24 * 240 {
		h = Decide(Input{
			Spec: spec, Edges: live(int64(700 * (i%50 + 1))), History: h, Now: noon.Add(time.Duration(i) * 15 * second),
		}).History
	}
	if n := len(h.recommendations); n > 241 {
		t.Errorf("want at most an hour of recommendations, got %d", n)
	}
	if n := len(h.events); n > 241 {
		t.Errorf("want at most an hour of events, got %d", n)
	}
}

// TestMessagesAreSteady compares the sentences of two decisions with other numbers: a condition that changes with each
// reading would write the status each time.
func TestMessagesAreSteady(t *testing.T) {
	for name, in := range map[string][2]Input{
		"following the load": {{Edges: live(1400)}, {Edges: live(1500)}},
		"blind":              {{Unreachable: 1}, {Unreachable: 3}},
		"at the bound":       {{Edges: live(70_000)}, {Edges: live(90_000)}},
	} {
		var texts []string
		for _, i := range in {
			i.Spec, i.Current, i.Now = instance(bounds(1, 2)), 2, noon
			texts = append(texts, Decide(i).Message)
		}
		if texts[0] != texts[1] || strings.ContainsAny(texts[0], "0123456789") {
			t.Errorf("%s: want one sentence without numbers, got %q and %q", name, texts[0], texts[1])
		}
	}
}

// TestAClockThatIsPutBack runs on a clock that turns out to have been an hour fast: what was decided on it must neither
// hold up a scale-out nor a reading of the rate until the hour has come again, nor end a window early.
func TestAClockThatIsPutBack(t *testing.T) {
	t.Run("scale-out goes on", func(t *testing.T) {
		play(t, instance(behaves(window(30), nil)), 1, []step{
			{at: 60 * minute, edges: live(700), want: 1},
			{at: 60*minute + 15*second, edges: live(700), want: 1},
			{at: 0, edges: live(7000), want: 1}, // half a minute is waited as ever
			{at: 15 * second, edges: live(7000), want: 1},
			{at: 31 * second, edges: live(7000), want: 5},
		})
	})
	t.Run("scale-in waits its window, and no longer", func(t *testing.T) {
		play(t, instance(behaves(nil, window(60))), 10, []step{
			{at: 60 * minute, edges: live(7000), want: 10},
			{at: 0, edges: live(700), want: 10},
			{at: 59 * second, edges: live(700), want: 10},
			{at: 61 * second, edges: live(700), want: 1},
		})
	})
	t.Run("rates are read again", func(t *testing.T) {
		spec := instance(looksAt(signalrv1alpha1.AutoscaleMetric{
			Type: signalrv1alpha1.MetricMessageRate, TargetPercent: 100,
		}))
		play(t, spec, 1, []step{
			{at: 60 * minute, edges: sent(0), want: 1, wantBlind: true},
			{at: 60*minute + 15*second, edges: sent(0), want: 1, wantLimit: LimitAtFloor},
			{at: 0, edges: sent(0), want: 1, wantLimit: LimitAtFloor},
			{at: 15 * second, edges: sent(60_000), want: 4},
		})
	})
}

// TestStaleStatus decides with a status from a cache that has not seen the last decision: it must not be taken again.
func TestStaleStatus(t *testing.T) {
	spec := instance(behaves(policies(autoscalingv2.MaxChangePolicySelect, units(1, 60)), nil))
	in := Input{Spec: spec, Current: 1, Edges: live(7000), Now: noon}
	first := Decide(in)
	in.History, in.Now = first.History, noon.Add(second)
	if got := Decide(in); first.Effective != 2 || got.Effective != 2 {
		t.Errorf("want 2 units and 2 again, got %d and %d", first.Effective, got.Effective)
	}
}
