package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/signalr-operator/signalr-operator/hack/install"
)

// root is the repository's root, from this package's folder.
const root = "../.."

// helm returns the path of Helm, which is built from its module the first time: minutes then, nothing later.
var helm = sync.OnceValues(func() (string, error) {
	find := exec.Command("go", "tool", "-n", "-modfile=hack/helm/go.mod", "helm")
	find.Dir = root
	var stderr bytes.Buffer
	find.Stderr = &stderr
	out, err := find.Output()
	if err != nil {
		return "", errors.New(stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})

// render renders the chart as a release of the given name; it returns what Helm says instead when it refuses.
func render(t *testing.T, release, namespace string, args ...string) ([]*unstructured.Unstructured, string) {
	t.Helper()
	program, err := helm()
	if err != nil {
		t.Fatalf("build helm: %v", err)
	}
	run := exec.CommandContext(t.Context(), program, append([]string{
		"template", release, filepath.Join(root, chart), "--namespace", namespace, "--kube-version", "v1.31.0",
	}, args...)...)
	home := t.TempDir() // nobody's settings but ours
	run.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		return nil, stderr.String()
	}
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(&stdout, 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, ""
		}
		if err != nil {
			t.Fatalf("read what helm rendered: %v", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func mustRender(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	objects, refused := render(t, install.Name, install.Name, args...)
	if refused != "" {
		t.Fatalf("helm refuses: %s", refused)
	}
	return objects
}

func build(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := install.Build(root, folder)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// plain takes out what Helm alone adds, and the order of rules, which means nothing.
func plain(objects []*unstructured.Unstructured) map[string]map[string]any {
	byName := map[string]map[string]any{}
	for _, o := range objects {
		o = o.DeepCopy()
		labels := o.GetLabels()
		for _, key := range []string{"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"} {
			delete(labels, key)
		}
		o.SetLabels(labels)
		annotations := o.GetAnnotations()
		delete(annotations, "helm.sh/resource-policy")
		o.SetAnnotations(annotations)
		if rules, ok := o.Object["rules"].([]any); ok {
			slices.SortFunc(rules, func(a, b any) int { return strings.Compare(asJSON(a), asJSON(b)) })
		}
		byName[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.Object
	}
	return byName
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestTheChartRendersConfigDefault(t *testing.T) {
	want := plain(build(t, install.Default))
	delete(want, "Namespace /"+install.Name) // helm install --create-namespace
	got := plain(mustRender(t))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("the chart's objects are not those of config/default (-config +chart):\n%s", diff)
	}
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s of the chart is not that of config/default (-config +chart):\n%s", name, diff)
		}
	}
}

func TestTheServiceMonitorIsThatOfConfigPrometheus(t *testing.T) {
	rendered := install.OfKind(mustRender(t, "--set", "metrics.serviceMonitor.enabled=true"), "ServiceMonitor")
	if diff := cmp.Diff(plain(build(t, install.Prometheus)), plain(rendered)); diff != "" {
		t.Errorf("the chart's ServiceMonitor differs from config/prometheus (-config +chart):\n%s", diff)
	}
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	copied := t.TempDir()
	for _, dir := range []string{"config", chart} {
		if err := os.CopyFS(filepath.Join(copied, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(copied); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"README.md", "values.schema.json", "templates/generated/_rules.tpl", "templates/generated/crds.yaml",
		"templates/generated/policy.yaml", "templates/generated/roles.yaml",
	} {
		want, err := os.ReadFile(filepath.Join(copied, chart, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, chart, name))
		if err != nil || !bytes.Equal(want, got) {
			t.Errorf("%s/%s is not what hack/chartgen writes: run make generate (%v)", chart, name, err)
		}
	}
}

func TestCRDsStayUnlessToldOtherwise(t *testing.T) {
	const keep = "helm.sh/resource-policy"
	for name, tc := range map[string]struct {
		args []string
		crds int
		kept string
	}{
		"by default they are installed and kept": {crds: 1, kept: "keep"},
		"without keep they go with the release":  {args: []string{"--set", "crds.keep=false"}, crds: 1},
		"without enabled there are none":         {args: []string{"--set", "crds.enabled=false"}},
	} {
		t.Run(name, func(t *testing.T) {
			crds := install.OfKind(mustRender(t, tc.args...), "CustomResourceDefinition")
			if len(crds) != tc.crds {
				t.Fatalf("want %d CRDs, got %d", tc.crds, len(crds))
			}
			for _, crd := range crds {
				if got := crd.GetAnnotations()[keep]; got != tc.kept {
					t.Errorf("want %s %q, got %q", keep, tc.kept, got)
				}
			}
		})
	}
}

func TestSomeNamespacesOnly(t *testing.T) {
	objects := mustRender(t, "--set", "watchNamespaces={team-a,team-b}")
	whole := mustRender(t)
	all := rules(t, whole, "ClusterRole", install.Name)
	here := rules(t, objects, "Role", install.Name+"-instances")
	there := 0
	for _, o := range install.OfKind(objects, "ClusterRole") {
		if !install.IsAggregated(o) {
			there += len(rules(t, objects, "ClusterRole", o.GetName()))
			for _, rule := range rules(t, objects, "ClusterRole", o.GetName()) {
				if strings.Contains(rule, `"secrets"`) || strings.Contains(rule, `"pods"`) {
					t.Errorf("a right about all namespaces is left: %s", rule)
				}
			}
		}
	}
	if len(here) == 0 || len(here)+there < len(all) {
		t.Errorf("of %d rules, %d are in Roles and %d in ClusterRoles", len(all), len(here), there)
	}
	for _, namespace := range []string{"team-a", "team-b"} {
		for _, kind := range []string{"Role", "RoleBinding"} {
			if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
				return o.GetKind() == kind && o.GetNamespace() == namespace && o.GetName() == install.Name+"-instances"
			}) {
				t.Errorf("no %s in %s", kind, namespace)
			}
		}
	}
	if args := managerArgs(t, objects); !slices.Contains(args, "--namespaces=team-a,team-b") {
		t.Errorf("the operator is not told of its namespaces: %q", args)
	}
}

// TestLabelsOfTheUserStandBesideTheChartsOwn: one that is said twice would be refused by some tools, and one that is
// selected by would part the Deployment from its pods.
func TestLabelsOfTheUserStandBesideTheChartsOwn(t *testing.T) {
	objects := mustRender(t, "--set-json", `podLabels={"app.kubernetes.io/name": "x", "team": "a"}`,
		"--set-json", `commonLabels={"app.kubernetes.io/instance": "y", "team": "b", "owner": "c"}`)
	pod := podOf(t, objects)
	want := map[string]string{
		"app.kubernetes.io/name": "signalr-operator", "app.kubernetes.io/instance": "signalr-operator",
		"app.kubernetes.io/component": "manager", "app.kubernetes.io/part-of": "signalr-operator", "team": "a", "owner": "c",
	}
	if diff := cmp.Diff(want, pod.Labels); diff != "" {
		t.Errorf("the pods' labels (-want +got):\n%s", diff)
	}
	for _, o := range objects {
		if l := o.GetLabels(); l["app.kubernetes.io/instance"] != "signalr-operator" || l["team"] != "b" {
			t.Errorf("%s %s has the labels %v", o.GetKind(), o.GetName(), l)
		}
	}
}

// TestNobodyMonitorsUnlessNamed: the operator has a default of its own, which no value must fall back to.
func TestNobodyMonitorsUnlessNamed(t *testing.T) {
	for _, none := range []string{"[]", "null"} {
		args := managerArgs(t, mustRender(t, "--set-json", "monitoringNamespaces="+none))
		if !slices.Contains(args, "--monitoring-namespaces=") {
			t.Errorf("with monitoringNamespaces %s the operator lets its default in: %q", none, args)
		}
	}
}

func rules(t *testing.T, objects []*unstructured.Unstructured, kind, name string) []string {
	t.Helper()
	o, err := install.Find(objects, kind, name)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := unstructured.NestedSlice(o.Object, "rules")
	if err != nil {
		t.Fatal(err)
	}
	said := make([]string, 0, len(found))
	for _, rule := range found {
		said = append(said, asJSON(rule))
	}
	return said
}

// podOf returns the pod that the Deployment makes.
func podOf(t *testing.T, objects []*unstructured.Unstructured) *corev1.PodTemplateSpec {
	t.Helper()
	deployments := install.OfKind(objects, "Deployment")
	if len(deployments) != 1 {
		t.Fatalf("want one Deployment, got %d", len(deployments))
	}
	content, _, err := unstructured.NestedMap(deployments[0].Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(content, pod, true); err != nil {
		t.Fatalf("the pod template has unknown fields: %v", err)
	}
	return pod
}

func managerArgs(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	return podOf(t, objects).Spec.Containers[0].Args
}

func TestTheOperatorPassesTheRestrictedProfile(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := podOf(t, build(t, install.Default))
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
}

func TestTheEdgesRunTheImageOfTheOperator(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		args        []string
		image, edge string
	}{
		"a tag": {
			args:  []string{"--set", "image.repository=r.example/s,image.tag=1.2.3"},
			image: "r.example/s:1.2.3", edge: "r.example/s:1.2.3",
		},
		"a digest wins over the tag": {
			args:  []string{"--set", "image.repository=r.example/s,image.tag=1.2.3,image.digest=" + digest},
			image: "r.example/s@" + digest, edge: "r.example/s@" + digest,
		},
		"an image of their own": {
			args:  []string{"--set", "image.repository=r.example/s,image.tag=1.2.3,edge.image=r.example/e:1"},
			image: "r.example/s:1.2.3", edge: "r.example/e:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			container := podOf(t, mustRender(t, tc.args...)).Spec.Containers[0]
			if container.Image != tc.image || !slices.Contains(container.Args, "--edge-image="+tc.edge) {
				t.Errorf("want %s and edges of %s, got %s and %q", tc.image, tc.edge, container.Image, container.Args)
			}
		})
	}
}

func TestHelmHasNothingToSayAgainstTheChart(t *testing.T) {
	program, err := helm()
	if err != nil {
		t.Fatalf("build helm: %v", err)
	}
	run := exec.CommandContext(t.Context(), program, "lint", "--strict", "--kube-version", "v1.31.0",
		filepath.Join(root, chart))
	if out, err := run.CombinedOutput(); err != nil || bytes.Contains(out, []byte("[INFO]")) {
		t.Errorf("helm lint: %v\n%s", err, out)
	}
}

// TestTheChartSaysWhatItIs: what catalogs read of the chart is said again in it, and must be the same as where it comes
// from.
func TestTheChartSaysWhatItIs(t *testing.T) {
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var said struct {
		Icon, AppVersion, KubeVersion string
		Annotations                   map[string]string
	}
	decode := func(text []byte, into any) {
		t.Helper()
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	decode(read(chart+"/Chart.yaml"), &said)
	icon := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(read(chart+"/icon.svg"))
	if said.Icon != icon {
		t.Errorf("the icon is not icon.svg, want %s", icon)
	}
	var images []struct{ Name, Image string }
	decode([]byte(said.Annotations["artifacthub.io/images"]), &images)
	if image := podOf(t, mustRender(t)).Spec.Containers[0].Image; len(images) != 1 || images[0].Image != image {
		t.Errorf("the chart runs %s and says %+v", image, images)
	}
	var crds []struct{ Kind, Version, Name string }
	decode([]byte(said.Annotations["artifacthub.io/crds"]), &crds)
	crd := install.OfKind(build(t, install.Default), "CustomResourceDefinition")[0]
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	if len(crds) != 1 || crds[0].Name != crd.GetName() || crds[0].Kind != kind {
		t.Errorf("the chart brings %s and says %+v", crd.GetName(), crds)
	}
	var examples []any
	decode([]byte(said.Annotations["artifacthub.io/crdsExamples"]), &examples)
	var sample any
	decode(read("config/samples/minimal.yaml"), &sample)
	if diff := cmp.Diff([]any{sample}, examples); diff != "" {
		t.Errorf("the example is not config/samples/minimal.yaml (-want +got):\n%s", diff)
	}
	var version struct {
		Metadata struct{ Annotations map[string]string }
		Spec     struct{ MinKubeVersion string }
	}
	decode(read("config/manifests/bases/signalr-operator.clusterserviceversion.yaml"), &version)
	can := said.Annotations["artifacthub.io/operatorCapabilities"]
	if want := version.Metadata.Annotations["capabilities"]; can != want {
		t.Errorf("the bundle's capabilities are %s, the chart's %s", want, can)
	}
	if want := ">=" + version.Spec.MinKubeVersion + "-0"; said.KubeVersion != want {
		t.Errorf("the bundle wants Kubernetes %s, the chart %s", want, said.KubeVersion)
	}
}

func TestTwoReleasesShareNoName(t *testing.T) {
	once := []string{
		"--set", "crds.enabled=false,rbac.aggregateRoles=false,admissionWarnings.enabled=false", "--set",
		"watchNamespaces={team-a}",
	}
	first, refused := render(t, install.Name, "one", once...)
	second, refusedToo := render(t, install.Name, "two", append(once, "--set", "watchNamespaces={team-b}")...)
	if refused+refusedToo != "" {
		t.Fatalf("helm refuses: %s%s", refused, refusedToo)
	}
	there := plain(second)
	for name := range plain(first) {
		if _, shared := there[name]; shared {
			t.Errorf("both releases have %s", name)
		}
	}
}
