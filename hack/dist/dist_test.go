package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
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

func TestABundleHasAVersionThatTheManagerTakes(t *testing.T) {
	for version, good := range map[string]bool{
		"1.2.3": true, "1.2.3-5-gb3d0cfa": true, "b3d0cfa": false, "dev": false, "1.2": false,
	} {
		if _, err := bundle(options{root: "../..", version: version}); (err == nil) != good {
			t.Errorf("%s: want it taken %t, got %v", version, good, err)
		}
	}
}

// TestTheBundleIsWhatTheManagerTakes checks what the Operator Lifecycle Manager checks when it takes a bundle, as its
// documentation has it: an install mode of each kind, permissions for the accounts of the Deployments and for no other,
// a Deployment that selects its own pods, no name beside the CRD's own, and no RBAC that it would make itself.
func TestTheBundleIsWhatTheManagerTakes(t *testing.T) {
	files := released(t, bundle)
	csv := serviceVersionOf(t, files)
	var version struct {
		Spec struct {
			InstallModes []struct {
				Type      string `json:"type"`
				Supported bool   `json:"supported"`
			} `json:"installModes"`
			Install struct {
				Strategy string `json:"strategy"`
				Spec     struct {
					Deployments []struct {
						Name string                `json:"name"`
						Spec appsv1.DeploymentSpec `json:"spec"`
					} `json:"deployments"`
					Permissions        []permission `json:"permissions"`
					ClusterPermissions []permission `json:"clusterPermissions"`
				} `json:"spec"`
			} `json:"install"`
			CRDs struct {
				Owned []struct {
					Name    string `json:"name"`
					Version string `json:"version"`
					Kind    string `json:"kind"`
				} `json:"owned"`
			} `json:"customresourcedefinitions"`
			Icon []struct {
				Data  []byte `json:"base64data"`
				Media string `json:"mediatype"`
			} `json:"icon"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(csv.Object, &version); err != nil {
		t.Fatal(err)
	}
	var modes []string
	for _, mode := range version.Spec.InstallModes {
		if mode.Supported {
			modes = append(modes, mode.Type)
		}
	}
	want := []string{"OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("install modes (-want +got):\n%s", diff)
	}
	how := version.Spec.Install
	if how.Strategy != "deployment" || len(how.Spec.Deployments) != 1 {
		t.Fatalf("want one Deployment, got %+v", how)
	}
	deployment := how.Spec.Deployments[0].Spec
	selector, err := metav1.LabelSelectorAsSelector(deployment.Selector)
	if err != nil || !selector.Matches(labels.Set(deployment.Template.Labels)) {
		t.Errorf("the Deployment selects %s, and its pods are %v: %v", selector, deployment.Template.Labels, err)
	}
	for _, p := range append(how.Spec.Permissions, how.Spec.ClusterPermissions...) {
		if p.ServiceAccountName != deployment.Template.Spec.ServiceAccountName || len(p.Rules) == 0 {
			t.Errorf("%d rules are for %s, and the pods are %s", len(p.Rules), p.ServiceAccountName,
				deployment.Template.Spec.ServiceAccountName)
		}
	}
	for _, owned := range version.Spec.CRDs.Owned {
		crd := decode(t, files["bundle/manifests/"+owned.Name+"_customresourcedefinition.yaml"])
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		if crd.GetName() != owned.Name || kind != owned.Kind || owned.Version == "" {
			t.Errorf("the bundle owns %+v and has the CRD %s of %s", owned, crd.GetName(), kind)
		}
	}
	if icon := version.Spec.Icon; len(icon) != 1 || !strings.HasPrefix(string(icon[0].Data), "<svg ") ||
		icon[0].Media != "image/svg+xml" {
		t.Errorf("the icon is %+v", icon)
	}
	if got := csv.GetAnnotations()["capabilities"]; !slices.Contains([]string{
		"Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot",
	}, got) {
		t.Errorf("there is no capability level %q", got)
	}
	for name, text := range files {
		if !strings.HasPrefix(name, "bundle/manifests/") {
			continue
		}
		if object := decode(t, text); object.GetKind() == "ClusterRole" && !install.IsAggregated(object) {
			t.Errorf("%s is made by the manager, from the permissions", name)
		}
	}
}

// permission is rules for an account, as a ClusterServiceVersion has them.
type permission struct {
	ServiceAccountName string              `json:"serviceAccountName"`
	Rules              []rbacv1.PolicyRule `json:"rules"`
}

func TestWhatIsNeitherIsRefused(t *testing.T) {
	for _, what := range [][]string{nil, {"everything"}, {"install", "bundle"}} {
		if err := run(options{root: "../..", out: t.TempDir()}, what); err == nil {
			t.Errorf("%q is accepted", what)
		}
	}
}
