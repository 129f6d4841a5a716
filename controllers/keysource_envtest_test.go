package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// Where keys come from, and what is said when something is wrong there.
var _ = Describe("the source of keys", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	DescribeTable("is mended when users' Secret is damaged, and that is said",
		func(ctx SpecContext, damage func(map[string][]byte)) {
			w.running(ctx, build.Instance("chat"))
			p, s := w.keyData(ctx, "chat")
			before := w.edgeConfig(ctx, "chat").Hash()
			secret := w.secret(ctx, resources.KeysSecretName("chat"))
			damage(secret.Data)
			Expect(admin.Update(ctx, secret)).To(Succeed())
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("KeysReady", "False", "SecretInvalid"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in).To(haveCondition("Stalled", "", ""))
			Expect(w).To(haveEvent("Warning SecretInvalid"))
			Expect(w).To(haveEvent("Warning SecretRestored"))
			p1, s1 := w.keyData(ctx, "chat")
			Expect([]string{p1, s1}).To(Equal([]string{p, s}))
			Expect(w.edgeConfig(ctx, "chat").Hash()).To(Equal(before), "the last good keys stay in force")
			Expect(w.poll(ctx, "chat")).To(haveCondition("KeysReady", "True", "Loaded"))
		},
		Entry("by a key that is no key", func(d map[string][]byte) { d["primaryKey"] = []byte("short") }),
		Entry("by a key that is gone", func(d map[string][]byte) { delete(d, "secondaryKey") }),
		Entry("by another key", func(d map[string][]byte) { d["primaryKey"] = []byte(userOther) }),
	)

	It("is not damaged while a rotation is on its way to users", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		w.rotate(ctx, "chat", "1", "")
		w.failNth(2, failures["500"].err) // the edges' Secret is written, users' is not
		_, err := w.reconcile(ctx, "chat")
		Expect(err).To(HaveOccurred())
		w.write = nil
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "Rotating"))
		Expect(w).NotTo(haveEvent("Warning SecretRestored"))
	})

	It("changes to a Secret of the user's and back, and no key is replaced on the way", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		w.rotate(ctx, "chat", "1", "1")
		w.clock.Step(time.Minute)
		w.settle(ctx, "chat")
		w.settle(ctx, "chat")
		own := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "my-keys"},
			Data:       map[string][]byte{"primaryKey": []byte(userPrimary), "secondaryKey": []byte(userSecondary)},
		}
		Expect(admin.Create(ctx, own)).To(Succeed())
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
			in.Spec.Auth.AccessKeys.Rotation = signalrv1alpha1.KeyRotation{}
		})
		in := w.settle(ctx, "chat")
		Expect(in.Status.KeysSecretName).To(Equal("my-keys"))
		Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{userPrimary: "primary", userSecondary: "secondary"}))
		w.events.clear()

		w.restart()
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.ExistingSecretRef = nil
		})
		in = w.settle(ctx, "chat")
		Expect(in.Status.KeysSecretName).To(Equal(resources.KeysSecretName("chat")))
		Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{userPrimary: "primary", userSecondary: "secondary"}))
		p, s := w.keyData(ctx, "chat")
		Expect([]string{p, s}).To(Equal([]string{userPrimary, userSecondary}), "what users read is what is in force")
		Expect(w).NotTo(haveEvent("Normal KeyRotated"))
		Expect(w).NotTo(haveEvent("Warning SecretInvalid"))

		w.rotate(ctx, "chat", "2", "")
		w.settle(ctx, "chat")
		Expect(w.inForce(ctx, "chat")).NotTo(HaveKey(userPrimary))
	})

	It("is never a Secret whose keys are no longer in force", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		old, _ := w.keyData(ctx, "chat")
		own := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "my-keys"},
			Data:       map[string][]byte{"primaryKey": []byte(userPrimary), "secondaryKey": []byte(userSecondary)},
		}
		Expect(admin.Create(ctx, own)).To(Succeed())
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
		})
		w.settle(ctx, "chat")
		Expect(admin.Delete(ctx, own)).To(Succeed())
		Expect(admin.Delete(ctx, w.secret(ctx, resources.EdgeSecretName("chat")))).To(Succeed())
		w.restart()
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("Ready", "False", "KeysInvalid"))
		var s corev1.Secret
		Expect(w.exists(ctx, resources.EdgeSecretName("chat"), &s)).To(BeFalse(), "with %s in it", old)
	})

	DescribeTable("is left alone by a schedule that cannot be followed, which is said, naming the field",
		func(ctx SpecContext, expression string) {
			in := w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Auth.AccessKeys.Rotation.Schedule = signalrv1alpha1.CronExpression(expression)
			}))
			Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
			Expect(fmt.Sprint(in.Status.Conditions)).To(ContainSubstring("spec.auth.accessKeys.rotation.schedule"))
			Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(w.events.everything()).To(ContainElement(HavePrefix("Warning InvalidReference")))
			Expect(w.reconciled(ctx, "chat").RequeueAfter).To(BeNumerically(">", time.Second))

			w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) {
				in.Spec.Auth.AccessKeys.Rotation.Schedule = "0 3 1 * *"
			})
			Expect(w.settle(ctx, "chat")).To(haveCondition("Stalled", "", ""))
		},
		Entry("as 31 February", "0 3 31 2 *"),
		Entry("as Friday to Monday", "0 3 * * 5-1"),
		Entry("as from ten to five past", "10-5 3 * * *"),
	)

	It("replaces both keys of a stopped instance, one after the other, without delay", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		p, s := w.keyData(ctx, "chat")
		w.change(ctx, "chat", func(in *signalrv1alpha1.SignalRInstance) { in.Spec.State = signalrv1alpha1.StateStopped })
		w.settle(ctx, "chat")
		w.rotate(ctx, "chat", "1", "1")
		for range 3 {
			w.reconciled(ctx, "chat")
			w.clock.Step(time.Second)
		}
		p1, s1 := w.keyData(ctx, "chat")
		Expect(p1).NotTo(Equal(p))
		Expect(s1).NotTo(Equal(s))
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "True", "Loaded"))
	})

	It("keeps every replaced key valid for its overlap, as far as edges take keys", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.Rotation.Schedule = "0 */4 * * *"
		}))
		first, _ := w.keyData(ctx, "chat")
		for hour := 12; hour < 32; hour += 4 {
			w.clock.SetTime(time.Date(2026, 5, 4, hour, 0, 1, 0, time.UTC))
			w.reconciled(ctx, "chat")
			w.load(ctx, "chat")
		}
		Expect(w.inForce(ctx, "chat")).To(HaveKey(first), "replaced 20 hours ago, with an overlap of a day")
		Expect(w.inForce(ctx, "chat")).To(HaveLen(2 + 5))
	})
})
