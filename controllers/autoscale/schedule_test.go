package autoscale

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func plans(s ...signalrv1alpha1.AutoscaleSchedule) func(*signalrv1alpha1.SignalRInstanceSpec) {
	return func(spec *signalrv1alpha1.SignalRInstanceSpec) { spec.Autoscale.Schedules = s }
}

func daily(name string, start, end signalrv1alpha1.CronExpression, zone string, units int32,
) signalrv1alpha1.AutoscaleSchedule {
	return signalrv1alpha1.AutoscaleSchedule{Name: name, Start: start, End: end, TimeZone: zone, Units: units}
}

// TestFloor asks for the floor of schedules at moments, each in real time.
func TestFloor(t *testing.T) {
	berlin := "Europe/Berlin"
	market := daily("market", "0 8 * * 1-5", "0 18 * * 1-5", berlin, 5)
	night := daily("night", "0 22 * * *", "0 6 * * *", "UTC", 7)
	gap := daily("gap", "30 2 * * *", "0 5 * * *", berlin, 4)     // starts in the hour that spring leaves out
	until := daily("until", "0 1 * * *", "30 2 * * *", berlin, 4) // ends in it
	for name, c := range map[string]struct {
		schedules []signalrv1alpha1.AutoscaleSchedule
		floors    map[string]int32
	}{
		"office hours in a time zone": {
			[]signalrv1alpha1.AutoscaleSchedule{market},
			map[string]int32{
				"2026-01-14T06:59:59Z": 0, "2026-01-14T07:00:00Z": 5, // 08:00 in Berlin, winter
				"2026-01-14T16:59:59Z": 5, "2026-01-14T17:00:00Z": 0,
				"2026-07-15T05:59:59Z": 0, "2026-07-15T06:00:00Z": 5, // summer
				"2026-01-17T10:00:00Z": 0, // a Saturday
			},
		},
		"a night spans midnight": {
			[]signalrv1alpha1.AutoscaleSchedule{night},
			map[string]int32{
				"2026-01-14T21:59:59Z": 0, "2026-01-14T22:00:00Z": 7, "2026-01-14T23:59:59Z": 7,
				"2026-01-15T00:00:00Z": 7, "2026-01-15T05:59:59Z": 7, "2026-01-15T06:00:00Z": 0,
			},
		},
		"a day from midnight to midnight": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("sunday", "0 0 * * 0", "0 0 * * 1", "UTC", 3)},
			map[string]int32{
				"2026-01-17T23:59:59Z": 0, "2026-01-18T00:00:00Z": 3, "2026-01-18T23:59:59Z": 3,
				"2026-01-19T00:00:00Z": 0,
			},
		},
		"of schedules that overlap the largest counts": {
			[]signalrv1alpha1.AutoscaleSchedule{market, daily("opening", "30 8 * * 1-5", "0 10 * * 1-5", berlin, 9)},
			map[string]int32{
				"2026-01-14T07:15:00Z": 5, "2026-01-14T07:30:00Z": 9, "2026-01-14T09:00:00Z": 5,
				"2026-01-14T17:00:00Z": 0,
			},
		},
		"an end that comes more often than the start ends once": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("mondays", "0 8 * * 1", "0 18 * * *", "UTC", 5)},
			map[string]int32{
				"2026-01-12T12:00:00Z": 5, "2026-01-12T18:00:00Z": 0, "2026-01-13T12:00:00Z": 0,
			},
		},
		"a start that comes more often than the end goes on": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("week", "0 8 * * *", "0 18 * * 5", "UTC", 5)},
			map[string]int32{
				"2026-01-14T03:00:00Z": 5, "2026-01-16T17:59:59Z": 5, "2026-01-16T18:00:00Z": 0,
				"2026-01-17T08:00:00Z": 5,
			},
		},
		"a season": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("christmas", "0 0 1 12 *", "0 0 7 1 *", "UTC", 50)},
			map[string]int32{
				"2025-11-30T23:59:59Z": 0, "2025-12-01T00:00:00Z": 50, "2026-01-06T23:59:59Z": 50,
				"2026-01-07T00:00:00Z": 0,
			},
		},
		"a leap day": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("leap", "0 0 29 2 *", "0 0 1 3 *", "UTC", 50)},
			map[string]int32{"2028-02-29T12:00:00Z": 50, "2026-03-01T00:00:00Z": 0, "2027-06-01T00:00:00Z": 0},
		},
		"days from midnight to midnight follow each other": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("weekdays", "0 0 * * 1-5", "0 0 * * 2-6", "UTC", 5)},
			map[string]int32{
				"2026-01-11T23:59:59Z": 0, "2026-01-12T00:00:00Z": 5, // a Monday
				"2026-01-13T00:00:00Z": 5, "2026-01-14T12:00:00Z": 5, "2026-01-16T23:59:59Z": 5,
				"2026-01-17T00:00:00Z": 0,
			},
		},
		"a start in the hour that is left out counts when the clocks jump": {
			[]signalrv1alpha1.AutoscaleSchedule{gap}, // 29 March 2026, 02:00 CET to 03:00 CEST at 01:00 UTC
			map[string]int32{
				"2026-03-29T00:59:59Z": 0, "2026-03-29T01:00:00Z": 4, "2026-03-29T02:59:59Z": 4,
				"2026-03-29T03:00:00Z": 0,
			},
		},
		"an end in the hour that is left out counts when the clocks jump": {
			[]signalrv1alpha1.AutoscaleSchedule{until},
			map[string]int32{
				"2026-03-28T23:59:59Z": 0, "2026-03-29T00:00:00Z": 4, "2026-03-29T00:59:59Z": 4,
				"2026-03-29T01:00:00Z": 0,
			},
		},
		"a start in the hour that comes twice counts once, the first time": {
			[]signalrv1alpha1.AutoscaleSchedule{gap}, // 25 October 2026, 03:00 CEST to 02:00 CET at 01:00 UTC
			map[string]int32{
				"2026-10-25T00:29:59Z": 0, "2026-10-25T00:30:00Z": 4, // 02:30 CEST
				"2026-10-25T01:00:00Z": 4, "2026-10-25T01:15:00Z": 4, // 02:00 and 02:15 CET
				"2026-10-25T01:30:00Z": 4, "2026-10-25T03:59:59Z": 4, "2026-10-25T04:00:00Z": 0,
			},
		},
		"an end in the hour that comes twice counts once, the first time": {
			[]signalrv1alpha1.AutoscaleSchedule{until},
			map[string]int32{
				"2026-10-24T23:00:00Z": 4, "2026-10-25T00:29:59Z": 4, "2026-10-25T00:30:00Z": 0,
				"2026-10-25T01:00:00Z": 0, "2026-10-25T01:29:59Z": 0, "2026-10-25T02:00:00Z": 0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for at, want := range c.floors {
				now, err := time.Parse(time.RFC3339, at)
				if err != nil {
					t.Fatal(err)
				}
				p, err := planAt(c.schedules, now)
				if err != nil {
					t.Fatal(err)
				}
				if p.units != want {
					t.Errorf("at %s: want a floor of %d, got %d", at, want, p.units)
				}
			}
		})
	}
}

