package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Names of ports, on containers and Services.
const (
	clientPortName = "client"
	adminPortName  = "admin"
)

// servicePort returns the port of the client Service: 80, or 443 with TLS in the edges.
func servicePort(in Input) int32 {
	if in.edgeTLS() {
		return 443
	}
	return 80
}

// Service returns the Service for clients and app servers. Exposure of type LoadBalancer and NodePort makes it one of
// that type; the admin port is never on it. A load balancer that ends TLS has port 443 beside 80.
func Service(in Input) *corev1.Service {
	e := in.spec().Exposure
	port := corev1.ServicePort{
		Name: "http", Port: servicePort(in), Protocol: corev1.ProtocolTCP,
		TargetPort: intstr.FromString(clientPortName),
	}
	if in.edgeTLS() {
		port.Name, port.AppProtocol = "https", new("https")
	}
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: in.meta(ServiceName(in.Instance.Name), ComponentEdge),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: SelectorLabels(in.Instance.Name, ComponentEdge),
		},
	}
	switch e.Type {
	case signalrv1alpha1.ExposureLoadBalancer:
		loadBalancer(s, e.LoadBalancer)
	case signalrv1alpha1.ExposureNodePort:
		s.Spec.Type = corev1.ServiceTypeNodePort
		if e.NodePort != nil {
			port.NodePort = e.NodePort.Port
		}
	case signalrv1alpha1.ExposureNone, signalrv1alpha1.ExposureIngress, signalrv1alpha1.ExposureGateway:
	}
	s.Spec.Ports = []corev1.ServicePort{port}
	if e.Type == signalrv1alpha1.ExposureLoadBalancer && e.TLS != nil && !in.edgeTLS() {
		port.Name, port.Port = "https", 443 // where the load balancer ends TLS, and what clients are told
		s.Spec.Ports = append(s.Spec.Ports, port)
	}
	return s
}

// loadBalancer makes a Service one of type LoadBalancer. Only nodes with an edge answer unless told otherwise: edges
// see the addresses of clients, and a hop is saved.
func loadBalancer(s *corev1.Service, e *signalrv1alpha1.LoadBalancerExposure) {
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	if e == nil {
		return
	}
	s.Annotations = over(nil, e.Annotations)
	if e.LoadBalancerClass != "" {
		s.Spec.LoadBalancerClass = new(e.LoadBalancerClass)
	}
	s.Spec.LoadBalancerSourceRanges = append([]string(nil), e.SourceRanges...)
	if e.ExternalTrafficPolicy != "" {
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicy(e.ExternalTrafficPolicy)
	}
}

// HeadlessService returns the Service that names every edge pod, ready or not: for monitoring, and for edges that look
// for each other.
func HeadlessService(in Input) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: in.meta(HeadlessName(in.Instance.Name), ComponentEdge),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone,
			PublishNotReadyAddresses: true,
			Selector:                 SelectorLabels(in.Instance.Name, ComponentEdge),
			Ports: []corev1.ServicePort{
				{
					Name: clientPortName, Port: ClientPort, Protocol: corev1.ProtocolTCP,
					TargetPort: intstr.FromString(clientPortName),
				},
				{
					Name: adminPortName, Port: AdminPort, Protocol: corev1.ProtocolTCP,
					TargetPort: intstr.FromString(adminPortName),
				},
			},
		},
	}
}
