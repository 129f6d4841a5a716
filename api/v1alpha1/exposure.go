package v1alpha1

// ExposureType says how clients outside of the cluster reach an instance.
//
// +kubebuilder:validation:Enum=None;Ingress;Gateway;LoadBalancer;NodePort
type ExposureType string

// The exposure types.
const (
	// ExposureNone makes ClusterIP Services only. With a host name, that is a route which somebody else looks after.
	ExposureNone ExposureType = "None"
	// ExposureIngress makes an Ingress.
	ExposureIngress ExposureType = "Ingress"
	// ExposureGateway makes an HTTPRoute of the Gateway API.
	ExposureGateway ExposureType = "Gateway"
	// ExposureLoadBalancer makes the client Service one of type LoadBalancer.
	ExposureLoadBalancer ExposureType = "LoadBalancer"
	// ExposureNodePort makes the client Service one of type NodePort.
	ExposureNodePort ExposureType = "NodePort"
)

// TLSTermination says where TLS ends.
//
// +kubebuilder:validation:Enum=Proxy;Edge
type TLSTermination string

// Where TLS can end.
const (
	// TLSTerminationProxy ends TLS before the edges: at the Ingress controller, Gateway or load balancer.
	TLSTerminationProxy TLSTermination = "Proxy"
	// TLSTerminationEdge ends TLS in the edges.
	TLSTerminationEdge TLSTermination = "Edge"
)

// ExternalTrafficPolicy says which nodes answer for a load balancer.
//
// +kubebuilder:validation:Enum=Local;Cluster
type ExternalTrafficPolicy string

// The external traffic policies.
const (
	// ExternalTrafficPolicyLocal lets only nodes with an edge answer, so that edges see the client's address.
	ExternalTrafficPolicyLocal ExternalTrafficPolicy = "Local"
	// ExternalTrafficPolicyCluster lets every node answer; edges see the node's address.
	ExternalTrafficPolicyCluster ExternalTrafficPolicy = "Cluster"
)

