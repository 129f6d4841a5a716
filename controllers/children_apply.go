package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

// loadedAnnotation is on edge pods: a mark of the configuration that they were told to load.
const loadedAnnotation = signalrv1alpha1.GroupName + "/config"

// orphanWait is how long the garbage collector is given for what an earlier instance of the same name left.
const orphanWait = 5 * time.Second

// apply makes the cluster what was decided. The keys come first and everything after them waits for them; the rest is
// independent of each other: one child that cannot be applied does not hold up the others.
func (r *Reconciler) apply(ctx context.Context, o *observed, d *decision) error {
	if err := r.applyKeys(ctx, o, d); err != nil {
		return err
	}
	var errs []error
	desired := map[childID]bool{}
	for _, object := range r.build(d) {
		id, err := r.applyChild(ctx, o, d, object)
		desired[id] = true
		if err != nil {
			errs = append(errs, err)
		} else if id.GroupKind == deploymentGVK.GroupKind() {
			d.done, d.deployed = append(d.done, d.edgeEvents...), true
		}
	}
	errs = append(errs, r.removeRest(ctx, o, desired), r.patchPods(ctx, o, d))
	return errors.Join(errs...)
}

// applyKeys writes the Secrets: first that of the edges, the source of truth, then what users read.
func (r *Reconciler) applyKeys(ctx context.Context, o *observed, d *decision) error {
	if d.edgeConfig == nil {
		return nil
	}
	file := o.edgeFile()
	if d.edgeConfig != o.config {
		var err error
		if file, err = resources.EdgeFile(d.edgeConfig); err != nil {
			return stalled(signalrv1alpha1.ReasonInvalidReference, "the edges would refuse their configuration: %s", err)
		}
	}
	edge := resources.EdgeSecretWith(d.input, file)
	if former := d.input.FormerHosts; len(former) > 0 && len(d.edgeConfig.Auth.AudienceHosts) == 0 {
		metav1.SetMetaDataAnnotation(&edge.ObjectMeta, formerHostsAnnotation, strings.Join(former, ","))
	}
	if err := r.applySecret(ctx, o, d, edge, o.edgeSecret); err != nil {
		return err
	}
	d.done = append(d.done, d.keyEvents...)
	state := d.keys.state.clone()
	o.memory.keys, d.keysWritten = &state, true
	for _, rotated := range d.keys.rotated {
		r.Metrics.rotations.WithLabelValues(rotated.trigger).Inc()
	}
	if own := resources.KeysSecret(d.input); own != nil {
		if err := r.applySecret(ctx, o, d, own, o.ownSecret); err != nil {
			return err
		}
	}
	d.keysShown = true
	if d.keys.restored == restoredKeys {
		d.done = append(d.done, secretRestored())
	}
	return nil
}

// applySecret writes one of our Secrets, if it is still what was read: keys are never overwritten unseen.
func (r *Reconciler) applySecret(ctx context.Context, o *observed, d *decision, s *corev1.Secret, v secretView) error {
	s.Labels[signalrv1alpha1.WatchLabel] = "true"
	if v.secret == nil && s.Name == resources.EdgeSecretName(o.instance.Name) {
		var err error
		if v.secret, err = r.makeEmpty(ctx, s); err != nil {
			return err
		}
	}
	var live metav1.Object
	if v.secret != nil {
		live, s.ResourceVersion = v.secret, v.secret.ResourceVersion
	}
	return r.claim(o, d, secretGVK.Kind, s.Name, live, func() error { return r.applier.apply(ctx, s, live) })
}

// makeEmpty makes a Secret that is not there, with its labels, which a policy may ask for, and nothing in it. An apply
// cannot say that there must be none: of two operators that both believe they lead, one would overwrite the keys which
// the other has just made. What is empty is then filled as it was seen.
func (r *Reconciler) makeEmpty(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	empty := &corev1.Secret{Type: s.Type, ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: s.Name, OwnerReferences: s.OwnerReferences, Labels: s.Labels,
	}}
	if err := r.Create(ctx, empty, client.FieldOwner(FieldOwner)); err != nil {
		return nil, classify(describe(secretGVK.Kind, s.Name), err)
	}
	return empty, nil
}

// build returns the children that should exist but the key Secrets, in the order in which they are applied.
func (r *Reconciler) build(d *decision) []client.Object {
	in := d.input
	var out []client.Object
	add(&out, resources.ServiceAccount(in))
	add(&out, resources.Service(in))
	add(&out, resources.HeadlessService(in))
	add(&out, resources.NetworkPolicy(in))
	add(&out, resources.PodDisruptionBudget(in))
	add(&out, resources.BackplaneSecret(in))
	add(&out, resources.BackplaneService(in))
	add(&out, resources.BackplaneHeadlessService(in))
	add(&out, resources.BackplaneNetworkPolicy(in))
	add(&out, resources.BackplanePodDisruptionBudget(in))
	add(&out, resources.BackplaneStatefulSet(in))
	if d.edgeConfig != nil { // edges without keys do not start
		deployment := edgeDeployment(in, r.buildEdges)
		maps.Copy(deployment.Annotations, d.rollout.annotations)
		add(&out, deployment)
	}
	add(&out, resources.Ingress(in))
	add(&out, resources.Certificate(in))
	add(&out, resources.HTTPRoute(in))
	add(&out, resources.ServiceMonitor(in))
	return out
}

