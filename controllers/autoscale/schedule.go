package autoscale

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	_ "time/tzdata" // the image has no zone database, and schedules name zones

	"github.com/robfig/cron/v3"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// fields reads five fields and nothing else: "@every 1h" has no time of day.
var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// farthest is how far back a start is looked for: eleven years, as 29 February comes every eight at the worst.
const farthest = 4096 * 24 * time.Hour

// schedule is a floor that rises and falls by the clock of a time zone.
type schedule struct {
	start, end cron.Schedule
	zone       *time.Location
	units      int32
}

// parseSchedule reads a schedule of the spec.
func parseSchedule(s signalrv1alpha1.AutoscaleSchedule) (schedule, error) {
	start, err := parseCron(s.Start)
	if err != nil {
		return schedule{}, fmt.Errorf("start: %w", err)
	}
	end, err := parseCron(s.End)
	if err != nil {
		return schedule{}, fmt.Errorf("end: %w", err)
	}
	zone := time.UTC
	if s.TimeZone != "" {
		if zone, err = time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
			return schedule{}, fmt.Errorf("timeZone: %q is no name of the IANA time zone database, as Europe/Berlin",
				s.TimeZone)
		}
	}
	if reflect.DeepEqual(start, end) { // written in two ways: the schema refuses what is the same to the letter
		return schedule{}, fmt.Errorf("end: %q is the same time as start", string(s.End))
	}
	return schedule{start: start, end: end, zone: zone, units: s.Units}, nil
}

// errNever is a time that does not come, as 30 February.
var errNever = errors.New("never comes round")

func parseCron(e signalrv1alpha1.CronExpression) (cron.Schedule, error) {
	if strings.Contains(string(e), "TZ=") { // the cron package would take a zone here
		return nil, fmt.Errorf("%q: the time zone belongs into timeZone", string(e))
	}
	s, err := fields.Parse(string(e))
	if err != nil {
		return nil, fmt.Errorf("%q is no cron expression: %w", string(e), err)
	}
	if s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%q %w", string(e), errNever)
	}
	return s, nil
}

// plan is what the schedules say at one moment.
type plan struct {
	units   int32 // the floor now, 0 when no schedule is active
	changes []change
}

// change is the next start or end of a schedule.
type change struct {
	at    time.Time
	units int32 // what it raises the floor to, 0 for an end
}

// planAt returns what the schedules say. Those that cannot be understood are left out and named in the error.
func planAt(schedules []signalrv1alpha1.AutoscaleSchedule, now time.Time) (plan, error) {
	var p plan
	var errs []error
	for _, spec := range schedules {
		s, err := parseSchedule(spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.autoscale.schedules[%s]: %w", spec.Name, err))
			continue
		}
		if s.active(now) {
			p.units = max(p.units, s.units)
			p.add(s.next(s.end, now), 0)
		}
		p.add(s.next(s.start, now), s.units)
	}
	return p, errors.Join(errs...)
}

func (p *plan) add(at time.Time, units int32) {
	if !at.IsZero() {
		p.changes = append(p.changes, change{at: at, units: units})
	}
}

// within returns the largest floor that a schedule raises until a time.
func (p *plan) within(until time.Time) int32 {
	var units int32
	for _, c := range p.changes {
		if !c.at.After(until) {
			units = max(units, c.units)
		}
	}
	return units
}

// nextChange returns when the next schedule starts or ends, or the zero time.
func (p *plan) nextChange() time.Time {
	var next time.Time
	for _, c := range p.changes {
		if next.IsZero() || c.at.Before(next) {
			next = c.at
		}
	}
	return next
}

// active reports whether the last start is later than the last end. The next start and end, which are easier to have,
// would not do: a schedule that starts on Mondays and ends every evening is not active on Tuesday. Where an end meets
// the next start, the start counts: whole days, from midnight to midnight, follow each other.
func (s *schedule) active(now time.Time) bool {
	wall := wallClock(now, s.zone)
	started := last(s.start, wall)
	return !started.IsZero() && !started.Before(last(s.end, wall))
}

// next returns when c comes round next, in real time: the first moment at which the clocks show it, or jump past it.
func (s *schedule) next(c cron.Schedule, now time.Time) time.Time {
	t := c.Next(wallClock(now, s.zone))
	if t.IsZero() {
		return t
	}
	const day = 24 * time.Hour // no zone is as far from UTC
	return first(t.Add(-day), t.Add(day), func(at time.Time) bool { return !wallClock(at, s.zone).Before(t) })
}

// wallClock returns what the clocks of a zone show, as if it were UTC, so that a day has 24 hours and each minute comes
// once. Where clocks are put forward, a time that is left out counts as passed with the jump: a start at 02:30 is not
// lost. Where they are put back, time stands still until they have caught up: nothing starts or ends twice.
func wallClock(now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	wall := asUTC(local)
	if since, _ := local.ZoneBounds(); !since.IsZero() {
		if before := asUTC(since.Add(-time.Nanosecond)); before.After(wall) {
			return before
		}
	}
	return wall
}

func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// last returns when c came round last, wall itself included, or the zero time. The cron package looks ahead only, so
// the moment is searched for, in windows that grow.
func last(c cron.Schedule, wall time.Time) time.Time {
	over := func(t time.Time) bool { // from t on, c does not come round again before wall
		next := c.Next(t)
		return next.IsZero() || next.After(wall)
	}
	wall = wall.Truncate(time.Second)
	for window := 24 * time.Hour; window <= farthest; window *= 4 {
		if since := wall.Add(-window); !over(since) {
			return first(since, wall, over)
		}
	}
	return time.Time{}
}

// first returns the first whole second after low at which reached is true. It stays true from then on, and is at high.
func first(low, high time.Time, reached func(time.Time) bool) time.Time {
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2).Truncate(time.Second)
		if reached(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
