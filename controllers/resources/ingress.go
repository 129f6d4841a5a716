package resources

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// longLived tells the controllers that read annotations what the service needs of a proxy: connections that stay, and
// streams that are not collected before they are passed on. Others ignore them.
var longLived = map[string]string{
	"nginx.ingress.kubernetes.io/proxy-read-timeout":      "3600",
	"nginx.ingress.kubernetes.io/proxy-send-timeout":      "3600",
	"nginx.ingress.kubernetes.io/proxy-buffering":         "off",
	"nginx.ingress.kubernetes.io/proxy-body-size":         "0", // the edge bounds messages itself
	"haproxy-ingress.github.io/timeout-tunnel":            "1h",
	"nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
}

// Ingress returns the Ingress of an instance that is exposed by one, else nil.
func Ingress(in Input) *networkingv1.Ingress {
	e := in.spec().Exposure
	if e.Type != signalrv1alpha1.ExposureIngress {
		return nil
	}
	port := networkingv1.ServiceBackendPort{Number: servicePort(in)}
	path := networkingv1.HTTPIngressPath{
		Path: "/", PathType: new(networkingv1.PathTypePrefix),
		Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: ServiceName(in.Instance.Name), Port: port},
		},
	}
	i := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: in.meta(ServiceName(in.Instance.Name), ComponentEdge),
	}
	i.Annotations = over(longLived, nil)
	if in.edgeTLS() {
		i.Annotations["nginx.ingress.kubernetes.io/backend-protocol"] = "HTTPS"
	}
	if e.Ingress != nil {
		i.Annotations = over(i.Annotations, e.Ingress.Annotations)
		if e.Ingress.ClassName != "" {
			i.Spec.IngressClassName = new(e.Ingress.ClassName)
		}
	}
	for _, host := range publicHosts(in) {
		i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{path}},
			},
		})
	}
	if e.TLS != nil {
		i.Spec.TLS = []networkingv1.IngressTLS{{Hosts: publicHosts(in), SecretName: tlsSecretName(in)}}
	}
	return i
}
