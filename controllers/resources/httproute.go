package resources

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// HTTPRoute returns the route of an instance that is exposed by a Gateway, else nil; nil too while that kind is not
// installed. Its requests have no timeout: a connection is one request.
func HTTPRoute(in Input) *unstructured.Unstructured {
	e := in.spec().Exposure
	if e.Type != signalrv1alpha1.ExposureGateway || e.Gateway == nil || !in.Kinds.HTTPRoute {
		return nil
	}
	parents := make([]any, 0, len(e.Gateway.ParentRefs))
	for _, p := range e.Gateway.ParentRefs {
		parents = append(parents, parent(p))
	}
	return in.object("gateway.networking.k8s.io/v1", "HTTPRoute", ServiceName(in.Instance.Name), map[string]any{
		"parentRefs": parents,
		"hostnames":  texts(publicHosts(in)),
		"rules": []any{map[string]any{
			"matches": []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}},
			"backendRefs": []any{map[string]any{
				"group": "", "kind": "Service", "name": ServiceName(in.Instance.Name),
				"port": int64(servicePort(in)), "weight": int64(1),
			}},
			"timeouts": map[string]any{"request": "0s"},
		}},
	})
}

// parent returns a reference to a Gateway with what it says.
func parent(p signalrv1alpha1.ParentReference) map[string]any {
	ref := map[string]any{"name": p.Name}
	for field, value := range map[string]string{
		"group": p.Group, "kind": p.Kind, "namespace": p.Namespace, "sectionName": p.SectionName,
	} {
		if value != "" {
			ref[field] = value
		}
	}
	if p.Port != 0 {
		ref["port"] = int64(p.Port)
	}
	return ref
}
