package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

var someResource = schema.GroupResource{Resource: "things"}

// failures are how the API server can fail. after is how long until the operator comes back by itself, 0 when it leaves
// that to the queue's backoff.
var failures = map[string]struct {
	err   error
	after time.Duration
}{
	"409":              {apierrors.NewConflict(someResource, "x", errors.New("it was changed")), conflictRetry},
	"429":              {apierrors.NewTooManyRequests("slow down", 7), 7 * time.Second},
	"500":              {apierrors.NewInternalError(errors.New("etcd is away")), 0},
	"504":              {apierrors.NewServerTimeout(someResource, "patch", 3), 3 * time.Second},
	"a cut connection": {context.DeadlineExceeded, 0},
	"403 of a webhook": {apierrors.NewForbidden(someResource, "x", errors.New("a webhook denied the request")), 0},
	"403 of RBAC":      {apierrors.NewForbidden(someResource, "x", errors.New("cannot patch resource")), 0},
}

// failNth lets the n-th write fail, counted over creations, applies, patches and status writes; 0 lets each fail.
func (w *world) failNth(n int, err error) (writes *int) {
	writes = new(int)
	fails := func() bool {
		*writes++
		return n == 0 || *writes == n
	}
	w.write = &interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if fails() {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if fails() {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			if fails() {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			if fails() {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
	return writes
}

var _ = Describe("when the API server fails", func() {
	var w *world
	BeforeEach(func(ctx SpecContext) { w = newWorld(ctx) })

	for name, failure := range failures {
		It("with "+name+", the operator comes back in time and nothing is lost", func(ctx SpecContext) {
			w.create(ctx, build.Instance("chat"))
			w.failNth(0, failure.err)
			result, err := w.reconcile(ctx, "chat")
			if failure.after == 0 {
				Expect(err).To(HaveOccurred())
			} else {
				Expect(err).NotTo(HaveOccurred())
				Expect(result.RequeueAfter).To(BeNumerically("<=", failure.after))
			}
			Expect(w.get(ctx, "chat").Status.ObservedGeneration).To(BeZero())
			w.write = nil
			in := w.settle(ctx, "chat")
			Expect(in).To(haveCondition("Ready", "True", "Serving"))
			Expect(in).To(haveCondition("Stalled", "", ""))
		})
	}

	It("at any single write of a creation, keys are made once", func(ctx SpecContext) {
		w.create(ctx, build.Instance("probe"))
		writes := w.failNth(-1, nil)
		w.reconciled(ctx, "probe")
		total := *writes
		Expect(total).To(BeNumerically(">=", 8))
		for n := 1; n <= total; n++ {
			name := fmt.Sprintf("chat-%d", n)
			w.create(ctx, build.Instance(name))
			w.failNth(n, failures["500"].err)
			_, err := w.reconcile(ctx, name)
			Expect(err).To(HaveOccurred(), "write %d", n)
			w.write = nil
			var kept string
			var s corev1.Secret
			if w.exists(ctx, resources.EdgeSecretName(name), &s) && len(s.Data) > 0 {
				kept = w.edgeConfig(ctx, name).Auth.Keys[0].Value.Reveal()
			}
			if n%2 == 0 {
				w.restart() // and the operator with it
			}
			w.reconciled(ctx, name)
			p, _ := w.keyData(ctx, name)
			if kept != "" {
				Expect(p).To(Equal(kept), "write %d", n)
			}
			Expect(w.inForce(ctx, name)).To(HaveKeyWithValue(p, "primary"))
		}
	})

	It("at any single write of a rotation, one key is replaced, once", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		for n := 1; n <= 4; n++ {
			old, oldSecondary := w.keyData(ctx, "chat")
			w.rotate(ctx, "chat", fmt.Sprint(n), "")
			w.failNth(n, failures["500"].err)
			_, _ = w.reconcile(ctx, "chat")
			w.write = nil
			during := w.edgeConfig(ctx, "chat").Auth.Keys[0].Value.Reveal()
			w.settle(ctx, "chat")
			p, s := w.keyData(ctx, "chat")
			Expect(p).NotTo(Equal(old))
			Expect(s).To(Equal(oldSecondary))
			if during != old {
				Expect(p).To(Equal(during), "the replaced key is not replaced again")
			}
		}
	})

	It("to answer from a cache that is up to date, keys are never made anew", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		p, s := w.keyData(ctx, "chat")
		w.restart()
		nothing := func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, _ ...client.GetOption,
		) error {
			if in, ok := o.(*signalrv1alpha1.SignalRInstance); ok {
				return c.Get(ctx, key, in)
			}
			return apierrors.NewNotFound(someResource, key.Name)
		}
		w.read = &interceptor.Funcs{Get: nothing}
		for range 3 {
			w.clock.Step(pollInterval)
			w.reconciled(ctx, "chat")
		}
		w.read = nil
		p1, s1 := w.keyData(ctx, "chat")
		Expect([]string{p1, s1}).To(Equal([]string{p, s}))
		Expect(w.settle(ctx, "chat")).To(haveCondition("Ready", "True", "Serving"))
	})

	It("to show the nonces that the operator before went by, no key is replaced", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		old := w.get(ctx, "chat")
		w.rotate(ctx, "chat", "1", "")
		w.settle(ctx, "chat")
		p, s := w.keyData(ctx, "chat")
		w.restart()
		w.read = &interceptor.Funcs{Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, _ ...client.GetOption,
		) error {
			if in, ok := o.(*signalrv1alpha1.SignalRInstance); ok {
				old.DeepCopyInto(in)
				return nil
			}
			return c.Get(ctx, key, o)
		}}
		Expect(w.reconciled(ctx, "chat").RequeueAfter).To(BeNumerically("<=", conflictRetry))
		w.read = nil
		w.settle(ctx, "chat")
		p1, s1 := w.keyData(ctx, "chat")
		Expect([]string{p1, s1}).To(Equal([]string{p, s}))
	})

	It("to keep two operators apart, keys are made once", func(ctx SpecContext) {
		for i, hold := range []func(second func()) *interceptor.Funcs{
			func(second func()) *interceptor.Funcs { // before the first write of the one that is slow
				return &interceptor.Funcs{Create: func(
					ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption,
				) error {
					Expect(o.GetLabels()).To(HaveKeyWithValue(resources.LabelInstance, "chat-0"), "a policy may ask for it")
					second()
					return c.Create(ctx, o, opts...)
				}}
			},
			func(second func()) *interceptor.Funcs { // after it
				return &interceptor.Funcs{Apply: func(
					ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption,
				) error {
					second()
					return c.Apply(ctx, o, opts...)
				}}
			},
		} {
			name := fmt.Sprintf("chat-%d", i)
			w.create(ctx, build.Instance(name))
			slow := w.r
			w.restart()
			fast := w.r
			var p string
			w.write = hold(func() {
				w.write, w.r = nil, fast
				w.reconciled(ctx, name)
				p, _ = w.keyData(ctx, name)
			})
			w.r = slow
			w.reconciled(ctx, name)
			Expect(p).NotTo(BeEmpty())
			Expect(w.inForce(ctx, name)).To(HaveKeyWithValue(p, "primary"))
			w.settle(ctx, name)
			now, _ := w.keyData(ctx, name)
			Expect(now).To(Equal(p))
		}
	})

	It("to show its own writes, the operator does not undo or repeat them", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		stale := map[string]client.Object{}
		freeze := func(o client.Object, name string) {
			w.read1(ctx, name, o)
			stale[fmt.Sprintf("%T", o)] = o
		}
		freeze(&appsv1.Deployment{}, resources.EdgeName("chat"))
		freeze(&signalrv1alpha1.SignalRInstance{}, "chat")
		w.upgrade()
		w.annotate(ctx, "chat", signalrv1alpha1.UpgradedAtAnnotation, "now")
		w.reconciled(ctx, "chat")
		w.rollOut(ctx, "chat")
		stale["*v1alpha1.SignalRInstance"] = w.get(ctx, "chat")
		w.reconciled(ctx, "chat")
		upgraded := w.deployment(ctx, "chat").Generation
		w.read = &interceptor.Funcs{Get: func(
			_ context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, _ ...client.GetOption,
		) error {
			if old, ok := stale[fmt.Sprintf("%T", o)]; ok && old.GetName() == key.Name {
				switch o := o.(type) {
				case *appsv1.Deployment:
					old.(*appsv1.Deployment).DeepCopyInto(o)
				case *signalrv1alpha1.SignalRInstance:
					old.(*signalrv1alpha1.SignalRInstance).DeepCopyInto(o)
				}
				return nil
			}
			return c.Get(ctx, key, o)
		}}
		for range 3 {
			w.clock.Step(pollInterval)
			result := w.reconciled(ctx, "chat") // the status write meets a newer one
			Expect(result.RequeueAfter).NotTo(BeZero())
		}
		w.read = nil
		d := w.deployment(ctx, "chat")
		Expect(d.Spec.Template.Spec.Containers[0].Image).To(Equal(newerImage))
		Expect(d.Generation).To(Equal(upgraded))
	})

	It("to know a kind that it knew, the rest goes on", func(ctx SpecContext) {
		w.create(ctx, build.Instance("chat"))
		w.write = &interceptor.Funcs{Apply: func(
			ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption,
		) error {
			text, err := json.Marshal(o)
			Expect(err).NotTo(HaveOccurred())
			if strings.Contains(string(text), `"kind":"ServiceMonitor"`) {
				return apierrors.NewGenericServerResponse(http.StatusNotFound, "patch", someResource, "chat", "", 0, true)
			}
			return c.Apply(ctx, o, opts...)
		}}
		Expect(w.settle(ctx, "chat")).To(haveCondition("Ready", "True", "Serving"))
	})

	It("to read something, nothing is decided without it", func(ctx SpecContext) {
		w.running(ctx, build.Instance("chat"))
		version := w.get(ctx, "chat").ResourceVersion
		w.read = &interceptor.Funcs{
			Get: func(
				ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, _ ...client.GetOption,
			) error {
				if _, ok := o.(*appsv1.Deployment); ok {
					return failures["500"].err
				}
				return c.Get(ctx, key, o)
			},
		}
		_, err := w.reconcile(ctx, "chat")
		Expect(err).To(HaveOccurred())
		w.read = &interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return failures["500"].err
			},
		}
		_, err = w.reconcile(ctx, "chat")
		Expect(err).To(HaveOccurred())
		Expect(w.get(ctx, "chat").ResourceVersion).To(Equal(version))
	})
})
