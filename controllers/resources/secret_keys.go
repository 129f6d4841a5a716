package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Names of what the key Secret holds, as the service has them.
const (
	PrimaryKeyEntry                = "primaryKey"
	SecondaryKeyEntry              = "secondaryKey"
	PrimaryConnectionStringEntry   = "primaryConnectionString"
	SecondaryConnectionStringEntry = "secondaryConnectionString"
)

// KeysSecret returns the Secret that users read: both keys, and a connection string with each. It is nil when the keys
// come from a Secret of the user's, and while there are none. One that is to be retained has no owner.
func KeysSecret(in Input) *corev1.Secret {
	primary, secondary := in.Keys.value(PrimaryKey), in.Keys.value(SecondaryKey)
	if in.spec().Auth.AccessKeys.ExistingSecretRef != nil || primary == "" || secondary == "" {
		return nil
	}
	s := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: in.meta(KeysSecretName(in.Instance.Name), ComponentEdge),
		Type:       corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			PrimaryKeyEntry:                []byte(primary),
			SecondaryKeyEntry:              []byte(secondary),
			PrimaryConnectionStringEntry:   []byte(ConnectionString(in, primary)),
			SecondaryConnectionStringEntry: []byte(ConnectionString(in, secondary)),
		},
	}
	s.Annotations = over(nil, in.Keys.Annotations)
	if in.spec().DeletionPolicy == signalrv1alpha1.DeletionPolicyRetain {
		s.OwnerReferences = nil
	}
	return s
}
