package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// userSecretEvery is how often a user's key Secret is read that does not have our label: nobody tells when it changes.
const userSecretEvery = time.Minute

// observed is an instance and everything around it, as it was at one moment. It is read once, before anything is
// decided, and not changed.
type observed struct {
	now      metav1.Time
	instance *signalrv1alpha1.SignalRInstance
	memory   *memory

	// children are the live children by kind and name; those that do not exist are missing.
	children map[childID]client.Object
	// deployment is the edges' Deployment among them, nil when there is none.
	deployment *appsv1.Deployment
	workload   workload

	// edgeSecret and ownSecret are our own two Secrets, userSecret the one that the spec names, backplaneSecret that of
	// the managed backplane.
	edgeSecret, ownSecret, userSecret, backplaneSecret secretView
	// config is the configuration in the edges' Secret and configHash its hash; nil and empty when there is none or it is
	// damaged.
	config     *config.Config
	configHash string
	// token is the bearer token that edges ask for.
	token config.Secret
	// current is what the edges' Secret holds; nil when there is none or it is damaged.
	current *keyState

	// certificateMissing tells that edges wait for a Secret with a certificate that is not there.
	certificateMissing bool

	edges []edgeView
	// installed tells which optional kinds the API server has.
	installed map[schema.GroupVersionKind]bool
}

// secretView is a Secret as it was read. It is shared by the reconciles that see the same version of it: nobody changes
// anything in it.
type secretView struct {
	secret *corev1.Secret // nil: it does not exist
	// config is the configuration in the Secret of the edges and hash its hash; nil and empty if there is none or it is
	// damaged.
	config *config.Config
	hash   string
}

// workload is what the edges' Deployment says.
type workload struct {
	exists bool
	// desired is what its spec asks for, replicas what there is, ready and updated how many of those are.
	desired, replicas, ready, updated int32
	// current tells that its controller has seen the newest spec.
	current bool
	// draining counts edge pods that are on their way out.
	draining int
}

// rolling tells whether pods of an old revision are being replaced, or a new spec has not been looked at yet.
func (w workload) rolling() bool { return w.exists && (!w.current || w.updated < w.replicas) }

// leaving tells whether there are more pods than there should be: a scale-in that is not through.
func (w workload) leaving() bool { return w.exists && w.replicas > w.desired }

func (o *observed) key() types.NamespacedName { return client.ObjectKeyFromObject(o.instance) }

func (o *observed) stopped() bool { return o.instance.Spec.State == signalrv1alpha1.StateStopped }

func (o *observed) paused() bool {
	return o.instance.Annotations[signalrv1alpha1.PausedAnnotation] == "true"
}

func (o *observed) adopts() bool {
	return o.instance.Annotations[signalrv1alpha1.AdoptAnnotation] == "true"
}

// observe reads an instance and everything around it.
func (r *Reconciler) observe(ctx context.Context, instance *signalrv1alpha1.SignalRInstance) (*observed, error) {
	o := &observed{
		now:       metav1.NewTime(r.Clock.Now().UTC().Truncate(time.Second)),
		instance:  instance,
		memory:    r.memories.of(client.ObjectKeyFromObject(instance), instance.UID),
		children:  map[childID]client.Object{},
		installed: map[schema.GroupVersionKind]bool{},
	}
	if err := r.observeChildren(ctx, o); err != nil {
		return nil, err
	}
	if err := r.observeSecrets(ctx, o); err != nil {
		return nil, err
	}
	if err := r.observeEdges(ctx, o); err != nil {
		return nil, err
	}
	return o, nil
}

// observeChildren reads what an instance may own but Secrets. Kinds that are not installed have none.
func (r *Reconciler) observeChildren(ctx context.Context, o *observed) error {
	for _, s := range slots(o.instance) {
		if s.optional {
			o.installed[s.gvk] = r.kinds.installed(s.gvk)
			if !o.installed[s.gvk] {
				continue
			}
		}
		child := s.empty()
		key := types.NamespacedName{Namespace: o.instance.Namespace, Name: s.name}
		err := r.readChild(ctx, o, s, child)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case s.optional && kindMissing(err):
			r.kinds.gone(s.gvk)
			o.installed[s.gvk] = false
			continue
		case err != nil:
			return fmt.Errorf("read %s: %w", describe(s.gvk.Kind, s.name), err)
		}
		o.children[childID{s.gvk.GroupKind(), key}] = child
		if d, ok := child.(*appsv1.Deployment); ok && belongs(d, s.gvk.Kind, o.instance) == ours {
			o.deployment, o.workload = d, look(d)
		}
	}
	return nil
}

