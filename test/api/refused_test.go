package api

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Every wrong manifest is refused with one line that names the field and what it may hold. All lines together must show
// every message of the CRD's rules: a rule that never refused anything is not tested.
var _ = Describe("a wrong manifest", Ordered, ContinueOnFailure, func() {
	said := map[string]bool{}

	wrong := table("refused.yaml")
	for _, m := range wrong {
		It("is refused: "+m.Name, func(ctx SpecContext) {
			Expect([]string{m.Field, m.Allowed}).NotTo(ContainElement(""), "the table must say what to expect")
			a := create(ctx, m.object())
			Expect(a.err).To(HaveOccurred())
			Expect(apierrors.IsInvalid(a.err) || apierrors.IsBadRequest(a.err)).To(BeTrue(), a.err.Error())
			Expect(a.err).To(MatchError(ContainSubstring(m.Field)))
			Expect(a.err).To(MatchError(ContainSubstring(m.Allowed)))
			said[a.err.Error()] = true

			By("server-side apply refuses it too")
			Expect(apply(ctx, m.object(), metav1.DryRunAll).err).To(HaveOccurred())
		})
	}

	It("met every rule of the CRD", func() {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(read(crdFile)[0].Object, crd)).To(Succeed())
		all := strings.Join(slices.Collect(maps.Keys(said)), "\n")
		for _, r := range rules("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema) {
			Expect(all).To(MatchRegexp(r))
		}
	})

	It("comes in more than a hundred kinds", func() {
		Expect(len(wrong)).To(BeNumerically(">=", 100))
	})
})

// rules returns for every rule in a schema what an answer looks like that it caused: the path of the field, then the
// message.
func rules(at string, s *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	for _, v := range s.XValidations {
		path := at + regexp.QuoteMeta(v.FieldPath)
		if at == "" {
			path = "<nil>" // so the API server calls the object as a whole
		}
		out = append(out, strings.TrimPrefix(path, `\.`)+": (Invalid value|Required value|Forbidden): .*"+
			regexp.QuoteMeta(v.Message))
	}
	for name, p := range s.Properties {
		out = append(out, rules(at+`\.`+name, &p)...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		out = append(out, rules(at+`\[\d+\]`, s.Items.Schema)...)
	}
	return out
}
