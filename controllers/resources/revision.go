package resources

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// ingredients is what an edge's pod template is made from: the image, and what of the spec changes the pod or those
// parts of its configuration that a running edge does not take over. Everything is left out when empty, so that a
// field added here changes no revision until somebody uses it.
type ingredients struct {
	Image        string                      `json:"image,omitempty"`
	RestartedAt  string                      `json:"restartedAt,omitempty"`
	ServiceMode  signalrv1alpha1.ServiceMode `json:"serviceMode,omitempty"`
	DrainSeconds int32                       `json:"drainSeconds,omitempty"`
	TLSSecret    string                      `json:"tlsSecret,omitempty"`
	Units        int64                       `json:"units,omitempty"`
	Pod          signalrv1alpha1.PodSpec     `json:"pod,omitzero"`
}

// Revision returns the hash of what the edges' pod template is made from, 16 hex digits. A Deployment that bears
// another one is to be given a new template, which replaces its pods; one that bears the same keeps the template it
// has, even if a newer operator would build it differently.
func Revision(in Input) string {
	spec := in.spec()
	i := ingredients{
		Image:        in.Image,
		RestartedAt:  in.Instance.Annotations[signalrv1alpha1.RestartedAtAnnotation],
		ServiceMode:  spec.ServiceMode,
		DrainSeconds: spec.Edge.DrainSeconds,
		Pod:          spec.Edge.Pod,
	}
	if in.edgeTLS() {
		i.TLSSecret = tlsSecretName(in)
	}
	if resourcesEmpty(spec.Edge.Pod.Resources) {
		i.Units = PodUnits(in)
	}
	b, err := json.Marshal(i)
	if err != nil { // plain data: cannot be
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
