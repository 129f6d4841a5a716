package controllers

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// startManager runs the real thing, as the manager program wires it: caches, watches, queue, lease and events, for the
// namespace of a world, or for the whole cluster. It stops with the spec.
func (w *world) startManager(ctx context.Context, namespaces ...string) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
		Scheme: scheme, Cache: CacheOptions(namespaces), Metrics: metricsserver.Options{BindAddress: "0"},
		Client:         client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		LeaderElection: true, LeaderElectionID: w.namespace, LeaderElectionNamespace: operatorNamespace,
		LeaderElectionReleaseOnCancel: true, Controller: config.Controller{SkipNameValidation: new(true)},
		Logger: GinkgoLogr,
	})
	Expect(err).NotTo(HaveOccurred())
	w.registry = prometheus.NewRegistry()
	r := NewReconciler(Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("signalr-operator"),
		Clock: clock.RealClock{}, Edges: NewHTTPEdgeReader(w.edges.dial), EdgeImage: firstImage,
		AdminNamespaces: []string{operatorNamespace}, Metrics: NewMetrics(w.registry),
	})
	Expect(r.SetupWithManager(ctx, mgr)).To(Succeed())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(done).WithTimeout(30 * time.Second).Should(Receive(BeNil()))
	})
}

var _ = Describe("the manager", func() {
	It("sees what happens and does something about it, with the rights that it has", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.startManager(ctx, w.namespace)
		soon := func(f func(g Gomega)) {
			GinkgoHelper()
			Eventually(f).WithContext(ctx).WithTimeout(20 * time.Second).WithPolling(100 * time.Millisecond).Should(Succeed())
		}
		key := client.ObjectKey{Namespace: w.namespace, Name: "chat"}
		is := func(conditionType, status, reason string) {
			GinkgoHelper()
			soon(func(g Gomega) {
				var in signalrv1alpha1.SignalRInstance
				g.Expect(admin.Get(ctx, key, &in)).To(Succeed())
				g.Expect(&in).To(haveCondition(conditionType, status, reason))
			})
		}
		w.create(ctx, build.Instance("chat").Exposure(signalrv1alpha1.ExposureSpec{
			Type: signalrv1alpha1.ExposureGateway, HostName: "chat.example.com",
			Gateway: &signalrv1alpha1.GatewayExposure{ParentRefs: []signalrv1alpha1.ParentReference{{Name: "public"}}},
			TLS:     &signalrv1alpha1.ExposureTLS{IssuerRef: &signalrv1alpha1.IssuerReference{Name: "ca"}},
		}))
		is("Ready", "False", "EdgesNotReady")
		soon(func(g Gomega) {
			for _, gvk := range []struct {
				o    *unstructured.Unstructured
				name string
			}{
				{unstructuredOf(httpRouteGVK), "chat"},
				{unstructuredOf(certificateGVK), "chat-tls"},
				{unstructuredOf(serviceMonitorGVK), "chat"},
				{unstructuredOf(deploymentGVK), "chat-edge"},
			} {
				g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: gvk.name}, gvk.o)).To(Succeed())
			}
		})
		says(ctx, w.dynamic(ctx, httpRouteGVK, "chat"), "Accepted")
		says(ctx, w.dynamic(ctx, certificateGVK, "chat-tls"), "Ready")
		w.rollOut(ctx, "chat")
		is("Ready", "True", "Serving")
		is("KeysReady", "True", "Loaded")

		By("restoring a deleted Secret")
		p, _ := w.keyData(ctx, "chat")
		for range 2 { // the second event of a kind is a patch of the first
			Expect(admin.Delete(ctx, w.secret(ctx, resources.KeysSecretName("chat")))).To(Succeed())
			soon(func(g Gomega) {
				var s corev1.Secret
				g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "chat-keys"}, &s)).To(Succeed())
				g.Expect(string(s.Data["primaryKey"])).To(Equal(p))
			})
		}

		By("mending and removing children")
		for _, o := range []client.Object{&corev1.Service{}, &corev1.ServiceAccount{}} {
			name := "chat"
			if _, ok := o.(*corev1.ServiceAccount); ok {
				name = "chat-edge"
			}
			w.read1(ctx, name, o)
			Expect(admin.Delete(ctx, o)).To(Succeed())
			soon(func(g Gomega) {
				g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, o)).To(Succeed())
			})
		}

		By("seeing that a pod is gone")
		is("Ready", "True", "Serving")
		d := w.deployment(ctx, "chat")
		d.Status.ReadyReplicas, d.Status.AvailableReplicas = 0, 0
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		is("Ready", "False", "EdgesNotReady")
		w.rollOut(ctx, "chat")
		is("Ready", "True", "Serving")

		By("following a Secret of the user's at once, if it says so")
		mine := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: w.namespace, Name: "mine", Labels: map[string]string{signalrv1alpha1.WatchLabel: "true"},
			},
			Data: map[string][]byte{"primaryKey": []byte(userPrimary), "secondaryKey": []byte(userSecondary)},
		}
		Expect(admin.Create(ctx, mine)).To(Succeed())
		soon(func(g Gomega) { // the operator writes the status meanwhile
			var in signalrv1alpha1.SignalRInstance
			g.Expect(admin.Get(ctx, key, &in)).To(Succeed())
			in.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "mine"}
			g.Expect(admin.Update(ctx, &in)).To(Succeed())
		})
		soon(func(g Gomega) { g.Expect(w.inForce(ctx, "chat")).To(HaveKey(userPrimary)) })
		w.load(ctx, "chat")
		mine.Data["primaryKey"] = []byte(userOther)
		Expect(admin.Update(ctx, mine)).To(Succeed())
		Eventually(func() map[string]string { return w.inForce(ctx, "chat") }).WithTimeout(5 * time.Second).
			Should(HaveKey(userOther))

		By("telling events")
		soon(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(admin.List(ctx, &events, client.InNamespace(w.namespace))).To(Succeed())
			reasons := map[string]string{}
			for _, e := range events.Items {
				g.Expect(e.ReportingController).To(Equal("signalr-operator"))
				g.Expect(e.Regarding.Name).To(Equal("chat"))
				reasons[e.Reason] = e.Type
			}
			g.Expect(reasons).To(HaveKeyWithValue("KeysGenerated", corev1.EventTypeNormal))
			g.Expect(reasons).To(HaveKeyWithValue("SecretRestored", corev1.EventTypeWarning))
			g.Expect(reasons).To(HaveKeyWithValue("Serving", corev1.EventTypeNormal))
		})

		By("forgetting what is deleted")
		Expect(w.registry.Gather()).To(ContainElement(HaveField("GetName()", "signalr_operator_instance_units")))
		Expect(admin.Delete(ctx, w.get(ctx, "chat"))).To(Succeed())
		soon(func(g Gomega) {
			g.Expect(w.registry.Gather()).NotTo(ContainElement(HaveField("GetName()", "signalr_operator_instance_units")))
		})
	})
})

