package install

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// inNamespaces lists the API groups and resources that the operator touches and that live in namespaces, and
// inCluster those that do not. A resource in neither is an error: guessing would make a release for some namespaces
// lose a right, or keep one for the whole cluster.
var (
	inNamespaces = []string{
		"/configmaps", "/endpoints", "/events", "/persistentvolumeclaims", "/pods", "/secrets", "/serviceaccounts",
		"/services", "apps/deployments", "apps/statefulsets", "apps/replicasets", "autoscaling/horizontalpodautoscalers",
		"cert-manager.io/certificates", "cert-manager.io/issuers", "coordination.k8s.io/leases",
		"discovery.k8s.io/endpointslices", "events.k8s.io/events", "gateway.networking.k8s.io/gateways",
		"gateway.networking.k8s.io/httproutes", "monitoring.coreos.com/podmonitors",
		"monitoring.coreos.com/servicemonitors", "networking.k8s.io/ingresses", "networking.k8s.io/networkpolicies",
		"policy/poddisruptionbudgets", "rbac.authorization.k8s.io/rolebindings", "rbac.authorization.k8s.io/roles",
		"signalr-operator.io/signalrinstances",
	}
	inCluster = []string{
		"/namespaces", "/nodes", "apiextensions.k8s.io/customresourcedefinitions", "authentication.k8s.io/tokenreviews",
		"authorization.k8s.io/subjectaccessreviews", "cert-manager.io/clusterissuers",
		"gateway.networking.k8s.io/gatewayclasses", "networking.k8s.io/ingressclasses", "storage.k8s.io/storageclasses",
	}
)

// SplitRules divides RBAC rules by where what they are about lives. A rule about both is divided too.
func SplitRules(rules []any) (namespaced, clusterWide []any, err error) {
	for _, r := range rules {
		rule, ok := r.(map[string]any)
		if !ok {
			return nil, nil, fmt.Errorf("a rule is %T", r)
		}
		if rule["nonResourceURLs"] != nil {
			clusterWide = append(clusterWide, rule)
			continue
		}
		var here, there []any
		for _, resource := range texts(rule["resources"]) {
			everywhere, err := isClusterWide(texts(rule["apiGroups"]), resource)
			if err != nil {
				return nil, nil, err
			}
			if everywhere {
				there = append(there, resource)
			} else {
				here = append(here, resource)
			}
		}
		if len(here) > 0 {
			namespaced = append(namespaced, with(rule, here))
		}
		if len(there) > 0 {
			clusterWide = append(clusterWide, with(rule, there))
		}
	}
	return namespaced, clusterWide, nil
}

// isClusterWide tells whether a resource of a rule's groups lives outside of namespaces.
func isClusterWide(groups []string, resource string) (bool, error) {
	name, _, _ := strings.Cut(resource, "/") // a subresource lives where its resource does
	for _, group := range groups {
		switch {
		case slices.Contains(inCluster, group+"/"+name):
			return true, nil
		case slices.Contains(inNamespaces, group+"/"+name):
			return false, nil
		}
	}
	return false, fmt.Errorf("resource %q of the groups %q: say in hack/install/scope.go whether it lives in namespaces",
		resource, groups)
}

func with(rule map[string]any, resources []any) map[string]any {
	changed := maps.Clone(rule)
	changed["resources"] = resources
	return changed
}

func texts(list any) []string {
	items, _ := list.([]any)
	said := make([]string, 0, len(items))
	for _, item := range items {
		text, _ := item.(string)
		said = append(said, text)
	}
	return said
}
