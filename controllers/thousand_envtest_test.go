package controllers

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// Bars of issue 4.
const (
	thousand       = 1000
	maxResident    = 128 << 20
	maxNoChangeP99 = 50 * time.Millisecond
)

// This is a target of its own, as it takes minutes:
//
//	go test ./controllers -run TestControllers -ginkgo.label-filter=scale -timeout 30m -v
//
// The process holds the operator, the played edges and the suite, so what it measures is an upper bound.
var _ = Describe("a thousand instances", Label("scale"), func() {
	It("cost what they may", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.startManager(ctx, w.namespace)
		start, requests := time.Now(), recorded.all.Load()
		for i := range thousand {
			w.create(ctx, build.Instance(fmt.Sprintf("chat-%d", i)))
		}
		all := func() (ready, deployed int) {
			var list signalrv1alpha1.SignalRInstanceList
			Expect(admin.List(ctx, &list, client.InNamespace(w.namespace))).To(Succeed())
			for i := range list.Items {
				for _, c := range list.Items[i].Status.Conditions {
					if c.Type == "Ready" && c.Reason == "EdgesNotReady" {
						deployed++
					}
					if c.Type == "Ready" && c.Status == "True" {
						ready++
					}
				}
			}
			return ready, deployed
		}
		Eventually(func() int { r, d := all(); return r + d }).WithContext(ctx).WithTimeout(10 * time.Minute).
			WithPolling(2 * time.Second).Should(Equal(thousand))
		AddReportEntry("created", fmt.Sprintf("in %s with %d requests", time.Since(start).Round(time.Second),
			recorded.all.Load()-requests))
		for i := range thousand {
			w.rollOut(ctx, fmt.Sprintf("chat-%d", i))
		}
		Eventually(func() int { r, _ := all(); return r }).WithContext(ctx).WithTimeout(10 * time.Minute).
			WithPolling(2 * time.Second).Should(Equal(thousand))
		pass(90 * time.Second) // the last writes of usage come a minute after the first

		mutating, reads := recorded.mutating.Load(), recorded.all.Load()
		const calm = time.Minute
		pass(calm)
		writes := recorded.mutating.Load() - mutating
		AddReportEntry("requests in a calm minute",
			fmt.Sprintf("%d, of them %d writes (leases)", recorded.all.Load()-reads, writes))
		Expect(writes).To(BeNumerically("<=", 40), "the lease only: one write in two seconds with the test's settings")

		runtime.GC()
		resident := residentBytes()
		AddReportEntry("resident memory of the whole suite", fmt.Sprintf("%d MiB", resident>>20))
		Expect(resident).To(BeNumerically("<=", int64(maxResident)+64<<20), "64 MiB are the suite's own")

		By("timing a look at an instance that has not changed")
		p99 := w.noChange(ctx)
		AddReportEntry("no-change reconcile p99", p99.String())
		Expect(p99).To(BeNumerically("<", maxNoChangeP99))
	}, NodeTimeout(25*time.Minute))
})

// pass lets real time pass.
func pass(d time.Duration) {
	GinkgoHelper()
	Eventually(time.After(d)).WithTimeout(d + time.Minute).Should(Receive())
}

// noChange returns the 99th percentile of a thousand reconciles that have nothing to do, from a cache.
func (w *world) noChange(ctx context.Context) time.Duration {
	GinkgoHelper()
	took := make([]time.Duration, 0, thousand)
	for i := range thousand {
		name := fmt.Sprintf("chat-%d", i)
		start := time.Now()
		key := types.NamespacedName{Namespace: w.namespace, Name: name}
		_, err := w.managed.Reconcile(ctx, ctrl.Request{NamespacedName: key})
		took = append(took, time.Since(start))
		Expect(err).NotTo(HaveOccurred())
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// residentBytes reads the memory of this process from the kernel.
func residentBytes() int64 {
	GinkgoHelper()
	text, err := os.ReadFile("/proc/self/statm")
	Expect(err).NotTo(HaveOccurred())
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	Expect(err).NotTo(HaveOccurred())
	return pages * int64(os.Getpagesize())
}
