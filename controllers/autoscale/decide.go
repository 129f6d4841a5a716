package autoscale

import (
	"errors"
	"fmt"
	"time"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// What a unit is rated for (design.md section 5): client connections at once, and messages per second.
const (
	ConnectionsPerUnit       = 1_000
	MessagesPerSecondPerUnit = 1_000
)

// defaultTarget is the target of the metric that is looked at when the spec names none.
const defaultTarget = 70

// Input is everything that a decision depends on.
type Input struct {
	// Spec is the instance's spec: units, autoscale and the pods' shape.
	Spec *signalrv1alpha1.SignalRInstanceSpec
	// Current is the units in force as the status has them, 0 when the status is empty. History knows better once there
	// is one: the status may come from a cache that is behind.
	Current int32
	// Edges is what the edges said of themselves, draining ones included.
	Edges []Edge
	// Unreachable counts the edges that ought to have answered and did not.
	Unreachable int
	// History is that of the last decision, the zero value after a restart.
	History History
	// Now is the time of the decision.
	Now time.Time
}

// Edge is what one edge says of itself at one moment.
type Edge struct {
	// Node tells edges apart.
	Node string
	// Connections is the number of live client connections.
	Connections int64
	// MessagesToday counts messages; it begins anew at midnight UTC and with the process.
	MessagesToday int64
	// LoadPercent is how busy the process is, 0 to 100.
	LoadPercent int
}

// Limit says which end of the range holds the units back.
type Limit string

// The limits.
const (
	// LimitNone is the state between floor and bound.
	LimitNone Limit = ""
	// LimitAtMaxUnits is more asked for than maxUnits allow.
	LimitAtMaxUnits Limit = "AtMaxUnits"
	// LimitAtFloor is less asked for than the floor.
	LimitAtFloor Limit = "AtFloor"
)

// Decision is how many units an instance has from now on, and why.
type Decision struct {
	// Enabled is false when the spec asks for no autoscaling; Effective is spec.units then.
	Enabled bool
	// Desired is what metrics and floor ask for, before windows, policies and bound.
	Desired int32
	// Effective is the units in force from now on.
	Effective int32
	// Floor is the least that is allowed now: spec.units, or an active schedule's units.
	Floor int32
	// Blind says that units are frozen because the edges cannot be read; Message says what is missing.
	Blind bool
	// Limit says whether floor or bound hold back what the metrics ask for.
	Limit Limit
	// Message says in one sentence why, for a condition. It names no pod and no address, and has no number that moves
	// while the decision stays.
	Message string
	// NextChange is when a schedule next raises or lowers the floor; the zero time when none does.
	NextChange time.Time
	// Err says which schedules cannot be understood and are left out; nil when all can.
	Err error
	// History is to be passed to the next decision.
	History History
}

// Decide returns how many units an instance has from now on.
func Decide(in Input) Decision {
	spec := in.Spec.Autoscale
	if spec == nil {
		return Decision{Desired: in.Spec.Units, Effective: in.Spec.Units, Floor: in.Spec.Units}
	}
	plan, err := planAt(spec.Schedules, in.Now)
	r := scaler{
		Input: in,
		floor: max(in.Spec.Units, plan.units),
		bound: max(spec.MaxUnits, in.Spec.Units),
		up:    upRules(spec.Behavior),
		down:  downRules(spec.Behavior),
	}
	r.floor = min(r.floor, r.bound)
	r.next = min(plan.within(in.Now.Add(r.down.window)), r.bound)
	d := r.decide()
	d.Enabled, d.Floor, d.NextChange, d.Err = true, r.floor, plan.nextChange(), err
	return d
}

// scaler is a decision in the making.
type scaler struct {
	Input

	floor, bound int32
	next         int32 // what schedules ask for before a scale-in's window has passed
	up, down     rules
}

// clamp returns units within floor and bound.
func (r *scaler) clamp(units int32) int32 { return min(max(units, r.floor), r.bound) }

func (r *scaler) decide() Decision {
	current := r.History.Units
	if current == 0 {
		current = r.Current
	}
	switch {
	case r.Unreachable > 0:
		return r.hold(current, "edges do not answer: units stay as they are")
	case len(r.Edges) == 0:
		return r.hold(current, "no edge is running: units stay as they are")
	case current == 0 || r.History.fresh:
		return r.start()
	}
	current = r.clamp(current)
	counters := r.History.count(r.Edges, r.Now)
	asked := r.ask(current, counters)
	if !asked.known {
		d := r.hold(current, "the message rate is not known before its second reading: units stay as they are")
		d.History.counters = counters
		return d
	}
	want := asked.units
	if want < current {
		if asked.partial {
			want = current
		}
		want = max(want, min(r.next, current)) // the flap guard: what is needed again in a moment is not given back
	}
	h := r.History.remember(r.Now, current, r.longest())
	stable := h.stabilise(r.Now, current, want, r.up.window, r.down.window)
	next := r.clamp(r.pace(h, current, stable))
	d := Decision{Desired: max(want, r.floor), Effective: next, Message: "units follow the load"}
	d.Limit, d.Message = r.limit(want, next, d.Message)
	d.History = h.record(r.Now, want, next-current, next)
	d.History.counters = counters
	return d
}

// limit says whether an end of the range holds units back.
func (r *scaler) limit(want, next int32, otherwise string) (Limit, string) {
	switch {
	case want > r.bound && next == r.bound:
		return LimitAtMaxUnits, "the load asks for more units than spec.autoscale.maxUnits"
	case want < r.floor && next == r.floor:
		return LimitAtFloor, "the load asks for fewer units than the floor"
	default:
		return LimitNone, otherwise
	}
}

// hold keeps the units, but for floor and bound, which the user may move at any time. It counts as a recommendation, so
// that a scale-in waits a whole window after the last blind moment.
func (r *scaler) hold(current int32, why string) Decision {
	units := r.clamp(current)
	h := r.History.remember(r.Now, units, r.longest()).record(r.Now, units, 0, units)
	h.fresh = current == 0 || r.History.fresh
	h.counters = r.History.counters
	return Decision{Desired: units, Effective: units, Blind: true, Message: why, History: h}
}

// start is the first decision of an instance without a status that sees its edges. It may be a new instance, or one
// that a backup brought back under full load, which must not climb from the floor.
func (r *scaler) start() Decision {
	var live int64
	for _, e := range r.Edges {
		live += e.Connections
	}
	want := perTarget(live, ConnectionsPerUnit, r.connectionTarget())
	units := r.clamp(want)
	d := Decision{Desired: max(want, r.floor), Effective: units}
	d.Limit, d.Message = r.limit(want, units, "units follow the load")
	d.History = History{}.record(r.Now, units, 0, units)
	d.History.counters = History{}.count(r.Edges, r.Now)
	return d
}

// pace bounds a change by the policies of its direction.
func (r *scaler) pace(h History, current, want int32) int32 {
	switch {
	case want > current:
		return min(want, max(r.up.highest(h, current, r.Now), current))
	case want < current:
		return max(want, min(r.down.lowest(h, current, r.Now), current))
	default:
		return current
	}
}

// longest is how far back any rule looks.
func (r *scaler) longest() time.Duration {
	return max(r.up.window, r.down.window, r.up.period(), r.down.period())
}

// Validate returns what is wrong with an autoscale spec beyond what its schema can say, joined, or nil: cron
// expressions that never come round, and time zones that do not exist.
func Validate(spec *signalrv1alpha1.AutoscaleSpec) error {
	if spec == nil {
		return nil
	}
	var errs []error
	for _, s := range spec.Schedules {
		if _, err := parseSchedule(s); err != nil {
			errs = append(errs, fmt.Errorf("spec.autoscale.schedules[%s]: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}
