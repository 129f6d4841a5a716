package controllers

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/test/build"
)

var _ = Describe("a new instance", func() {
	It("gets keys, children and a status that says how far it is", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.create(ctx, build.Instance("chat"))
		w.reconciled(ctx, "chat")
		in := w.get(ctx, "chat")
		Expect(in).To(haveCondition("Ready", "False", "EdgesNotReady"))
		Expect(in).To(haveCondition("Reconciling", "True", "RollingOut"))

		in = w.settle(ctx, "chat")
		Expect(in).To(haveCondition("Ready", "True", "Serving"))
		Expect(in).To(haveCondition("KeysReady", "True", "Loaded"))
		Expect(in).To(haveCondition("Reconciling", "", ""))
		keys := w.secret(ctx, resources.KeysSecretName("chat"))
		Expect(string(keys.Data["primaryConnectionString"])).To(HavePrefix("Endpoint=http://chat." + w.namespace + ".svc;AccessKey="))
		Expect(strings.Join(w.events.list(), "\n")).To(ContainSubstring("KeysGenerated"))
	})

	It("is left alone once it is as it should be", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.running(ctx, build.Instance("chat"))
		before := recorded.mutating.Load()
		for range 20 {
			w.clock.Step(pollInterval)
			w.reconciled(ctx, "chat")
		}
		Expect(recorded.mutating.Load() - before).To(BeZero())
		Expect(w.events.list()).To(BeEmpty())
	})
})
