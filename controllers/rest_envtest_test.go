package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// odd are instances that do not come to what they ask for, by name.
var odd = map[string]func(*signalrv1alpha1.SignalRInstance){
	"key-schedule": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Auth.AccessKeys.Rotation.Schedule = "0 3 31 2 *"
	},
	"floor-schedules": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Autoscale = &signalrv1alpha1.AutoscaleSpec{MaxUnits: 9, Schedules: []signalrv1alpha1.AutoscaleSchedule{
			{Name: "never", Start: "0 8 31 2 *", End: "0 9 * * *", Units: 3},
			{Name: "reversed", Start: "0 8 * * 5-1", End: "0 9 * * *", Units: 3},
		}}
	},
	"taken":      func(*signalrv1alpha1.SignalRInstance) {},
	"taken-keys": func(*signalrv1alpha1.SignalRInstance) {},
	"no-secret": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "nowhere"}
	},
	"no-certificate": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Exposure.TLS = &signalrv1alpha1.ExposureTLS{Termination: "Edge", SecretName: "nowhere"}
	},
	"no-address": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Exposure.Type = signalrv1alpha1.ExposureLoadBalancer
	},
	"unsupported": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.ServiceMode = signalrv1alpha1.ServiceModeServerless
	},
	"huge": func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Tier, in.Spec.Units, in.Spec.Edge.UnitsPerPod = signalrv1alpha1.TierPremium, 1000, 1
	},
	"stopped": func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped },
}

// looks returns how many times reconcilers of this process have looked at anything.
func looks() (n float64) {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		if f.GetName() == "controller_runtime_reconcile_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

var _ = Describe("instances that cannot be as they are asked to be", func() {
	It("are looked at when a poll is due, and not written", func(ctx SpecContext) {
		w := newWorld(ctx)
		taken := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		taken.Namespace, taken.Name = w.namespace, "taken"
		Expect(admin.Create(ctx, taken)).To(Succeed())
		keys := &corev1.Secret{Data: map[string][]byte{"a": []byte("b")}}
		keys.Namespace, keys.Name = w.namespace, resources.KeysSecretName("taken-keys")
		Expect(admin.Create(ctx, keys)).To(Succeed())
		w.startManager(ctx, w.namespace)
		for name, change := range odd {
			w.create(ctx, build.Instance(name).With(change))
		}
		for name := range odd {
			Eventually(func() int64 { return w.get(ctx, name).Status.ObservedGeneration }).WithTimeout(20*time.Second).
				Should(Equal(int64(1)), name)
		}
		w.rollOut(ctx, "unsupported")
		w.rollOut(ctx, "huge")
		var last float64
		Eventually(func() float64 {
			before := last
			last = looks()
			return last - before
		}).WithTimeout(time.Minute).WithPolling(2*time.Second).
			Should(BeNumerically("<=", len(odd)), "what the beginning has stirred up comes to rest")

		before, versions := looks(), map[string]string{}
		for name := range odd {
			versions[name] = w.get(ctx, name).ResourceVersion
		}
		Consistently(func(g Gomega) {
			g.Expect(looks()-before).To(BeNumerically("<=", 2.5*float64(len(odd))), "two polls")
			for name := range odd {
				g.Expect(w.get(ctx, name).ResourceVersion).To(Equal(versions[name]), name)
			}
		}).WithTimeout(20 * time.Second).WithPolling(time.Second).Should(Succeed())
	})
})