// ExposureSpec says how clients outside of the cluster reach the instance. It is a union: type says which of ingress,
// gateway, loadBalancer and nodePort may be set.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ingress) || self.type == 'Ingress'",message="must be left out unless spec.exposure.type is Ingress",fieldPath=".ingress",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.type != 'Gateway' || has(self.gateway)",message="must be set, with parentRefs, when spec.exposure.type is Gateway",fieldPath=".gateway",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.gateway) || self.type == 'Gateway'",message="must be left out unless spec.exposure.type is Gateway",fieldPath=".gateway",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancer) || self.type == 'LoadBalancer'",message="must be left out unless spec.exposure.type is LoadBalancer",fieldPath=".loadBalancer",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type == 'NodePort'",message="must be left out unless spec.exposure.type is NodePort",fieldPath=".nodePort",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="!(self.type in ['Ingress', 'Gateway']) || has(self.hostName)",message="must be set when spec.exposure.type is Ingress or Gateway, as signalr.example.com",fieldPath=".hostName",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.additionalHostNames) || self.additionalHostNames.size() == 0 || has(self.hostName)",message="must be set when spec.exposure.additionalHostNames is",fieldPath=".hostName",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.additionalHostNames) || !has(self.hostName) || !(self.hostName in self.additionalHostNames)",message="must not repeat spec.exposure.hostName",fieldPath=".additionalHostNames"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || !has(self.tls.issuerRef) || has(self.hostName)",message="must be set when spec.exposure.tls.issuerRef is, because a certificate is for a host name",fieldPath=".hostName",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.hostName) || !isIP(self.hostName) || !(self.type in ['Ingress', 'Gateway']) && !self.?tls.?issuerRef.hasValue()",message="must be a name and no IP address when spec.exposure.type is Ingress or Gateway, or spec.exposure.tls.issuerRef is set",fieldPath=".hostName"
// +kubebuilder:validation:XValidation:rule="!has(self.additionalHostNames) || !self.additionalHostNames.exists(h, isIP(h)) || !(self.type in ['Ingress', 'Gateway']) && !self.?tls.?issuerRef.hasValue()",message="must be names and no IP addresses when spec.exposure.type is Ingress or Gateway, or spec.exposure.tls.issuerRef is set",fieldPath=".additionalHostNames"
// +kubebuilder:validation:XValidation:rule="self.type != 'Gateway' || !has(self.additionalHostNames) || self.additionalHostNames.size() <= 15",message="must have at most 15 names when spec.exposure.type is Gateway: an HTTPRoute has 16 in all",fieldPath=".additionalHostNames"
type ExposureSpec struct {
	// type is None, Ingress, Gateway, LoadBalancer or NodePort. Default: None.
	//
	// None makes ClusterIP Services only; Gateway makes an HTTPRoute; LoadBalancer and NodePort change the type of the
	// client Service.
	//
	// Example: `type: Gateway`
	// +unionDiscriminator
	// +kubebuilder:default=None
	// +optional
	Type ExposureType `json:"type,omitempty"`

	// hostName is the name that clients use. Required for Ingress and Gateway. With LoadBalancer and NodePort it is the
	// name that you point at the address, with None the name of a route that you look after yourself: either way it
	// becomes the endpoint in status and in the connection strings. It may be an IPv4 address but for Ingress, Gateway
	// and issuerRef. Left out, the endpoint is the address of the load balancer, else the Service in the cluster.
	//
	// Example: `hostName: signalr.example.com`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')`,message="must be a host name as signalr.example.com: lower-case letters, digits, '-' and '.', without scheme, port, path and wildcard"
	// +optional
	HostName string `json:"hostName,omitempty"`

	// additionalHostNames are further names, up to 20, and 15 with Gateway: more routes, names in certificates and
	// accepted audiences of tokens. Default: none.
	//
	// Example: `additionalHostNames: [chat.example.com]`
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.all(h, h.matches(r'^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$'))`,message="must be host names as chat.example.com: lower-case letters, digits, '-' and '.', without scheme, port, path and wildcard"
	// +listType=set
	// +optional
	AdditionalHostNames []string `json:"additionalHostNames,omitempty"`

	// tls says where TLS ends and which certificate is shown. Left out, the endpoint is plain HTTP.
	//
	// Example: `tls: {termination: Proxy, secretName: signalr-tls}`
	// +optional
	TLS *ExposureTLS `json:"tls,omitempty"`

	// ingress details the Ingress; for type Ingress only.
	//
	// Example: `ingress: {className: nginx}`
	// +optional
	Ingress *IngressExposure `json:"ingress,omitempty"`

	// gateway details the HTTPRoute; for type Gateway only, and required there.
	//
	// Example: `gateway: {parentRefs: [{name: public, namespace: gateways}]}`
	// +optional
	Gateway *GatewayExposure `json:"gateway,omitempty"`

	// loadBalancer details the client Service; for type LoadBalancer only.
	//
	// Example: `loadBalancer: {sourceRanges: [203.0.113.0/24]}`
	// +optional
	LoadBalancer *LoadBalancerExposure `json:"loadBalancer,omitempty"`

	// nodePort details the client Service; for type NodePort only.
	//
	// Example: `nodePort: {port: 30080}`
	// +optional
	NodePort *NodePortExposure `json:"nodePort,omitempty"`
}

// ExposureTLS says where TLS ends and which certificate is shown.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.secretName) && has(self.issuerRef))",message="only one of secretName and issuerRef may be set",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.termination != 'Edge' || has(self.secretName) || has(self.issuerRef)",message="one of secretName and issuerRef must be set when spec.exposure.tls.termination is Edge",reason=FieldValueRequired
type ExposureTLS struct {
	// termination says where TLS ends: Proxy (the Ingress controller, Gateway or load balancer) or Edge. Default: Proxy.
	// With Proxy, a client Service of type LoadBalancer has port 443 beside 80; annotations tell most load balancers to
	// end TLS there. With Edge the client Service has port 443 instead of 80, and the connection strings' Endpoint is
	// `https://<name>.<namespace>.svc`: name that in the certificate too, or give app servers the public address.
	//
	// Example: `termination: Edge`
	// +kubebuilder:default=Proxy
	// +optional
	Termination TLSTermination `json:"termination,omitempty"`

	// secretName names a Secret of type kubernetes.io/tls. At most one of secretName and issuerRef is set; with
	// termination Edge exactly one. Without either, the proxy brings its own certificate.
	//
	// Example: `secretName: signalr-tls`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')`,message="must be the name of a Secret: lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// issuerRef names an issuer of cert-manager; the operator makes a Certificate for hostName and additionalHostNames
	// when that kind is installed.
	//
	// Example: `issuerRef: {name: letsencrypt, kind: ClusterIssuer}`
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`
}

// IssuerKind is a kind of certificate issuer.
//
// +kubebuilder:validation:Enum=Issuer;ClusterIssuer
type IssuerKind string

// The kinds of issuers.
const (
	// IssuerKindIssuer is an issuer in the namespace of the instance.
	IssuerKindIssuer IssuerKind = "Issuer"
	// IssuerKindClusterIssuer is an issuer for the whole cluster.
	IssuerKindClusterIssuer IssuerKind = "ClusterIssuer"
)

// IssuerReference names an issuer of cert-manager.
type IssuerReference struct {
	// name is the name of the issuer. Required.
	//
	// Example: `name: letsencrypt`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// kind is Issuer (in the namespace of the instance) or ClusterIssuer. Default: Issuer.
	//
	// Example: `kind: ClusterIssuer`
	// +kubebuilder:default=Issuer
	// +optional
	Kind IssuerKind `json:"kind,omitempty"`
}

// IngressExposure details the Ingress.
type IngressExposure struct {
	// className is the name of the IngressClass. Left out, it is the cluster's default class.
	//
	// Example: `className: nginx`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClassName string `json:"className,omitempty"`

	// annotations are put on the Ingress, up to 64, beside those that the operator sets for long-lived connections.
	// Default: none.
	//
	// Example: `annotations: {nginx.ingress.kubernetes.io/limit-rps: "50"}`
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// GatewayExposure details the HTTPRoute.
type GatewayExposure struct {
	// parentRefs are the Gateways that the route hangs on, 1 to 32, as in an HTTPRoute. Required.
	//
	// Example: `parentRefs: [{name: public, namespace: gateways, sectionName: https}]`
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +required
	ParentRefs []ParentReference `json:"parentRefs"`
}

// ParentReference names a Gateway, in any namespace that the Gateway allows routes from. It has the fields of the
// Gateway API's own ParentReference.
type ParentReference struct {
	// group is the API group of the parent. Default: gateway.networking.k8s.io.
	//
	// Example: `group: gateway.networking.k8s.io`
	// +kubebuilder:default=gateway.networking.k8s.io
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group string `json:"group,omitempty"`

	// kind is the kind of the parent. Default: Gateway.
	//
	// Example: `kind: Gateway`
	// +kubebuilder:default=Gateway
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Kind string `json:"kind,omitempty"`

	// namespace is the namespace of the parent. Left out, it is that of the instance.
	//
	// Example: `namespace: gateways`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the parent. Required.
	//
	// Example: `name: public`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// sectionName is the name of a listener of the Gateway. Left out, it is all listeners that fit.
	//
	// Example: `sectionName: https`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SectionName string `json:"sectionName,omitempty"`

	// port is the port of a listener of the Gateway, 1 to 65535. Left out, it is all ports that fit.
	//
	// Example: `port: 443`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// LoadBalancerExposure details a client Service of type LoadBalancer.
type LoadBalancerExposure struct {
	// annotations are put on the client Service, up to 64; cloud providers read them. Default: none.
	//
	// Example: `annotations: {service.beta.kubernetes.io/aws-load-balancer-type: external}`
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// loadBalancerClass chooses the implementation. Left out, it is the cluster's default. Kubernetes does not let it
	// change while the Service is of type LoadBalancer.
	//
	// Example: `loadBalancerClass: service.k8s.aws/nlb`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`

	// sourceRanges are the networks that may connect, up to 64, in CIDR notation. Default: all.
	//
	// Example: `sourceRanges: [203.0.113.0/24]`
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(r, isCIDR(r))",message="must be networks in CIDR notation, as 203.0.113.0/24 or 2001:db8::/32"
	// +listType=set
	// +optional
	SourceRanges []string `json:"sourceRanges,omitempty"`

	// externalTrafficPolicy is Local or Cluster. Default: Local, which keeps the client's address and saves a hop.
	//
	// Example: `externalTrafficPolicy: Cluster`
	// +kubebuilder:default=Local
	// +optional
	ExternalTrafficPolicy ExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`
}

// NodePortExposure details a client Service of type NodePort.
type NodePortExposure struct {
	// port is the port on every node, 1 to 65535; the cluster has a range of its own in that, 30000 to 32767 as a rule.
	// Left out, the cluster chooses one.
	//
	// Example: `port: 30080`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}
