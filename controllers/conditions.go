package controllers

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// verdict is what a condition says; the zero value says nothing: the condition is absent.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

func isTrue(reason, format string, args ...any) verdict {
	return verdict{metav1.ConditionTrue, reason, fmt.Sprintf(format, args...)}
}

func isFalse(reason, format string, args ...any) verdict {
	return verdict{metav1.ConditionFalse, reason, fmt.Sprintf(format, args...)}
}

func unknown(reason, format string, args ...any) verdict {
	return verdict{metav1.ConditionUnknown, reason, fmt.Sprintf(format, args...)}
}

// conditionRow is one condition: what it is called, whether True is bad news, and who judges it.
type conditionRow struct {
	conditionType string
	// abnormal conditions are there only while they are True.
	abnormal bool
	// quiet conditions make no event when they change: they come and go with every change.
	quiet bool
	judge func(f *findings) verdict
}

// conditionTable is every condition of an instance, api.md "Conditions". Ready comes last: it looks at the others.
var conditionTable = []conditionRow{
	{conditionType: signalrv1alpha1.ConditionStalled, abnormal: true, judge: judgeStalled},
	{conditionType: signalrv1alpha1.ConditionReconciling, abnormal: true, quiet: true, judge: judgeReconciling},
	{conditionType: signalrv1alpha1.ConditionKeysReady, judge: judgeKeys},
	{conditionType: signalrv1alpha1.ConditionBackplaneReady, judge: judgeBackplane},
	{conditionType: signalrv1alpha1.ConditionScalingActive, judge: judgeScalingActive},
	{conditionType: signalrv1alpha1.ConditionScalingLimited, abnormal: true, judge: judgeScalingLimited},
	{conditionType: signalrv1alpha1.ConditionServersConnected, judge: judgeServers},
	{conditionType: signalrv1alpha1.ConditionQuotaHealthy, judge: judgeQuota},
	{conditionType: signalrv1alpha1.ConditionUpdateAvailable, abnormal: true, judge: judgeUpdate},
	{conditionType: signalrv1alpha1.ConditionPaused, abnormal: true, judge: judgePaused},
	{conditionType: signalrv1alpha1.ConditionReady, judge: judgeReady},
}

// findings is what conditions are judged by: what was observed and decided, and how applying it ended.
type findings struct {
	*observed
	*decision
	err error
	// now are the verdicts so far, by type.
	verdicts map[string]verdict
}

// judge returns the verdict of every condition.
func judge(o *observed, d *decision, err error) map[string]verdict {
	f := &findings{observed: o, decision: d, err: err, verdicts: map[string]verdict{}}
	for _, row := range conditionTable {
		v := row.judge(f)
		if row.abnormal && v.status != metav1.ConditionTrue {
			v = verdict{}
		}
		f.verdicts[row.conditionType] = v
	}
	return f.verdicts
}

// setConditions turns verdicts into conditions: absent ones go, the others keep the time of their last transition. It
// returns the rows whose status or reason has changed.
func setConditions(
	conditions *[]metav1.Condition, verdicts map[string]verdict, generation int64, now metav1.Time,
) (changed []conditionRow) {
	for _, row := range conditionTable {
		v := verdicts[row.conditionType]
		old := meta.FindStatusCondition(*conditions, row.conditionType)
		if v.status == "" {
			if old != nil {
				changed = append(changed, row)
				meta.RemoveStatusCondition(conditions, row.conditionType)
			}
			continue
		}
		if old == nil || old.Status != v.status || old.Reason != v.reason {
			changed = append(changed, row)
		}
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: row.conditionType, Status: v.status, Reason: v.reason, Message: v.message,
			ObservedGeneration: generation, LastTransitionTime: now,
		})
	}
	// One order, whatever the history: a list that is merely shuffled must not look changed.
	slices.SortFunc(*conditions, func(a, b metav1.Condition) int { return cmp.Compare(rank(a.Type), rank(b.Type)) })
	return changed
}

// rank orders conditions for people: the summary first.
func rank(conditionType string) int {
	if conditionType == signalrv1alpha1.ConditionReady {
		return -1
	}
	return slices.IndexFunc(conditionTable, func(r conditionRow) bool { return r.conditionType == conditionType })
}

func judgePaused(f *findings) verdict {
	if !f.paused() {
		return verdict{}
	}
	return isTrue(signalrv1alpha1.ReasonAnnotation,
		"the annotation %s is \"true\": everything stays as it is", signalrv1alpha1.PausedAnnotation)
}

func judgeStalled(f *findings) verdict {
	if t := asTerminal(f.err); t != nil {
		return isTrue(t.reason, "%s", t.message)
	}
	for _, problem := range f.problems {
		if t := asTerminal(problem); t != nil {
			return isTrue(t.reason, "%s", t.message)
		}
	}
	return verdict{}
}

