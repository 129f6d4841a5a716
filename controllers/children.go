package controllers

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

// Kinds of children that every cluster has.
var (
	serviceAccountGVK = corev1.SchemeGroupVersion.WithKind("ServiceAccount")
	secretGVK         = corev1.SchemeGroupVersion.WithKind("Secret")
	serviceGVK        = corev1.SchemeGroupVersion.WithKind("Service")
	deploymentGVK     = appsv1.SchemeGroupVersion.WithKind("Deployment")
	statefulSetGVK    = appsv1.SchemeGroupVersion.WithKind("StatefulSet")
	budgetGVK         = policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget")
	networkPolicyGVK  = networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")
	ingressGVK        = networkingv1.SchemeGroupVersion.WithKind("Ingress")
)

// slot is a place for a child: its kind and name, and how much of it is read.
type slot struct {
	gvk  schema.GroupVersionKind
	name string
	// empty returns what to read the child into: metadata alone where nothing else is looked at.
	empty func() client.Object
	// optional kinds need not be installed.
	optional bool
}

// slots returns the places of all children but Secrets, in the order in which they are applied.
func slots(instance *signalrv1alpha1.SignalRInstance) []slot {
	name := instance.Name
	whole := func(o client.Object) func() client.Object {
		return func() client.Object { c, _ := o.DeepCopyObject().(client.Object); return c }
	}
	metadata := func(gvk schema.GroupVersionKind, name string) slot {
		return slot{gvk: gvk, name: name, empty: func() client.Object {
			m := &metav1.PartialObjectMetadata{}
			m.SetGroupVersionKind(gvk)
			return m
		}}
	}
	optional := func(s slot) slot { s.optional = true; return s }
	dynamic := func(gvk schema.GroupVersionKind, name string) slot {
		return slot{gvk: gvk, name: name, empty: func() client.Object {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(gvk)
			return u
		}}
	}
	return []slot{
		metadata(serviceAccountGVK, resources.EdgeName(name)),
		{gvk: serviceGVK, name: resources.ServiceName(name), empty: whole(&corev1.Service{})},
		{gvk: serviceGVK, name: resources.HeadlessName(name), empty: whole(&corev1.Service{})},
		metadata(networkPolicyGVK, resources.EdgeName(name)),
		metadata(budgetGVK, resources.EdgeName(name)),
		{gvk: serviceGVK, name: resources.BackplaneName(name), empty: whole(&corev1.Service{})},
		{gvk: serviceGVK, name: resources.BackplaneNodesName(name), empty: whole(&corev1.Service{})},
		metadata(networkPolicyGVK, resources.BackplaneName(name)),
		metadata(budgetGVK, resources.BackplaneName(name)),
		{gvk: statefulSetGVK, name: resources.BackplaneName(name), empty: whole(&appsv1.StatefulSet{})},
		{gvk: deploymentGVK, name: resources.EdgeName(name), empty: whole(&appsv1.Deployment{})},
		metadata(ingressGVK, resources.ServiceName(name)),
		optional(dynamic(certificateGVK, resources.CertificateName(name))),
		optional(dynamic(httpRouteGVK, resources.ServiceName(name))),
		optional(metadata(serviceMonitorGVK, resources.ServiceName(name))),
	}
}

// childIDs returns what the applier remembers children of an instance by.
func childIDs(key types.NamespacedName) []childID {
	instance := &signalrv1alpha1.SignalRInstance{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	var out []childID
	for _, s := range slots(instance) {
		out = append(out, childID{s.gvk.GroupKind(), types.NamespacedName{Namespace: key.Namespace, Name: s.name}})
	}
	for _, name := range []string{
		resources.EdgeSecretName(key.Name), resources.KeysSecretName(key.Name), resources.BackplaneName(key.Name),
	} {
		out = append(out, childID{secretGVK.GroupKind(), types.NamespacedName{Namespace: key.Namespace, Name: name}})
	}
	return out
}

// belonging says whose a live object is.
type belonging int

const (
	// foreign objects belong to somebody else, or to nobody.
	foreign belonging = iota
	// ours are controlled by this instance.
	ours
	// retained are key Secrets that an earlier instance of this name left behind on purpose.
	retained
	// orphaned objects were an earlier instance's of this name; the garbage collector is about to take them.
	orphaned
)

// belongs tells whose a live object is.
func belongs(live metav1.Object, kind string, instance *signalrv1alpha1.SignalRInstance) belonging {
	controller := metav1.GetControllerOfNoCopy(live)
	switch {
	case controller != nil && controller.UID == instance.UID:
		return ours
	case controller != nil && controller.Kind == signalrv1alpha1.Kind && controller.Name == instance.Name &&
		strings.HasPrefix(controller.APIVersion, signalrv1alpha1.GroupName+"/"):
		return orphaned
	case controller == nil && kind == secretGVK.Kind && live.GetName() == resources.KeysSecretName(instance.Name) &&
		live.GetLabels()[resources.LabelInstance] == instance.Name &&
		live.GetLabels()[resources.LabelManagedBy] == resources.ManagedBy:
		return retained
	default:
		return foreign
	}
}
