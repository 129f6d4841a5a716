package build_test

import (
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

func TestSpecFieldsAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	spec := schema(t)
	want := slices.Sorted(leaves("spec", spec))
	if diff := cmp.Diff(want, build.SpecFields()); diff != "" {
		t.Errorf("fields (-schema +list):\n%s", diff)
	}
}

func TestEveryFieldIsExplained(t *testing.T) {
	t.Parallel()
	for path, s := range all("spec", schema(t)) {
		name := path[strings.LastIndex(path, ".")+1:]
		switch {
		case !strings.HasPrefix(s.Description, name+" "):
			t.Errorf("%s: its comment does not begin with its name", path)
		case !strings.Contains(s.Description, "Example: `"+name+": "):
			t.Errorf("%s: its comment has no example", path)
		}
	}
}

// schema returns the schema of the spec.
func schema(t *testing.T) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	text, err := os.ReadFile("../../config/crd/bases/signalr-operator.io_signalrinstances.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	return &spec
}

func TestDefaultIsIdempotent(t *testing.T) {
	t.Parallel()
	in := build.Instance("chat").Autoscale(3).Exposure(signalrv1alpha1.ExposureSpec{
		Type: signalrv1alpha1.ExposureGateway, HostName: "a.example.com",
		Gateway: &signalrv1alpha1.GatewayExposure{ParentRefs: []signalrv1alpha1.ParentReference{{Name: "g"}}},
		TLS:     &signalrv1alpha1.ExposureTLS{IssuerRef: &signalrv1alpha1.IssuerReference{Name: "i"}},
	}).Obj()
	want := in.DeepCopy()
	build.Default(in)
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("a second time (-want +got):\n%s", diff)
	}
}

// leaves yields the fields that hold a value, as SpecFields lists them: what lies below a field of another's type is
// not among them.
func leaves(path string, s *apiextensionsv1.JSONSchemaProps) iter.Seq[string] {
	return func(yield func(string) bool) {
		if slices.Contains(foreign, path) || (len(s.Properties) == 0 && !objects(s)) {
			yield(path)
			return
		}
		if objects(s) {
			path, s = path+"[]", s.Items.Schema
		}
		for name, p := range s.Properties {
			for leaf := range leaves(path+"."+name, &p) {
				if !yield(leaf) {
					return
				}
			}
		}
	}
}

// all yields every field below path but those of foreign types, structs too.
func all(path string, s *apiextensionsv1.JSONSchemaProps) iter.Seq2[string, *apiextensionsv1.JSONSchemaProps] {
	return func(yield func(string, *apiextensionsv1.JSONSchemaProps) bool) {
		if slices.Contains(foreign, path) {
			return
		}
		if objects(s) {
			s = s.Items.Schema
		}
		for name, p := range s.Properties {
			at := path + "." + name
			if !yield(at, &p) {
				return
			}
			for at, p := range all(at, &p) {
				if !yield(at, p) {
					return
				}
			}
		}
	}
}

// objects reports whether s is a list of objects.
func objects(s *apiextensionsv1.JSONSchemaProps) bool {
	return s.Items != nil && s.Items.Schema != nil && len(s.Items.Schema.Properties) > 0
}

// foreign lists the fields whose types are not of this API.
var foreign = []string{
	"spec.autoscale.behavior",
	"spec.backplane.managed.resources",
	"spec.edge.pod.affinity",
	"spec.edge.pod.env",
	"spec.edge.pod.resources",
	"spec.edge.pod.tolerations",
	"spec.edge.pod.topologySpreadConstraints",
}