// judgeReconciling looks at the edges: what is under way shows in their Deployment and their pods.
func judgeReconciling(f *findings) verdict {
	if f.verdicts[signalrv1alpha1.ConditionStalled].status == metav1.ConditionTrue {
		return verdict{} // kstatus: one or the other
	}
	w := f.workload
	switch {
	case f.err != nil:
		return isTrue(signalrv1alpha1.ReasonRollingOut, "a change is being applied: %s", progressOf(f.err))
	case f.edgeConfig == nil:
		return isTrue(signalrv1alpha1.ReasonRollingOut, "edges are started when there are keys")
	case !w.exists:
		return isTrue(signalrv1alpha1.ReasonRollingOut, "edges are being started")
	case w.rolling(), f.rolls(f.deployment) && w.replicas > 0:
		return isTrue(signalrv1alpha1.ReasonRollingOut, "edges are being replaced one at a time")
	case f.replicas != w.replicas, w.ready < w.desired, f.wanted != f.replicas:
		return isTrue(signalrv1alpha1.ReasonScaling, "the number of edges is on its way to what is asked for")
	case f.behind():
		return isTrue(signalrv1alpha1.ReasonRollingOut, "edges are loading their configuration")
	case w.draining > 0:
		return isTrue(signalrv1alpha1.ReasonDraining, "edges that leave are closing their clients")
	default:
		return verdict{}
	}
}

// behind tells whether an edge that answers has not loaded the newest configuration.
func (f *findings) behind() bool {
	return slices.ContainsFunc(f.edges, func(e edgeView) bool {
		return e.known && e.pod.DeletionTimestamp == nil && e.status.Config.Hash != f.edgeHash
	})
}

// progressOf says of an error what a person may want to know while it is being retried.
func progressOf(err error) string {
	if w := asWait(err); w != nil {
		return w.message
	}
	return "the API server has refused a step, which is tried again"
}

func judgeKeys(f *findings) verdict {
	switch {
	case f.keys.problem != "":
		return isFalse(signalrv1alpha1.ReasonSecretInvalid, "%s", f.keys.problem)
	case !f.keys.state.valid():
		return isFalse(signalrv1alpha1.ReasonSecretInvalid, "there are no keys yet")
	case f.keys.queued:
		return isFalse(signalrv1alpha1.ReasonRotationQueued, "a new key is on its way to the edges; the other one follows")
	case !f.loadedAll, f.idle() && !f.keysShown:
		return isFalse(signalrv1alpha1.ReasonRotating, "the keys are on their way to the edges")
	case f.idle():
		return isTrue(signalrv1alpha1.ReasonLoaded, "the keys are good; no edge runs that would have to load them")
	default:
		return isTrue(signalrv1alpha1.ReasonLoaded, "every edge has loaded the keys")
	}
}

func judgeBackplane(f *findings) verdict {
	mode := f.backplane
	switch {
	case f.unsupportedBackplane != "":
		return isFalse(signalrv1alpha1.ReasonUnsupportedByEdge, "%s", f.unsupportedBackplane)
	case f.unknownBackplane:
		return unknown(signalrv1alpha1.ReasonMetricsUnavailable,
			"several edges are asked for, and no edge has said yet whether it can be one of them")
	case mode == signalrv1alpha1.BackplaneEmbedded || mode == "":
		return isTrue(signalrv1alpha1.ReasonNotNeeded, "one edge serves everything")
	case f.stopped():
		return isTrue(signalrv1alpha1.ReasonNotNeeded, "no edge runs")
	// An edge that has lost the backplane is not ready. One that is being started is not ready either: that is no loss.
	case f.workload.ready > 0 && (mode != signalrv1alpha1.BackplaneManaged || f.backplaneReady() >= 2): // of three
		return isTrue(signalrv1alpha1.ReasonConnected, "every edge is connected to the backplane")
	}
	old := meta.FindStatusCondition(f.instance.Status.Conditions, signalrv1alpha1.ConditionBackplaneReady)
	if old != nil && (old.Reason == signalrv1alpha1.ReasonConnected || old.Reason == signalrv1alpha1.ReasonLost) &&
		!f.workload.rolling() {
		return isFalse(signalrv1alpha1.ReasonLost, "edges have lost the backplane")
	}
	return isFalse(signalrv1alpha1.ReasonConnecting, "edges are connecting to the backplane")
}

func judgeScalingActive(f *findings) verdict {
	switch {
	case !f.scaling.Enabled:
		return verdict{}
	case f.stopped():
		return isFalse(signalrv1alpha1.ReasonStopped, "a stopped instance does not scale")
	case f.scaling.Blind:
		return isFalse(signalrv1alpha1.ReasonMetricsUnavailable, "%s", f.scaling.Message)
	default:
		return isTrue(signalrv1alpha1.ReasonScalingEnabled, "the autoscaler decides on fresh metrics")
	}
}

