package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// Keys that a user made.
const (
	userPrimary   = "user-primary-0123456789abcdefghijklmnop"
	userSecondary = "user-secondary-0123456789abcdefghijklmn"
	userOther     = "user-other-0123456789abcdefghijklmnopqr"
)

// keyData is what the key Secret of an instance holds.
func (w *world) keyData(ctx context.Context, name string) (primaryKey, secondaryKey string) {
	GinkgoHelper()
	s := w.secret(ctx, resources.KeysSecretName(name))
	return string(s.Data["primaryKey"]), string(s.Data["secondaryKey"])
}

// inForce returns the names of the keys in the edges' configuration, by value.
func (w *world) inForce(ctx context.Context, name string) map[string]string {
	GinkgoHelper()
	out := map[string]string{}
	for _, k := range w.edgeConfig(ctx, name).Auth.Keys {
		out[k.Value.Reveal()] = k.Name
	}
	return out
}

// rotate sets nonces as a user does.
func (w *world) rotate(ctx context.Context, name, primaryNonce, secondaryNonce string) {
	GinkgoHelper()
	w.change(ctx, name, func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Auth.AccessKeys.Rotation.PrimaryNonce = primaryNonce
		in.Spec.Auth.AccessKeys.Rotation.SecondaryNonce = secondaryNonce
	})
}

func scheduled(overlap int32) func(*signalrv1alpha1.SignalRInstance) {
	return func(in *signalrv1alpha1.SignalRInstance) {
		in.Spec.Auth.AccessKeys.Rotation.Schedule = "0 3 * * *"
		in.Spec.Auth.AccessKeys.Rotation.OverlapSeconds = &overlap
	}
}

