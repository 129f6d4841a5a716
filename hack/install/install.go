// Package install reads the install truth: the objects that kustomize makes of a folder below config/. The chart, the
// single install file and the OLM bundle are all made from what it returns.
//
// It writes nothing and knows no cluster. Its functions share nothing and may be called by several goroutines.
package install

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	// Name is the name of the operator's Deployment, ServiceAccount and namespace, and how the names of its cluster-wide
	// objects begin.
	Name = "signalr-operator"
	// Default is the folder of everything that a cluster needs.
	Default = "config/default"
	// Prometheus is the folder of what needs the kinds of the Prometheus operator.
	Prometheus = "config/prometheus"
)

// Build returns the objects of a folder of the repository, in the order they are to be applied in.
func Build(root, folder string) ([]*unstructured.Unstructured, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(root, filepath.FromSlash(folder)))
	if err != nil {
		return nil, fmt.Errorf("kustomize %s: %w", folder, err)
	}
	objects := make([]*unstructured.Unstructured, 0, built.Size())
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", r.CurId(), err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			return nil, fmt.Errorf("read %s: %w", r.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// Find returns the one object of a kind and name, or an error that says what is missing.
func Find(objects []*unstructured.Unstructured, kind, name string) (*unstructured.Unstructured, error) {
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o, nil
		}
	}
	return nil, fmt.Errorf("no %s %s among the %d objects", kind, name, len(objects))
}

// OfKind returns the objects of a kind.
func OfKind(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind {
			found = append(found, o)
		}
	}
	return found
}

// aggregated is how the labels begin that add a role to the cluster's own.
const aggregated = "rbac.authorization.k8s.io/aggregate-to-"

// IsAggregated tells whether a ClusterRole is for people, added to the cluster's own, and not the operator's.
func IsAggregated(o *unstructured.Unstructured) bool {
	for label := range o.GetLabels() {
		if strings.HasPrefix(label, aggregated) {
			return true
		}
	}
	return false
}

// OperatorRules returns the rules of the operator's ClusterRoles, and those of its Roles, which are about its lease.
func OperatorRules(objects []*unstructured.Unstructured) (operator, lease []any, err error) {
	for _, o := range objects {
		if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" || IsAggregated(o) {
			continue
		}
		rules, _, err := unstructured.NestedSlice(o.Object, "rules")
		if err != nil {
			return nil, nil, fmt.Errorf("rules of %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		if o.GetKind() == "ClusterRole" {
			operator = append(operator, rules...)
		} else {
			lease = append(lease, rules...)
		}
	}
	if len(operator) == 0 || len(lease) == 0 {
		return nil, nil, errors.New("there is no ClusterRole for the operator, or no Role for its lease")
	}
	return operator, lease, nil
}
