package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// poll lets a poll's time pass and calls the operator.
func (w *world) poll(ctx context.Context, name string) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	w.clock.Step(pollInterval)
	w.reconciled(ctx, name)
	return w.get(ctx, name)
}

// dynamic reads an object of an optional kind.
func (w *world) dynamic(ctx context.Context, gvk schema.GroupVersionKind, name string) *unstructured.Unstructured {
	GinkgoHelper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	w.read1(ctx, name, u)
	return u
}

// says puts a condition into the status of an object of an optional kind, at path.
func says(ctx context.Context, u *unstructured.Unstructured, conditionType string) {
	GinkgoHelper()
	conditions := []any{map[string]any{"type": conditionType, "status": "True"}}
	if conditionType == "Accepted" {
		u.Object["status"] = map[string]any{"parents": []any{map[string]any{"conditions": conditions}}}
	} else {
		u.Object["status"] = map[string]any{"conditions": conditions}
	}
	Expect(admin.Status().Update(ctx, u)).To(Succeed())
}

// joining lets edges say that they can be several.
func joining(e *playedEdge) {
	e.status.Capabilities = []string{"mode/Default", resources.CapabilityBackplane}
}

var _ = Describe("conditions", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	It("start as nobody having looked, which is in the schema", func(ctx SpecContext) {
		in := w.create(ctx, build.Instance("chat"))
		Expect(in).To(haveCondition("Ready", "Unknown", "Pending"))
		conditionsSeen.add(in.Status.Conditions)
		Expect(kstatus(in)).To(Equal("InProgress"))
	})

	It("are what kstatus understands, all the way up", func(ctx SpecContext) {
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		Expect(kstatus(w.get(ctx, "chat"))).To(Equal("InProgress"))
		in := w.settle(ctx, "chat")
		Expect(kstatus(in)).To(Equal("Current"))
		for _, c := range in.Status.Conditions {
			Expect(c.ObservedGeneration).To(Equal(in.Generation), c.Type)
		}
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Edge.DrainSeconds = 30
		})
		Expect(kstatus(w.get(ctx, "chat"))).To(Equal("InProgress"))
		w.reconciled(ctx, "chat")
		in = w.get(ctx, "chat")
		Expect(in).To(haveCondition("Reconciling", "True", "RollingOut"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		Expect(kstatus(w.settle(ctx, "chat"))).To(Equal("Current"))
	})

	Describe("Ready", func() {
		It("is Stopped, and True, without pods", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			p, _ := w.keyData(ctx, "chat")
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Stopped"))
			Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
			Expect(in).To(haveCondition("ServersConnected", "", ""))
			Expect(kstatus(in)).To(Equal("Current"))
			Expect(w.pods(ctx, "chat")).To(BeEmpty())
			Expect(w.exists(ctx, "chat", &corev1.Service{})).To(BeTrue())
			Expect(w).To(haveEvent("Normal Stopped"))
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateRunning })
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(w).To(haveEvent("Normal Started"))
			again, _ := w.keyData(ctx, "chat")
			Expect(again).To(Equal(p))
		})

		It("is EdgesNotReady while the edges wait for something, and the keys are no part of that", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat"))
			w.reconciled(ctx, "chat")
			pod := w.startPod(ctx, "chat", w.deployment(ctx, "chat"), "new")
			pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
			Expect(admin.Status().Update(ctx, pod)).To(Succeed())
			in := w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
			Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
		})

		It("is Stopped while the edges drain, which have nothing to load any more", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			pod := w.pods(ctx, "chat")[0]
			pod.Finalizers = []string{"example.com/drain"}
			Expect(admin.Update(ctx, &pod)).To(Succeed())
			Expect(admin.Delete(ctx, &pod)).To(Succeed())
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
			in := w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Stopped"))
			Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
			pod = w.pods(ctx, "chat")[0]
			pod.Finalizers = nil
			Expect(admin.Update(ctx, &pod)).To(Succeed())
		})

		It("is EdgesNotReady when none is, and comes back", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			d := w.deployment(ctx, "chat")
			d.Status.ReadyReplicas, d.Status.AvailableReplicas = 0, 0
			Expect(admin.Status().Update(ctx, d)).To(Succeed())
			in := w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
			Expect(in).To(haveCondition("Reconciling", "True", "Scaling"))
			Expect(w).To(haveEvent("Warning EdgesNotReady"))
			w.settle(ctx, "chat")
			Expect(w).To(haveEvent("Normal Serving"))
		})

		DescribeTable("is UnsupportedByEdge for a service mode that the edge lacks, and names the field",
			func(ctx SpecContext, mode signalrv1alpha1.ServiceMode) {
				in := w.running(ctx, build.Instance("chat").Mode(mode))
				Expect(in).To(haveCondition("Ready", "False", "UnsupportedByEdge"))
				for _, c := range in.Status.Conditions {
					if c.Type == "Ready" {
						Expect(c.Message).To(ContainSubstring("spec.serviceMode"))
					}
				}
				Expect(in).To(haveCondition("ServersConnected", "", ""))
				w.edges.each(func(e *playedEdge) { e.status.Capabilities = append(e.status.Capabilities, "mode/"+string(mode)) })
				Expect(w.poll(ctx, "chat")).To(haveCondition("Ready", "True", "Serving"))
			},
			Entry("Serverless", signalrv1alpha1.ServiceModeServerless),
			Entry("Classic", signalrv1alpha1.ServiceModeClassic),
		)

		It("is UnsupportedByEdge while edges that serve go on in the mode they can", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			pod := w.pods(ctx, "chat")[0].Name
			mode := func(mode signalrv1alpha1.ServiceMode) *signalrv1alpha1.SignalRInstance {
				w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.ServiceMode = mode })
				return w.settle(ctx, "chat")
			}
			in := mode(signalrv1alpha1.ServiceModeServerless)
			Expect(in).To(haveCondition("Ready", "False", "UnsupportedByEdge"))
			Expect(in).To(haveCondition("Reconciling", "", ""))
			Expect(string(w.edgeConfig(ctx, "chat").ServiceMode)).To(Equal("Default"))
			Expect(w.pods(ctx, "chat")[0].Name).To(Equal(pod))

			By("a new operator that cannot ask them")
			w.edges.each(func(e *playedEdge) { e.silent = true })
			w.restart()
			in = w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "UnsupportedByEdge"))
			Expect(in).To(haveCondition("Reconciling", "", ""))
			w.edges.each(func(e *playedEdge) { e.silent = false })
			w.poll(ctx, "chat")

			By("a moment without edges")
			template := w.deployment(ctx, "chat").Spec.Template
			w.kill(ctx, &w.pods(ctx, "chat")[0])
			Expect(w.poll(ctx, "chat")).To(haveCondition("Ready", "False", "UnsupportedByEdge"))
			Expect(w.deployment(ctx, "chat").Spec.Template).To(Equal(template))
			w.rollOut(ctx, "chat")
			pod = w.pods(ctx, "chat")[0].Name
			Expect(mode(signalrv1alpha1.ServiceModeDefault)).To(haveCondition("Ready", "True", "Serving"))
			Expect(w.pods(ctx, "chat")[0].Name).To(Equal(pod))
			serverless := func(e *playedEdge) {
				e.status.Capabilities = []string{"mode/Default", "mode/Serverless"}
			}
			w.edges.each(serverless)
			w.edges.born = serverless
			w.poll(ctx, "chat")
			Expect(mode(signalrv1alpha1.ServiceModeServerless)).To(haveCondition("Ready", "True", "Serving"))
			Expect(string(w.edgeConfig(ctx, "chat").ServiceMode)).To(Equal("Serverless"))
		})

		It("is EndpointPending until the load balancer has an address, which becomes the endpoint", func(ctx SpecContext) {
			in := w.running(ctx, build.Instance("chat").Exposure(signalrv1alpha1.ExposureSpec{
				Type: signalrv1alpha1.ExposureLoadBalancer,
			}))
			Expect(in).To(haveCondition("Ready", "False", "EndpointPending"))
			Expect(in.Status.Endpoint).To(Equal("http://chat." + w.namespace + ".svc"))
			var s corev1.Service
			w.read1(ctx, "chat", &s)
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.7"}}
			Expect(admin.Status().Update(ctx, &s)).To(Succeed())
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.Endpoint).To(Equal("http://203.0.113.7"))
			Expect(in.Status.HostName).To(Equal("203.0.113.7"))
			Expect(string(w.secret(ctx, "chat-keys").Data["primaryConnectionString"])).
				To(ContainSubstring("ClientEndpoint=http://203.0.113.7;"))
		})

		gateway := signalrv1alpha1.ExposureSpec{
			Type: signalrv1alpha1.ExposureGateway, HostName: "chat.example.com",
			Gateway: &signalrv1alpha1.GatewayExposure{ParentRefs: []signalrv1alpha1.ParentReference{{Name: "public"}}},
			TLS:     &signalrv1alpha1.ExposureTLS{IssuerRef: &signalrv1alpha1.IssuerReference{Name: "ca"}},
		}

		It("is EndpointPending until Gateway and certificate are there", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat").Exposure(gateway))
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "EndpointPending"))
			says(ctx, w.dynamic(ctx, httpRouteGVK, "chat"), "Accepted")
			in = w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "EndpointPending"))
			says(ctx, w.dynamic(ctx, certificateGVK, "chat-tls"), "Ready")
			in = w.poll(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.Endpoint).To(Equal("https://chat.example.com"))
		})

		It("says what edges that end TLS wait for", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat").Exposure(signalrv1alpha1.ExposureSpec{
				Type: signalrv1alpha1.ExposureLoadBalancer, HostName: "chat.example.com",
				TLS: &signalrv1alpha1.ExposureTLS{
					Termination: signalrv1alpha1.TLSTerminationEdge, IssuerRef: &signalrv1alpha1.IssuerReference{Name: "ca"},
				},
			}))
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
			Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("spec.exposure.tls.issuerRef"))
		})

		It("is EndpointPending while the kinds it needs are not installed, and goes on when they are", func(ctx SpecContext) {
			w.hideKinds = true
			in := w.running(ctx, build.Instance("chat").Exposure(gateway))
			Expect(in).To(haveCondition("Ready", "False", "EndpointPending"))
			w.hideKinds = false
			w.clock.Step(absentFor)
			w.poll(ctx, "chat")
			w.dynamic(ctx, httpRouteGVK, "chat")
			w.dynamic(ctx, serviceMonitorGVK, "chat")
		})
	})

	Describe("Stalled", func() {
		It("is NameConflict when somebody else's object is in the way, until it is gone", func(ctx SpecContext) {
			foreign := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
			foreign.Namespace, foreign.Name = w.namespace, "chat"
			Expect(admin.Create(ctx, foreign)).To(Succeed())
			w.create(ctx, build.Instance("chat"))
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "True", "NameConflict"))
			Expect(in).To(haveCondition("Reconciling", "", ""))
			Expect(kstatus(in)).To(Equal("Failed"))
			Expect(w).To(haveEvent("Warning NameConflict"))
			var s corev1.Service
			w.read1(ctx, "chat", &s)
			Expect(s.ResourceVersion).To(Equal(foreign.ResourceVersion), "left as it is")
			Expect(w.exists(ctx, resources.EdgeName("chat"), &appsv1.Deployment{})).To(BeTrue(), "the rest goes on")

			Expect(admin.Delete(ctx, foreign)).To(Succeed())
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "", ""))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
		})

		It("is QuotaForbidden when a ResourceQuota refuses a child", func(ctx SpecContext) {
			quota := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{
				Hard: corev1.ResourceList{"count/deployments.apps": resource.MustParse("0")},
			}}
			quota.Namespace, quota.Name = w.namespace, "none"
			Expect(admin.Create(ctx, quota)).To(Succeed())
			quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard
			Expect(admin.Status().Update(ctx, quota)).To(Succeed())
			w.create(ctx, build.Instance("chat"))
			Eventually(func(g Gomega) {
				w.reconciled(ctx, "chat")
				g.Expect(w.get(ctx, "chat")).To(haveCondition("Stalled", "True", "QuotaForbidden"))
			}).WithContext(ctx).WithTimeout(10 * time.Second).Should(Succeed())
			Expect(admin.Delete(ctx, quota)).To(Succeed())
		})

		It("is QuotaForbidden when the pods are refused", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			d := w.deployment(ctx, "chat")
			d.Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
				Message: `pods "chat-edge-x" is forbidden: violates PodSecurity "restricted:latest"`,
			}}
			Expect(admin.Status().Update(ctx, d)).To(Succeed())
			Expect(w.poll(ctx, "chat")).To(haveCondition("Stalled", "True", "QuotaForbidden"))
		})

		It("is ImagePull when a kubelet cannot get the image", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			pod := w.pods(ctx, "chat")[0]
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: "edge", Image: firstImage,
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}},
			}}
			Expect(admin.Status().Update(ctx, &pod)).To(Succeed())
			Expect(w.poll(ctx, "chat")).To(haveCondition("Stalled", "True", "ImagePull"))
			Expect(w).To(haveEvent("Warning ImagePull"))
			w.events.clear()
			for _, reason := range []string{"ErrImagePull", "ImagePullBackOff"} { // as it tries again
				pod = w.pods(ctx, "chat")[0]
				pod.Status.ContainerStatuses[0].State.Waiting.Reason = reason
				Expect(admin.Status().Update(ctx, &pod)).To(Succeed())
				Expect(w.poll(ctx, "chat")).To(haveCondition("Stalled", "True", "ImagePull"))
			}
			Expect(w.events.list()).To(BeEmpty())
		})

		It("is InvalidReference when the API server finds a child invalid, with the field", func(ctx SpecContext) {
			taken := &corev1.Service{Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, NodePort: 30111}},
			}}
			taken.Namespace, taken.Name = w.namespace, "other"
			Expect(admin.Create(ctx, taken)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, taken)).To(Succeed()) })
			w.create(ctx, build.Instance("chat").Exposure(signalrv1alpha1.ExposureSpec{
				Type: signalrv1alpha1.ExposureNodePort, NodePort: &signalrv1alpha1.NodePortExposure{Port: 30111},
			}))
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
			Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("nodePort"))
		})

		It("is InvalidReference for a schedule that never comes round", func(ctx SpecContext) {
			in := w.running(ctx, build.Instance("chat").Autoscale(5).With(func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Autoscale.Schedules = []signalrv1alpha1.AutoscaleSchedule{{
					Name: "x", Start: "0 8 30 2 *", End: "0 9 * * *", Units: 3,
				}}
			}))
			Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
		})
	})

	Describe("ServersConnected", func() {
		It("follows the app servers and never touches Ready", func(ctx SpecContext) {
			in := w.running(ctx, build.Instance("chat"))
			Expect(in).To(haveCondition("ServersConnected", "False", "NoServer"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			w.edges.each(func(e *playedEdge) { e.status.Connections.Server = 5 })
			in = w.poll(ctx, "chat")
			Expect(in).To(haveCondition("ServersConnected", "True", "Connected"))
			Expect(in.Status.Usage.Servers).To(Equal(int64(5)))
		})
	})

	Describe("QuotaHealthy", func() {
		It("has thresholds with hysteresis", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			for _, step := range []struct {
				clients, messages int64
				status, reason    string
			}{
				{790, 0, "True", "WithinQuota"},
				{800, 0, "False", "ConnectionQuotaHigh"},
				{760, 0, "False", "ConnectionQuotaHigh"},
				{740, 0, "True", "WithinQuota"},
				{1000, 0, "False", "ConnectionQuotaFull"},
				{960, 0, "False", "ConnectionQuotaFull"},
				{940, 0, "False", "ConnectionQuotaHigh"},
				{0, 810_000, "False", "MessageQuotaHigh"},
				{0, 1_000_000, "False", "MessageQuotaFull"},
			} {
				w.edges.each(func(e *playedEdge) {
					e.status.Connections.Client, e.status.Messages.Today = step.clients, step.messages
				})
				in := w.poll(ctx, "chat")
				Expect(in).To(haveCondition("QuotaHealthy", step.status, step.reason), "%+v", step)
				Expect(in).To(haveCondition("Ready", "True", "Serving"))
			}
			Expect(w).To(haveEvent("Warning ConnectionQuotaFull"))
			w.edges.each(func(e *playedEdge) { e.status.Messages.Today = 0 })
			w.clock.Step(24 * time.Hour)
			Expect(w.poll(ctx, "chat")).To(haveCondition("QuotaHealthy", "True", "WithinQuota"))
		})

		It("is Unknown, as are the servers, while no edge has been asked", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat"))
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("QuotaHealthy", "Unknown", "MetricsUnavailable"))
			Expect(in).To(haveCondition("ServersConnected", "Unknown", "MetricsUnavailable"))
		})
	})

	Describe("BackplaneReady", func() {
		It("is NotNeeded for one edge", func(ctx SpecContext) {
			in := w.running(ctx, build.Instance("chat"))
			Expect(in).To(haveCondition("BackplaneReady", "True", "NotNeeded"))
			Expect(in.Status.Backplane).To(Equal(signalrv1alpha1.BackplaneStatus{Mode: "Embedded", Ready: 1}))
		})

		DescribeTable("is UnsupportedByEdge, with one edge for everything, while edges cannot be several",
			func(ctx SpecContext, b *build.InstanceBuilder) {
				in := w.running(ctx, b)
				Expect(in).To(haveCondition("BackplaneReady", "False", "UnsupportedByEdge"))
				Expect(in).To(haveCondition("Ready", "True", "Serving"))
				Expect(in.Status.Edge.Replicas).To(Equal(int32(1)))
				Expect(w.edgeConfig(ctx, "chat").Quota.Connections).To(Equal(in.Status.Quota.Connections))
				Expect(w.exists(ctx, resources.BackplaneName("chat"), &appsv1.StatefulSet{})).To(BeFalse())
			},
			Entry("for its units", build.Instance("chat").Units(50)),
			Entry("for availability", build.Instance("chat").Replicas(3)),
			Entry("for a managed backplane", build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Backplane.Mode = signalrv1alpha1.BackplaneManaged
			})),
		)

		It("is Unknown until an edge has said whether it can be one of several", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat").Replicas(3))
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat")).To(haveCondition("BackplaneReady", "Unknown", "MetricsUnavailable"))
		})

		It("goes from Connecting to Connected to Lost with edges that can", func(ctx SpecContext) {
			w.edges.born = joining
			w.create(ctx, build.Instance("chat").Units(20))
			w.reconciled(ctx, "chat")
			w.rollOut(ctx, "chat")
			w.reconciled(ctx, "chat")
			var nodes appsv1.StatefulSet
			w.read1(ctx, resources.BackplaneName("chat"), &nodes)
			in := w.settle(ctx, "chat")
			Expect(in.Status.Edge.Replicas).To(Equal(int32(2)))
			Expect(in).To(haveCondition("BackplaneReady", "False", "Connecting"))
			Expect(in).To(haveCondition("Ready", "False", "BackplaneNotConnected"))
			setReady := func(n int32) {
				w.read1(ctx, resources.BackplaneName("chat"), &nodes)
				nodes.Status.Replicas, nodes.Status.ReadyReplicas = 3, n
				Expect(admin.Status().Update(ctx, &nodes)).To(Succeed())
			}
			setReady(3)
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("BackplaneReady", "True", "Connected"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.Backplane).To(Equal(signalrv1alpha1.BackplaneStatus{Mode: "Managed", Ready: 3}))
			setReady(1)
			Expect(w.poll(ctx, "chat")).To(haveCondition("BackplaneReady", "False", "Lost"))

			setReady(3)
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Units = 1 })
			in = w.settle(ctx, "chat")
			Expect(in.Status.Edge.Replicas).To(Equal(int32(1)))
			Expect(in.Status.Backplane.Mode).To(Equal(signalrv1alpha1.BackplaneManaged), "never back by itself")
		})
	})

	It("tells each warning once, those about annotations too", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Edge.DrainSeconds = 5 })
		w.settle(ctx, "chat")
		w.annotate(ctx, "chat", signalrv1alpha1.PausedAnnotation, "yes")
		w.settle(ctx, "chat")
		w.poll(ctx, "chat")
		w.restart()
		w.poll(ctx, "chat")
		Expect(w.events.list()).To(ContainElement(HavePrefix("Warning SpecUnwise: spec.edge.drainSeconds")))
		Expect(w.events.list()).To(ContainElement(HavePrefix("Warning SpecUnwise: metadata.annotations")))
		said := slices.DeleteFunc(w.events.list(), func(e string) bool { return !strings.HasPrefix(e, "Warning SpecUnwise") })
		Expect(said).To(HaveLen(2))
	})

	Describe("Paused", func() {
		It("leaves everything as it is", func(ctx SpecContext) {
			w.running(ctx, build.Instance("chat"))
			w.annotate(ctx, "chat", signalrv1alpha1.PausedAnnotation, "true")
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.CORS.AllowedOrigins = []string{"https://a.example.com"}
			})
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Paused", "True", "Annotation"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.ObservedGeneration).To(BeNumerically("<", in.Generation))
			Expect(w.edgeConfig(ctx, "chat").CORS.AllowedOrigins).To(Equal([]string{"*"}))
			Expect(w).To(haveEvent("Normal Paused"))
			version := in.ResourceVersion
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version))

			By("saying so of a newer spec too, or it would seem to be about an older one")
			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.Units = 2 })
			w.reconciled(ctx, "chat")
			in = w.get(ctx, "chat")
			Expect(meta.FindStatusCondition(in.Status.Conditions, "Paused").ObservedGeneration).To(Equal(in.Generation))
			Expect(slices.DeleteFunc(w.events.list(), func(e string) bool { return !strings.HasPrefix(e, "Normal Paused") })).
				To(HaveLen(1))

			w.annotate(ctx, "chat", signalrv1alpha1.PausedAnnotation, "false")
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Paused", "", ""))
			Expect(w.edgeConfig(ctx, "chat").CORS.AllowedOrigins).To(Equal([]string{"https://a.example.com"}))
			Expect(w).To(haveEvent("Normal Resumed"))
			Expect(w).To(haveEvent("Warning SpecUnwise"))
		})
	})
})
