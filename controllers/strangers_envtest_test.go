package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// Objects that bear the name of a child and are not the instance's: somebody else's, or what an earlier instance of the
// same name has left for the garbage collector.
var _ = Describe("strangers", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	put := func(ctx context.Context, name string, data map[string][]byte) *corev1.Secret {
		GinkgoHelper()
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Data: data}
		Expect(admin.Create(ctx, s)).To(Succeed())
		return s
	}
	good := map[string][]byte{"primaryKey": []byte(userPrimary), "secondaryKey": []byte(userSecondary)}

	DescribeTable("that are Secrets give no keys, and are a NameConflict",
		func(ctx SpecContext, name string, data map[string][]byte) {
			foreign := put(ctx, name, data)
			w.create(ctx, build.Instance("chat"))
			for range 3 {
				w.reconciled(ctx, "chat")
				w.clock.Step(pollInterval)
			}
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "True", "NameConflict"))
			Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
			Expect(w).NotTo(haveEvent("Warning SecretRestored"))
			Expect(w.secret(ctx, name).ResourceVersion).To(Equal(foreign.ResourceVersion))
			if name != resources.EdgeSecretName("chat") {
				Expect(w.inForce(ctx, "chat")).NotTo(HaveKey(userPrimary))
			}
			version := in.ResourceVersion
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version), "the status comes to rest")

			Expect(admin.Delete(ctx, foreign)).To(Succeed())
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "", ""))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			p, _ := w.keyData(ctx, "chat")
			Expect(p).NotTo(Equal(userPrimary))
		},
		Entry("of users, with keys", resources.KeysSecretName("chat"), good),
		Entry("of users, with something else", resources.KeysSecretName("chat"), map[string][]byte{"a": []byte("b")}),
		Entry("of users, with nothing", resources.KeysSecretName("chat"), nil),
		Entry("of edges, with something else", resources.EdgeSecretName("chat"), map[string][]byte{"a": []byte("b")}),
		Entry("of edges, with a damaged configuration", resources.EdgeSecretName("chat"),
			map[string][]byte{resources.ConfigFile: []byte("units: many")}),
	)

	It("that are Secrets with keys are taken over, keys and all, when the annotation says so", func(ctx SpecContext) {
		put(ctx, resources.KeysSecretName("chat"), good)
		in := w.running(ctx, build.Instance("chat").Annotation(signalrv1alpha1.AdoptAnnotation, "true"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		p, s := w.keyData(ctx, "chat")
		Expect([]string{p, s}).To(Equal([]string{userPrimary, userSecondary}))
		Expect(metav1.IsControlledBy(w.secret(ctx, resources.KeysSecretName("chat")), in)).To(BeTrue())
	})

	It("that are Secrets without keys are taken over and filled when the annotation says so", func(ctx SpecContext) {
		put(ctx, resources.KeysSecretName("chat"), map[string][]byte{"mine": []byte("kept")})
		put(ctx, resources.EdgeSecretName("chat"), nil)
		in := w.running(ctx, build.Instance("chat").Annotation(signalrv1alpha1.AdoptAnnotation, "true"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		p, _ := w.keyData(ctx, "chat")
		Expect(p).To(HaveLen(44))
		Expect(w.secret(ctx, resources.KeysSecretName("chat")).Data).To(HaveKey("mine"))
	})

	It("of an earlier instance pass on no keys, whatever goes first", func(ctx SpecContext) {
		for _, first := range []string{resources.EdgeSecretName("chat"), resources.KeysSecretName("chat")} {
			w.running(ctx, build.Instance("chat"))
			p, s := w.keyData(ctx, "chat")
			old := w.get(ctx, "chat")
			Expect(admin.Delete(ctx, old)).To(Succeed())
			w.create(ctx, build.Instance("chat"))
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat")).To(haveCondition("Ready", "False", "EdgesNotReady"))
			Expect(w.get(ctx, "chat").Status.Keys).To(BeEmpty(), "none is in force")
			Expect(admin.Delete(ctx, w.secret(ctx, first))).To(Succeed()) // the garbage collector, slowly
			for range 3 {
				w.clock.Step(orphanWait)
				w.reconciled(ctx, "chat")
			}
			w.collect(ctx, "chat", old.UID)
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			p1, s1 := w.keyData(ctx, "chat")
			Expect([]string{p1, s1}).NotTo(ContainElements(p, s))
			w.wipe(ctx, "chat")
		}
	})

	It("of an earlier instance say nothing about this one, nor about its image", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		old := w.get(ctx, "chat")
		Expect(admin.Delete(ctx, old)).To(Succeed())
		w.image = newerImage
		w.restart()
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
		Expect(in.Status.Edge.Replicas).To(BeZero())
		version := in.ResourceVersion
		w.clock.Step(orphanWait)
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version), "waiting writes nothing")
		w.collect(ctx, "chat", old.UID)
		Expect(w.settle(ctx, "chat").Status.Edge.Image).To(Equal(newerImage))
	})

	It("that are Deployments make nothing Ready", func(ctx SpecContext) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: resources.EdgeName("chat"),
			Labels: map[string]string{resources.LabelManagedBy: resources.ManagedBy},
		}}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "a", Image: "b"}}
		Expect(admin.Create(ctx, d)).To(Succeed())
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1}
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Stalled", "True", "NameConflict"))
		Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
	})

	It("that cannot be taken over are not said to have been", func(ctx SpecContext) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: resources.EdgeName("chat")}}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}} // which nothing changes any more
		d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "a", Image: "b"}}
		Expect(admin.Create(ctx, d)).To(Succeed())
		w.create(ctx, build.Instance("chat").Annotation(signalrv1alpha1.AdoptAnnotation, "true"))
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("Stalled", "True", "InvalidReference"))
		Expect(w).NotTo(haveEvent("Normal Adopted"))
	})

	It("that took a child's labels away give it back, with the pods that it runs", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		template := w.deployment(ctx, "chat").Spec.Template
		w.upgrade() // a newer operator, which would build other pods
		d := w.deployment(ctx, "chat")
		d.Labels = nil
		Expect(admin.Update(ctx, d)).To(Succeed())
		w.clock.Step(time.Minute)
		w.settle(ctx, "chat")
		d = w.deployment(ctx, "chat")
		Expect(d.Labels).To(HaveKeyWithValue(resources.LabelManagedBy, resources.ManagedBy))
		Expect(d.Spec.Template).To(Equal(template))
	})

	It("that put a label of theirs on a child keep it", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "chat"}}
		theirs := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"release": "prometheus"}}}`))
		Expect(admin.Patch(ctx, s, theirs)).To(Succeed())
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Exposure.Type = signalrv1alpha1.ExposureNodePort
		})
		w.settle(ctx, "chat")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(s), s)).To(Succeed())
		Expect(s.Spec.Type).To(Equal(corev1.ServiceTypeNodePort))
		Expect(s.Labels).To(HaveKeyWithValue("release", "prometheus"))
	})
})
