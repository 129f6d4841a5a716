package resources

import (
	"math"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// connectionsPerUnit is what a unit is rated for, design.md section 5.
const connectionsPerUnit = 1_000

// Replicas returns how many edge pods an instance needs for the units in force and the live connections: the largest
// of minReplicas, ⌈units / unitsPerPod⌉ and ⌈connections / (unitsPerPod × 1,000)⌉. Units that fall cut nobody, so pods
// leave as connections leave.
//
// Edges that cannot reach each other (no backplane capability, or mode Embedded) are one pod for all units: two would
// be two services. A stopped instance has none.
func Replicas(spec *signalrv1alpha1.SignalRInstanceSpec, units int32, connections int64, backplane bool) int32 {
	if spec.State == signalrv1alpha1.StateStopped {
		return 0
	}
	if alone(spec, backplane) {
		return 1
	}
	perPod := int64(max(spec.Edge.UnitsPerPod, 1))
	pods := max(
		int64(spec.Edge.MinReplicas), 1,
		divideUp(int64(units), perPod),
		divideUp(connections, perPod*connectionsPerUnit),
	)
	return int32(min(pods, math.MaxInt32))
}

// alone reports whether an instance has one edge, whatever its size.
func alone(spec *signalrv1alpha1.SignalRInstanceSpec, backplane bool) bool {
	return !backplane || spec.Backplane.Mode == signalrv1alpha1.BackplaneEmbedded ||
		spec.Tier == signalrv1alpha1.TierFree
}

// PodUnits returns for how many units an edge pod is sized.
func PodUnits(in Input) int64 {
	units := podUnits(in.spec(), in.can(CapabilityBackplane))
	if alone(in.spec(), in.can(CapabilityBackplane)) {
		return max(units, in.SizedFor)
	}
	return units
}

// podUnits returns for how many units the spec asks an edge pod to be sized. One of several serves unitsPerPod. One
// that is alone serves whatever the instance may come to: the most that autoscaling goes to, else spec.units, as
// unitsPerPod doubled until it is enough or the tier has no more. It is never sized by the units in force: they change
// all day, and another size is another pod.
func podUnits(spec *signalrv1alpha1.SignalRInstanceSpec, backplane bool) int64 {
	if spec.Tier == signalrv1alpha1.TierFree {
		return 1
	}
	size := int64(max(spec.Edge.UnitsPerPod, 1))
	if !alone(spec, backplane) {
		return size
	}
	most := int64(spec.Units)
	if spec.Autoscale != nil {
		most = max(most, int64(spec.Autoscale.MaxUnits))
	}
	for size < most {
		size *= 2
	}
	return max(min(size, int64(spec.Tier.MaxUnits())), most)
}

// BackplaneMode returns the mode that Auto means: Embedded while there is one edge, Managed from then on. It never goes
// back by itself, which would take the state of live connections away; was is the mode in force.
func BackplaneMode(
	spec *signalrv1alpha1.SignalRInstanceSpec, was signalrv1alpha1.BackplaneMode, replicas int32, backplane bool,
) signalrv1alpha1.BackplaneMode {
	mode := spec.Backplane.Mode
	if mode != signalrv1alpha1.BackplaneAuto && mode != "" {
		return mode
	}
	if backplane && (replicas > 1 || was == signalrv1alpha1.BackplaneManaged) {
		return signalrv1alpha1.BackplaneManaged
	}
	return signalrv1alpha1.BackplaneEmbedded
}

// managed reports whether the operator runs the backplane: if that is the mode, and edges can use it.
func (in Input) managed() bool {
	capable := in.can(CapabilityBackplane)
	return capable && BackplaneMode(in.spec(), in.Instance.Status.Backplane.Mode, in.Replicas, capable) ==
		signalrv1alpha1.BackplaneManaged
}

func divideUp(a, b int64) int64 { return (a + b - 1) / b }
