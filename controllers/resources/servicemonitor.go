package resources

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// ServiceMonitor tells Prometheus to scrape the edges, by the headless Service; nil when monitoring is disabled or that
// kind is not installed. The instance's name becomes the label app_kubernetes_io_instance of every series. Prometheus
// would put the name of the port over the edges' own label endpoint, which tells clients from app servers: it is left
// out.
func ServiceMonitor(in Input) *unstructured.Unstructured {
	if in.spec().Monitoring.Mode == signalrv1alpha1.MonitoringDisabled || !in.Kinds.ServiceMonitor {
		return nil
	}
	selector := map[string]any{}
	for k, v := range SelectorLabels(in.Instance.Name, ComponentEdge) {
		selector[k] = v
	}
	return in.object("monitoring.coreos.com/v1", "ServiceMonitor", ServiceName(in.Instance.Name), map[string]any{
		"jobLabel":     LabelName,
		"targetLabels": texts([]string{LabelInstance}),
		"selector":     map[string]any{"matchLabels": selector},
		"endpoints": []any{map[string]any{
			"port": adminPortName, "path": "/metrics", "interval": "30s",
			"relabelings": []any{map[string]any{"action": "labeldrop", "regex": "endpoint"}},
		}},
	})
}
