package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// CapabilityBackplane is what an edge reports that can be one of several.
const CapabilityBackplane = "backplane"

// Input is everything that children are built from.
type Input struct {
	// Instance is the instance, with the defaults of its schema. Of its status only the backplane's mode is used.
	Instance *signalrv1alpha1.SignalRInstance
	// Units are the units in force.
	Units int32
	// Replicas is the number of edge pods, see Replicas.
	Replicas int32
	// Draining tells that there are edge pods of an instance that is being stopped.
	Draining bool
	// Image is the image of edges and backplane.
	Image string
	// Revision is written on the Deployment: what Revision returns for the template that is in force.
	Revision string
	// SizedFor, when above what the spec asks for, is the number of units that the only edge pod is sized for.
	SizedFor int64
	// Template, when set, is the pod template in force, which stays although this program might build another one.
	Template *corev1.PodTemplateSpec
	// Keys are the secrets of the instance.
	Keys KeySet
	// Carried is what edges that are gone have counted of the day's messages.
	Carried config.Carried
	// Capabilities are those that the image's edges report; nil before one was asked.
	Capabilities []string
	// ConfigVersion is the newest configuration that the running edges understand, 0 before one was asked.
	ConfigVersion int
	// Kinds says which optional kinds are installed.
	Kinds Kinds
	// PublicAddress is the address that a load balancer or Gateway was given, a host name or IP address; empty when there
	// is none. It counts while the spec has no host name.
	PublicAddress string
	// NodePort is the port that the client Service was given on every node, 0 when there is none.
	NodePort int32
	// FormerHosts are host names that the instance had: tokens for them stay good.
	FormerHosts []string
	// AdminNamespaces are the namespaces that may reach the admin port: the operator's and those of monitoring.
	AdminNamespaces []string
	// Backplane holds the certificates of the managed backplane.
	Backplane Certificates
}

// KeySet is the secrets of an instance.
type KeySet struct {
	// Keys are the access keys in force: one called primary, one called secondary, and former ones until their end.
	Keys []config.Key
	// ConnectionTokenKey authenticates connection tokens.
	ConnectionTokenKey config.Secret
	// AdminToken is the bearer token for /status.
	AdminToken config.Secret
	// Annotations are put on both key Secrets: what was rotated when.
	Annotations map[string]string
}

// Names of the two access keys that every instance has.
const (
	PrimaryKey   = "primary"
	SecondaryKey = "secondary"
)

// value returns the value of the key with a name, or nothing.
func (k KeySet) value(name string) string {
	if i := slices.IndexFunc(k.Keys, func(k config.Key) bool { return k.Name == name }); i >= 0 {
		return k.Keys[i].Value.Reveal()
	}
	return ""
}

// Kinds says which kinds are installed that a cluster need not have.
type Kinds struct {
	// HTTPRoute is that of the Gateway API.
	HTTPRoute bool
	// Certificate is that of cert-manager.
	Certificate bool
	// ServiceMonitor is that of the Prometheus operator.
	ServiceMonitor bool
}

// can reports whether the edges report a capability.
func (in Input) can(capability string) bool { return slices.Contains(in.Capabilities, capability) }

func (in Input) spec() *signalrv1alpha1.SignalRInstanceSpec { return &in.Instance.Spec }

// edgeTLS reports whether TLS ends in the edges.
func (in Input) edgeTLS() bool {
	tls := in.spec().Exposure.TLS
	return tls != nil && tls.Termination == signalrv1alpha1.TLSTerminationEdge
}
