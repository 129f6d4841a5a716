package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

const (
	// instancesAtOnce is how many instances are looked at side by side. An instance whose edges do not answer holds
	// its place for edgeReadTimeout.
	instancesAtOnce = 16
	// reconcileTimeout bounds one look at one instance.
	reconcileTimeout = time.Minute
	// A look that failed is repeated after this, and twice as long each time it fails again.
	firstBackoff, lastBackoff = 200 * time.Millisecond, time.Minute
)

// NewScheme returns the kinds that the operator reads and writes as typed objects.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("add the kinds of Kubernetes: %w", err)
	}
	if err := signalrv1alpha1.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("add the kinds of %s: %w", signalrv1alpha1.GroupName, err)
	}
	return s, nil
}

// CacheOptions returns what the operator watches, in namespaces or, if there are none, in the whole cluster: instances,
// and of everything else only what bears its labels. Of Secrets it watches the metadata alone, see readSecret; what is
// never looked at is not kept.
func CacheOptions(namespaces []string) cache.Options {
	o := cache.Options{
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{resources.LabelManagedBy: resources.ManagedBy}),
		DefaultTransform:     slim,
		ByObject: map[client.Object]cache.ByObject{
			&signalrv1alpha1.SignalRInstance{}: {Label: labels.Everything()},
			&corev1.Secret{}:                   {Label: labels.SelectorFromSet(labels.Set{signalrv1alpha1.WatchLabel: "true"})},
		},
	}
	if len(namespaces) > 0 {
		o.DefaultNamespaces = map[string]cache.Config{}
		for _, n := range namespaces {
			o.DefaultNamespaces[n] = cache.Config{}
		}
	}
	return o
}

// slim leaves of an object what the Reconciler looks at: an operator may hold a dozen for each of a thousand instances.
func slim(in any) (any, error) {
	o, ok := in.(client.Object)
	if !ok {
		return in, nil // a tombstone
	}
	o.SetManagedFields(nil)
	switch kind := in.(type) {
	case *signalrv1alpha1.SignalRInstance:
		delete(kind.Annotations, corev1.LastAppliedConfigAnnotation)
	case *corev1.Pod:
		kind.OwnerReferences, kind.Spec, kind.Status = nil, corev1.PodSpec{}, slimPod(&kind.Status)
		keepLabels(o, resources.LabelInstance, resources.LabelComponent)
	case *appsv1.Deployment: // its template is read where it is needed, see liveTemplate
		kind.Spec = appsv1.DeploymentSpec{Replicas: kind.Spec.Replicas}
		keepLabels(o)
	case *appsv1.StatefulSet:
		kind.Spec = appsv1.StatefulSetSpec{Replicas: kind.Spec.Replicas}
		keepLabels(o)
	case *corev1.Service:
		kind.Spec = corev1.ServiceSpec{Ports: slices.Clip(kind.Spec.Ports[:min(len(kind.Spec.Ports), 1)])}
		keepLabels(o)
	case *metav1.PartialObjectMetadata:
		kind.Annotations = nil
		keepLabels(o, resources.LabelInstance, resources.LabelManagedBy)
	default:
		keepLabels(o)
	}
	return in, nil
}

// slimPod leaves of a pod's status whether it is ready, where it is, and what its containers wait for.
func slimPod(s *corev1.PodStatus) corev1.PodStatus {
	out := corev1.PodStatus{Phase: s.Phase, PodIP: s.PodIP}
	for _, c := range s.Conditions {
		if c.Type == corev1.PodReady {
			out.Conditions = []corev1.PodCondition{c}
		}
	}
	for _, c := range s.ContainerStatuses {
		if c.State.Waiting != nil {
			out.ContainerStatuses = append(out.ContainerStatuses, corev1.ContainerStatus{
				Image: c.Image, State: corev1.ContainerState{Waiting: c.State.Waiting},
			})
		}
	}
	return out
}

// keepLabels drops all labels but those of some keys.
func keepLabels(o client.Object, keys ...string) {
	var kept map[string]string
	for _, key := range keys {
		if value, ok := o.GetLabels()[key]; ok {
			if kept == nil {
				kept = make(map[string]string, len(keys))
			}
			kept[key] = value
		}
	}
	o.SetLabels(kept)
}

// instanceIndex finds pods by the instance that their label names: looking through all of them for each instance would
// cost more with every other instance.
const instanceIndex = "instance"

// SetupWithManager has a manager call the Reconciler. The context is for setting up.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, instanceIndex,
		func(o client.Object) []string { return []string{o.GetLabels()[resources.LabelInstance]} })
	if err != nil {
		return fmt.Errorf("index pods: %w", err)
	}
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	err = ctrl.NewControllerManagedBy(mgr).
		Named("signalrinstance").
		For(&signalrv1alpha1.SignalRInstance{}, builder.WithPredicates(changed)).
		Owns(&appsv1.Deployment{}).
		Owns(&appsv1.StatefulSet{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}, builder.OnlyMetadata).
		Owns(&networkingv1.Ingress{}, builder.OnlyMetadata).
		Owns(&networkingv1.NetworkPolicy{}, builder.OnlyMetadata).
		Owns(&policyv1.PodDisruptionBudget{}, builder.OnlyMetadata).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.ofSecret), builder.OnlyMetadata).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofLabel)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: instancesAtOnce, ReconciliationTimeout: reconcileTimeout,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstBackoff, lastBackoff),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// ofLabel returns the instance that a child's labels name.
func ofLabel(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[resources.LabelInstance]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// ofSecret returns the instance that a Secret is a child of, or those that name it.
func (r *Reconciler) ofSecret(ctx context.Context, o client.Object) []reconcile.Request {
	if o.GetLabels()[resources.LabelManagedBy] == resources.ManagedBy {
		return ofLabel(ctx, o)
	}
	var all signalrv1alpha1.SignalRInstanceList
	if err := r.List(ctx, &all, client.InNamespace(o.GetNamespace())); err != nil {
		return nil // the cache is not there yet; every instance is looked at when it is
	}
	var out []reconcile.Request
	for i := range all.Items {
		if ref := all.Items[i].Spec.Auth.AccessKeys.ExistingSecretRef; ref != nil && ref.Name == o.GetName() {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}

// Interface guard.
var _ reconcile.Reconciler = (*Reconciler)(nil)
