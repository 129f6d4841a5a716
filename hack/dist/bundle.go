package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/signalr-operator/signalr-operator/hack/install"
)

const (
	// manifests is the folder with the words of the ClusterServiceVersion.
	manifests = "config/manifests"
	// samples is the folder with the examples that a console offers.
	samples = "config/samples"
	// icon is the picture of the operator, the chart's.
	icon = "charts/signalr-operator/icon.svg"
	// targets is the variable that holds the namespaces which an OperatorGroup names; empty is all.
	targets = "OLM_TARGET_NAMESPACES"
)

// inBundle are the kinds that stand in a bundle as they are. The Operator Lifecycle Manager makes Deployments,
// ServiceAccounts, Roles and their bindings from the ClusterServiceVersion, and takes no admission policies and no
// NetworkPolicies.
var inBundle = []string{"CustomResourceDefinition", "ClusterRole", "PodDisruptionBudget", "Service"}

// bundle returns the files of the bundle: manifests, metadata and Dockerfile.
func bundle(o options) (map[string][]byte, error) {
	if _, err := utilversion.ParseSemantic(o.version); err != nil {
		return nil, fmt.Errorf("the Operator Lifecycle Manager takes semantic versions, as 0.1.0: %w", err)
	}
	objects, err := o.objectsOf(manifests)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"bundle/metadata/annotations.yaml": bundleAnnotations(),
		"bundle.Dockerfile":                bundleDockerfile(),
	}
	put := func(name string, object map[string]any) error {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		files["bundle/manifests/"+name] = text
		return nil
	}
	csv, err := serviceVersion(o, objects)
	if err != nil {
		return nil, err
	}
	if err := put(install.Name+".clusterserviceversion.yaml", csv.Object); err != nil {
		return nil, err
	}
	for _, object := range objects {
		operators := object.GetKind() == "ClusterRole" && !install.IsAggregated(object)
		if !slices.Contains(inBundle, object.GetKind()) || operators {
			continue
		}
		object.SetNamespace("") // the Operator Lifecycle Manager's choice
		name := strings.ToLower(object.GetName() + "_" + object.GetKind() + ".yaml")
		if err := put(name, object.Object); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// serviceVersion fills in the ClusterServiceVersion.
func serviceVersion(o options, objects []*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	found := install.OfKind(objects, "ClusterServiceVersion")
	if len(found) != 1 {
		return nil, fmt.Errorf("%s has %d ClusterServiceVersions", manifests, len(found))
	}
	csv := found[0]
	csv.SetName(install.Name + ".v" + o.version)
	deployment, err := install.Find(objects, "Deployment", install.Name)
	if err != nil {
		return nil, err
	}
	image, err := imageOf(deployment)
	if err != nil {
		return nil, err
	}
	examples, err := examples(o.root)
	if err != nil {
		return nil, err
	}
	annotations := csv.GetAnnotations()
	annotations["alm-examples"] = examples
	annotations["containerImage"] = image
	csv.SetAnnotations(annotations)
	spec, _ := csv.Object["spec"].(map[string]any)
	spec["version"] = o.version
	picture, err := os.ReadFile(filepath.Join(o.root, filepath.FromSlash(icon)))
	if err != nil {
		return nil, fmt.Errorf("read the icon: %w", err)
	}
	spec["icon"] = []any{map[string]any{
		"base64data": base64.StdEncoding.EncodeToString(picture), "mediatype": "image/svg+xml",
	}}
	spec["relatedImages"] = []any{map[string]any{"name": install.Name, "image": image}}
	spec["customresourcedefinitions"] = map[string]any{"owned": owned(objects)}
	spec["install"], err = installSpec(deployment, objects)
	return csv, err
}

// installSpec returns the Deployment and the rights. Rights about namespaces are given in those that an OperatorGroup
// names, which may be all; the others in the cluster.
func installSpec(deployment *unstructured.Unstructured, objects []*unstructured.Unstructured) (map[string]any, error) {
	operator, lease, err := install.OperatorRules(objects)
	if err != nil {
		return nil, err
	}
	namespaced, clusterWide, err := install.SplitRules(operator)
	if err != nil {
		return nil, err
	}
	deploy, err := targeted(deployment)
	if err != nil {
		return nil, err
	}
	said := map[string]any{
		"deployments": []any{deploy},
		"permissions": []any{grant(append(namespaced, lease...))},
	}
	if len(clusterWide) > 0 {
		said["clusterPermissions"] = []any{grant(clusterWide)}
	}
	return map[string]any{"strategy": "deployment", "spec": said}, nil
}

func grant(rules []any) map[string]any {
	return map[string]any{"serviceAccountName": install.Name, "rules": rules}
}

// targeted returns the Deployment as a ClusterServiceVersion has it, told of the namespaces that an OperatorGroup
// names.
func targeted(deployment *unstructured.Unstructured) (map[string]any, error) {
	spec, _, err := unstructured.NestedMap(deployment.Object, "spec")
	if err != nil {
		return nil, fmt.Errorf("read the Deployment: %w", err)
	}
	containers, _, err := unstructured.NestedSlice(spec, "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return nil, fmt.Errorf("the Deployment has %d containers: %w", len(containers), err)
	}
	container, _ := containers[0].(map[string]any)
	args, _ := container["args"].([]any)
	env, _ := container["env"].([]any)
	container["args"] = append(args, "--namespaces=$("+targets+")")
	container["env"] = append(env, map[string]any{
		"name": targets,
		"valueFrom": map[string]any{
			"fieldRef": map[string]any{"fieldPath": "metadata.annotations['olm.targetNamespaces']"},
		},
	})
	if err := unstructured.SetNestedSlice(spec, containers, "template", "spec", "containers"); err != nil {
		return nil, fmt.Errorf("write the Deployment: %w", err)
	}
	labels := map[string]any{}
	for key, value := range deployment.GetLabels() {
		labels[key] = value
	}
	return map[string]any{"name": deployment.GetName(), "label": labels, "spec": spec}, nil
}

// owned describes the kinds that the operator brings.
func owned(objects []*unstructured.Unstructured) []any {
	var described []any
	for _, crd := range install.OfKind(objects, "CustomResourceDefinition") {
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		for _, v := range versions {
			version, _ := v.(map[string]any)
			schema, _, _ := unstructured.NestedString(version, "schema", "openAPIV3Schema", "description")
			about, _, _ := strings.Cut(schema, "\n\n")
			described = append(described, map[string]any{
				"name": crd.GetName(), "kind": kind, "version": version["name"], "displayName": "SignalR instance",
				"description": strings.Join(strings.Fields(about), " "),
			})
		}
	}
	return described
}

// examples returns the samples as the JSON list that a console reads.
func examples(root string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(samples), "*.yaml"))
	if err != nil {
		return "", fmt.Errorf("list the samples: %w", err)
	}
	var all []any
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read a sample: %w", err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				return "", fmt.Errorf("read %s: %w", filepath.Base(file), err)
			}
			if object["kind"] == "SignalRInstance" {
				all = append(all, object)
			}
		}
	}
	if len(all) == 0 {
		return "", errors.New("no sample of a SignalRInstance in " + samples)
	}
	said, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the examples: %w", err)
	}
	return string(said), nil
}

// bundleLabels are what a catalog reads of a bundle, in its image and in its metadata.
var bundleLabels = [][2]string{
	{"operators.operatorframework.io.bundle.mediatype.v1", "registry+v1"},
	{"operators.operatorframework.io.bundle.manifests.v1", "manifests/"},
	{"operators.operatorframework.io.bundle.metadata.v1", "metadata/"},
	{"operators.operatorframework.io.bundle.package.v1", install.Name},
	{"operators.operatorframework.io.bundle.channels.v1", "alpha"},
	{"operators.operatorframework.io.bundle.channel.default.v1", "alpha"},
}

func bundleAnnotations() []byte {
	var w strings.Builder
	w.WriteString("annotations:\n")
	for _, label := range bundleLabels {
		fmt.Fprintf(&w, "  %s: %s\n", label[0], label[1])
	}
	return []byte(w.String())
}

func bundleDockerfile() []byte {
	var w strings.Builder
	w.WriteString("FROM scratch\n")
	for _, label := range bundleLabels {
		fmt.Fprintf(&w, "LABEL %s=%s\n", label[0], label[1])
	}
	w.WriteString("COPY bundle/manifests /manifests/\nCOPY bundle/metadata /metadata/\n")
	return []byte(w.String())
}
