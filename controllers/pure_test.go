package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	thing := schema.GroupResource{Resource: "things"}
	details := &metav1.StatusDetails{
		Causes: []metav1.StatusCause{{Field: "spec.ports[0].nodePort", Message: "already allocated"}},
	}
	invalid := &apierrors.StatusError{
		ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: details},
	}
	forbidden := func(text string) error { return apierrors.NewForbidden(thing, "x", errors.New(text)) }
	denied := func(code int32, reason metav1.StatusReason, text string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: text}}
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"none":                   {nil, ""},
		"a conflict":             {apierrors.NewConflict(thing, "x", errors.New("")), "wait 250ms"},
		"one that exists":        {apierrors.NewAlreadyExists(thing, "x"), "wait 250ms"},
		"too many requests":      {apierrors.NewTooManyRequests("", 9), "wait 9s"},
		"too many, without time": {apierrors.NewTooManyRequestsError(""), "wait 1s"},
		"a quota":                {forbidden("exceeded quota: none"), "stalled QuotaForbidden"},
		"pod security":           {forbidden(`violates PodSecurity "restricted:latest"`), "stalled QuotaForbidden"},
		"an admission policy":    {forbidden("ValidatingAdmissionPolicy 'x' denied request: no"), "stalled QuotaForbidden"},
		"a policy as it answers": {
			denied(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "a ValidatingAdmissionPolicy denied request: no"),
			"stalled QuotaForbidden",
		},
		"a webhook": {
			denied(http.StatusBadRequest, "", `admission webhook "x" denied the request: no`), "stalled QuotaForbidden",
		},
		"a webhook that is away": {
			apierrors.NewInternalError(errors.New(`failed calling webhook "x": connection refused`)), "retry",
		},
		"no right": {forbidden(`User "x" cannot patch resource "things"`), "retry"},
		"invalid":  {invalid, "stalled InvalidReference"},
		"broken":   {apierrors.NewInternalError(errors.New("x")), "retry"},
		"late":     {context.DeadlineExceeded, "retry"},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			err := classify("Thing x", tt.err)
			got := ""
			switch {
			case unexpected(err) != nil:
				got = "retry"
			case asTerminal(err) != nil:
				got = "stalled " + asTerminal(err).reason
			case asWait(err) != nil:
				got = "wait " + asWait(err).after.String()
			}
			if got != tt.want {
				t.Errorf("classify(%v) = %q, want %q", tt.err, got, tt.want)
			}
			if errors.Is(tt.err, invalid) && !strings.Contains(err.Error(), "nodePort") {
				t.Errorf("%v names no field", err)
			}
		})
	}
}

func TestTerminalErrorsFitIntoEvents(t *testing.T) {
	t.Parallel()
	const note = 1024 // bytes: the API server refuses more
	said := stalled("x", "refused: %s", strings.Repeat("ä", note)).Error()
	if len(said) > note || !strings.HasSuffix(said, "ä…") {
		t.Errorf("%d bytes: %s", len(said), said)
	}
}

func TestUnexpectedErrorsAreFoundInAJoin(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := errors.Join(waitFor(1, "w"), errors.Join(stalled("x", "y"), fmt.Errorf("z: %w", broken)), nil)
	if !errors.Is(unexpected(err), broken) {
		t.Error("a broken thing hides behind one that waits")
	}
	if err := unexpected(errors.Join(waitFor(1, "w"), stalled("x", "y"))); err != nil {
		t.Errorf("unexpected() = %v", err)
	}
}

func edgeOf(name string, clients int64, mark, ready bool) edgeView {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if mark {
		p.Annotations = map[string]string{deletionCostAnnotation: "-1000"}
	}
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	e := edgeView{pod: p, known: true, fresh: true}
	e.status.Connections.Client = clients
	return e
}