// add appends an object that is there.
func add[T any, P interface {
	*T
	client.Object
}](list *[]client.Object, o P) {
	if o != nil {
		*list = append(*list, o)
	}
}

// applyChild applies one child, unless somebody else's object is in its place.
func (r *Reconciler) applyChild(ctx context.Context, o *observed, d *decision, object client.Object) (childID, error) {
	gvk, err := apiutil.GVKForObject(object, r.Scheme())
	if err != nil {
		return childID{}, fmt.Errorf("apply %T: %w", object, err)
	}
	id := childID{gvk.GroupKind(), client.ObjectKeyFromObject(object)}
	var live metav1.Object
	switch child, ok := o.children[id]; {
	case ok:
		live = child
	case gvk.GroupKind() == secretGVK.GroupKind() && o.backplaneSecret.secret != nil:
		live = o.backplaneSecret.secret
	default:
		if live, err = r.applier.find(ctx, id, gvk); err != nil {
			return id, err
		}
	}
	err = r.claim(o, d, gvk.Kind, id.Name, live, func() error { return r.applier.apply(ctx, object, live) })
	if kindMissing(err) || optional(gvk) && apierrors.IsNotFound(err) { // removed a moment ago
		r.kinds.gone(gvk)
		return id, nil
	}
	return id, err
}

// claim calls apply if the live object may be applied over.
func (r *Reconciler) claim(
	o *observed, d *decision, kind, name string, live metav1.Object, apply func() error,
) error {
	if live == nil {
		return apply()
	}
	switch belongs(live, kind, o.instance) {
	case ours, retained:
		return apply()
	case orphaned:
		return waitFor(orphanWait, "%s of an earlier instance is being deleted", describe(kind, name))
	case foreign:
		if o.adopts() && metav1.GetControllerOfNoCopy(live) == nil {
			if err := apply(); err != nil {
				return err
			}
			d.done = append(d.done, normal(eventAdopted, "Adopt", "%s was taken over", describe(kind, name)))
			return nil
		}
	}
	return stalled(signalrv1alpha1.ReasonNameConflict,
		"%s exists and is not this instance's: delete or rename it, or, if it belongs to nobody, set the annotation %s to "+
			"\"true\" to take it over", describe(kind, name), signalrv1alpha1.AdoptAnnotation)
}

// removeRest deletes the children that should not be there any more.
func (r *Reconciler) removeRest(ctx context.Context, o *observed, desired map[childID]bool) error {
	var errs []error
	for _, s := range slots(o.instance) {
		id := childID{s.gvk.GroupKind(), types.NamespacedName{Namespace: o.instance.Namespace, Name: s.name}}
		live, ok := o.children[id]
		if !ok || desired[id] || s.gvk == deploymentGVK || !live.GetDeletionTimestamp().IsZero() ||
			belongs(live, s.gvk.Kind, o.instance) != ours {
			continue
		}
		errs = append(errs, r.applier.remove(ctx, s.gvk, live))
	}
	return errors.Join(errs...)
}

// patchPods marks the pods that a scale-in has picked, and touches those whose configuration has changed: a kubelet
// that sees its pod change refreshes the mounted Secret at once instead of within a minute.
func (r *Reconciler) patchPods(ctx context.Context, o *observed, d *decision) error {
	var errs []error
	for _, e := range o.edges {
		if e.pod.DeletionTimestamp != nil {
			continue
		}
		annotations := map[string]any{}
		if mark, ok := d.marks[e.pod.Name]; ok {
			annotations[deletionCostAnnotation] = nil
			if mark {
				annotations[deletionCostAnnotation] = strconv.Itoa(leavesFirst)
			}
		}
		// An edge that was told of another configuration may have loaded that one since it was asked.
		told, want := e.pod.Annotations[loadedAnnotation], loadedMark(d.edgeHash)
		if d.edgeConfig != nil && told != want && (told != "" || e.known && e.status.Config.Hash != d.edgeHash) {
			annotations[loadedAnnotation] = want
		}
		if len(annotations) > 0 {
			errs = append(errs, r.patchPod(ctx, e.pod, annotations))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) patchPod(ctx context.Context, pod *corev1.Pod, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = r.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldOwner))
	if client.IgnoreNotFound(err) == nil {
		return nil // gone meanwhile
	}
	if err = classify("an edge pod", err); asTerminal(err) != nil {
		asTerminal(err).message = strings.ReplaceAll(asTerminal(err).message, pod.Name, "…")
	}
	return err
}
