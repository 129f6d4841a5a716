package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// world is a namespace with an operator that is called by hand, and what a cluster has beside it: a Deployment
// controller and kubelets (rollOut, load) that do their work when told, edges that answer at /status, and a clock.
type world struct {
	namespace string
	clock     *testingclock.FakeClock
	events    *eventLog
	edges     *edgePark
	metrics   *Metrics
	registry  *prometheus.Registry
	r         *Reconciler
	// hideKinds takes the optional kinds away.
	hideKinds bool
	// read and write are called instead of the API server, when set.
	read, write *interceptor.Funcs
	image       string
}

var worlds int

// newWorld makes a namespace and an operator for it.
func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	worlds++
	w := &world{
		namespace: fmt.Sprintf("w%d-%d", GinkgoParallelProcess(), worlds),
		clock:     testingclock.NewFakeClock(time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)),
		edges:     newEdgePark(),
		image:     firstImage,
	}
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
	DeferCleanup(w.edges.server.Close)
	DeferCleanup(w.expectNoLeak)
	w.restart()
	return w
}

// restart is a new operator process: it remembers nothing. Its image is that of the world.
func (w *world) restart() {
	if w.events == nil {
		w.events = &eventLog{}
	}
	w.registry = prometheus.NewRegistry()
	w.metrics = NewMetrics(w.registry)
	w.r = NewReconciler(Options{
		Client: w.cached(), Live: operator, Recorder: w.events, Clock: w.clock,
		Edges:     NewHTTPEdgeReader(w.edges.dial),
		EdgeImage: w.image, AdminNamespaces: []string{operatorNamespace}, Metrics: w.metrics,
	})
	w.r.kinds.mapper = &hidingMapper{RESTMapper: operator.RESTMapper(), world: w}
}

// cached returns a client that reads as from a cache that is never behind and holds what CacheOptions says, and writes
// as the operator. The real cache is tested with the real manager.
func (w *world) cached() client.Client {
	labelled := func(o client.Object) bool {
		if _, ok := o.(*signalrv1alpha1.SignalRInstance); ok {
			return true
		}
		if o.GetObjectKind().GroupVersionKind().Kind == secretGVK.Kind {
			return o.GetLabels()[signalrv1alpha1.WatchLabel] == "true"
		}
		return o.GetLabels()[resources.LabelManagedBy] == resources.ManagedBy
	}
	funcs := interceptor.Funcs{
		Get: func(
			ctx context.Context, _ client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if w.read != nil && w.read.Get != nil {
				return w.read.Get(ctx, admin, key, o, opts...)
			}
			if err := admin.Get(ctx, key, o, opts...); err != nil {
				return err
			}
			if !labelled(o) {
				return apierrors.NewNotFound(schema.GroupResource{Resource: "cached"}, key.Name)
			}
			_, err := slim(o)
			return err
		},
		List: func(ctx context.Context, _ client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if w.read != nil && w.read.List != nil {
				return w.read.List(ctx, admin, l, opts...)
			}
			o := (&client.ListOptions{}).ApplyOptions(opts)
			o.FieldSelector = nil // an index of the cache, which the API server does not know
			if err := admin.List(ctx, l, o); err != nil {
				return err
			}
			return meta.EachListItem(l, func(item runtime.Object) error {
				_, err := slim(item)
				return err
			})
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if w.write != nil && w.write.Create != nil {
				return w.write.Create(ctx, c, o, opts...)
			}
			return c.Create(ctx, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if w.write != nil && w.write.Apply != nil {
				return w.write.Apply(ctx, c, o, opts...)
			}
			return c.Apply(ctx, o, opts...)
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			if w.write != nil && w.write.SubResourcePatch != nil {
				return w.write.SubResourcePatch(ctx, c, sub, o, p, opts...)
			}
			err := c.SubResource(sub).Patch(ctx, o, p, opts...)
			if in, ok := o.(*signalrv1alpha1.SignalRInstance); ok && err == nil {
				conditionsSeen.add(in.Status.Conditions)
			}
			return err
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			if w.write != nil && w.write.Patch != nil {
				return w.write.Patch(ctx, c, o, p, opts...)
			}
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if w.write != nil && w.write.Delete != nil {
				return w.write.Delete(ctx, c, o, opts...)
			}
			return c.Delete(ctx, o, opts...)
		},
	}
	return interceptor.NewClient(operator, funcs)
}

// hidingMapper is a cluster that has the optional kinds, or has not.
type hidingMapper struct {
	meta.RESTMapper
	world *world
}

func (m *hidingMapper) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if m.world.hideKinds {
		return nil, &meta.NoKindMatchError{GroupKind: gk, SearchedVersions: versions}
	}
	return m.RESTMapper.RESTMapping(gk, versions...)
}