func TestScaleIn(t *testing.T) {
	t.Parallel()
	going := edgeOf("going", 0, true, true)
	going.pod.DeletionTimestamp = &metav1.Time{Time: testNow}
	tests := map[string]struct {
		current, wanted int32
		missing         int32 // of current, pods that there are not
		edges           []edgeView
		want            int32
		wantMarks       map[string]bool
	}{
		"out is at once": {current: 1, wanted: 3, edges: []edgeView{edgeOf("a", 5, false, true)}, want: 3},
		"the emptiest is marked first": {
			current: 2, wanted: 1, edges: []edgeView{edgeOf("a", 5, false, true), edgeOf("b", 9, false, true)},
			want: 2, wantMarks: map[string]bool{"a": true},
		},
		"one that is not ready before the emptiest": {
			current: 2, wanted: 1, edges: []edgeView{edgeOf("a", 5, false, true), edgeOf("b", 9, false, false)},
			want: 2, wantMarks: map[string]bool{"b": true},
		},
		"marked ones leave, although another is emptier by now": {
			current: 2, wanted: 1, edges: []edgeView{edgeOf("a", 5, true, true), edgeOf("b", 1, false, true)}, want: 1,
		},
		"one mark too many is taken back first": {
			current: 3, wanted: 2,
			edges: []edgeView{edgeOf("a", 5, true, true), edgeOf("b", 1, true, true), edgeOf("c", 1, false, true)},
			want:  3, wantMarks: map[string]bool{"a": false},
		},
		"marks go when nobody has to leave": {
			current: 2, wanted: 2, edges: []edgeView{edgeOf("a", 5, true, true), edgeOf("b", 1, false, true)},
			want: 2, wantMarks: map[string]bool{"a": false},
		},
		"marks stay until those that bear them are gone": {
			current: 1, wanted: 1, missing: -1, edges: []edgeView{edgeOf("a", 5, true, true), edgeOf("b", 9, false, true)},
			want: 1,
		},
		"a stop needs no marks": {current: 2, wanted: 0, edges: []edgeView{edgeOf("a", 5, false, true)}, want: 0},
		"one that goes already does not count": {
			current: 2, wanted: 1, edges: []edgeView{going, edgeOf("a", 5, false, true), edgeOf("b", 9, false, true)},
			want: 2, wantMarks: map[string]bool{"a": true},
		},
		"pods that are not known yet are waited for": {current: 3, wanted: 1, want: 3},
		"pods that could not be made are not waited for": {
			current: 3, wanted: 1, missing: 2, edges: []edgeView{edgeOf("a", 5, false, true)}, want: 1,
		},
		"nor marked in place of those that could": {
			current: 9, wanted: 1, missing: 7, edges: []edgeView{edgeOf("a", 5, false, true), edgeOf("b", 1, false, true)},
			want: 9, wantMarks: map[string]bool{"b": true},
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if tt.wantMarks == nil {
				tt.wantMarks = map[string]bool{}
			}
			got, marks := scaleIn(tt.current, tt.current-tt.missing, tt.wanted, tt.edges)
			if got != tt.want {
				t.Errorf("replicas %d, want %d", got, tt.want)
			}
			if diff := cmp.Diff(tt.wantMarks, marks); diff != "" {
				t.Errorf("marks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuantise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ shown, exact, step, want int64 }{
		{0, 0, 5, 0},
		{0, 3, 5, 0},
		{0, 4, 5, 5},
		{5, 2, 5, 5},
		{5, 1, 5, 0},
		{1200, 1270, 100, 1200},
		{1200, 1280, 100, 1300},
		{1234, 1240, 100, 1200}, // what is shown is no multiple: of another size, or an old operator's
		{0, 1, 1, 1},
		{7, 8, 1, 8},
	} {
		if got := quantise(tt.shown, tt.exact, tt.step); got != tt.want {
			t.Errorf("quantise(%d, %d, %d) = %d, want %d", tt.shown, tt.exact, tt.step, got, tt.want)
		}
	}
}

func TestUsageIsWrittenSeldom(t *testing.T) {
	t.Parallel()
	at := func(ago time.Duration, clients, messages int64) *signalrv1alpha1.UsageStatus {
		return &signalrv1alpha1.UsageStatus{
			Connections: clients, MessagesToday: messages, Time: &metav1.Time{Time: testNow.Add(-ago)},
		}
	}
	tests := map[string]struct {
		shown, next *signalrv1alpha1.UsageStatus
		want        bool
		wantAfter   time.Duration
	}{
		"the first":                    {nil, at(0, 5, 0), true, 0},
		"the same":                     {at(time.Hour, 5, 0), at(0, 5, 0), false, 0},
		"after a minute":               {at(time.Minute, 5, 0), at(0, 6, 0), true, 0},
		"before a minute":              {at(50*time.Second, 5, 0), at(0, 6, 0), false, 10 * time.Second},
		"messages alone":               {at(5*time.Minute, 5, 10), at(0, 5, 20), false, 5 * time.Minute},
		"messages alone, much later":   {at(10*time.Minute, 5, 10), at(0, 5, 20), true, 0},
		"messages of a new day":        {at(5*time.Minute, 5, 90), at(0, 5, 0), true, 0},
		"nothing known, as when blind": {at(time.Hour, 5, 0), nil, false, 0},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			due, after := usageDue(tt.shown, tt.next, testNow)
			if due != tt.want || after != tt.wantAfter {
				t.Errorf("usageDue() = %t, %s, want %t, %s", due, after, tt.want, tt.wantAfter)
			}
		})
	}
}

func TestTallyCountsEdgesThatComeAndGo(t *testing.T) {
	t.Parallel()
	edge := func(node string, today int64) edgeView {
		return edgeView{known: true, status: config.Status{Node: node, Messages: config.StatusMessages{Today: today}}}
	}
	var m tally
	now := testNow
	for i, step := range []struct {
		edges []edgeView
		day   int
		want  int64
	}{
		{edges: []edgeView{edge("a", 100), edge("b", 50)}, want: 150},
		{edges: []edgeView{edge("a", 120)}, want: 170},
		{edges: []edgeView{edge("a", 10), edge("c", 5)}, want: 185}, // a began anew
		{edges: nil, want: 185},
		{edges: []edgeView{edge("d", 7)}, want: 192},
		{edges: []edgeView{edge("d", 3)}, day: 1, want: 3},
	} {
		if got := m.add(step.edges, config.Carried{}, nil, now.AddDate(0, 0, step.day)); got != step.want {
			t.Errorf("step %d: %d messages, want %d", i, got, step.want)
		}
	}
}

func TestTallyOfARestartedOperator(t *testing.T) {
	t.Parallel()
	today, yesterday := testNow.Format(time.DateOnly), testNow.AddDate(0, 0, -1).Format(time.DateOnly)
	for sentence, tt := range map[string]struct {
		carried config.Carried
		shown   int64
		want    int64
	}{
		"knows nothing":                          {config.Carried{}, 0, 400},
		"believes the status":                    {config.Carried{}, 9000, 9000},
		"believes what edges were told":          {config.Carried{Day: today, Messages: 8577}, 0, 8977},
		"prefers it to what the status rounds":   {config.Carried{Day: today, Messages: 8577}, 9000, 8977},
		"believes the status that knows of more": {config.Carried{Day: today, Messages: 3000}, 9000, 9000},
		"forgets yesterday":                      {config.Carried{Day: yesterday, Messages: 8577}, 0, 400},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var m tally
			shown := &signalrv1alpha1.UsageStatus{MessagesToday: tt.shown, Time: &metav1.Time{Time: testNow}}
			for _, count := range []int64{400, 500} {
				edges := []edgeView{{known: true, status: config.Status{
					Node: "a", Messages: config.StatusMessages{Today: count},
				}}}
				if got, want := m.add(edges, tt.carried, shown, testNow.Add(time.Minute)), tt.want+count-400; got != want {
					t.Errorf("%d messages, want %d", got, want)
				}
			}
			want := config.Carried{}
			if gone := tt.want - 400; gone > 0 {
				want = config.Carried{Day: today, Messages: gone}
			}
			if got := m.carried(); got != want {
				t.Errorf("it carries %+v, want %+v", got, want)
			}
		})
	}
}

