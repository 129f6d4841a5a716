package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var _ = Describe("the schema", func() {
	It("bounds everything: lists have a type and an end, texts and maps an end", func() {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(read(crdFile)[0].Object, crd)).To(Succeed())
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		var open []string
		for _, top := range []string{"spec", "status"} {
			s := root.Properties[top]
			open = append(open, unbounded(top, &s)...)
		}
		Expect(open).To(BeEmpty())
	})
})

// unbounded returns the paths in a schema that hold as much as anybody likes.
func unbounded(at string, s *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	switch {
	case s.Type == "array" && (s.MaxItems == nil || s.XListType == nil),
		s.Type == "string" && s.MaxLength == nil && s.Enum == nil && s.Format != "date-time",
		s.AdditionalProperties != nil && s.MaxProperties == nil,
		s.Type == "boolean" && s.Enum == nil && !foreignBooleans[at]:
		out = append(out, at)
	}
	for name, p := range s.Properties {
		out = append(out, unbounded(at+"."+name, &p)...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		out = append(out, unbounded(at+"[]", s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		out = append(out, unbounded(at+"{}", s.AdditionalProperties.Schema)...)
	}
	return out
}

// foreignBooleans are those of Kubernetes' own types. There are no others: what has two values today has three
// tomorrow.
var foreignBooleans = map[string]bool{
	"spec.edge.pod.env[].valueFrom.configMapKeyRef.optional": true,
	"spec.edge.pod.env[].valueFrom.fileKeyRef.optional":      true,
	"spec.edge.pod.env[].valueFrom.secretKeyRef.optional":    true,
}