func judgeScalingLimited(f *findings) verdict {
	if !f.scaling.Enabled || f.scaling.Limit == "" || f.stopped() {
		return verdict{}
	}
	return isTrue(string(f.scaling.Limit), "%s", f.scaling.Message)
}

func judgeServers(f *findings) verdict {
	if f.instance.Spec.ServiceMode != signalrv1alpha1.ServiceModeDefault || f.stopped() {
		return verdict{}
	}
	switch {
	case f.use.edges == 0:
		return unknown(signalrv1alpha1.ReasonMetricsUnavailable, "no edge can be asked")
	case f.use.servers > 0:
		return isTrue(signalrv1alpha1.ReasonConnected, "app servers are connected")
	default:
		return isFalse(signalrv1alpha1.ReasonNoServer,
			"no app server is connected: clients are refused until one connects with the connection string of Secret %s",
			f.keysSecret)
	}
}

// Thresholds of QuotaHealthy, in percent, and how far below them it goes back.
const (
	quotaHigh       = 80
	quotaFull       = 100
	quotaHysteresis = 5
)

func judgeQuota(f *findings) verdict {
	if f.use.edges == 0 && !f.stopped() {
		return unknown(signalrv1alpha1.ReasonMetricsUnavailable, "no edge can be asked")
	}
	var was string
	if c := meta.FindStatusCondition(f.instance.Status.Conditions, signalrv1alpha1.ConditionQuotaHealthy); c != nil {
		was = c.Reason
	}
	// over tells whether a percentage is at a threshold, or was and has not gone far enough below it.
	over := func(percent, threshold int64, reasons ...string) bool {
		if slices.Contains(reasons, was) {
			threshold -= quotaHysteresis
		}
		return percent >= threshold
	}
	messages := percentOf(f.use.messages, f.quota.MessagesPerDay)
	connections := percentOf(f.use.clients, f.quota.Connections)
	const (
		high, full = signalrv1alpha1.ReasonConnectionQuotaHigh, signalrv1alpha1.ReasonConnectionQuotaFull
		much, used = signalrv1alpha1.ReasonMessageQuotaHigh, signalrv1alpha1.ReasonMessageQuotaFull
	)
	switch {
	case over(connections, quotaFull, full):
		return isFalse(full, "connections are at the quota: new clients are refused with HTTP 429; raise spec.units")
	case messages >= quotaFull:
		return isFalse(used, "the day's messages are used up, until midnight UTC: with spec.limits.messagePolicy Hard "+
			"clients are refused; raise spec.units")
	case over(connections, quotaHigh, high, full):
		return isFalse(high, "connections are over 80 percent of the quota")
	case over(messages, quotaHigh, much, used):
		return isFalse(much, "the day's messages are over 80 percent of the quota")
	default:
		return isTrue(signalrv1alpha1.ReasonWithinQuota, "connections and messages are under 80 percent of the quota")
	}
}

func percentOf(n, of int64) int64 {
	if of <= 0 {
		return 0
	}
	return n * 100 / of
}

func judgeUpdate(f *findings) verdict {
	if f.update == "" {
		return verdict{}
	}
	return isTrue(signalrv1alpha1.ReasonNewerEdge, "%s", f.update)
}

// judgeReady is the summary: an edge serves, keys are loaded, the endpoint is usable.
func judgeReady(f *findings) verdict {
	switch {
	case !f.keys.state.valid():
		return isFalse(signalrv1alpha1.ReasonKeysInvalid, "%s",
			cmp.Or(f.keys.problem, "there are no keys yet"))
	case f.stopped():
		return isTrue(signalrv1alpha1.ReasonStopped, "spec.state is Stopped: no edge runs, as asked")
	case f.unsupported != "":
		return isFalse(signalrv1alpha1.ReasonUnsupportedByEdge, "%s", f.unsupported)
	case f.workload.ready == 0 && f.certificatePending != "":
		return isFalse(signalrv1alpha1.ReasonEdgesNotReady, "no edge is ready: %s", f.certificatePending)
	case f.workload.ready == 0:
		return isFalse(signalrv1alpha1.ReasonEdgesNotReady, "no edge is ready")
	case f.endpointPending != "":
		return isFalse(signalrv1alpha1.ReasonEndpointPending, "%s", f.endpointPending)
	}
	switch f.verdicts[signalrv1alpha1.ConditionBackplaneReady].reason {
	case signalrv1alpha1.ReasonConnecting, signalrv1alpha1.ReasonLost:
		return isFalse(signalrv1alpha1.ReasonBackplaneNotConnected, "edges need the backplane and are not connected to it")
	}
	return isTrue(signalrv1alpha1.ReasonServing, "clients can connect")
}
