package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// setUnits writes spec.units.
func (w *world) setUnits(ctx context.Context, name string, units int32) {
	GinkgoHelper()
	w.change(ctx, name, func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Units = units })
}

// several makes an instance of several edges, with a backplane that is up.
func (w *world) several(ctx context.Context, b *build.InstanceBuilder) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	w.edges.born = joining
	in := w.create(ctx, b)
	w.settle(ctx, in.Name)
	var nodes appsv1.StatefulSet
	w.read1(ctx, resources.BackplaneName(in.Name), &nodes)
	nodes.Status.Replicas, nodes.Status.ReadyReplicas = 3, 3
	Expect(admin.Status().Update(ctx, &nodes)).To(Succeed())
	in = w.settle(ctx, in.Name)
	Expect(in).To(haveCondition("Ready", "True", "Serving"))
	w.events.clear()
	return in
}

var _ = Describe("scaling", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	It("changes the quota of running edges at once, and restarts none", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		pods := w.pods(ctx, "chat")
		w.setUnits(ctx, "chat", 7)
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in.Status.Units).To(Equal(signalrv1alpha1.UnitsStatus{Desired: 7, Effective: 7}))
		Expect(in.Status.Quota).To(Equal(signalrv1alpha1.QuotaStatus{Connections: 7000, MessagesPerDay: 7_000_000}))
		Expect(in).To(haveCondition("Reconciling", "True", "RollingOut"))
		Expect(w.edgeConfig(ctx, "chat").ConnectionLimit()).To(Equal(int64(7000)))
		Expect(w).To(haveEvent("Normal Scaled"))
		in = w.settle(ctx, "chat")
		Expect(in).To(haveCondition("Reconciling", "", ""))
		Expect(w.pods(ctx, "chat")[0].UID).To(Equal(pods[0].UID))
	})

	It("adds edges, and takes those with the fewest connections away, marked first", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(30))
		Expect(w.pods(ctx, "chat")).To(HaveLen(3))
		for i, p := range w.pods(ctx, "chat") {
			e := w.edges.at(p.Status.PodIP)
			e.mu.Lock()
			e.status.Connections.Client = int64(900 - 300*i)
			e.mu.Unlock()
		}
		kept := w.pods(ctx, "chat")[0].Name
		w.poll(ctx, "chat")
		w.setUnits(ctx, "chat", 10)
		result := w.reconciled(ctx, "chat")
		Expect(*w.deployment(ctx, "chat").Spec.Replicas).To(Equal(int32(3)), "nothing leaves before it is marked")
		for _, p := range w.pods(ctx, "chat") {
			Expect(marked(&p)).To(Equal(p.Name != kept), p.Name)
		}
		Expect(w.get(ctx, "chat")).To(haveCondition("Reconciling", "True", "Scaling"))
		Expect(result.RequeueAfter).To(BeNumerically("<=", eagerInterval))
		w.clock.Step(eagerInterval)
		w.reconciled(ctx, "chat")
		Expect(*w.deployment(ctx, "chat").Spec.Replicas).To(Equal(int32(1)))
		Expect(w).To(haveEvent("Normal EdgesScaled"))
		w.poll(ctx, "chat") // before any other controller has seen it
		for _, p := range w.pods(ctx, "chat") {
			Expect(marked(&p)).To(Equal(p.Name != kept), "%s: the ReplicaSet controller goes by the marks", p.Name)
		}

		pods := w.pods(ctx, "chat")
		for i := range pods { // the drain takes a while
			if marked(&pods[i]) {
				pods[i].Finalizers = []string{"example.com/drain"}
				Expect(admin.Update(ctx, &pods[i])).To(Succeed())
				Expect(admin.Delete(ctx, &pods[i])).To(Succeed())
			}
		}
		d := w.deployment(ctx, "chat")
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		}
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		w.load(ctx, "chat")
		in := w.poll(ctx, "chat")
		Expect(in).To(haveCondition("Reconciling", "True", "Draining"))
		for _, p := range w.pods(ctx, "chat") {
			if p.DeletionTimestamp != nil {
				w.edges.remove(p.Status.PodIP)
				p.Finalizers = nil
				Expect(admin.Update(ctx, &p)).To(Succeed())
			}
		}
		in = w.settle(ctx, "chat")
		Expect(in).To(haveCondition("Reconciling", "", ""))
		Expect(w.pods(ctx, "chat")[0].Name).To(Equal(kept))
	})

	It("out pages nobody, although new edges are not ready yet", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(20))
		w.setUnits(ctx, "chat", 30)
		w.reconciled(ctx, "chat")
		d := w.deployment(ctx, "chat")
		Expect(*d.Spec.Replicas).To(Equal(int32(3)))
		d.Status.ObservedGeneration, d.Status.Replicas, d.Status.UpdatedReplicas = d.Generation, 3, 3
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		p := w.startPod(ctx, "chat", d, "new")
		p.Status = corev1.PodStatus{Phase: corev1.PodPending}
		Expect(admin.Status().Update(ctx, p)).To(Succeed())
		in := w.poll(ctx, "chat")
		Expect(in).To(haveCondition("Reconciling", "True", "Scaling"))
		Expect(in).To(haveCondition("BackplaneReady", "True", "Connected"))
		Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		Expect(w.events.list()).NotTo(ContainElement(HavePrefix("Warning")))
	})

	It("keeps edges as long as connections need them", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(30))
		w.edges.each(func(e *playedEdge) { e.status.Connections.Client = 7000 })
		w.setUnits(ctx, "chat", 1)
		in := w.settle(ctx, "chat")
		Expect(in.Status.Quota.Connections).To(Equal(int64(1000)), "the quota falls at once")
		Expect(in.Status.Edge.Replicas).To(Equal(int32(3)), "21,000 connections live on three edges")
		w.edges.each(func(e *playedEdge) { e.status.Connections.Client = 6000 })
		Expect(w.settle(ctx, "chat").Status.Edge.Replicas).To(Equal(int32(2)))
	})

	It("takes a mark back when the edge need not leave any more", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(30))
		w.setUnits(ctx, "chat", 10)
		w.reconciled(ctx, "chat")
		w.setUnits(ctx, "chat", 30)
		w.settle(ctx, "chat")
		for _, p := range w.pods(ctx, "chat") {
			Expect(p.Annotations).NotTo(HaveKey(deletionCostAnnotation))
		}
		Expect(w.pods(ctx, "chat")).To(HaveLen(3))
	})

	It("takes no edge away while one does not answer", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(30))
		w.edges.at(w.pods(ctx, "chat")[1].Status.PodIP).be(func(e *playedEdge) { e.silent = true })
		w.poll(ctx, "chat")
		w.setUnits(ctx, "chat", 10)
		for range 3 {
			w.poll(ctx, "chat")
		}
		Expect(*w.deployment(ctx, "chat").Spec.Replicas).To(Equal(int32(3)))
		w.restart()
		w.poll(ctx, "chat")
		Expect(*w.deployment(ctx, "chat").Spec.Replicas).To(Equal(int32(3)), "a new operator knows no better")
		w.edges.each(func(e *playedEdge) { e.silent = false })
		Expect(w.settle(ctx, "chat").Status.Edge.Replicas).To(Equal(int32(1)))
	})

	It("does not count the clients of an edge whose machine is dead", func(ctx SpecContext) {
		w.several(ctx, build.Instance("chat").Units(20))
		w.edges.each(func(e *playedEdge) { e.status.Connections.Client = 9000 })
		w.poll(ctx, "chat")
		dead := w.pods(ctx, "chat")[1]
		dead.Finalizers = []string{"example.com/nobody-tells-the-kubelet"}
		Expect(admin.Update(ctx, &dead)).To(Succeed())
		Expect(admin.Delete(ctx, &dead)).To(Succeed())
		w.edges.at(dead.Status.PodIP).be(func(e *playedEdge) { e.silent = true })
		w.startPod(ctx, "chat", w.deployment(ctx, "chat"), "another")
		if now := time.Now(); now.After(w.clock.Now()) { // the API server's clock says when a pod should be gone
			w.clock.SetTime(now)
		}
		w.clock.Step(time.Hour)
		in := w.poll(ctx, "chat")
		Expect(in.Status.Usage.Connections).To(Equal(int64(9000)))
		Expect(in).To(haveCondition("Reconciling", "", ""))
		Expect(in).To(haveCondition("QuotaHealthy", "True", "WithinQuota"))
		dead = *w.pod(ctx, dead.Name)
		dead.Finalizers = nil
		Expect(admin.Update(ctx, &dead)).To(Succeed())
	})

	Describe("by itself", func() {
		auto := func() *build.InstanceBuilder { return build.Instance("chat").Units(2).Autoscale(6) }
		clients := func(n int64) {
			w.edges.each(func(e *playedEdge) { e.status.Connections.Client = n })
		}

		It("follows the load between floor and bound, and says at which end it is", func(ctx SpecContext) {
			in := w.running(ctx, auto())
			Expect(in).To(haveCondition("ScalingActive", "True", "ScalingEnabled"))
			clients(100)
			Expect(w.poll(ctx, "chat")).To(haveCondition("ScalingLimited", "True", "AtFloor"))
			clients(2800) // 140 percent of 2 units: 4 are asked for
			in = w.poll(ctx, "chat")
			Expect(in.Status.Units.Effective).To(Equal(int32(4)))
			Expect(in).To(haveCondition("ScalingLimited", "", ""))
			Expect(w.edgeConfig(ctx, "chat").ConnectionLimit()).To(Equal(int64(4000)))
			clients(9000)
			for range 3 {
				in = w.poll(ctx, "chat")
			}
			Expect(in.Status.Units.Effective).To(Equal(int32(6)))
			Expect(in).To(haveCondition("ScalingLimited", "True", "AtMaxUnits"))
			Expect(in.Spec.Units).To(Equal(int32(2)), "spec is the user's")
			clients(100)
			w.poll(ctx, "chat")
			w.clock.Step(10 * time.Minute)
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(6)), "stabilised")
			for range 70 {
				in = w.poll(ctx, "chat")
			}
			Expect(in.Status.Units.Effective).To(Equal(int32(2)))
		})

		It("is frozen while edges do not answer", func(ctx SpecContext) {
			w.running(ctx, auto())
			clients(2800)
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(4)))
			w.edges.each(func(e *playedEdge) { e.silent = true })
			in := w.poll(ctx, "chat")
			Expect(in).To(haveCondition("ScalingActive", "False", "MetricsUnavailable"))
			w.clock.Step(time.Hour)
			in = w.poll(ctx, "chat")
			Expect(in.Status.Units.Effective).To(Equal(int32(4)))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(w).To(haveEvent("Warning MetricsUnavailable"))
		})

		It("is frozen while edges are down that have answered before", func(ctx SpecContext) {
			w.running(ctx, auto())
			clients(2800)
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(4)))
			w.edges.each(func(e *playedEdge) { e.silent = true })
			for _, p := range w.pods(ctx, "chat") {
				p.Status.Conditions = nil // it crashes, and is not ready
				Expect(admin.Status().Update(ctx, &p)).To(Succeed())
			}
			Expect(w.poll(ctx, "chat")).To(haveCondition("ScalingActive", "False", "MetricsUnavailable"))
		})

		It("obeys a bound that falls below the units in force", func(ctx SpecContext) {
			w.running(ctx, auto())
			clients(5000)
			for range 3 {
				w.poll(ctx, "chat")
			}
			Expect(w.get(ctx, "chat").Status.Units.Effective).To(Equal(int32(6)))
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Autoscale.MaxUnits = 3 })
			in := w.poll(ctx, "chat")
			Expect(in.Status.Units.Effective).To(Equal(int32(3)))
			Expect(in).To(haveCondition("ScalingLimited", "True", "AtMaxUnits"))
		})

		It("waits a whole window after a pause, as it does after a restart", func(ctx SpecContext) {
			w.running(ctx, auto())
			clients(2800)
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(4)))
			w.annotate(ctx, "chat", signalrv1alpha1.PausedAnnotation, "true")
			w.reconciled(ctx, "chat")
			w.clock.Step(2 * time.Hour)
			clients(100)
			w.annotate(ctx, "chat", signalrv1alpha1.PausedAnnotation, "false")
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(4)))
		})

		It("rests while the instance is stopped", func(ctx SpecContext) {
			w.running(ctx, auto())
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
			Expect(w.settle(ctx, "chat")).To(haveCondition("ScalingActive", "False", "Stopped"))
		})

		It("starts from the live load when the status is empty", func(ctx SpecContext) {
			w.running(ctx, auto())
			clients(3000)
			in := w.get(ctx, "chat")
			in.Status = signalrv1alpha1.SignalRInstanceStatus{}
			Expect(admin.Status().Update(ctx, in)).To(Succeed())
			w.restart()
			Expect(w.poll(ctx, "chat").Status.Units.Effective).To(Equal(int32(5)))
		})
	})

	Describe("the day's messages", func() {
		counted := func(n int64) {
			w.edges.each(func(e *playedEdge) { e.status.Messages.Today = n })
		}

		It("are counted on by the edges that come after others", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat").Tier(signalrv1alpha1.TierFree))
			Expect(w.edgeConfig(ctx, "chat").Quota.Carried).To(BeZero())
			counted(19_990)
			w.poll(ctx, "chat")

			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
			w.settle(ctx, "chat")
			Expect(w.pods(ctx, "chat")).To(BeEmpty())
			w.restart() // an operator that remembers nothing
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateRunning })
			w.settle(ctx, "chat")
			carried := config.Carried{Day: "2026-05-04", Messages: 19_990}
			Expect(w.edgeConfig(ctx, "chat").Quota.Carried).To(Equal(carried))

			counted(20)
			w.clock.Step(messagesInterval)
			in := w.poll(ctx, "chat")
			Expect(in).To(haveCondition("QuotaHealthy", "False", "MessageQuotaFull"))
			Expect(in.Status.Usage.MessagesToday).To(Equal(int64(20_000)))

			counted(15) // its container was started again
			w.poll(ctx, "chat")
			carried.Messages += 20
			Expect(w.edgeConfig(ctx, "chat").Quota.Carried).To(Equal(carried))

			counted(0)
			w.clock.Step(24 * time.Hour)
			Expect(w.poll(ctx, "chat")).To(haveCondition("QuotaHealthy", "True", "WithinQuota"))
			Expect(w.edgeConfig(ctx, "chat").Quota.Carried).To(BeZero())
		})
	})

	Describe("usage in status", func() {
		It("is rounded, and written once a minute at most", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat").Units(3))
			w.clock.Step(time.Hour)
			clients := func(n int64) {
				w.edges.each(func(e *playedEdge) { e.status.Connections.Client = n })
				w.clock.Step(pollInterval)
				w.reconciled(ctx, "chat")
			}
			clients(1234)
			in := w.get(ctx, "chat")
			Expect(in.Status.Usage.Connections).To(Equal(int64(1200)))
			Expect(in.Status.Usage.UtilizationPercent).To(Equal(int64(40)))
			version := in.ResourceVersion
			clients(1190) // nearly what it says
			clients(1270)
			Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version))
			clients(1900)
			Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version), "less than a minute ago")
			clients(1900)
			in = w.get(ctx, "chat")
			Expect(in.Status.Usage.Connections).To(Equal(int64(1900)))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
		})
	})
})