var _ = Describe("the edges' status", func() {
	DescribeTable("is not believed when it is no edge's",
		func(ctx SpecContext, change func(*playedEdge), want string) {
			park := newEdgePark()
			DeferCleanup(park.server.Close)
			e := park.add("edge-1")
			e.token = "secret-token-of-the-edge"
			e.be(change)
			reader, edge := NewHTTPEdgeReader(park.dial), Edge{Address: e.ip + ":8889", Token: "secret-token-of-the-edge"}
			_, err := reader.ReadStatus(ctx, edge)
			if want == "" {
				Expect(err).NotTo(HaveOccurred())
				return
			}
			Expect(err).To(MatchError(ContainSubstring(want)))
			Expect(err.Error()).NotTo(ContainSubstring(e.ip))
			Expect(err.Error()).NotTo(ContainSubstring("secret-token"))
		},
		Entry("a good answer", func(*playedEdge) {}, ""),
		Entry("another token", func(e *playedEdge) { e.token = "other" }, "refuses the admin token"),
		Entry("nobody there", func(e *playedEdge) { e.silent = true }, "refused"),
		Entry("not JSON", func(e *playedEdge) { e.answer = "<html>" }, "not an edge's"),
		Entry("an endless answer", func(e *playedEdge) { e.answer = string(make([]byte, maxStatusBytes+2)) }, "more than"),
		Entry("an error", func(e *playedEdge) { e.code = http.StatusBadGateway }, "HTTP 502"),
		Entry("a redirect, which would carry the token away", func(e *playedEdge) { e.code = http.StatusFound }, "HTTP 302"),
	)
})
