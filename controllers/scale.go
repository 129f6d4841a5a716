package controllers

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// deletionCostAnnotation tells the ReplicaSet controller which pods leave first: those with the lowest cost.
	deletionCostAnnotation = corev1.PodDeletionCost
	// leavesFirst is the cost of the pods that a scale-in has picked; all others have none, which counts as 0.
	leavesFirst = -1000
)

// scaleIn decides how a Deployment gets from current to fewer replicas: the edges with the fewest connections are
// marked first, and only when all of them are seen to be marked do the replicas fall. Until then replicas is current.
// present is how many of them there are: pods that a quota refuses need not leave. While there are more than replicas,
// those that bear marks have yet to go, and the marks say which they are. It returns the marks to write: a pod that is
// to leave, or one that need not any more.
func scaleIn(current, present, wanted int32, edges []edgeView) (replicas int32, marks map[string]bool) {
	marks = map[string]bool{}
	alive := make([]edgeView, 0, len(edges))
	for _, e := range edges {
		if e.pod.DeletionTimestamp == nil {
			alive = append(alive, e)
		}
	}
	leave := int(min(current, present) - wanted)
	if leave <= 0 || wanted <= 0 {
		for _, e := range alive {
			if wanted > 0 && present <= current && marked(e.pod) {
				marks[e.pod.Name] = false
			}
		}
		return wanted, marks
	}
	// Marked ones first, so that a choice once made is kept while connections move.
	slices.SortFunc(alive, func(a, b edgeView) int {
		return cmp.Or(
			-compareBool(marked(a.pod), marked(b.pod)),
			compareBool(podReady(a.pod), podReady(b.pod)),
			cmp.Compare(a.status.Connections.Client, b.status.Connections.Client),
			cmp.Compare(a.pod.Name, b.pod.Name),
		)
	})
	settled := len(alive) >= leave
	for i, e := range alive {
		switch {
		case i < leave && !marked(e.pod):
			marks[e.pod.Name], settled = true, false
		case i >= leave && marked(e.pod):
			marks[e.pod.Name], settled = false, false
		}
	}
	if !settled {
		return current, marks
	}
	return wanted, marks
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// marked tells whether a pod was picked to leave.
func marked(p *corev1.Pod) bool {
	cost, err := strconv.Atoi(p.Annotations[deletionCostAnnotation])
	return err == nil && cost < 0
}

func podReady(p *corev1.Pod) bool { return slices.ContainsFunc(p.Status.Conditions, isReady) }

// podReadySince returns when a pod became ready, the zero time if it is not.
func podReadySince(p *corev1.Pod) time.Time {
	if i := slices.IndexFunc(p.Status.Conditions, isReady); i >= 0 {
		return p.Status.Conditions[i].LastTransitionTime.Time
	}
	return time.Time{}
}

func isReady(c corev1.PodCondition) bool {
	return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
}