// create makes an instance as a user does.
func (w *world) create(ctx context.Context, b *build.InstanceBuilder) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	in := b.Namespace(w.namespace).Obj()
	in.UID, in.Generation = "", 0
	Expect(admin.Create(ctx, in)).To(Succeed())
	return in
}

// reconcile calls the operator once.
func (w *world) reconcile(ctx context.Context, name string) (ctrl.Result, error) {
	return w.r.Reconcile(ctx, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: w.namespace, Name: name}})
}

// reconciled calls the operator once, which must not fail.
func (w *world) reconciled(ctx context.Context, name string) ctrl.Result {
	GinkgoHelper()
	result, err := w.reconcile(ctx, name)
	Expect(err).NotTo(HaveOccurred())
	return result
}

// get returns an instance.
func (w *world) get(ctx context.Context, name string) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	var in signalrv1alpha1.SignalRInstance
	w.read1(ctx, name, &in)
	return &in
}

// read1 reads any object of the namespace.
func (w *world) read1(ctx context.Context, name string, o client.Object) {
	GinkgoHelper()
	Expect(admin.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, o)).To(Succeed())
}

// exists tells whether an object of the namespace exists.
func (w *world) exists(ctx context.Context, name string, o client.Object) bool {
	GinkgoHelper()
	err := admin.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, o)
	Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
	return err == nil
}

func (w *world) deployment(ctx context.Context, name string) *appsv1.Deployment {
	GinkgoHelper()
	var d appsv1.Deployment
	w.read1(ctx, resources.EdgeName(name), &d)
	return &d
}

func (w *world) secret(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	var s corev1.Secret
	w.read1(ctx, name, &s)
	return &s
}

// edgeConfig returns the configuration in the Secret of the edges.
func (w *world) edgeConfig(ctx context.Context, name string) *config.Config {
	GinkgoHelper()
	c, err := config.Parse(w.secret(ctx, resources.EdgeSecretName(name)).Data[resources.ConfigFile])
	Expect(err).NotTo(HaveOccurred())
	return c
}

// change changes an instance as a user does.
func (w *world) change(ctx context.Context, name string, change func(*signalrv1alpha1.SignalRInstance)) {
	GinkgoHelper()
	in := w.get(ctx, name)
	change(in)
	Expect(admin.Update(ctx, in)).To(Succeed())
}

// annotate sets an annotation as a user does.
func (w *world) annotate(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	w.change(ctx, name, func(in *signalrv1alpha1.SignalRInstance) {
		metav1.SetMetaDataAnnotation(&in.ObjectMeta, key, value)
	})
}

// pods returns the edge pods, by name.
func (w *world) pods(ctx context.Context, name string) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(w.namespace),
		client.MatchingLabels(resources.SelectorLabels(name, resources.ComponentEdge)))).To(Succeed())
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// pod returns a pod.
func (w *world) pod(ctx context.Context, name string) *corev1.Pod {
	GinkgoHelper()
	var p corev1.Pod
	w.read1(ctx, name, &p)
	return &p
}

