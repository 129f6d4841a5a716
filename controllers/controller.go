package controllers

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/autoscale"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

// What the operator may do: the least that it needs, generated into config/rbac. A test records every request of the
// suites and holds it against this list: nothing is granted that is not used. Two things are asked for by the admission
// plugin OwnerReferencesPermissionEnforcement alone, which some clusters have: who sets blockOwnerDeletion must be
// allowed to update the owner's finalizers, and who changes the owners of an object that exists (adoption, a retained
// Secret) must be allowed to delete it. No Secret, Deployment or ServiceAccount is ever deleted by the operator.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;patch;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=servicemonitors,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=signalr-operator.io,resources=signalrinstances,verbs=get;list;watch
// +kubebuilder:rbac:groups=signalr-operator.io,resources=signalrinstances/finalizers,verbs=update
// +kubebuilder:rbac:groups=signalr-operator.io,resources=signalrinstances/status,verbs=patch
// +kubebuilder:rbac:groups="",namespace=signalr-operator,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=signalr-operator,resources=leases,verbs=create;get;update

// Options are what a Reconciler needs from outside. All fields but AdminNamespaces and Random are required.
type Options struct {
	// Client reads from the cache and writes to the API server; Live reads from the API server.
	Client client.Client
	Live   client.Reader
	// Recorder takes events.
	Recorder EventRecorder
	// Clock is the time; Random is where keys come from, crypto/rand when nil.
	Clock  clock.PassiveClock
	Random io.Reader
	// Edges asks edges for their status.
	Edges EdgeReader
	// EdgeImage is the image of edges that are made or upgraded from now on.
	EdgeImage string
	// AdminNamespaces are the namespaces that may reach the edges' admin port: the operator's own and those of monitoring.
	AdminNamespaces []string
	// Metrics are the operator's series.
	Metrics *Metrics
}

// Reconciler makes the cluster what SignalRInstances say.
type Reconciler struct {
	Options
	client.Client

	applier  *applier
	poller   *poller
	kinds    *kinds
	memories *memories
	upgrades *upgrades
	// buildEdges builds the edges' Deployment; tests replace it, to be a newer operator.
	buildEdges func(resources.Input) *appsv1.Deployment
}

// NewReconciler returns a Reconciler with an empty memory.
func NewReconciler(o Options) *Reconciler {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return &Reconciler{
		Options: o, Client: o.Client,
		applier:    newApplier(o.Client, o.Live, o.Metrics.applied),
		poller:     newPoller(o.Edges, o.Clock, o.Metrics.edgeRead),
		kinds:      newKinds(o.Client.RESTMapper(), o.Clock),
		memories:   newMemories(),
		upgrades:   newUpgrades(),
		buildEdges: resources.EdgeDeployment,
	}
}

// Reconcile looks at one instance: gather, decide, apply, say.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var instance signalrv1alpha1.SignalRInstance
	if err := r.Get(ctx, req.NamespacedName, &instance); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, err
	}
	if !lookedAfter(&instance) {
		r.upgrades.leave(req.NamespacedName) // nobody looks when it is over
	}
	if !instance.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // the garbage collector and the pods' own drain do the rest
	}
	if instance.Annotations[signalrv1alpha1.PausedAnnotation] == "true" {
		r.memories.of(req.NamespacedName, instance.UID).history = autoscale.History{} // it knows nothing of this time
		return r.result(nil, time.Time{}, r.sayPaused(ctx, &instance))
	}
	o, err := r.observe(ctx, &instance)
	if err != nil {
		return r.result(nil, time.Time{}, err)
	}
	d, err := r.decide(ctx, o)
	if err != nil {
		return r.result(nil, time.Time{}, err)
	}
	applied := r.apply(ctx, o, d)
	if !d.deployed {
		r.upgrades.leave(o.key()) // others need not wait for what this one waits for
	}
	said := r.say(ctx, o, d, applied)
	return r.result(d, o.now.Time, errors.Join(applied, said))
}

// result turns how a reconcile ended into when the next one comes. A terminal error is no error to controller-runtime:
// it is in the status, and what mends it is watched or found at the next poll.
func (r *Reconciler) result(d *decision, now time.Time, err error) (ctrl.Result, error) {
	after := nextPoll()
	if d != nil && !d.next.IsZero() {
		after = min(after, max(d.next.Sub(now), time.Millisecond))
	}
	if err := unexpected(err); err != nil {
		return ctrl.Result{}, err
	}
	if wait := asWait(err); wait != nil {
		after = min(after, wait.after)
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

// forget drops everything that is remembered of an instance that is gone.
func (r *Reconciler) forget(req ctrl.Request) {
	r.memories.forget(req.NamespacedName)
	r.poller.forget(req.NamespacedName)
	r.upgrades.leave(req.NamespacedName)
	r.applier.forgetInstance(childIDs(req.NamespacedName))
	r.Metrics.forget(req.NamespacedName)
}
