package controllers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Reasons of events that are no reasons of conditions.
const (
	eventKeysGenerated  = "KeysGenerated"
	eventKeyRotated     = "KeyRotated"
	eventSecretRestored = "SecretRestored"
	eventScaled         = "Scaled"
	eventEdgesScaled    = "EdgesScaled"
	eventUpgrading      = "Upgrading"
	eventRollingOut     = "RollingOut"
	eventAdopted        = "Adopted"
	eventResumed        = "Resumed"
	eventStarted        = "Started"
	eventStopped        = "Stopped"
	eventRecovered      = "Recovered"
	eventSpecUnwise     = "SpecUnwise"
)

// event is something to tell: a value, made where it is decided and emitted at the end. Its note has no addresses,
// generated names, keys or counters, so that equal events are told once.
type event struct {
	kind   string // corev1.EventTypeNormal or Warning
	reason string
	action string
	note   string
}

// EventRecorder is what events go to: the newer events API of client-go.
type EventRecorder interface {
	// Eventf notes an event about an object.
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

func (e event) emit(r EventRecorder, instance *signalrv1alpha1.SignalRInstance) {
	r.Eventf(instance, nil, e.kind, e.reason, e.action, "%s", e.note)
}

func normal(reason, action, format string, args ...any) event {
	return event{corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...)}
}

func warning(reason, action, format string, args ...any) event {
	return event{corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...)}
}

// keyEvents tells what happened to the keys.
func keyEvents(p *keysPlan, keysSecret string) []event {
	var out []event
	if p.generated {
		out = append(out, normal(eventKeysGenerated, "GenerateKeys", "two access keys were made: Secret %s", keysSecret))
	}
	if p.restored == restoredEdge {
		out = append(out, secretRestored())
	}
	for _, r := range p.rotated {
		out = append(out, normal(eventKeyRotated, "RotateKey", "the %s key was replaced (%s): %s", r.name, r.trigger,
			r.fingerprint))
	}
	return out
}

func secretRestored() event {
	return warning(eventSecretRestored, "RestoreSecret",
		"a key Secret was missing or damaged and was written again with the keys in force")
}

// conditionEvents tells which conditions have changed, given what they were before.
func conditionEvents(before []metav1.Condition, verdicts map[string]verdict, changed []conditionRow) []event {
	var out []event
	for _, row := range changed {
		if row.quiet {
			continue
		}
		old, v := meta.FindStatusCondition(before, row.conditionType), verdicts[row.conditionType]
		out = append(out, conditionEvent(row, old, v)...)
	}
	return out
}

// conditionEvent tells of one condition that has changed. That something is as it should be is told only if it was not.
func conditionEvent(row conditionRow, old *metav1.Condition, v verdict) []event {
	if (old == nil || old.Status == metav1.ConditionUnknown) && isBeginning(v.reason) {
		return nil
	}
	bad := v.status == metav1.ConditionFalse
	if row.abnormal {
		bad = v.status == metav1.ConditionTrue
	}
	wasBad := old != nil && (old.Status == metav1.ConditionFalse) != row.abnormal && old.Status != metav1.ConditionUnknown
	switch {
	case row.conditionType == signalrv1alpha1.ConditionPaused && v.status == "":
		return []event{normal(eventResumed, "Resume", "the instance is looked after again")}
	case bad && isExpected(row.conditionType, v.reason):
		return []event{normal(v.reason, "Observe"+row.conditionType, "%s", v.message)}
	case bad:
		return []event{warning(v.reason, "Observe"+row.conditionType, "%s", v.message)}
	case v.status == metav1.ConditionTrue && row.conditionType == signalrv1alpha1.ConditionReady:
		return []event{normal(v.reason, "ObserveReady", "%s", v.message)}
	case wasBad && v.status != metav1.ConditionUnknown && !isExpected(row.conditionType, old.Reason) &&
		!isBeginning(old.Reason):
		return []event{normal(eventRecovered, "Observe"+row.conditionType, "%s is as it should be again",
			row.conditionType)}
	default:
		return nil
	}
}

// isBeginning tells what every new instance goes through.
func isBeginning(reason string) bool {
	switch reason {
	case signalrv1alpha1.ReasonEdgesNotReady, signalrv1alpha1.ReasonRotating, signalrv1alpha1.ReasonMetricsUnavailable,
		signalrv1alpha1.ReasonNoServer:
		return true
	}
	return false
}

// isExpected tells which of the states that are not as they should be come with ordinary work, so that nobody is
// warned.
func isExpected(conditionType, reason string) bool {
	switch conditionType {
	case signalrv1alpha1.ConditionUpdateAvailable, signalrv1alpha1.ConditionPaused,
		signalrv1alpha1.ConditionScalingLimited:
		return true
	}
	switch reason {
	case signalrv1alpha1.ReasonRotating, signalrv1alpha1.ReasonRotationQueued, signalrv1alpha1.ReasonConnecting,
		signalrv1alpha1.ReasonStopped,
		signalrv1alpha1.ReasonEndpointPending, signalrv1alpha1.ReasonNoServer:
		return true
	}
	return false
}
