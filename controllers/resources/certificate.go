package resources

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// tlsSecretName returns the name of the Secret with the certificate: the user's, or that which cert-manager writes;
// empty when the proxy brings its own.
func tlsSecretName(in Input) string {
	tls := in.spec().Exposure.TLS
	switch {
	case tls == nil:
		return ""
	case tls.SecretName != "":
		return tls.SecretName
	case tls.IssuerRef != nil:
		return CertificateName(in.Instance.Name)
	default:
		return ""
	}
}

// Certificate returns the order for a certificate that cert-manager fills, or nil when the spec names no issuer or that
// kind is not installed. It is for the public names only: a public issuer signs no others.
func Certificate(in Input) *unstructured.Unstructured {
	tls := in.spec().Exposure.TLS
	if tls == nil || tls.IssuerRef == nil || !in.Kinds.Certificate {
		return nil
	}
	kind := tls.IssuerRef.Kind
	if kind == "" {
		kind = signalrv1alpha1.IssuerKindIssuer
	}
	return in.object("cert-manager.io/v1", "Certificate", CertificateName(in.Instance.Name), map[string]any{
		"secretName": CertificateName(in.Instance.Name),
		"dnsNames":   texts(publicHosts(in)),
		"issuerRef": map[string]any{
			"group": "cert-manager.io", "kind": string(kind), "name": tls.IssuerRef.Name,
		},
		"privateKey": map[string]any{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"},
		"usages":     texts([]string{"digital signature", "key encipherment", "server auth"}),
	})
}
