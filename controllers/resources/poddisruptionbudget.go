package resources

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// PodDisruptionBudget returns the budget of the edges: one at a time may be evicted, and one that is not ready always,
// so that a broken edge never holds up the drain of a node.
func PodDisruptionBudget(in Input) *policyv1.PodDisruptionBudget {
	return in.budget(EdgeName(in.Instance.Name), ComponentEdge)
}

// BackplanePodDisruptionBudget returns the same for the managed backplane: two of its three nodes are a majority.
func BackplanePodDisruptionBudget(in Input) *policyv1.PodDisruptionBudget {
	if !in.managed() {
		return nil
	}
	return in.budget(BackplaneName(in.Instance.Name), ComponentBackplane)
}

func (in Input) budget(name, component string) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: in.meta(name, component),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: SelectorLabels(in.Instance.Name, component)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}
