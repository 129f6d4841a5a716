package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceAccount returns the account of the edges' pods. It may do nothing and its token is not mounted: an edge knows
// no Kubernetes.
func ServiceAccount(in Input) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   in.meta(EdgeName(in.Instance.Name), ComponentEdge),
		AutomountServiceAccountToken: new(false),
	}
}
