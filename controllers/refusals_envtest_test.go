package controllers

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// What keeps pods from being made or started, and only a person can mend.
var _ = Describe("edge pods", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	refused := func(ctx context.Context, message string) *signalrv1alpha1.SignalRInstance {
		GinkgoHelper()
		w.running(ctx, build.Instance("chat"))
		d := w.deployment(ctx, "chat")
		d.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: message,
		}}
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		return w.poll(ctx, "chat")
	}

	DescribeTable("that the namespace refuses are QuotaForbidden, with what it says and without its numbers and names",
		func(ctx SpecContext, message, want string) {
			in := refused(ctx, `pods "chat-edge-5d4f-x7k2p" is forbidden: `+message)
			Expect(in).To(haveCondition("Stalled", "True", "QuotaForbidden"))
			said := fmt.Sprint(in.Status.Conditions)
			Expect(said).To(ContainSubstring(want))
			Expect(said).NotTo(Or(ContainSubstring("x7k2p"), ContainSubstring("used:")))
		},
		Entry("because a quota is used up",
			"exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3", "exceeded quota: small"),
		Entry("because a quota asks for limits",
			"failed quota: small: must specify limits.cpu for: edge", "must specify limits.cpu for: edge"),
		Entry("because a LimitRange allows less",
			"maximum memory usage per Container is 128Mi, but limit is 768Mi", "maximum memory usage per Container is 128Mi"),
		Entry("because of Pod Security",
			`violates PodSecurity "restricted:latest": unrestricted capabilities`, "violates PodSecurity"),
	)

	It("that are of a class that is not there are an InvalidReference", func(ctx SpecContext) {
		in := refused(ctx, `pods "chat-edge-5d4f-x7k2p" is forbidden: no PriorityClass with name high was found`)
		Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
		Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("spec.edge.pod.priorityClassName"))
	})

	It("that wait for a certificate that is not there are an InvalidReference", func(ctx SpecContext) {
		w.create(ctx, build.Instance("chat").Exposure(signalrv1alpha1.ExposureSpec{
			TLS: &signalrv1alpha1.ExposureTLS{
				Termination: signalrv1alpha1.TLSTerminationEdge, SecretName: "certificate",
			},
		}))
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
		Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("spec.exposure.tls.secretName"))
		Expect(w.exists(ctx, "chat-edge", &appsv1.Deployment{})).To(BeTrue(), "the pods wait for it")

		Expect(admin.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "certificate"},
			StringData: map[string]string{"tls.crt": "x", "tls.key": "y"}, Type: corev1.SecretTypeTLS,
		})).To(Succeed())
		Expect(w.poll(ctx, "chat")).To(haveCondition("Stalled", "", ""))
		Expect(w.settle(ctx, "chat")).To(haveCondition("Ready", "True", "Serving"))
	})
})