// rollOut does what the Deployment controller and the kubelets do: as many ready pods of the newest template as the
// Deployment asks for, those with the lowest deletion cost leaving first, and its status.
func (w *world) rollOut(ctx context.Context, name string) {
	GinkgoHelper()
	d := w.deployment(ctx, name)
	hash := d.Annotations[templateAnnotation] + "-" + d.Annotations[resources.RevisionAnnotation]
	pods := w.pods(ctx, name)
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool {
		if p.Labels["pod-template-hash"] == hash {
			return false
		}
		w.kill(ctx, &p)
		return true
	})
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return compareBool(marked(&b), marked(&a)) })
	for want := int(*d.Spec.Replicas); len(pods) != want; {
		if len(pods) > want {
			last := len(pods) - 1
			w.kill(ctx, &pods[last])
			pods = pods[:last]
			continue
		}
		pods = append(pods, *w.startPod(ctx, name, d, hash))
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: *d.Spec.Replicas, UpdatedReplicas: *d.Spec.Replicas,
		ReadyReplicas: *d.Spec.Replicas, AvailableReplicas: *d.Spec.Replicas,
	}
	Expect(admin.Status().Update(ctx, d)).To(Succeed())
}

func (w *world) kill(ctx context.Context, p *corev1.Pod) {
	GinkgoHelper()
	w.edges.remove(p.Status.PodIP)
	Expect(admin.Delete(ctx, p, client.GracePeriodSeconds(0))).To(Succeed())
}

// startPod makes a pod as a ReplicaSet does, and its edge, which has loaded the configuration of the Secret.
func (w *world) startPod(ctx context.Context, name string, d *appsv1.Deployment, hash string) *corev1.Pod {
	GinkgoHelper()
	p := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	p.GenerateName, p.Namespace = name+"-edge-", w.namespace
	p.Labels["pod-template-hash"] = hash
	Expect(admin.Create(ctx, p)).To(Succeed())
	e := w.edges.add(p.Name)
	e.load(w.edgeConfig(ctx, name))
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: e.ip, PodIPs: []corev1.PodIP{{IP: e.ip}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	Expect(admin.Status().Update(ctx, p)).To(Succeed())
	return p
}

// load does what kubelets and edges do after a Secret has changed: every edge loads the newest configuration.
func (w *world) load(ctx context.Context, name string) {
	GinkgoHelper()
	c := w.edgeConfig(ctx, name)
	for _, p := range w.pods(ctx, name) {
		w.edges.at(p.Status.PodIP).load(c)
	}
}

// settle lets an instance come to rest: everybody does their work until the operator has nothing to do.
func (w *world) settle(ctx context.Context, name string) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	for range 8 {
		w.reconciled(ctx, name)
		if w.exists(ctx, resources.EdgeName(name), &appsv1.Deployment{}) {
			w.rollOut(ctx, name)
			w.load(ctx, name)
		}
		w.clock.Step(pollInterval)
		before := recorded.mutating.Load()
		w.reconciled(ctx, name)
		w.clock.Step(pollInterval)
		w.reconciled(ctx, name)
		if recorded.mutating.Load() == before {
			break
		}
	}
	return w.get(ctx, name)
}

// running makes an instance and lets it come to rest.
func (w *world) running(ctx context.Context, b *build.InstanceBuilder) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	in := w.create(ctx, b)
	in = w.settle(ctx, in.Name)
	w.events.clear()
	return in
}

// expectNoLeak looks for secrets where none may be: in events, in the status, in every object that is not a Secret.
func (w *world) expectNoLeak(ctx SpecContext) {
	var secrets corev1.SecretList
	Expect(admin.List(ctx, &secrets, client.InNamespace(w.namespace))).To(Succeed())
	values := map[string]bool{}
	for _, s := range secrets.Items {
		for _, name := range []string{"primaryKey", "secondaryKey"} {
			values[string(s.Data[name])] = true
		}
		if c, err := config.Parse(s.Data[resources.ConfigFile]); err == nil && len(c.Auth.Keys) > 0 {
			values[c.Auth.AdminToken.Reveal()], values[c.Auth.ConnectionTokenKey.Reveal()] = true, true
			for _, k := range c.Auth.Keys {
				values[k.Value.Reveal()] = true
			}
		}
	}
	delete(values, "")
	said := strings.Join(w.events.everything(), "\n")
	for _, list := range []client.ObjectList{
		&signalrv1alpha1.SignalRInstanceList{}, &appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.PodList{},
	} {
		Expect(admin.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		text, err := json.Marshal(list)
		Expect(err).NotTo(HaveOccurred())
		said += string(text)
	}
	for value := range values {
		Expect(said).NotTo(ContainSubstring(value), "a secret shows outside of the Secrets")
	}
}