// TestFloorThroughDST walks the night of each change of the clocks, and the morning after, minute by minute: a
// schedule of a day starts once and ends once, and the next change that is promised comes true.
func TestFloorThroughDST(t *testing.T) {
	for name, begin := range map[string]string{"spring": "2026-03-28T22:00:00Z", "autumn": "2026-10-24T22:00:00Z"} {
		for _, hour := range []string{"30 1", "0 2", "30 2", "59 2", "0 3"} {
			start := signalrv1alpha1.CronExpression(hour + " * * *")
			s := []signalrv1alpha1.AutoscaleSchedule{daily("night", start, "0 12 * * *", "Europe/Berlin", 5)}
			now, _ := time.Parse(time.RFC3339, begin)
			var changes int
			was, promised := int32(0), time.Time{}
			for range 14 * 60 {
				p, err := planAt(s, now)
				if err != nil {
					t.Fatal(err)
				}
				if p.units != was {
					changes++
					if !promised.IsZero() && promised.After(now) {
						t.Errorf("%s, %s: changed at %s, promised for %s", name, hour, now, promised)
					}
				}
				was, promised = p.units, p.nextChange()
				now = now.Add(time.Minute)
			}
			if changes != 2 { // Sunday's start and end
				t.Errorf("%s, start at %s: want 2 changes of the floor, got %d", name, hour, changes)
			}
		}
	}
}

