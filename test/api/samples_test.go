package api

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

var _ = Describe("the samples", func() {
	files, err := filepath.Glob(samplesDir + "/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	Expect(len(files)).To(BeNumerically(">=", 7))

	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		It("are applied without a warning: "+filepath.Base(file), func(ctx SpecContext) {
			for _, u := range read(file) {
				Expect(u.GetKind()).To(Equal(signalrv1alpha1.Kind))
				u.SetNamespace(namespace)
				Expect(apply(ctx, u, metav1.DryRunAll).warnings).To(BeEmpty())
				keep(ctx, u)

				By("and again change nothing")
				Expect(updateStatus(ctx, observed(u.GetName()))).To(Succeed())
				second, third := apply(ctx, u), apply(ctx, u)
				Expect(second.err).NotTo(HaveOccurred())
				Expect(third.err).NotTo(HaveOccurred())
				Expect(second.object.GetGeneration()).To(Equal(int64(1)))
				Expect(third.object).To(Equal(second.object))
			}
		})
	}

	It("have a smallest one of ten lines", func() {
		text, err := os.ReadFile(samplesDir + "/minimal.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Count(string(text), "\n")).To(BeNumerically("<=", 10))
	})
})

var _ = Describe("the CRD", func() {
	It("is small enough for client-side apply", func() {
		info, err := os.Stat(crdFile)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Size()).To(BeNumerically("<", 200<<10))
	})
})
