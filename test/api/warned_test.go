package api

import (
	"maps"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

var _ = Describe("an unwise manifest", Ordered, ContinueOnFailure, func() {
	said := map[string]bool{}

	for _, m := range table("warned.yaml") {
		It("is warned of: "+m.Name, func(ctx SpecContext) {
			Expect([]string{m.Field, m.Warning}).NotTo(ContainElement(""), "the table must say what to expect")
			a := apply(ctx, m.object(), metav1.DryRunAll)
			Expect(a.err).NotTo(HaveOccurred())
			Expect(a.warnings).To(ContainElement(And(
				ContainSubstring(": "+m.Field+": "), ContainSubstring(m.Warning),
			)))

			By("the operator and the API server warn of the same")
			Expect(a.warnings).To(ConsistOf(asWarned(typed(a.object))))
			for _, w := range a.warnings {
				said[w] = true
			}
		})
	}

	It("met every rule of the policy", func() {
		heard := slices.Collect(maps.Keys(said))
		for _, v := range policy().Spec.Validations {
			Expect(heard).To(ContainElement(HaveSuffix(v.Message)))
		}
	})

	It("has its rules in the order of the operator's", func() {
		var want, got []string
		for _, w := range signalrv1alpha1.AllWarnings() {
			want = append(want, w.String())
		}
		for _, v := range policy().Spec.Validations {
			got = append(got, v.Message)
		}
		Expect(got).To(Equal(want))
	})

	It("finds its rules explained", func() {
		text, err := os.ReadFile("../../docs/reference/warnings.md")
		Expect(err).NotTo(HaveOccurred())
		for _, v := range policy().Spec.Validations {
			field, message, _ := strings.Cut(v.Message, ": ")
			Expect(string(text)).To(ContainSubstring("`"+field+"`"), v.Message)
			Expect(string(text)).To(ContainSubstring(message), v.Message)
		}
	})
})

// asWarned returns matchers for the headers that the operator's warnings of an instance would be.
func asWarned(in *signalrv1alpha1.SignalRInstance) []any {
	out := []any{}
	for _, w := range in.Warnings() {
		out = append(out, HaveSuffix(": "+w.String()))
	}
	return out
}
