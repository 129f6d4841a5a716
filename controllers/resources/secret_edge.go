package resources

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

// EdgeSecret returns the Secret that edges mount: their configuration, secrets included. It is the source of truth for
// the keys, and nobody but the edges and the operator should read it. A configuration that edges would refuse is an
// error, and nothing is returned that could replace a good one.
func EdgeSecret(in Input) (*corev1.Secret, error) {
	file, err := EdgeFile(EdgeConfig(in))
	if err != nil {
		return nil, err
	}
	return EdgeSecretWith(in, file), nil
}

// EdgeFile returns a configuration as the file in the edges' Secret, or an error if edges would refuse it.
func EdgeFile(c *config.Config) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("edge configuration: %w", err)
	}
	file, err := config.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("edge configuration: %w", err)
	}
	return file, nil
}

// EdgeSecretWith is EdgeSecret with a configuration of its own, see EdgeFile and KeepRunning.
func EdgeSecretWith(in Input, file []byte) *corev1.Secret {
	s := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: in.meta(EdgeSecretName(in.Instance.Name), ComponentEdge),
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{ConfigFile: file},
	}
	s.Annotations = over(nil, in.Keys.Annotations)
	return s
}
