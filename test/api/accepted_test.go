package api

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

var _ = Describe("a manifest that is right", func() {
	for _, m := range table("accepted.yaml") {
		It("is accepted: "+m.Name, func(ctx SpecContext) {
			u := m.object()
			Expect(create(ctx, u).err).NotTo(HaveOccurred())
			a := apply(ctx, u, metav1.DryRunAll)
			Expect(a.err).NotTo(HaveOccurred())

			By("the operator and the API server warn of the same")
			Expect(a.warnings).To(ConsistOf(asWarned(typed(a.object))))
		})
	}

	It("may leave out its spec", func(ctx SpecContext) {
		u := instance("chat", "{}")
		unstructured.RemoveNestedField(u.Object, "spec")
		a := create(ctx, u)
		Expect(a.err).NotTo(HaveOccurred())
		Expect(typed(a.object).Spec.Tier).To(Equal(signalrv1alpha1.TierStandard))
	})

	It("may be written with the shortest and the longest name", func(ctx SpecContext) {
		for _, name := range []string{"a", "a1", "a-b", strings.Repeat("a", 40)} {
			Expect(create(ctx, instance(name, "{}")).err).NotTo(HaveOccurred(), name)
		}
	})
})

var _ = Describe("the ten-line manifest", func() {
	const minimal = samplesDir + "/minimal.yaml"

	It("gets all defaults", func(ctx SpecContext) {
		u := read(minimal)[0]
		u.SetNamespace(namespace)
		a := create(ctx, u)
		Expect(a.err).NotTo(HaveOccurred())
		Expect(a.warnings).To(BeEmpty())
		spec, _, err := unstructured.NestedMap(a.object.Object, "spec")
		Expect(err).NotTo(HaveOccurred())
		Expect(spec).To(Equal(decode(`
tier: Standard
units: 1
serviceMode: Default
state: Running
auth:
  accessKeys:
    mode: Enabled
    rotation: {primaryNonce: "", secondaryNonce: "", schedule: "", overlapSeconds: 86400}
cors: {allowedOrigins: ["*"]}
limits: {maxMessageBytes: 1048576}
exposure: {type: None}
backplane: {mode: Auto}
edge: {unitsPerPod: 10, minReplicas: 1, drainSeconds: 60, upgradePolicy: Manual, image: "", pod: {}}
monitoring: {mode: Auto}
networkPolicy: {mode: Managed}
deletionPolicy: Delete
`)))
	})

	It("has the same defaults in Go as in the schema", func(ctx SpecContext) {
		a := create(ctx, instance("chat", "{}"))
		Expect(a.err).NotTo(HaveOccurred())
		Expect(typed(a.object).Spec).To(Equal(build.Instance("chat").Obj().Spec))
	})

	It("says that no operator has looked yet", func(ctx SpecContext) {
		u := read(minimal)[0]
		u.SetNamespace(namespace)
		a := create(ctx, u)
		Expect(a.err).NotTo(HaveOccurred())
		Expect(typed(a.object).Status.Conditions).To(HaveExactElements(And(
			HaveField("Type", signalrv1alpha1.ConditionReady),
			HaveField("Status", metav1.ConditionUnknown),
			HaveField("Reason", signalrv1alpha1.ReasonPending),
		)))
	})

	It("gets the defaults of what is set", func(ctx SpecContext) {
		a := create(ctx, instance("chat", `
autoscale: {maxUnits: 3, schedules: [{name: a, start: 0 8 * * *, end: 0 9 * * *, units: 2}]}
exposure: {type: Gateway, hostName: a.example.com, tls: {issuerRef: {name: i}}, gateway: {parentRefs: [{name: g}]}}
backplane: {managed: {}}
`))
		Expect(a.err).NotTo(HaveOccurred())
		spec, _, err := unstructured.NestedMap(a.object.Object, "spec")
		Expect(err).NotTo(HaveOccurred())
		Expect(spec).To(HaveKeyWithValue("autoscale", decode(`
maxUnits: 3
metrics: [{type: ConnectionQuotaUtilization, targetPercent: 70}]
behavior: {scaleDown: {stabilizationWindowSeconds: 900}}
schedules: [{name: a, start: 0 8 * * *, end: 0 9 * * *, timeZone: UTC, units: 2}]
`)))
		Expect(spec).To(HaveKeyWithValue("exposure", decode(`
type: Gateway
hostName: a.example.com
tls: {termination: Proxy, issuerRef: {name: i, kind: Issuer}}
gateway: {parentRefs: [{name: g, group: gateway.networking.k8s.io, kind: Gateway}]}
`)))
		Expect(spec).To(HaveKeyWithValue("backplane", decode(`
mode: Auto
managed: {storage: {type: Ephemeral, size: 1Gi}}
`)))

		By("a behavior that says nothing, and one that says something else")
		for text, want := range map[string]int64{
			"{}": 900, "{scaleUp: {selectPolicy: Max}}": 900, "{scaleDown: {selectPolicy: Max}}": 900,
			"{scaleDown: {stabilizationWindowSeconds: 0}}": 0,
		} {
			a = create(ctx, instance("chat", "autoscale: {maxUnits: 3, behavior: "+text+"}"))
			Expect(a.err).NotTo(HaveOccurred())
			got, _, err := unstructured.NestedInt64(a.object.Object, "spec", "autoscale", "behavior", "scaleDown",
				"stabilizationWindowSeconds")
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(Equal(want), text)
		}

		By("a load balancer")
		a = create(ctx, instance("chat", "exposure: {type: LoadBalancer, loadBalancer: {}}"))
		Expect(a.err).NotTo(HaveOccurred())
		Expect(typed(a.object).Spec.Exposure.LoadBalancer.ExternalTrafficPolicy).
			To(Equal(signalrv1alpha1.ExternalTrafficPolicyLocal))
	})

	It("changes nothing when it is applied again", func(ctx SpecContext) {
		u := read(minimal)[0]
		u.SetNamespace(namespace)
		keep(ctx, u)
		// The default of the status is first written when something else is: that is the operator, at once.
		Expect(updateStatus(ctx, observed(u.GetName()))).To(Succeed())
		c, _ := instances()
		first, err := c.Get(ctx, u.GetName(), metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())

		for range 2 {
			again := apply(ctx, u)
			Expect(again.err).NotTo(HaveOccurred())
			Expect(again.object).To(Equal(first), "the resourceVersion among others")
		}

		By("kubectl diff, which compares with a dry run, is empty")
		dry := apply(ctx, u, metav1.DryRunAll)
		Expect(dry.err).NotTo(HaveOccurred())
		Expect(dry.object).To(Equal(first))
	})

	It("is scaled through the scale subresource", func(ctx SpecContext) {
		u := instance("scaled", "units: 2")
		keep(ctx, u)
		c, _ := instances()

		status := observed("scaled")
		status.Status.Units = signalrv1alpha1.UnitsStatus{Desired: 4, Effective: 3}
		status.Status.Selector = "app.kubernetes.io/instance=scaled,app.kubernetes.io/component=edge"
		Expect(updateStatus(ctx, status)).To(Succeed())

		scale, err := c.Get(ctx, "scaled", metav1.GetOptions{}, "scale")
		Expect(err).NotTo(HaveOccurred())
		Expect(scale.Object["spec"]).To(Equal(map[string]any{"replicas": int64(2)}))
		Expect(scale.Object["status"]).To(Equal(map[string]any{
			"replicas": int64(3), "selector": status.Status.Selector,
		}))

		By("a higher floor")
		Expect(unstructured.SetNestedField(scale.Object, int64(7), "spec", "replicas")).To(Succeed())
		_, err = c.Update(ctx, scale, metav1.UpdateOptions{}, "scale")
		Expect(err).NotTo(HaveOccurred())
		got, err := c.Get(ctx, "scaled", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(typed(got).Spec.Units).To(Equal(int32(7)))

		By("a floor that the tier does not have")
		scale, err = c.Get(ctx, "scaled", metav1.GetOptions{}, "scale")
		Expect(err).NotTo(HaveOccurred())
		Expect(unstructured.SetNestedField(scale.Object, int64(101), "spec", "replicas")).To(Succeed())
		_, err = c.Update(ctx, scale, metav1.UpdateOptions{}, "scale")
		Expect(err).To(MatchError(ContainSubstring("1 to 100 in tier Standard")))
	})
})

var _ = Describe("the resource", func() {
	It("has a short name and its categories", func() {
		list, err := kubernetes.NewForConfigOrDie(config).Discovery().
			ServerResourcesForGroupVersion(signalrv1alpha1.SchemeGroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		Expect(list.APIResources).To(ContainElement(And(
			HaveField("Name", signalrv1alpha1.Resource),
			HaveField("Kind", signalrv1alpha1.Kind),
			HaveField("Namespaced", true),
			HaveField("ShortNames", []string{"sri"}),
			HaveField("Categories", []string{"all", "signalr"}),
		)))
	})

	It("shows its columns", func(ctx SpecContext) {
		keep(ctx, instance("shown", "{tier: Premium, units: 3, edge: {minReplicas: 2}}"))
		status := observed("shown")
		status.Status.Endpoint = "http://shown.default.svc"
		status.Status.Units.Effective = 3
		status.Status.Edge = signalrv1alpha1.EdgeStatus{Replicas: 2, Ready: 1}
		status.Status.Usage = &signalrv1alpha1.UsageStatus{Connections: 1200, UtilizationPercent: 40}
		Expect(updateStatus(ctx, status)).To(Succeed())
		columns, cells := printed(ctx, "shown")
		Expect(columns).To(Equal([]string{
			"Name", "Tier", "Mode", "Units", "Edges", "Ready", "Endpoint", "Age", "Connections", "Util",
		}))
		Expect(cells[1:7]).To(Equal([]any{"Premium", "Default", int64(3), int64(1), "True", "http://shown.default.svc"}))
		Expect(cells[8:]).To(Equal([]any{int64(1200), int64(40)}))
	})
})
