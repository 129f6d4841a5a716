package controllers

import (
	"fmt"
	"slices"
	"sync"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// conditionMatcher matches an instance with a condition of a status and reason, or, with an empty status, without it.
type conditionMatcher struct {
	conditionType, status, reason string
}

func haveCondition(conditionType, status, reason string) types.GomegaMatcher {
	return &conditionMatcher{conditionType, status, reason}
}

func (m *conditionMatcher) Match(actual any) (bool, error) {
	in, ok := actual.(*signalrv1alpha1.SignalRInstance)
	if !ok {
		return false, fmt.Errorf("want a SignalRInstance, got %T", actual)
	}
	c := meta.FindStatusCondition(in.Status.Conditions, m.conditionType)
	if c == nil || m.status == "" {
		return c == nil && m.status == "", nil
	}
	return string(c.Status) == m.status && c.Reason == m.reason && c.Message != "", nil
}

func (m *conditionMatcher) FailureMessage(actual any) string {
	return m.message(actual, "want")
}

func (m *conditionMatcher) NegatedFailureMessage(actual any) string {
	return m.message(actual, "do not want")
}

func (m *conditionMatcher) message(actual any, verb string) string {
	in, _ := actual.(*signalrv1alpha1.SignalRInstance)
	out := fmt.Sprintf("%s %s=%s %s in:\n", verb, m.conditionType, m.status, m.reason)
	for _, c := range in.Status.Conditions {
		out += fmt.Sprintf("  %s=%s %s (generation %d): %s\n", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message)
	}
	return out
}

// seen collects the conditions that any instance of the suite ever had, as "Type=Status Reason".
type seen struct {
	mu sync.Mutex
	// set is guarded by mu.
	set map[string]bool
}

var conditionsSeen = &seen{set: map[string]bool{}}

func (s *seen) add(conditions []metav1.Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conditions {
		s.set[c.Type+"="+string(c.Status)+" "+c.Reason] = true
	}
}

func (s *seen) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for k := range s.set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// haveEvent matches a world in which an event was told, as "Warning SecretInvalid".
func haveEvent(kindAndReason string) types.GomegaMatcher {
	return gomega.WithTransform(func(w *world) []string {
		var out []string
		for _, e := range w.events.list() {
			out = append(out, e[:min(len(e), len(kindAndReason)+1)])
		}
		return out
	}, gomega.ContainElement(kindAndReason+":"))
}

// kstatus computes what the library of that name makes of an object: it is what kubectl wait, Argo CD and Flux go by
// (sigs.k8s.io/cli-utils, pkg/kstatus: the rules for kinds that it does not know).
func kstatus(in *signalrv1alpha1.SignalRInstance) string {
	if in.Status.ObservedGeneration != in.Generation {
		return "InProgress"
	}
	is := func(conditionType string, status metav1.ConditionStatus) bool {
		return meta.IsStatusConditionPresentAndEqual(in.Status.Conditions, conditionType, status)
	}
	switch {
	case is("Reconciling", metav1.ConditionTrue):
		return "InProgress"
	case is("Stalled", metav1.ConditionTrue):
		return "Failed"
	case is("Ready", metav1.ConditionFalse), is("Ready", metav1.ConditionUnknown):
		return "InProgress"
	default:
		return "Current"
	}
}