func TestScheduledDecisions(t *testing.T) {
	at := func(clock string) time.Duration {
		now, err := time.Parse("2006-01-02 15:04:05", "2026-01-14 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return now.Sub(noon)
	}
	for name, c := range map[string]struct {
		schedules []signalrv1alpha1.AutoscaleSchedule
		current   int32
		steps     []step
	}{
		"the floor rises at the start and the load decides from the end on": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("market", "0 8 * * *", "0 18 * * *", "UTC", 5)},
			1,
			[]step{
				{at: at("07:59:59"), edges: live(100), want: 1},
				{at: at("08:00:00"), edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("12:00:00"), edges: live(4900), want: 7},
				{at: at("13:00:00"), edges: live(2100), want: 5, wantLimit: LimitAtFloor},
				{at: at("17:50:00"), edges: live(2100), want: 5, wantLimit: LimitAtFloor},
				{at: at("18:00:00"), edges: live(2100), want: 3},
			},
		},
		"midnight in the middle of a night changes nothing": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("night", "0 22 * * *", "0 6 * * *", "UTC", 5)},
			1,
			[]step{
				{at: at("22:00:00"), edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("23:59:59"), edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("23:59:59") + second, edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("23:59:59") + 6*time.Hour, edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("23:59:59") + 6*time.Hour + second, edges: live(100), want: 1},
			},
		},
		"a schedule that begins at midnight": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("day", "0 0 * * *", "0 1 * * *", "UTC", 5)},
			1,
			[]step{
				{at: at("23:59:59"), edges: live(100), want: 1},
				{at: at("23:59:59") + second, edges: live(100), want: 5, wantLimit: LimitAtFloor},
			},
		},
		"blind, a floor rises and falls, and units do not come in": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("market", "0 8 * * *", "0 18 * * *", "UTC", 5)},
			1,
			[]step{
				{at: at("07:59:59"), blind: 1, want: 1, wantBlind: true},
				{at: at("08:00:00"), blind: 1, want: 5, wantBlind: true},
				{at: at("18:00:00"), blind: 1, want: 5, wantBlind: true},
			},
		},
		"the flap guard keeps what a schedule asks for in a moment": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("market", "0 8 * * *", "0 18 * * *", "UTC", 5)},
			9,
			[]step{
				{at: at("07:30:00"), edges: live(6300), want: 9},
				{at: at("07:44:00"), edges: live(700), want: 9},
				{at: at("07:45:01"), edges: live(700), want: 5},
				{at: at("08:00:00"), edges: live(700), want: 5, wantLimit: LimitAtFloor},
			},
		},
		"between two schedules close to each other nothing comes in": {
			[]signalrv1alpha1.AutoscaleSchedule{
				daily("morning", "0 8 * * *", "0 12 * * *", "UTC", 5),
				daily("afternoon", "10 12 * * *", "0 18 * * *", "UTC", 4),
			},
			5,
			[]step{
				{at: at("11:00:00"), edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("11:59:00"), edges: live(100), want: 5, wantLimit: LimitAtFloor},
				{at: at("12:01:00"), edges: live(100), want: 4},
				{at: at("12:10:00"), edges: live(100), want: 4, wantLimit: LimitAtFloor},
			},
		},
		"a schedule above the bound gives the bound": {
			[]signalrv1alpha1.AutoscaleSchedule{daily("market", "0 8 * * *", "0 18 * * *", "UTC", 500)},
			1,
			[]step{{at: at("09:00:00"), edges: live(100), want: 100, wantLimit: LimitAtFloor}},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, instance(plans(c.schedules...)), c.current, c.steps) })
	}
}

func TestNextChange(t *testing.T) {
	market := daily("market", "0 8 * * 1-5", "0 18 * * 1-5", "Europe/Berlin", 5)
	for name, c := range map[string]struct{ now, want string }{
		"before the start": {"2026-01-14T06:00:00Z", "2026-01-14T07:00:00Z"},
		"within":           {"2026-01-14T07:00:00Z", "2026-01-14T17:00:00Z"},
		"over the weekend": {"2026-01-16T17:00:00Z", "2026-01-19T07:00:00Z"},
		"into summer time": {"2026-03-27T17:00:00Z", "2026-03-30T06:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		got := Decide(Input{Spec: instance(plans(market)), Edges: live(0), Now: now}).NextChange
		if diff := cmp.Diff(c.want, got.UTC().Format(time.RFC3339)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := Decide(Input{Spec: instance(), Edges: live(0), Now: noon}).NextChange; !got.IsZero() {
		t.Errorf("want no change without schedules, got %s", got)
	}
}

func TestBadSchedules(t *testing.T) {
	good := daily("good", "0 8 * * *", "0 18 * * *", "UTC", 5)
	for name, c := range map[string]struct {
		schedule signalrv1alpha1.AutoscaleSchedule
		want     string
	}{
		"a field too few":      {daily("x", "0 8 * *", "0 18 * * *", "UTC", 3), "start: "},
		"a time that is none":  {daily("x", "0 8 * * *", "99 18 * * *", "UTC", 3), "end: "},
		"an interval":          {daily("x", "@every 1h", "0 18 * * *", "UTC", 3), "start: "},
		"a zone in the fields": {daily("x", "TZ=UTC 0 8 * * *", "0 18 * * *", "UTC", 3), "belongs into timeZone"},
		"a day that never is":  {daily("x", "0 8 30 2 *", "0 18 * * *", "UTC", 3), "never comes round"},
		"an unknown zone":      {daily("x", "0 8 * * *", "0 18 * * *", "Europe/Atlantis", 3), "IANA"},
		"the machine's zone":   {daily("x", "0 8 * * *", "0 18 * * *", "Local", 3), "IANA"},
		"an end at the start":  {daily("x", "0 8 * * 1-3", "00 08 * * mon-wed", "UTC", 3), "same time as start"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := instance(plans(good, c.schedule))
			d := Decide(Input{Spec: spec, Edges: live(0), Now: noon})
			if d.Err == nil || !strings.Contains(d.Err.Error(), "spec.autoscale.schedules[x]: ") ||
				!strings.Contains(d.Err.Error(), c.want) {
				t.Errorf("want an error of schedule x with %q, got %v", c.want, d.Err)
			}
			if d.Floor != 5 {
				t.Errorf("want the good schedule to count, a floor of 5, got %d", d.Floor)
			}
			if err := Validate(spec.Autoscale); err == nil || err.Error() != d.Err.Error() {
				t.Errorf("want Validate to say the same, got %v", err)
			}
		})
	}
	if err := Validate(instance(plans(good)).Autoscale); err != nil {
		t.Errorf("want a good schedule to pass, got %v", err)
	}
}
