package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

var ingress = signalrv1alpha1.ExposureSpec{Type: signalrv1alpha1.ExposureIngress, HostName: "chat.example.com"}

// owned returns every child of an instance that exists.
func (w *world) owned(ctx context.Context, name string) map[childID]*metav1.PartialObjectMetadata {
	GinkgoHelper()
	out := map[childID]*metav1.PartialObjectMetadata{}
	for _, id := range childIDs(client.ObjectKey{Namespace: w.namespace, Name: name}) {
		mapping, err := admin.RESTMapper().RESTMapping(id.GroupKind)
		Expect(err).NotTo(HaveOccurred())
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(mapping.GroupVersionKind)
		if w.exists(ctx, id.Name, o) {
			out[id] = o
		}
	}
	return out
}

var _ = Describe("children", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	It("belong to the instance, all of them, and have one field owner", func(ctx SpecContext) {
		in := w.running(ctx, build.Instance("chat").Exposure(ingress))
		owned := w.owned(ctx, "chat")
		Expect(owned).To(HaveLen(10))
		for id, o := range owned {
			Expect(metav1.IsControlledBy(o, in)).To(BeTrue(), "%s %s", id.Kind, id.Name)
			Expect(*o.OwnerReferences[0].BlockOwnerDeletion).To(BeTrue())
			Expect(o.Labels).To(HaveKeyWithValue(resources.LabelManagedBy, resources.ManagedBy), "%s %s", id.Kind, id.Name)
			Expect(o.Finalizers).To(BeEmpty())
			for _, f := range o.ManagedFields {
				if f.Subresource == "" {
					Expect(f.Manager).To(Equal(FieldOwner), "%s %s", id.Kind, id.Name)
				}
			}
		}
		Expect(in.Finalizers).To(BeEmpty())
	})

	It("are written once: a second look changes no resourceVersion, nor does a new operator", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").Exposure(ingress))
		before := map[childID]string{}
		for id, o := range w.owned(ctx, "chat") {
			before[id] = o.ResourceVersion
		}
		requests := recorded.mutating.Load()
		for range 4 {
			w.poll(ctx, "chat")
		}
		Expect(recorded.mutating.Load()).To(Equal(requests), "no write is even tried")
		w.restart()
		for range 3 {
			w.poll(ctx, "chat")
		}
		for id, o := range w.owned(ctx, "chat") {
			Expect(o.ResourceVersion).To(Equal(before[id]), "%s %s", id.Kind, id.Name)
		}
	})

	It("come back when they are deleted", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").Exposure(ingress))
		all := w.owned(ctx, "chat")
		for _, o := range all {
			Expect(admin.Delete(ctx, o)).To(Succeed())
		}
		w.settle(ctx, "chat")
		Expect(w.owned(ctx, "chat")).To(HaveLen(len(all)))
	})

	It("are mended when somebody changes them, and keep what others add", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		var s corev1.Service
		w.read1(ctx, "chat", &s)
		s.Spec.Selector["app.kubernetes.io/component"] = "other"
		s.Annotations = map[string]string{"example.com/mine": "yes"}
		Expect(admin.Update(ctx, &s)).To(Succeed())
		w.reconciled(ctx, "chat")
		w.read1(ctx, "chat", &s)
		Expect(s.Spec.Selector).To(HaveKeyWithValue("app.kubernetes.io/component", "edge"))
		Expect(s.Annotations).To(HaveKey("example.com/mine"))
	})

	It("go when the spec does not ask for them any more", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").Exposure(ingress))
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Exposure = signalrv1alpha1.ExposureSpec{
				Type: signalrv1alpha1.ExposureGateway, HostName: "chat.example.com",
				Gateway: &signalrv1alpha1.GatewayExposure{ParentRefs: []signalrv1alpha1.ParentReference{{Name: "public"}}},
				TLS:     &signalrv1alpha1.ExposureTLS{IssuerRef: &signalrv1alpha1.IssuerReference{Name: "ca"}},
			}
		})
		w.settle(ctx, "chat")
		Expect(w.exists(ctx, "chat", &networkingv1.Ingress{})).To(BeFalse())
		w.dynamic(ctx, httpRouteGVK, "chat")
		w.dynamic(ctx, certificateGVK, "chat-tls")
		w.dynamic(ctx, serviceMonitorGVK, "chat")
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Exposure = signalrv1alpha1.ExposureSpec{Type: signalrv1alpha1.ExposureNone}
			in.Spec.Monitoring.Mode = signalrv1alpha1.MonitoringDisabled
			in.Spec.NetworkPolicy.Mode = signalrv1alpha1.NetworkPolicyNone
		})
		w.settle(ctx, "chat")
		for _, gvk := range []struct {
			o    client.Object
			name string
		}{
			{unstructuredOf(httpRouteGVK), "chat"},
			{unstructuredOf(certificateGVK), "chat-tls"},
			{unstructuredOf(serviceMonitorGVK), "chat"},
			{&networkingv1.NetworkPolicy{}, "chat-edge"},
		} {
			Expect(w.exists(ctx, gvk.name, gvk.o)).To(BeFalse(), "%T", gvk.o)
		}
	})

	It("accept tokens for every host name that the instance has had", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").Exposure(ingress))
		for _, host := range []string{"", "new.example.com"} {
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Exposure.Type = "None" })
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Exposure.HostName = host })
			w.settle(ctx, "chat")
			w.restart()
			w.settle(ctx, "chat")
			hosts := w.edgeConfig(ctx, "chat").Auth.AudienceHosts
			if host == "" {
				Expect(hosts).To(BeEmpty(), "any")
				continue
			}
			Expect(hosts).To(ContainElements("chat.example.com", host))
		}
	})

	It("change their type and back", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		for _, kind := range []signalrv1alpha1.ExposureType{"LoadBalancer", "NodePort", "None", "LoadBalancer", "None"} {
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Exposure = signalrv1alpha1.ExposureSpec{Type: kind}
			})
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "", ""))
			var s corev1.Service
			w.read1(ctx, "chat", &s)
			want := corev1.ServiceType(kind)
			if kind == signalrv1alpha1.ExposureNone {
				want = corev1.ServiceTypeClusterIP
				Expect(s.Spec.Ports[0].NodePort).To(BeZero())
			}
			Expect(s.Spec.Type).To(Equal(want))
		}
	})

	It("have the port of a load balancer that ends TLS, and no longer when it does not", func(ctx SpecContext) {
		ports := func(tls *signalrv1alpha1.ExposureTLS) []int32 {
			GinkgoHelper()
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Exposure = signalrv1alpha1.ExposureSpec{
					Type: signalrv1alpha1.ExposureLoadBalancer, HostName: "chat.example.com", TLS: tls,
				}
			})
			Expect(w.settle(ctx, "chat")).To(haveCondition("Stalled", "", ""))
			var s corev1.Service
			w.read1(ctx, "chat", &s)
			var numbers []int32
			for _, p := range s.Spec.Ports {
				numbers = append(numbers, p.Port)
			}
			return numbers
		}
		w.running(ctx, build.Instance("chat"))
		proxy := &signalrv1alpha1.ExposureTLS{Termination: signalrv1alpha1.TLSTerminationProxy}
		edge := &signalrv1alpha1.ExposureTLS{Termination: signalrv1alpha1.TLSTerminationEdge, SecretName: "tls"}
		Expect(ports(proxy)).To(ConsistOf(int32(80), int32(443)))
		Expect(ports(edge)).To(ConsistOf(int32(443)))
		Expect(ports(proxy)).To(ConsistOf(int32(80), int32(443)))
		Expect(ports(nil)).To(ConsistOf(int32(80)))
	})

	It("of the managed backplane come with edges that can use it, and go with the mode", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(20))
		for _, o := range []client.Object{
			&appsv1.StatefulSet{}, &corev1.Service{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
			&corev1.Secret{},
		} {
			Expect(w.exists(ctx, resources.BackplaneName("chat"), o)).To(BeTrue(), "%T", o)
		}
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
		nodes := func() int32 {
			var s appsv1.StatefulSet
			w.read1(ctx, resources.BackplaneName("chat"), &s)
			return *s.Spec.Replicas
		}
		w.poll(ctx, "chat")
		Expect(nodes()).To(Equal(int32(3)), "the edges drain")
		w.settle(ctx, "chat")
		Expect(nodes()).To(BeZero())
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateRunning })
		w.settle(ctx, "chat")
		Expect(nodes()).To(Equal(int32(3)))

		certificate := w.secret(ctx, resources.BackplaneName("chat")).Data["tls.crt"]
		w.restart()
		w.poll(ctx, "chat")
		Expect(w.secret(ctx, resources.BackplaneName("chat")).Data["tls.crt"]).To(Equal(certificate))
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Backplane.Mode = signalrv1alpha1.BackplaneEmbedded
		})
		w.settle(ctx, "chat")
		Expect(w.exists(ctx, resources.BackplaneName("chat"), &appsv1.StatefulSet{})).To(BeFalse())
		Expect(w.exists(ctx, resources.BackplaneNodesName("chat"), &corev1.Service{})).To(BeFalse())
	})

	It("that belonged to nobody are taken over when the annotation says so", func(ctx SpecContext) {
		s := &corev1.ServiceAccount{}
		s.Namespace, s.Name = w.namespace, "chat-edge"
		Expect(admin.Create(ctx, s)).To(Succeed())
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("Stalled", "True", "NameConflict"))
		w.annotate(ctx, "chat", signalrv1alpha1.AdoptAnnotation, "true")
		in := w.settle(ctx, "chat")
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		Expect(w).To(haveEvent("Normal Adopted"))
		w.read1(ctx, "chat-edge", s)
		Expect(metav1.IsControlledBy(s, in)).To(BeTrue())
	})

	It("of another owner are never taken over", func(ctx SpecContext) {
		other := w.create(ctx, build.Instance("other"))
		s := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		s.Namespace, s.Name = w.namespace, "chat"
		s.OwnerReferences = []metav1.OwnerReference{
			*metav1.NewControllerRef(other, signalrv1alpha1.SchemeGroupVersion.WithKind(signalrv1alpha1.Kind)),
		}
		Expect(admin.Create(ctx, s)).To(Succeed())
		w.create(ctx, build.Instance("chat").Annotation(signalrv1alpha1.AdoptAnnotation, "true"))
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("Stalled", "True", "NameConflict"))
	})

	It("of an earlier instance of the same name are waited for", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		old := w.get(ctx, "chat")
		Expect(admin.Delete(ctx, old)).To(Succeed()) // and no garbage collector yet
		w.create(ctx, build.Instance("chat"))
		result := w.reconciled(ctx, "chat")
		Expect(result.RequeueAfter).To(BeNumerically("<=", orphanWait))
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Stalled", "", ""))
		Expect(in).To(haveCondition("Reconciling", "True", "RollingOut"))
		Expect(w.deployment(ctx, "chat").OwnerReferences[0].UID).To(Equal(old.UID))
	})

	It("are left to the garbage collector while the instance is being deleted", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		in := w.get(ctx, "chat")
		Expect(admin.Delete(ctx, in, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		var s corev1.Service
		w.read1(ctx, "chat", &s)
		Expect(admin.Delete(ctx, &s)).To(Succeed())
		w.reconciled(ctx, "chat")
		Expect(w.exists(ctx, "chat", &corev1.Service{})).To(BeFalse())
	})
})

func unstructuredOf(gvk interface{ ToAPIVersionAndKind() (string, string) }) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	return u
}
