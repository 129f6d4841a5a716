package controllers

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

const newerImage = "example.com/signalr:2.0.0"

// upgrade is a newer operator: it carries another image and builds pods differently.
func (w *world) upgrade() {
	w.image = newerImage
	w.restart()
	w.r.buildEdges = func(in resources.Input) *appsv1.Deployment {
		d := resources.EdgeDeployment(in)
		if in.Template == nil {
			d.Spec.Template.Spec.HostUsers = new(false)
		}
		return d
	}
}

// template returns what the edges' pods are made from.
func (w *world) template(ctx context.Context, name string) corev1.PodSpec {
	GinkgoHelper()
	return w.deployment(ctx, name).Spec.Template.Spec
}

var _ = Describe("rollouts", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	It("come with what the pods are made from, and with nothing else", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		before := w.deployment(ctx, "chat").Generation
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.CORS.AllowedOrigins = []string{"https://a.example.com"}
			in.Spec.Limits.MaxMessageBytes = 4096
			in.Spec.Limits.MessagePolicy = signalrv1alpha1.MessagePolicyHard
			in.Spec.Units = 5
		})
		w.reconciled(ctx, "chat")
		Expect(w.deployment(ctx, "chat").Generation).To(Equal(before), "taken over while running")
		w.settle(ctx, "chat")
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Edge.Pod.Labels = map[string]string{"team": "trading"}
		})
		w.reconciled(ctx, "chat")
		Expect(w.deployment(ctx, "chat").Generation).To(BeNumerically(">", before))
		Expect(w.get(ctx, "chat")).To(haveCondition("Reconciling", "True", "RollingOut"))
		Expect(w).To(haveEvent("Normal RollingOut"))
		Expect(w.settle(ctx, "chat")).To(haveCondition("Reconciling", "", ""))
	})

	It("come with a new value of the restart annotation", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		pod := w.pods(ctx, "chat")[0].Name
		w.annotate(ctx, "chat", signalrv1alpha1.RestartedAtAnnotation, "2026-05-04")
		w.settle(ctx, "chat")
		Expect(w.pods(ctx, "chat")[0].Name).NotTo(Equal(pod))
	})

	It("undo what somebody does to the pods, but for what is not ours", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		d := w.deployment(ctx, "chat")
		d.Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
		d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "now"
		Expect(admin.Update(ctx, d)).To(Succeed())
		w.reconciled(ctx, "chat")
		d = w.deployment(ctx, "chat")
		Expect(d.Spec.Template.Spec.Containers[0].Image).To(Equal(firstImage))
		Expect(d.Spec.Template.Annotations).To(HaveKey("kubectl.kubernetes.io/restartedAt"))
	})

	It("do not come with fewer units: the only edge keeps its size until it is replaced anyway", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").Units(30))
		large := w.template(ctx, "chat").Containers[0].Resources
		pod := w.pods(ctx, "chat")[0].Name
		for _, units := range []int32{1, 35, 9, 11} { // as a HorizontalPodAutoscaler does all day
			w.setUnits(ctx, "chat", units)
			w.restart()
			w.settle(ctx, "chat")
		}
		Expect(w.pods(ctx, "chat")[0].Name).To(Equal(pod))
		w.setUnits(ctx, "chat", 41) // more than it is sized for
		w.settle(ctx, "chat")
		Expect(w.pods(ctx, "chat")[0].Name).NotTo(Equal(pod))
		larger := w.template(ctx, "chat").Containers[0].Resources
		Expect(larger.Requests.Memory().Cmp(*large.Requests.Memory())).To(Equal(1))

		w.setUnits(ctx, "chat", 1)
		w.settle(ctx, "chat")
		Expect(w.template(ctx, "chat").Containers[0].Resources).To(Equal(larger))
		w.annotate(ctx, "chat", signalrv1alpha1.RestartedAtAnnotation, "now")
		w.settle(ctx, "chat")
		small := w.template(ctx, "chat").Containers[0].Resources
		Expect(large.Requests.Memory().Cmp(*small.Requests.Memory())).To(Equal(1))

		w.setUnits(ctx, "chat", 30)
		w.settle(ctx, "chat")
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Units, in.Spec.Edge.UnitsPerPod = 1, 5 })
		w.settle(ctx, "chat")
		Expect(small.Requests.Memory().Cmp(*w.template(ctx, "chat").Containers[0].Resources.Requests.Memory())).
			To(Equal(1), "the user has asked for small pods")
	})

	Describe("of a newer operator", func() {
		It("restart no edge under Manual, and are offered", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			before := w.deployment(ctx, "chat")
			w.upgrade()
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("UpdateAvailable", "True", "NewerEdge"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.Edge.Image).To(Equal(firstImage))
			Expect(w.deployment(ctx, "chat").Spec.Template).To(Equal(before.Spec.Template))
			Expect(w).To(haveEvent("Normal NewerEdge"))

			w.setUnits(ctx, "chat", 9)
			w.rotate(ctx, "chat", "1", "")
			w.settle(ctx, "chat")
			Expect(w.deployment(ctx, "chat").Spec.Template).To(Equal(before.Spec.Template), "what is live stays live")
			Expect(w.edgeConfig(ctx, "chat").ConnectionLimit()).To(Equal(int64(9000)))
		})

		It("keep the image when the instance asks for other pods", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			w.upgrade()
			w.annotate(ctx, "chat", signalrv1alpha1.RestartedAtAnnotation, "now")
			in := w.settle(ctx, "chat")
			Expect(w.template(ctx, "chat").Containers[0].Image).To(Equal(firstImage))
			Expect(w.template(ctx, "chat").HostUsers).NotTo(BeNil(), "the pods are new anyway")
			Expect(in).To(haveCondition("UpdateAvailable", "True", "NewerEdge"))
		})

		It("come when asked for with an image of the user's too, and keep it", func(ctx SpecContext) {
			const own = "example.com/own:1.0.0"
			w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Edge.Image = own }))
			w.upgrade()
			w.settle(ctx, "chat")
			Expect(w.template(ctx, "chat").HostUsers).To(BeNil())
			w.annotate(ctx, "chat", signalrv1alpha1.UpgradedAtAnnotation, "2026-05-04")
			in := w.settle(ctx, "chat")
			Expect(w.template(ctx, "chat").HostUsers).NotTo(BeNil())
			Expect(w.template(ctx, "chat").Containers[0].Image).To(Equal(own))
			Expect(in).To(haveCondition("UpdateAvailable", "", ""))
		})

		It("come when asked for, once", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			w.upgrade()
			w.settle(ctx, "chat")
			w.annotate(ctx, "chat", signalrv1alpha1.UpgradedAtAnnotation, "2026-05-04")
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat")).To(haveCondition("Reconciling", "True", "RollingOut"))
			Expect(w).To(haveEvent("Normal Upgrading"))
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("UpdateAvailable", "", ""))
			Expect(in.Status.Edge.Image).To(Equal(newerImage))
			Expect(w.template(ctx, "chat").Containers[0].Image).To(Equal(newerImage))
			Expect(w.template(ctx, "chat").HostUsers).NotTo(BeNil())

			w.image = "example.com/signalr:3.0.0"
			w.restart()
			in = w.settle(ctx, "chat")
			Expect(in.Status.Edge.Image).To(Equal(newerImage), "asked for once is not asked for always")
			Expect(in).To(haveCondition("UpdateAvailable", "True", "NewerEdge"))
		})

		It("survive a status that was not written", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			old := w.get(ctx, "chat").Status
			w.upgrade()
			w.annotate(ctx, "chat", signalrv1alpha1.UpgradedAtAnnotation, "now")
			w.settle(ctx, "chat")
			in := w.get(ctx, "chat")
			in.Status = old
			Expect(admin.Status().Update(ctx, in)).To(Succeed())
			w.restart()
			w.settle(ctx, "chat")
			Expect(w.template(ctx, "chat").Containers[0].Image).To(Equal(newerImage))
		})

		It("do nothing to an instance with an image of its own", func(ctx SpecContext) {
			own := "example.com/mine:1"
			in := w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Edge.Image = own
				in.Spec.Edge.UpgradePolicy = signalrv1alpha1.UpgradePolicyAutomatic
			}))
			Expect(in.Status.Edge.Image).To(Equal(own))
			w.upgrade()
			in = w.settle(ctx, "chat")
			Expect(in.Status.Edge.Image).To(Equal(own))
			Expect(in).To(haveCondition("UpdateAvailable", "", ""))
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Edge.Image, in.Spec.Edge.UpgradePolicy = "", signalrv1alpha1.UpgradePolicyManual
			})
			Expect(w.settle(ctx, "chat").Status.Edge.Image).To(Equal(own), "the version recorded in status")
		})

		It("wait for no instance whose own upgrade does not go on", func(ctx SpecContext) {
			automatic := func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Edge.UpgradePolicy = signalrv1alpha1.UpgradePolicyAutomatic
			}
			for i := range upgradesAtOnce {
				w.running(ctx, build.Instance(fmt.Sprintf("paused-%d", i)).With(automatic))
				w.running(ctx, build.Instance(fmt.Sprintf("taken-%d", i)).With(automatic))
			}
			w.running(ctx, build.Instance("chat").With(automatic))
			w.upgrade()
			for i := range upgradesAtOnce {
				name := fmt.Sprintf("paused-%d", i)
				w.reconciled(ctx, name)
				Expect(w.get(ctx, name)).To(haveCondition("Reconciling", "True", "RollingOut"))
				w.annotate(ctx, name, signalrv1alpha1.PausedAnnotation, "true")
				w.reconciled(ctx, name)
			}
			for i := range upgradesAtOnce {
				name := fmt.Sprintf("taken-%d", i)
				keys := w.secret(ctx, resources.KeysSecretName(name))
				keys.OwnerReferences, keys.Labels = nil, nil // somebody has made it his own
				Expect(admin.Update(ctx, keys)).To(Succeed())
				w.reconciled(ctx, name)
				Expect(w.get(ctx, name)).To(haveCondition("Stalled", "True", "NameConflict"))
			}
			w.reconciled(ctx, "chat")
			Expect(w.template(ctx, "chat").Containers[0].Image).To(Equal(newerImage))
			w.settle(ctx, "chat") // other tests count as well
		})

		It("come by themselves under Automatic, five at once", func(ctx SpecContext) {
			const instances = 7
			name := func(i int) string { return fmt.Sprintf("chat-%d", i) }
			for i := range instances {
				w.running(ctx, build.Instance(name(i)).With(func(in *signalrv1alpha1.SignalRInstance) {
					in.Spec.Edge.UpgradePolicy = signalrv1alpha1.UpgradePolicyAutomatic
				}))
			}
			w.upgrade()
			upgraded := func() (n int) {
				for i := range instances {
					if w.template(ctx, name(i)).Containers[0].Image == newerImage {
						n++
					}
				}
				return n
			}
			for range 2 {
				for i := range instances {
					w.reconciled(ctx, name(i))
				}
			}
			Expect(upgraded()).To(Equal(upgradesAtOnce))
			build := w.r.buildEdges
			w.restart() // one that has just started counts those that are under way
			w.r.buildEdges = build
			for i := instances - 1; i >= 0; i-- {
				w.reconciled(ctx, name(i))
			}
			Expect(upgraded()).To(Equal(upgradesAtOnce))
			for range 2 {
				for i := range instances {
					w.settle(ctx, name(i))
				}
			}
			Expect(upgraded()).To(Equal(instances))
		})
	})
})
