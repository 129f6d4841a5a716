package autoscale

import (
	"math"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// answer is what metrics ask for.
type answer struct {
	units   int32 // 0 when nothing is going on, which is less than any floor
	known   bool  // some metric could be computed
	partial bool  // some could not, or not in full, and may be larger than it looks
}

// ask returns the most units that any metric asks for.
func (r *scaler) ask(current int32, counters []counter) answer {
	var a answer
	for _, m := range r.metrics() {
		p := r.proposal(m, current, counters)
		a.units, a.known, a.partial = max(a.units, p.units), a.known || p.known, a.partial || p.partial
	}
	return a
}

// metrics returns the metrics of the spec, or the default one.
func (r *scaler) metrics() []signalrv1alpha1.AutoscaleMetric {
	if m := r.Spec.Autoscale.Metrics; len(m) > 0 {
		return m
	}
	return []signalrv1alpha1.AutoscaleMetric{
		{Type: signalrv1alpha1.MetricConnectionQuotaUtilization, TargetPercent: defaultTarget},
	}
}

// connectionTarget is the target of the connection quota, configured or not.
func (r *scaler) connectionTarget() int32 {
	for _, m := range r.Spec.Autoscale.Metrics {
		if m.Type == signalrv1alpha1.MetricConnectionQuotaUtilization {
			return target(m)
		}
	}
	return defaultTarget
}

func target(m signalrv1alpha1.AutoscaleMetric) int32 {
	if m.TargetPercent < 1 {
		return defaultTarget
	}
	return m.TargetPercent
}

// proposal returns what a metric asks for: the units in force while it is within the tolerance.
func (r *scaler) proposal(m signalrv1alpha1.AutoscaleMetric, current int32, counters []counter) answer {
	switch m.Type {
	case signalrv1alpha1.MetricConnectionQuotaUtilization:
		var live int64
		for _, e := range r.Edges {
			live += e.Connections
		}
		return answer{units: r.perUnit(live, ConnectionsPerUnit, target(m), current), known: true}
	case signalrv1alpha1.MetricMessageRate:
		perSecond, known, complete := rate(counters)
		if !known {
			return answer{partial: true}
		}
		return answer{
			units: r.perUnit(perSecond, MessagesPerSecondPerUnit, target(m), current), known: true, partial: !complete,
		}
	case signalrv1alpha1.MetricServerLoad:
		return answer{units: r.perEdge(target(m), current), known: true}
	default: // a metric of a newer API: unknown, so nothing scales in
		return answer{partial: true}
	}
}

// perUnit is the proposal of a metric that units share evenly: total over what a unit is rated for.
func (r *scaler) perUnit(total, rated int64, target, current int32) int32 {
	ratio := float64(total) * 100 / (float64(rated) * float64(target) * float64(current))
	if r.tolerable(ratio) {
		return current
	}
	return perTarget(total, rated, target)
}

// perTarget returns ⌈total / (rated × target percent)⌉.
func perTarget(total, rated int64, target int32) int32 {
	share := rated * int64(target) // of 100
	units := total / share * 100
	units += (total%share*100 + share - 1) / share
	return int32(min(units, math.MaxInt32))
}

// perEdge is the proposal of the server load. Load is a matter of edges, not of units: what is asked for is the least
// number of units with which the instance has the edges that it needs. Counting units instead would scale out without
// an effect as long as the same edges carry them, and in until an edge is missing: a flap.
func (r *scaler) perEdge(target, current int32) int32 {
	edges, sum := int64(len(r.Edges)), int64(0)
	for _, e := range r.Edges {
		sum += int64(e.LoadPercent)
	}
	if r.tolerable(float64(sum) / float64(edges) / float64(target)) {
		return current
	}
	need := (sum + int64(target) - 1) / int64(target)
	if need <= int64(max(r.Spec.Edge.MinReplicas, 1)) { // these are there with any number of units
		return int32(min(need, 1))
	}
	units := (need-1)*int64(max(r.Spec.Edge.UnitsPerPod, 1)) + 1
	return int32(min(units, math.MaxInt32))
}

// tolerable reports whether a metric is so close to its target that nothing is done.
func (r *scaler) tolerable(ratio float64) bool {
	return 1-r.down.tolerance <= ratio && ratio <= 1+r.up.tolerance
}
