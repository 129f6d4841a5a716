package controllers

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// refuseServices is a policy that lets no Service into a namespace.
func refuseServices(name, namespace string) (client.Object, client.Object) {
	rule := admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	policy.Spec = admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			ResourceRules:     []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule}},
		},
		Validations: []admissionv1.Validation{{Expression: "false", Message: "ask the network team"}},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec = admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}
	return policy, binding
}

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

	It("that a webhook refuses are QuotaForbidden, without the names of pods that never were", func(ctx SpecContext) {
		const message = "admission webhook %q denied the request: \n\nresource Pod/a/%s was blocked\n\nlimits:\n  no cpu"
		in := refused(ctx, fmt.Sprintf(message, "policy.example.com", "chat-edge-5d4f9c77b8-x7k2p"))
		Expect(in).To(haveCondition("Stalled", "True", "QuotaForbidden"))
		Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("was blocked limits: no cpu"))
		d := w.deployment(ctx, "chat")
		d.Status.Conditions[0].Message = fmt.Sprintf(message, "policy.example.com", "chat-edge-5d4f9c77b8-9zz4q")
		Expect(admin.Status().Update(ctx, d)).To(Succeed())
		Expect(w.poll(ctx, "chat").ResourceVersion).To(Equal(in.ResourceVersion), "the next pod is the same news")
	})

	It("that are of a class that is not there are an InvalidReference", func(ctx SpecContext) {
		in := refused(ctx, `pods "chat-edge-5d4f-x7k2p" is forbidden: no PriorityClass with name high was found`)
		Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
		Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("spec.edge.pod.priorityClassName"))
	})

	It("are children as others are for an admission policy, which says why", func(ctx SpecContext) {
		policy, binding := refuseServices("no-services-"+w.namespace, w.namespace)
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
		Expect(admin.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, binding)).To(Succeed()) })
		probe := &corev1.Service{Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Port: 80}},
		}}
		probe.Namespace, probe.Name = w.namespace, "probe"
		Eventually(func() error { return admin.Create(ctx, probe, client.DryRunAll) }).WithTimeout(20 * time.Second).
			Should(MatchError(ContainSubstring("ask the network team")))
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Stalled", "True", "QuotaForbidden"))
		Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("ask the network team"))
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