// readChild reads a child from the cache. A Deployment that was there and is not in the cache is asked for: somebody
// may have taken its labels away, and without it nobody knows which pods to leave alone.
func (r *Reconciler) readChild(ctx context.Context, o *observed, s slot, child client.Object) error {
	key := types.NamespacedName{Namespace: o.instance.Namespace, Name: s.name}
	err := r.Get(ctx, key, child)
	if apierrors.IsNotFound(err) && s.gvk == deploymentGVK && o.instance.Status.Edge.Revision != "" {
		err = r.Live.Get(ctx, key, child)
	}
	return err
}

// look reads a Deployment's numbers.
func look(d *appsv1.Deployment) workload {
	w := workload{
		exists: true, replicas: d.Status.Replicas, ready: d.Status.ReadyReplicas, updated: d.Status.UpdatedReplicas,
		current: d.Status.ObservedGeneration >= d.Generation, desired: 1,
	}
	if d.Spec.Replicas != nil {
		w.desired = *d.Spec.Replicas
	}
	return w
}

func (r *Reconciler) observeSecrets(ctx context.Context, o *observed) (err error) {
	name := o.instance.Name
	if o.edgeSecret, err = r.readSecret(ctx, o, resources.EdgeSecretName(name), true); err != nil {
		return err
	}
	if o.ownSecret, err = r.readSecret(ctx, o, resources.KeysSecretName(name), true); err != nil {
		return err
	}
	if ref := o.instance.Spec.Auth.AccessKeys.ExistingSecretRef; ref != nil {
		if o.userSecret, err = r.readSecret(ctx, o, ref.Name, false); err != nil {
			return err
		}
	}
	if slices.Contains(o.memory.capabilities, resources.CapabilityBackplane) ||
		o.instance.Status.Backplane.Mode == signalrv1alpha1.BackplaneManaged {
		if o.backplaneSecret, err = r.readSecret(ctx, o, resources.BackplaneName(name), true); err != nil {
			return err
		}
	}
	if o.certificateMissing, err = r.certificateMissing(ctx, o); err != nil {
		return err
	}
	if s := o.edgeKeys(); s != nil {
		if c := o.edgeSecret.config; c != nil {
			o.config, o.configHash, o.token = c, o.edgeSecret.hash, c.Auth.AdminToken
		}
		if state, stateErr := readEdgeSecret(s, o.config); stateErr == nil {
			o.current = &state
		}
	}
	return nil
}

// certificateMissing tells whether edges that do not start cannot, because the Secret that the spec names for them is
// not there. It is mounted, and never read: its metadata tells.
func (r *Reconciler) certificateMissing(ctx context.Context, o *observed) (bool, error) {
	tls := o.instance.Spec.Exposure.TLS
	if tls == nil || tls.Termination != signalrv1alpha1.TLSTerminationEdge || tls.SecretName == "" || o.stopped() ||
		o.workload.ready > 0 {
		return false, nil
	}
	seen := &metav1.PartialObjectMetadata{}
	seen.SetGroupVersionKind(secretGVK)
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: o.instance.Namespace, Name: tls.SecretName}, seen)
	if err == nil || apierrors.IsNotFound(err) {
		return err != nil, nil
	}
	return false, fmt.Errorf("read metadata of Secret %s: %w", tls.SecretName, err)
}

// edgeKeys and ownKeys return our two Secrets as far as keys may be taken from them, else nil. One that was made and
// never filled, see makeEmpty, has not those annotations that every other has.
func (o *observed) edgeKeys() *corev1.Secret {
	if s := o.edgeSecret.secret; s != nil && len(s.Data) == 0 {
		if _, filled := s.Annotations[primaryNonceAnnotation]; !filled {
			return nil
		}
	}
	return o.trusted(o.edgeSecret.secret, resources.ConfigFile)
}

// ownKeys is described at edgeKeys.
func (o *observed) ownKeys() *corev1.Secret {
	return o.trusted(o.ownSecret.secret, resources.PrimaryKeyEntry, resources.SecondaryKeyEntry)
}

// trusted returns a Secret if it is the instance's, or is about to be taken over and has one of the entries. One that
// an earlier instance has left is not: its keys went with it.
func (o *observed) trusted(s *corev1.Secret, entries ...string) *corev1.Secret {
	if s == nil {
		return nil
	}
	switch belongs(s, secretGVK.Kind, o.instance) {
	case ours, retained:
		return s
	case orphaned:
		return nil
	case foreign:
	}
	has := func(entry string) bool { _, ok := s.Data[entry]; return ok }
	if o.adopts() && metav1.GetControllerOfNoCopy(s) == nil && slices.ContainsFunc(entries, has) {
		return s
	}
	return nil
}

