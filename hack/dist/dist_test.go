package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/signalr-operator/signalr-operator/hack/install"
)

func released(t *testing.T, write func(options) (map[string][]byte, error)) map[string][]byte {
	t.Helper()
	files, err := write(options{root: "../..", version: "9.8.7"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func decode(t *testing.T, text []byte) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(text, &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestInstallFileIsConfigDefaultWithTheVersion(t *testing.T) {
	want, err := install.Build("../..", install.Default)
	if err != nil {
		t.Fatal(err)
	}
	text := string(released(t, installFile)["install.yaml"])
	documents := strings.Split(text, "\n---\n")[1:]
	if len(documents) != len(want) {
		t.Fatalf("want %d objects, got %d", len(want), len(documents))
	}
	for i, document := range documents {
		got := decode(t, []byte(document))
		if got.GetKind() == "Deployment" {
			continue // the image differs
		}
		if diff := cmp.Diff(want[i].Object, got.Object); diff != "" {
			t.Errorf("%s %s (-config +file):\n%s", want[i].GetKind(), want[i].GetName(), diff)
		}
	}
	const image = "ghcr.io/signalr-operator/signalr-operator:9.8.7"
	if n := strings.Count(text, image); n != 2 {
		t.Errorf("want %s in the container and in --edge-image, got it %d times", image, n)
	}
	for i, first := range []string{"Namespace", "CustomResourceDefinition"} {
		if got := decode(t, []byte(documents[i])).GetKind(); got != first {
			t.Errorf("want object %d to be a %s, which others need, got a %s", i, first, got)
		}
	}
}

func serviceVersionOf(t *testing.T, files map[string][]byte) *unstructured.Unstructured {
	t.Helper()
	text, ok := files["bundle/manifests/signalr-operator.clusterserviceversion.yaml"]
	if !ok {
		t.Fatal("the bundle has no ClusterServiceVersion")
	}
	return decode(t, text)
}

func TestTheBundleGrantsWhatConfigGrants(t *testing.T) {
	csv := serviceVersionOf(t, released(t, bundle))
	objects, err := install.Build("../..", install.Default)
	if err != nil {
		t.Fatal(err)
	}
	operator, lease, err := install.OperatorRules(objects)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, field := range []string{"permissions", "clusterPermissions"} {
		grants, _, err := unstructured.NestedSlice(csv.Object, "spec", "install", "spec", field)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			granted, _ := g.(map[string]any)
			rules, _ := granted["rules"].([]any)
			got += len(rules)
			if granted["serviceAccountName"] != install.Name {
				t.Errorf("%s are given to %v", field, granted["serviceAccountName"])
			}
		}
	}
	if want := len(operator) + len(lease); got < want {
		t.Errorf("config has %d rules, the bundle %d", want, got)
	}
}

func TestTheBundleIsWholeAndOnlyOfKindsThatAreTaken(t *testing.T) {
	files := released(t, bundle)
	var kinds []string
	for name, text := range files {
		if strings.HasPrefix(name, "bundle/manifests/") {
			object := decode(t, text)
			kinds = append(kinds, object.GetKind())
			if object.GetKind() != "ClusterServiceVersion" && object.GetNamespace() != "" {
				t.Errorf("%s names a namespace", name)
			}
		}
	}
	slices.Sort(kinds)
	want := []string{
		"ClusterRole", "ClusterRole", "ClusterRole", "ClusterServiceVersion", "CustomResourceDefinition",
		"PodDisruptionBudget", "Service",
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for _, label := range bundleLabels {
		if !strings.Contains(string(files["bundle/metadata/annotations.yaml"]), label[0]+": "+label[1]) ||
			!strings.Contains(string(files["bundle.Dockerfile"]), "LABEL "+label[0]+"="+label[1]) {
			t.Errorf("%s is missing in the metadata or the image", label[0])
		}
	}
}

func TestTheServiceVersionSaysWhatACatalogAsks(t *testing.T) {
	csv := serviceVersionOf(t, released(t, bundle))
	if csv.GetName() != "signalr-operator.v9.8.7" {
		t.Errorf("it is called %s", csv.GetName())
	}
	for _, path := range []string{
		"spec.version", "spec.displayName", "spec.description", "spec.maturity", "spec.minKubeVersion", "spec.provider.name",
		"metadata.annotations.containerImage", "metadata.annotations.capabilities",
	} {
		if value, _, err := unstructured.NestedString(csv.Object, strings.Split(path, ".")...); value == "" || err != nil {
			t.Errorf("%s is empty: %v", path, err)
		}
	}
	var offered []map[string]any
	if err := json.Unmarshal([]byte(csv.GetAnnotations()["alm-examples"]), &offered); err != nil || len(offered) == 0 {
		t.Errorf("%d examples: %v", len(offered), err)
	}
	deployments, _, err := unstructured.NestedSlice(csv.Object, "spec", "install", "spec", "deployments")
	if err != nil || len(deployments) != 1 {
		t.Fatalf("want one Deployment, got %d: %v", len(deployments), err)
	}
	text, err := yaml.Marshal(deployments[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"olm.targetNamespaces", "--namespaces=$(" + targets + ")", ":9.8.7"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Deployment has no %s:\n%s", want, text)
		}
	}
	owned, _, err := unstructured.NestedSlice(csv.Object, "spec", "customresourcedefinitions", "owned")
	if err != nil || len(owned) != 1 {
		t.Fatalf("want one owned CRD, got %d: %v", len(owned), err)
	}
	if about, _ := owned[0].(map[string]any); about["description"] == "" {
		t.Error("the CRD has no description")
	}
}

func TestWhatIsNeitherIsRefused(t *testing.T) {
	for _, what := range [][]string{nil, {"everything"}, {"install", "bundle"}} {
		if err := run(options{root: "../..", out: t.TempDir()}, what); err == nil {
			t.Errorf("%q is accepted", what)
		}
	}
}
