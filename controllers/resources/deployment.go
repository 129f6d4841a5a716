package resources

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// graceSeconds is what a pod has beyond its drain: the readiness delay (edge/config: drain.readinessDelaySeconds) and
	// time to close server connections.
	graceSeconds = 15
	// progressSeconds is how long a rollout may take beyond what draining takes until it counts as stuck.
	progressSeconds = 600
)

// EdgeDeployment returns the Deployment of the edges. One pod at a time is replaced: a new one comes first, and the
// next is not touched before this one has served as long as a drain takes, so that one edge drains at a time.
func EdgeDeployment(in Input) *appsv1.Deployment {
	drain := in.spec().Edge.DrainSeconds
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: in.meta(EdgeName(in.Instance.Name), ComponentEdge),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(in.Replicas),
			Selector: &metav1.LabelSelector{MatchLabels: SelectorLabels(in.Instance.Name, ComponentEdge)},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1)),
				},
			},
			MinReadySeconds:         drain,
			ProgressDeadlineSeconds: new(drain + drain + graceSeconds + progressSeconds), // more than minReadySeconds
			RevisionHistoryLimit:    new(int32(3)),
			Template:                EdgePodTemplate(in),
		},
	}
	revision := in.Revision
	if revision == "" {
		revision = Revision(in)
	}
	d.Annotations = map[string]string{RevisionAnnotation: revision}
	if in.Template != nil {
		d.Spec.Template = *in.Template.DeepCopy()
	}
	return d
}