// fakeReader is an EdgeReader that counts.
type fakeReader struct {
	asked map[string]int
	err   error
	hash  string
}

func (f *fakeReader) ReadStatus(_ context.Context, e Edge) (config.Status, error) {
	f.asked[e.Address]++
	return config.Status{Config: config.StatusConfig{Hash: f.hash}, Hubs: []config.StatusHub{{Name: "x"}}}, f.err
}

func TestPollerAsksInItsTime(t *testing.T) {
	t.Parallel()
	f := &fakeReader{asked: map[string]int{}, hash: "new"}
	clock := testingclock.NewFakeClock(testNow)
	p := newPoller(f, clock, func(string) {})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	key := types.NamespacedName{Name: "chat"}
	const address = "[2001:db8::1]:8889"
	read := func(wanted string) edgeView { return p.read(t.Context(), key, "", wanted, []*corev1.Pod{pod})[0] }
	asked := func(n int, when string) {
		t.Helper()
		if f.asked[address] != n {
			t.Errorf("%s: asked %d times, want %d", when, f.asked[address], n)
		}
	}
	read("new")
	asked(0, "without an address")
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "2001:db8::1"}
	if v := read("new"); !v.fresh || !v.known || v.status.Hubs != nil {
		t.Errorf("view %+v", v)
	}
	read("new")
	asked(1, "at once again")
	clock.Step(pollInterval)
	read("new")
	asked(2, "an interval later")
	clock.Step(eagerInterval)
	read("newer")
	asked(3, "behind")
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(clock.Now()),
	}}
	clock.Step(lonelyInterval)
	read("new")
	asked(4, "ready a moment ago, without an app server")
	clock.Step(eagerFor)
	read("new")
	asked(5, "an interval later, and more")
	clock.Step(lonelyInterval)
	read("new")
	asked(5, "ready for long, without an app server")
	pod.DeletionTimestamp = &metav1.Time{Time: clock.Now()}
	read("new")
	asked(6, "about to go")
	pod.DeletionTimestamp = nil
	clock.Step(pollInterval)
	f.err = errors.New("gone")
	if v := read("new"); v.fresh || !v.known || v.status.Config.Hash != "new" {
		t.Errorf("the last answer is lost: %+v", v)
	}
	clock.Step(eagerInterval)
	read("newer")
	asked(7, "not answering, which is no reason to hurry")
	if next := nextPoll(); next < pollInterval-pollSlack || next > pollInterval+pollSlack {
		t.Errorf("nextPoll() = %s", next)
	}
}
