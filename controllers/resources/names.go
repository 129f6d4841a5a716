package resources

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Labels of all children (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelPartOf    = "app.kubernetes.io/part-of"
)

// ManagedBy is the value of LabelManagedBy.
const ManagedBy = "signalr-operator"

// Components of an instance, the values of LabelComponent.
const (
	ComponentEdge      = "edge"
	ComponentBackplane = "backplane"
)

// RevisionAnnotation is on the edge Deployment: the hash of what its pod template was made from.
const RevisionAnnotation = signalrv1alpha1.GroupName + "/revision"

// Names of the children of an instance. An instance's name has at most 40 characters.

// EdgeName returns the name of the Deployment, PodDisruptionBudget, NetworkPolicy and ServiceAccount of the edges.
func EdgeName(instance string) string { return instance + "-edge" }

// EdgeSecretName returns the name of the Secret that edges read; nobody else should.
func EdgeSecretName(instance string) string { return instance + "-edge" }

// KeysSecretName returns the name of the Secret that users read.
func KeysSecretName(instance string) string { return instance + "-keys" }

// ServiceName returns the name of the client Service; Ingress, HTTPRoute and ServiceMonitor have it too.
func ServiceName(instance string) string { return instance }

// HeadlessName returns the name of the headless Service of the edges.
func HeadlessName(instance string) string { return instance + "-edges" }

// CertificateName returns the name of the Certificate, and of the Secret that cert-manager writes for it.
func CertificateName(instance string) string { return instance + "-tls" }

// BackplaneName returns the name of what belongs to the managed backplane.
func BackplaneName(instance string) string { return instance + "-backplane" }

// BackplaneNodesName returns the name of the headless Service through which the backplane's nodes find each other.
func BackplaneNodesName(instance string) string { return instance + "-backplane-nodes" }

// SelectorLabels returns the labels that pods of a component are selected by. They never change.
func SelectorLabels(instance, component string) map[string]string {
	return map[string]string{LabelInstance: instance, LabelComponent: component}
}

// Selector returns the edges' selector as the scale subresource wants it: a string, in the order of api.md.
func Selector(instance string) string {
	return LabelInstance + "=" + instance + "," + LabelComponent + "=" + ComponentEdge
}

// allLabels returns all labels of a child.
func allLabels(instance, component string) map[string]string {
	l := SelectorLabels(instance, component)
	l[LabelName] = "signalr-" + component
	l[LabelManagedBy] = ManagedBy
	l[LabelPartOf] = ManagedBy
	return l
}

// meta returns the metadata of a child that is deleted with its instance.
func (in Input) meta(name, component string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: in.Instance.Namespace,
		Labels:          allLabels(in.Instance.Name, component),
		OwnerReferences: []metav1.OwnerReference{in.owner()},
	}
}

// owner returns the reference that makes the garbage collector delete a child with its instance.
func (in Input) owner() metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: signalrv1alpha1.SchemeGroupVersion.String(), Kind: signalrv1alpha1.Kind,
		Name: in.Instance.Name, UID: in.Instance.UID,
		Controller: new(true), BlockOwnerDeletion: new(true),
	}
}

// object returns an object of a kind that this module has no types for.
func (in Input) object(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	m := in.meta(name, ComponentEdge)
	u.SetName(m.Name)
	u.SetNamespace(m.Namespace)
	u.SetLabels(m.Labels)
	u.SetOwnerReferences(m.OwnerReferences)
	return u
}

// texts returns a list of strings as unstructured content has it.
func texts(list []string) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// over returns base with the entries of top, which win; nil when there are none.
func over(base, top map[string]string) map[string]string {
	if len(base)+len(top) == 0 {
		return nil
	}
	out := make(map[string]string, len(base)+len(top))
	maps.Copy(out, base)
	maps.Copy(out, top)
	return out
}

// localReferences returns Secret names as a pod has them.
func localReferences(refs []signalrv1alpha1.SecretReference) []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, r := range refs {
		out = append(out, corev1.LocalObjectReference{Name: r.Name})
	}
	return out
}
