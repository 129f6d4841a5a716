package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// FieldOwner is the one field owner of everything that the operator applies.
const FieldOwner = "signalr-operator"

// childID identifies a child across reconciles.
type childID struct {
	schema.GroupKind
	types.NamespacedName
}

// sent is what is remembered of the last apply of a child.
type sent struct {
	hash [sha256.Size]byte
	uid  types.UID
	// after is the resourceVersion that the apply left, before the one that was seen when it was sent: a cache that
	// still shows it has not learnt of the apply yet.
	after, before string
}

// applier sends children to the API server with server-side apply, and only when there is something to say: nothing is
// sent while neither the desired object nor the live one has changed since the last time. Its methods may be called for
// several instances at once.
type applier struct {
	client client.Client
	live   client.Reader
	count  func(kind, result string)

	mu sync.Mutex
	// sent is guarded by mu.
	sent map[childID]sent
}

func newApplier(c client.Client, live client.Reader, count func(kind, result string)) *applier {
	return &applier{client: c, live: live, count: count, sent: map[childID]sent{}}
}

// find asks the API server itself for a child that the cache does not have. The cache holds only what bears our labels,
// and may be behind; a foreign object of the same name must not be taken over by accident.
func (a *applier) find(ctx context.Context, id childID, gvk schema.GroupVersionKind) (metav1.Object, error) {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(gvk)
	switch err := a.live.Get(ctx, id.NamespacedName, m); {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // no object and no error: there is none
	case err != nil:
		return nil, classify(describe(gvk.Kind, id.Name), err)
	}
	return m, nil
}

// apply makes the live object what desired says. live is nil when there is none.
// A desired resourceVersion is a condition: the apply is a conflict unless the live object has it.
func (a *applier) apply(ctx context.Context, desired client.Object, live metav1.Object) error {
	gvk, err := apiutil.GVKForObject(desired, a.client.Scheme())
	if err != nil {
		return fmt.Errorf("apply %T: %w", desired, err)
	}
	hash, err := hashOf(desired, gvk)
	if err != nil {
		return err
	}
	id := childID{gvk.GroupKind(), client.ObjectKeyFromObject(desired)}
	if live != nil && a.unchanged(id, hash, live) {
		a.count(gvk.Kind, "skipped")
		return nil
	}
	u, err := toApply(desired, gvk)
	if err != nil {
		return err
	}
	err = a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(FieldOwner),
		client.ForceOwnership)
	if err != nil {
		a.forget(id)
		a.count(gvk.Kind, "failed")
		return classify(describe(gvk.Kind, id.Name), err)
	}
	s := sent{hash: hash, uid: u.GetUID(), after: u.GetResourceVersion()}
	if live != nil {
		s.before = live.GetResourceVersion()
	}
	a.remember(id, s)
	if s.before == s.after {
		a.count(gvk.Kind, "unchanged")
	} else {
		a.count(gvk.Kind, "applied")
	}
	return nil
}

// remove deletes the live object, if it is still the one that was seen.
func (a *applier) remove(ctx context.Context, gvk schema.GroupVersionKind, live metav1.Object) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(live.GetNamespace())
	u.SetName(live.GetName())
	a.forget(childID{gvk.GroupKind(), client.ObjectKeyFromObject(u)})
	uid := live.GetUID()
	err := a.client.Delete(ctx, u, client.Preconditions{UID: &uid},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err = client.IgnoreNotFound(err); err != nil {
		a.count(gvk.Kind, "failed")
		return classify(describe(gvk.Kind, u.GetName()), err)
	}
	a.count(gvk.Kind, "deleted")
	return nil
}

func (a *applier) unchanged(id childID, hash [sha256.Size]byte, live metav1.Object) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sent[id]
	return ok && s.hash == hash && s.uid == live.GetUID() &&
		(s.after == live.GetResourceVersion() || s.before == live.GetResourceVersion())
}

func (a *applier) remember(id childID, s sent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[id] = s
}

func (a *applier) forget(id childID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sent, id)
}

// forgetInstance drops what is remembered of the children of an instance that is gone.
func (a *applier) forgetInstance(children []childID) {
	for _, id := range children {
		a.forget(id)
	}
}

// hashOf returns a hash of what a desired object says. Its resourceVersion is a condition, no content.
func hashOf(o client.Object, gvk schema.GroupVersionKind) ([sha256.Size]byte, error) {
	version := o.GetResourceVersion()
	o.SetResourceVersion("")
	b, err := json.Marshal(o)
	o.SetResourceVersion(version)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode %s: %w", gvk.Kind, err)
	}
	return sha256.Sum256(b), nil
}

// toApply returns what to send for an object. Status and what the API server sets are not ours to send. The builders
// fill typed objects in which every absent field is omitted, so that nothing is claimed by accident.
func toApply(o client.Object, gvk schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", gvk.Kind, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(content, "metadata", "managedFields")
	unstructured.RemoveNestedField(content, "spec", "template", "metadata", "creationTimestamp")
	return u, nil
}

// describe names a child for people: its kind and its name, which never is a generated one.
func describe(kind, name string) string { return kind + " " + name }

// kindMissing tells whether an error means that the API server does not know the kind at all.
func kindMissing(err error) bool { return meta.IsNoMatchError(err) }
