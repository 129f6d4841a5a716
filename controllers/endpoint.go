package controllers

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
)

// decideEndpoint says whether the endpoint can be used: whether those that give addresses and certificates have.
func (d *decision) decideEndpoint(o *observed) {
	e := o.instance.Spec.Exposure
	name := o.instance.Name
	switch e.Type {
	case signalrv1alpha1.ExposureLoadBalancer:
		if d.input.PublicAddress == "" {
			d.endpointPending = "the load balancer has no address yet"
		}
	case signalrv1alpha1.ExposureNodePort:
		if d.input.NodePort == 0 {
			d.endpointPending = "the Service has no node port yet"
		}
	case signalrv1alpha1.ExposureGateway:
		switch route, ok := o.child(httpRouteGVK, name).(*unstructured.Unstructured); {
		case !o.installed[httpRouteGVK]:
			d.endpointPending = "spec.exposure.type: the kind HTTPRoute of the Gateway API is not installed"
		case !ok || !routeAccepted(route):
			d.endpointPending = "no Gateway of spec.exposure.gateway.parentRefs has accepted the route yet"
		}
	case signalrv1alpha1.ExposureNone, signalrv1alpha1.ExposureIngress:
	}
	pending := o.awaitedCertificate()
	d.endpointPending = cmp.Or(d.endpointPending, pending)
	if e.TLS != nil && e.TLS.Termination == signalrv1alpha1.TLSTerminationEdge {
		d.certificatePending = pending
	}
}

// awaitedCertificate says why the certificate of an issuer is not there yet, nothing when it is or none is asked for.
func (o *observed) awaitedCertificate() string {
	tls := o.instance.Spec.Exposure.TLS
	if tls == nil || tls.IssuerRef == nil {
		return ""
	}
	name := resources.CertificateName(o.instance.Name)
	switch certificate, ok := o.child(certificateGVK, name).(*unstructured.Unstructured); {
	case !o.installed[certificateGVK]:
		return "spec.exposure.tls.issuerRef: the kind Certificate of cert-manager is not installed"
	case !ok || !conditionTrue(certificate.Object, "Ready", "status", "conditions"):
		return "the certificate of spec.exposure.tls.issuerRef is not issued yet"
	}
	return ""
}

// routeAccepted tells whether any parent has accepted a route.
func routeAccepted(route *unstructured.Unstructured) bool {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	return slices.ContainsFunc(parents, func(p any) bool {
		parent, ok := p.(map[string]any)
		return ok && conditionTrue(parent, "Accepted", "conditions")
	})
}

// conditionTrue tells whether the list of conditions at path has one of a type that is True.
func conditionTrue(in map[string]any, conditionType string, path ...string) bool {
	conditions, _, _ := unstructured.NestedSlice(in, path...)
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition, ok := c.(map[string]any)
		return ok && condition["type"] == conditionType && condition["status"] == "True"
	})
}