var _ = Describe("keys", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	It("records the nonces that an instance comes with and rotates nothing", func(ctx SpecContext) {
		w.create(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.Rotation.PrimaryNonce = "1"
		}))
		w.reconciled(ctx, "chat")
		first, _ := w.keyData(ctx, "chat")
		w.settle(ctx, "chat")
		Expect(first).To(HaveLen(44))
		now, _ := w.keyData(ctx, "chat")
		Expect(now).To(Equal(first))
		Expect(w).NotTo(haveEvent("Normal KeyRotated"))
	})

	It("replaces one key at once when its nonce changes, and refuses the old one", func(ctx SpecContext) {
		before := w.running(ctx, build.Instance("chat"))
		oldPrimary, oldSecondary := w.keyData(ctx, "chat")
		w.rotate(ctx, "chat", "1", "")
		w.reconciled(ctx, "chat")

		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("KeysReady", "False", "Rotating"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		newPrimary, newSecondary := w.keyData(ctx, "chat")
		Expect(newPrimary).NotTo(Equal(oldPrimary))
		Expect(newSecondary).To(Equal(oldSecondary))
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{newPrimary: "primary", oldSecondary: "secondary"}))
		Expect(in.Status.Keys[0].Fingerprint).NotTo(Equal(before.Status.Keys[0].Fingerprint))
		Expect(in.Status.Keys[0].RotatedTime.Time).To(BeTemporally("~", w.clock.Now(), time.Second))
		Expect(in.Status.Keys[1]).To(Equal(before.Status.Keys[1]))
		Expect(w).To(haveEvent("Normal KeyRotated"))

		w.load(ctx, "chat")
		w.clock.Step(2 * time.Second)
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "True", "Loaded"))
	})

	It("touches each pod once so that its kubelet refreshes the Secret", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		w.rotate(ctx, "chat", "1", "")
		for range 5 {
			w.reconciled(ctx, "chat")
			w.clock.Step(time.Second)
		}
		pod := w.pods(ctx, "chat")[0]
		Expect(pod.Annotations).To(HaveKeyWithValue(loadedAnnotation, loadedMark(w.edgeConfig(ctx, "chat").Hash())))
		version := pod.ResourceVersion
		w.load(ctx, "chat")
		w.clock.Step(time.Minute)
		w.reconciled(ctx, "chat")
		Expect(w.pods(ctx, "chat")[0].ResourceVersion).To(Equal(version))
	})

	It("asks the edges every second whether they have loaded it, and gives up in time", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		Expect(w.reconciled(ctx, "chat").RequeueAfter).To(BeNumerically(">", eagerInterval), "nothing to wait for")
		w.rotate(ctx, "chat", "1", "")
		for range 3 {
			Expect(w.reconciled(ctx, "chat").RequeueAfter).To(BeNumerically("<=", eagerInterval))
			w.clock.Step(eagerInterval)
		}
		w.clock.Step(eagerFor)
		Expect(w.reconciled(ctx, "chat").RequeueAfter).To(BeNumerically(">", eagerInterval), "an edge that does not")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "Rotating"))
	})

	It("touches a pod again for what it was changed back to", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		for _, units := range []int32{10, 1} {
			w.setUnits(ctx, "chat", units)
			w.reconciled(ctx, "chat") // the reading is a moment old
			Expect(w.pods(ctx, "chat")[0].Annotations).To(
				HaveKeyWithValue(loadedAnnotation, loadedMark(w.edgeConfig(ctx, "chat").Hash())), "%d units", units)
		}
	})

	It("replaces one key, then the other, when both nonces change", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		oldPrimary, oldSecondary := w.keyData(ctx, "chat")
		w.rotate(ctx, "chat", "1", "1")
		w.reconciled(ctx, "chat")
		p, s := w.keyData(ctx, "chat")
		Expect(p).NotTo(Equal(oldPrimary))
		Expect(s).To(Equal(oldSecondary), "the other key waits")
		w.clock.Step(time.Second)
		w.reconciled(ctx, "chat")
		_, s = w.keyData(ctx, "chat")
		Expect(s).To(Equal(oldSecondary), "no edge has loaded the first")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "RotationQueued"))

		w.clock.Step(2 * time.Second)
		result := w.reconciled(ctx, "chat")
		Expect(result.RequeueAfter).To(BeNumerically("<=", time.Second))
		w.load(ctx, "chat")
		w.clock.Step(2 * time.Second)
		w.reconciled(ctx, "chat")
		p2, s2 := w.keyData(ctx, "chat")
		Expect(p2).To(Equal(p))
		Expect(s2).NotTo(Equal(oldSecondary))
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "Rotating"))
		w.load(ctx, "chat")
		w.clock.Step(2 * time.Second)
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "True", "Loaded"))
	})

	It("replaces both keys without delay where no edge runs", func(ctx SpecContext) {
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		p, s := w.keyData(ctx, "chat")
		w.clock.Step(time.Minute)
		w.rotate(ctx, "chat", "1", "1")
		w.reconciled(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "RotationQueued"))
		w.clock.Step(time.Second)
		w.reconciled(ctx, "chat")
		p1, s1 := w.keyData(ctx, "chat")
		Expect(p1).NotTo(Equal(p))
		Expect(s1).NotTo(Equal(s))
	})

	It("does not wait for an edge that never answers to replace the other key", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		_, oldSecondary := w.keyData(ctx, "chat")
		w.rotate(ctx, "chat", "1", "1")
		w.reconciled(ctx, "chat")
		w.edges.each(func(e *playedEdge) { e.silent = true })
		w.clock.Step(queueBound + time.Second)
		w.reconciled(ctx, "chat")
		_, s := w.keyData(ctx, "chat")
		Expect(s).NotTo(Equal(oldSecondary))
	})

	It("follows a schedule, alternating, and keeps the replaced key valid for the overlap", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").With(scheduled(3600)))
		p0, s0 := w.keyData(ctx, "chat")
		w.clock.SetTime(time.Date(2026, 5, 5, 3, 0, 1, 0, time.UTC))
		w.reconciled(ctx, "chat")
		p1, s1 := w.keyData(ctx, "chat")
		Expect(p1).NotTo(Equal(p0))
		Expect(s1).To(Equal(s0))
		forced := w.inForce(ctx, "chat")
		Expect(forced).To(HaveLen(3))
		Expect(forced[p0]).To(HavePrefix("previous-primary-"))
		for _, k := range w.edgeConfig(ctx, "chat").Auth.Keys {
			if k.Value.Reveal() == p0 {
				Expect(k.NotAfter).To(BeTemporally("==", w.clock.Now().Add(time.Hour).Truncate(time.Second)))
			}
		}
		w.settle(ctx, "chat")
		Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "True", "Loaded"))

		w.clock.SetTime(time.Date(2026, 5, 5, 4, 2, 0, 0, time.UTC))
		w.reconciled(ctx, "chat")
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{p1: "primary", s0: "secondary"}))
		w.settle(ctx, "chat")

		w.clock.SetTime(time.Date(2026, 5, 9, 12, 0, 0, 0, time.UTC)) // four times late: one key
		w.reconciled(ctx, "chat")
		w.settle(ctx, "chat")
		p2, s2 := w.keyData(ctx, "chat")
		Expect(p2).To(Equal(p1))
		Expect(s2).NotTo(Equal(s1))
	})

	It("ends an overlap at once when the key is rotated by hand", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").With(scheduled(86400)))
		w.clock.SetTime(time.Date(2026, 5, 5, 3, 0, 1, 0, time.UTC))
		w.reconciled(ctx, "chat")
		w.settle(ctx, "chat")
		Expect(w.inForce(ctx, "chat")).To(HaveLen(3))
		w.rotate(ctx, "chat", "leaked", "")
		w.reconciled(ctx, "chat")
		Expect(w.inForce(ctx, "chat")).To(HaveLen(2))
	})

	It("restores a deleted Secret with the same keys", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		p, s := w.keyData(ctx, "chat")
		before := w.edgeConfig(ctx, "chat")
		for _, name := range []string{resources.KeysSecretName("chat"), resources.EdgeSecretName("chat")} {
			Expect(admin.Delete(ctx, w.secret(ctx, name))).To(Succeed())
			w.reconciled(ctx, "chat")
			p1, s1 := w.keyData(ctx, "chat")
			Expect([]string{p1, s1}).To(Equal([]string{p, s}))
			Expect(w.edgeConfig(ctx, "chat").Hash()).To(Equal(before.Hash()), "tokens too")
			Expect(w).To(haveEvent("Warning SecretRestored"))
			w.events.clear()
		}
		Expect(admin.Delete(ctx, w.secret(ctx, resources.EdgeSecretName("chat")))).To(Succeed())
		w.restart()
		w.reconciled(ctx, "chat")
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{p: "primary", s: "secondary"}))
	})

	It("undoes what somebody does to its Secrets", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		p, s := w.keyData(ctx, "chat")
		for name, entry := range map[string]string{
			resources.KeysSecretName("chat"): "primaryKey", resources.EdgeSecretName("chat"): resources.ConfigFile,
		} {
			w.restart()
			secret := w.secret(ctx, name)
			secret.Data[entry] = []byte("mistake")
			Expect(admin.Update(ctx, secret)).To(Succeed())
			w.reconciled(ctx, "chat")
			Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{p: "primary", s: "secondary"}))
			p1, s1 := w.keyData(ctx, "chat")
			Expect([]string{p1, s1}).To(Equal([]string{p, s}))
		}
	})

	It("makes no new keys when both Secrets are damaged, and says so", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		for _, name := range []string{resources.KeysSecretName("chat"), resources.EdgeSecretName("chat")} {
			secret := w.secret(ctx, name)
			secret.Data = nil
			Expect(admin.Update(ctx, secret)).To(Succeed())
		}
		w.restart()
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Ready", "False", "KeysInvalid"))
		Expect(in).To(haveCondition("KeysReady", "False", "SecretInvalid"))
		Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"), "only a person can help")
		Expect(w.secret(ctx, resources.KeysSecretName("chat")).Data).To(BeEmpty())
		Expect(w).To(haveEvent("Warning SecretInvalid"))
		var d appsv1.Deployment
		Expect(w.exists(ctx, resources.EdgeName("chat"), &d)).To(BeTrue(), "what runs, runs on")
	})

	It("rotates nothing when a backup is restored", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		w.rotate(ctx, "chat", "1", "")
		w.reconciled(ctx, "chat")
		w.settle(ctx, "chat")
		p, s := w.keyData(ctx, "chat")
		backup, instance := w.secret(ctx, resources.KeysSecretName("chat")), w.get(ctx, "chat")
		w.wipe(ctx, "chat")

		backup.ResourceVersion, backup.UID, backup.OwnerReferences, backup.ManagedFields = "", "", nil, nil
		instance.ResourceVersion, instance.UID = "", ""
		Expect(admin.Create(ctx, backup)).To(Succeed())
		Expect(admin.Create(ctx, instance)).To(Succeed())
		w.settle(ctx, "chat")
		p1, s1 := w.keyData(ctx, "chat")
		Expect([]string{p1, s1}).To(Equal([]string{p, s}))
		Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{p: "primary", s: "secondary"}))
	})

	Describe("of the user's own Secret", func() {
		own := func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
		}
		put := func(ctx context.Context, p, s string, labels map[string]string) {
			GinkgoHelper()
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "my-keys", Labels: labels},
				Data:       map[string][]byte{"primaryKey": []byte(p), "secondaryKey": []byte(s)},
			}
			err := admin.Create(ctx, secret)
			if client.IgnoreAlreadyExists(err) == nil && err != nil {
				err = admin.Update(ctx, secret)
			}
			Expect(err).NotTo(HaveOccurred())
		}
		watched := map[string]string{signalrv1alpha1.WatchLabel: "true"}

		It("are taken, followed, and never written", func(ctx SpecContext) {
			put(ctx, userPrimary, userSecondary, watched)
			version := w.secret(ctx, "my-keys").ResourceVersion
			in := w.running(ctx, build.Instance("chat").With(own))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in.Status.KeysSecretName).To(Equal("my-keys"))
			Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{userPrimary: "primary", userSecondary: "secondary"}))
			Expect(w.exists(ctx, resources.KeysSecretName("chat"), &corev1.Secret{})).To(BeFalse())
			Expect(w.secret(ctx, "my-keys").ResourceVersion).To(Equal(version))

			put(ctx, userOther, userSecondary, watched)
			w.reconciled(ctx, "chat")
			Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{userOther: "primary", userSecondary: "secondary"}))
			Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "Rotating"))
		})

		It("are read again within a minute without the label", func(ctx SpecContext) {
			put(ctx, userPrimary, userSecondary, nil)
			w.running(ctx, build.Instance("chat").With(own))
			put(ctx, userOther, userSecondary, nil)
			w.clock.Step(userSecretEvery)
			w.reconciled(ctx, "chat")
			Expect(w.inForce(ctx, "chat")).To(HaveKeyWithValue(userOther, "primary"))
		})

		It("stay in force when the Secret is damaged or gone, across restarts of operator and edges", func(ctx SpecContext) {
			put(ctx, userPrimary, userSecondary, watched)
			w.running(ctx, build.Instance("chat").With(own))
			put(ctx, "short", userSecondary, watched)
			w.restart()
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("KeysReady", "False", "SecretInvalid"))
			Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(kstatus(in)).To(Equal("Failed"))
			for _, p := range w.pods(ctx, "chat") {
				w.kill(ctx, &p)
			}
			w.rollOut(ctx, "chat")
			w.reconciled(ctx, "chat")
			Expect(w.inForce(ctx, "chat")).To(Equal(map[string]string{userPrimary: "primary", userSecondary: "secondary"}))

			Expect(admin.Delete(ctx, w.secret(ctx, "my-keys"))).To(Succeed())
			w.clock.Step(userSecretEvery)
			w.reconciled(ctx, "chat")
			Expect(w.get(ctx, "chat")).To(haveCondition("KeysReady", "False", "SecretInvalid"))
			Expect(w.inForce(ctx, "chat")).To(HaveLen(2))

			put(ctx, userOther, userSecondary, watched)
			w.reconciled(ctx, "chat")
			in = w.settle(ctx, "chat")
			Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
			Expect(in).To(haveCondition("Stalled", "", ""))
			Expect(w).To(haveEvent("Normal Recovered"))
		})

		It("are waited for: without them no edge starts", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat").With(own))
			w.reconciled(ctx, "chat")
			in := w.get(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "False", "KeysInvalid"))
			Expect(in).To(haveCondition("Stalled", "True", "InvalidReference"))
			Expect(w.exists(ctx, resources.EdgeName("chat"), &appsv1.Deployment{})).To(BeFalse())
			Expect(w.exists(ctx, "chat", &corev1.Service{})).To(BeTrue())
			put(ctx, userPrimary, userSecondary, nil)
			w.clock.Step(userSecretEvery)
			Expect(w.settle(ctx, "chat")).To(haveCondition("Ready", "True", "Serving"))
		})
	})

	It("stay behind with the deletion policy Retain, and are taken up again", func(ctx SpecContext) {
		retain := func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.DeletionPolicy = signalrv1alpha1.DeletionPolicyRetain
		}
		w.running(ctx, build.Instance("chat"))
		p, s := w.keyData(ctx, "chat")
		Expect(w.secret(ctx, resources.KeysSecretName("chat")).OwnerReferences).To(HaveLen(1))
		w.change(ctx, "chat", retain)
		w.reconciled(ctx, "chat")
		Expect(w.secret(ctx, resources.KeysSecretName("chat")).OwnerReferences).To(BeEmpty())
		w.wipe(ctx, "chat")

		Expect(w.exists(ctx, resources.KeysSecretName("chat"), &corev1.Secret{})).To(BeTrue())
		in := w.running(ctx, build.Instance("chat"))
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		p1, s1 := w.keyData(ctx, "chat")
		Expect([]string{p1, s1}).To(Equal([]string{p, s}))
		Expect(w.secret(ctx, resources.KeysSecretName("chat")).OwnerReferences).To(HaveLen(1))
	})

	It("that stayed behind are not replaced because the new instance has other nonces", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.DeletionPolicy = signalrv1alpha1.DeletionPolicyRetain
			in.Spec.Auth.AccessKeys.Rotation.PrimaryNonce, in.Spec.Auth.AccessKeys.Rotation.Schedule = "old", "0 3 1 * *"
		}))
		p, s := w.keyData(ctx, "chat")
		w.wipe(ctx, "chat")
		w.clock.Step(60 * 24 * time.Hour)
		w.running(ctx, build.Instance("chat").With(func(in *signalrv1alpha1.SignalRInstance) {
			in.Spec.Auth.AccessKeys.Rotation.SecondaryNonce, in.Spec.Auth.AccessKeys.Rotation.Schedule = "new", "0 3 1 * *"
		}))
		p1, s1 := w.keyData(ctx, "chat")
		Expect([]string{p1, s1}).To(Equal([]string{p, s}))
		w.rotate(ctx, "chat", "", "newer")
		w.settle(ctx, "chat")
		p1, s1 = w.keyData(ctx, "chat")
		Expect(p1).To(Equal(p))
		Expect(s1).NotTo(Equal(s), "from then on a change is one")
	})
})

// wipe deletes an instance and, as the garbage collector does, everything that it owns.
func (w *world) wipe(ctx context.Context, name string) {
	GinkgoHelper()
	in := w.get(ctx, name)
	Expect(admin.Delete(ctx, in)).To(Succeed())
	w.reconciled(ctx, name)
	w.collect(ctx, name, in.UID)
}

// collect does what the garbage collector does: it deletes what an instance that is gone has owned.
func (w *world) collect(ctx context.Context, name string, owner types.UID) {
	GinkgoHelper()
	for _, p := range w.pods(ctx, name) {
		w.kill(ctx, &p)
	}
	for _, id := range childIDs(client.ObjectKey{Namespace: w.namespace, Name: name}) {
		o := &metav1.PartialObjectMetadata{}
		mapping, err := admin.RESTMapper().RESTMapping(id.GroupKind)
		Expect(err).NotTo(HaveOccurred())
		o.SetGroupVersionKind(mapping.GroupVersionKind)
		if !w.exists(ctx, id.Name, o) || len(o.OwnerReferences) == 0 || o.OwnerReferences[0].UID != owner {
			continue
		}
		Expect(admin.Delete(ctx, o)).To(Succeed())
	}
}