// readSecret returns a Secret. Only its metadata is watched; the content is read when that has changed, and always from
// the API server itself: keys must never be made anew because a cache was behind.
func (r *Reconciler) readSecret(ctx context.Context, o *observed, name string, ours bool) (secretView, error) {
	key := types.NamespacedName{Namespace: o.instance.Namespace, Name: name}
	known, remembered := o.memory.secrets[key]
	seen := &metav1.PartialObjectMetadata{}
	seen.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.Get(ctx, key, seen)
	switch {
	case err == nil:
		if remembered && known.view.secret != nil && known.view.secret.ResourceVersion == seen.ResourceVersion {
			return known.view, nil
		}
	case !apierrors.IsNotFound(err):
		return secretView{}, fmt.Errorf("read metadata of Secret %s: %w", name, err)
	case !ours && remembered && o.now.Sub(known.at) < userSecretEvery:
		return known.view, nil
	}
	s := &corev1.Secret{}
	switch err := r.Live.Get(ctx, key, s); {
	case apierrors.IsNotFound(err):
		delete(o.memory.secrets, key)
		if !ours {
			o.memory.secrets[key] = secretRead{at: o.now.Time}
		}
		return secretView{}, nil
	case err != nil:
		return secretView{}, fmt.Errorf("read Secret %s: %w", name, err)
	}
	s.ManagedFields = nil
	keepLabels(s, resources.LabelInstance, resources.LabelManagedBy)
	v := secretView{secret: s}
	if name == resources.EdgeSecretName(o.instance.Name) {
		if c, err := config.Parse(s.Data[resources.ConfigFile]); err == nil {
			v.config, v.hash = c, c.Hash()
		}
	}
	o.memory.secrets[key] = secretRead{view: v, at: o.now.Time}
	return v, nil
}

// observeEdges finds the edge pods and asks them.
func (r *Reconciler) observeEdges(ctx context.Context, o *observed) error {
	var list corev1.PodList
	err := r.List(ctx, &list, client.InNamespace(o.instance.Namespace),
		client.MatchingFields{instanceIndex: o.instance.Name},
		client.MatchingLabels(resources.SelectorLabels(o.instance.Name, resources.ComponentEdge)))
	if err != nil {
		return fmt.Errorf("list edge pods: %w", err)
	}
	pods := make([]*corev1.Pod, 0, len(list.Items))
	for i := range list.Items {
		p := &list.Items[i]
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		pods = append(pods, p)
	}
	o.edges = slices.DeleteFunc(r.poller.read(ctx, o.key(), o.token, o.configHash, pods),
		func(e edgeView) bool { return e.lost(o.now.Time) })
	for _, e := range o.edges {
		if e.pod.DeletionTimestamp != nil {
			o.workload.draining++
		}
	}
	return nil
}

// edgeFile is the file that holds the configuration in the edges' Secret.
func (o *observed) edgeFile() []byte {
	if o.edgeSecret.secret == nil {
		return nil
	}
	return o.edgeSecret.secret.Data[resources.ConfigFile]
}

// unreachable counts the edges that do not answer.
func (o *observed) unreachable() int {
	n := 0
	for _, e := range o.edges {
		if e.begun() && !e.fresh {
			n++
		}
	}
	return n
}

// idle tells that no edge runs.
func (o *observed) idle() bool {
	return !slices.ContainsFunc(o.edges, func(e edgeView) bool { return e.begun() })
}

// clockSlack is how far an edge's clock may be off when a key ends: for so long it does not matter whether it is there.
const clockSlack = time.Minute

// loaded tells whether every edge that runs has exactly the keys of a state. One that is being started does not count
// yet: it begins with the newest keys.
func (o *observed) loaded(s *keyState) bool {
	must, may := map[config.StatusKey]bool{}, map[config.StatusKey]bool{}
	for _, k := range s.keys() {
		shown := config.StatusKey{Name: k.Name, Fingerprint: k.Fingerprint()}
		if k.NotAfter.IsZero() || k.NotAfter.After(o.now.Add(clockSlack)) {
			must[shown] = true
		} else {
			may[shown] = true
		}
	}
	return !slices.ContainsFunc(o.edges, func(e edgeView) bool {
		return e.begun() && (!e.known || !hasKeys(e.status.Keys, must, may))
	})
}

// hasKeys tells whether an edge has all keys that it must have, and none but those that it may.
func hasKeys(have []config.StatusKey, must, may map[config.StatusKey]bool) bool {
	n := 0
	for _, k := range have {
		switch {
		case must[k]:
			n++
		case !may[k]:
			return false
		}
	}
	return n == len(must)
}
