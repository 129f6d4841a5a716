package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("a field that does not exist", func() {
	const spec = "{unit: 2, edge: {pod: {hostNetwork: true}}}"

	It("is refused by what kubectl asks for", func(ctx SpecContext) {
		a := create(ctx, instance("chat", spec))
		Expect(a.err).To(MatchError(And(
			ContainSubstring(`unknown field "spec.unit"`),
			ContainSubstring(`unknown field "spec.edge.pod.hostNetwork"`),
		)))
	})

	It("is warned of when the client asks for that", func(ctx SpecContext) {
		c, heard := instances()
		_, err := c.Create(ctx, instance("chat", spec), metav1.CreateOptions{
			DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationWarn,
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(heard.texts()).To(ContainElement(`unknown field "spec.unit"`))
	})

	It("is dropped when the client asks for nothing", func(ctx SpecContext) {
		c, _ := instances()
		out, err := c.Create(ctx, instance("chat", spec), metav1.CreateOptions{
			DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationIgnore,
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(out.Object["spec"]).NotTo(HaveKey("unit"))
	})
})
