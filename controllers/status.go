package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

// say writes the status, once and only if it has changed, tells the events and sets the metrics. failed is how applying
// ended.
func (r *Reconciler) say(ctx context.Context, o *observed, d *decision, failed error) error {
	next := o.instance.DeepCopy()
	st := &next.Status
	verdicts := judge(o, d, failed)
	generation := o.instance.Generation
	if unexpected(failed) != nil || asWait(failed) != nil {
		generation = o.instance.Status.ObservedGeneration // not done with it
	}
	changed := setConditions(&st.Conditions, verdicts, generation, o.now)
	st.ObservedGeneration = generation
	d.fill(st, o)
	events := slices.Concat(d.events, conditionEvents(o.instance.Status.Conditions, verdicts, changed))
	unwise := warnings(o.instance)
	events = append(events, o.warn(unwise, st.ObservedGeneration != o.instance.Status.ObservedGeneration)...)
	err := r.writeStatus(ctx, o, d, next)
	if err == nil {
		d.done = append(d.done, events...)
		o.memory.warned = unwise
	}
	log := ctrl.LoggerFrom(ctx)
	for _, e := range d.done {
		log.Info("told an event", "type", e.kind, "reason", e.reason, "note", e.note)
		e.emit(r.Recorder, o.instance)
	}
	r.Metrics.show(o, d, verdicts)
	return err
}

// warnings returns what is unwise about an instance, as the API server warned whoever wrote it.
func warnings(in *signalrv1alpha1.SignalRInstance) []string {
	out := []string{} // not nil: somebody has looked
	for _, w := range in.Warnings() {
		out = append(out, w.String())
	}
	return out
}

// warn tells what is unwise: all of it for a new spec, else what is new, which is an annotation's: those have no
// generation.
func (o *observed) warn(unwise []string, all bool) []event {
	var out []event
	for _, w := range unwise {
		if all || o.memory.warned != nil && !slices.Contains(o.memory.warned, w) {
			out = append(out, warning(eventSpecUnwise, "CheckSpec", "%s", w))
		}
	}
	return out
}

// fill sets everything in the status but conditions and usage.
func (d *decision) fill(st *signalrv1alpha1.SignalRInstanceStatus, o *observed) {
	st.Endpoint = resources.Endpoint(d.input)
	st.Endpoints = signalrv1alpha1.Endpoints{
		Internal: resources.InternalEndpoint(d.input), Public: resources.PublicEndpoint(d.input),
	}
	st.HostName = ""
	if u, err := url.Parse(st.Endpoint); err == nil {
		st.HostName = u.Hostname()
	}
	st.KeysSecretName = d.keysSecret
	if d.keysWritten || !d.keys.state.valid() {
		st.Keys = d.keys.state.status() // others are not in force yet
	}
	st.Units, st.Quota = d.units, d.quota
	st.Selector = resources.Selector(o.instance.Name)
	w := o.workload
	st.Edge = signalrv1alpha1.EdgeStatus{
		Replicas: w.replicas, Ready: w.ready, Updated: w.updated, Image: d.rollout.image, Revision: d.rollout.revision,
	}
	st.Backplane = signalrv1alpha1.BackplaneStatus{Mode: d.backplane, Ready: o.backplaneReady()}
	if d.backplane == signalrv1alpha1.BackplaneEmbedded {
		st.Backplane.Ready = w.ready
	}
	if d.use.edges > 0 || st.Usage != nil && o.stopped() {
		st.Usage = usage(o.instance.Status.Usage, d.use, d.quota, o.now)
	}
}

// writeStatus writes the status if it has changed: at once for anything but usage, for usage alone no more often than
// usageInterval. The write is refused if the instance was changed meanwhile, and comes again.
func (r *Reconciler) writeStatus(
	ctx context.Context, o *observed, d *decision, next *signalrv1alpha1.SignalRInstance,
) error {
	shown, now := o.instance.Status.Usage, next.Status.Usage
	due, after := usageDue(shown, now, o.now.Time)
	next.Status.Usage = shown
	what := "usage"
	if !equality.Semantic.DeepEqual(o.instance.Status, next.Status) {
		what, due = "conditions", due || !sameUsage(shown, now)
	}
	if due {
		next.Status.Usage = now
	} else if after > 0 {
		d.again(o.now.Add(after))
	}
	if what == "usage" && !due {
		return nil
	}
	return r.patchStatus(ctx, o.instance, next, what)
}

func (r *Reconciler) patchStatus(ctx context.Context, old, next *signalrv1alpha1.SignalRInstance, what string) error {
	patch := client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, next, patch, client.FieldOwner(FieldOwner)); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil // deleted meanwhile
		}
		r.Metrics.statusWrites.WithLabelValues("failed").Inc()
		if err = classify("the status", err); asTerminal(err) != nil {
			return errors.New(err.Error()) // nobody would read it in the status: it belongs into the log
		}
		return err
	}
	r.Metrics.statusWrites.WithLabelValues(what).Inc()
	return nil
}

// sayPaused says that an instance is left alone. Nothing else in its status changes: nobody has looked.
func (r *Reconciler) sayPaused(ctx context.Context, instance *signalrv1alpha1.SignalRInstance) error {
	v := judgePaused(&findings{observed: &observed{instance: instance}})
	old := meta.FindStatusCondition(instance.Status.Conditions, signalrv1alpha1.ConditionPaused)
	said := old != nil && old.Status == v.status && old.Message == v.message
	if said && old.ObservedGeneration == instance.Generation {
		return nil
	}
	next, now := instance.DeepCopy(), metav1.NewTime(r.Clock.Now().UTC().Truncate(time.Second))
	meta.SetStatusCondition(&next.Status.Conditions, metav1.Condition{
		Type: signalrv1alpha1.ConditionPaused, Status: v.status, Reason: v.reason, Message: v.message,
		ObservedGeneration: instance.Generation, LastTransitionTime: now,
	})
	if err := r.patchStatus(ctx, instance, next, "conditions"); err != nil {
		return fmt.Errorf("say paused: %w", err)
	}
	if !said {
		normal(signalrv1alpha1.ConditionPaused, "Pause", "%s", v.message).emit(r.Recorder, instance)
	}
	return nil
}
