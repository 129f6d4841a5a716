package v1alpha1

// AccessKeyMode says whether access keys are accepted.
//
// +kubebuilder:validation:Enum=Enabled
type AccessKeyMode string

// AccessKeysEnabled accepts tokens that are signed with an access key.
const AccessKeysEnabled AccessKeyMode = "Enabled"

// AuthSpec says how clients and app servers prove who they are.
type AuthSpec struct {
	// accessKeys are the two keys that connection strings hold.
	//
	// Example: `accessKeys: {existingSecretRef: {name: my-keys}}`
	// +kubebuilder:default={}
	// +optional
	AccessKeys AccessKeysSpec `json:"accessKeys,omitzero"`
}

// AccessKeysSpec is about the two access keys.
//
// +kubebuilder:validation:XValidation:rule="!has(self.existingSecretRef) || (self.rotation.primaryNonce.size() == 0 && self.rotation.secondaryNonce.size() == 0 && self.rotation.schedule.size() == 0)",message="primaryNonce, secondaryNonce and schedule must be empty with existingSecretRef, because the operator never writes that Secret",fieldPath=".rotation"
type AccessKeysSpec struct {
	// mode says whether access keys are accepted: Enabled. Default: Enabled.
	//
	// Example: `mode: Enabled`
	// +kubebuilder:default=Enabled
	// +optional
	Mode AccessKeyMode `json:"mode,omitempty"`

	// existingSecretRef names a Secret of your own that holds the keys under the names that the service uses: primaryKey
	// and secondaryKey, each of 32 to 1,024 printable characters without space and semicolon. App servers want
	// primaryConnectionString and secondaryConnectionString beside them, which you write too: the operator reads the keys
	// and never writes that Secret. Left out, the operator makes two random keys and owns the Secret `<name>-keys`.
	//
	// Label the Secret `signalr-operator.io/watch: "true"` to have a change of it loaded at once, else within a minute.
	//
	// Example: `existingSecretRef: {name: my-keys}`
	// +optional
	ExistingSecretRef *SecretReference `json:"existingSecretRef,omitempty"`

	// rotation replaces keys.
	//
	// Example: `rotation: {schedule: "0 3 1 * *", overlapSeconds: 604800}`
	// +kubebuilder:default={}
	// +optional
	Rotation KeyRotation `json:"rotation,omitzero"`
}

// KeyRotation replaces keys. Live connections stay whatever happens to the key that opened them.
type KeyRotation struct {
	// primaryNonce replaces the primary key at once whenever its value changes; the old key is refused from then on. The
	// value means nothing; the time is a good one. The value that an instance is created with replaces nothing, and
	// neither does restoring a backup. Default: empty.
	//
	// Example: `primaryNonce: "2026-05-01"`
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=128
	// +optional
	PrimaryNonce string `json:"primaryNonce"`

	// secondaryNonce does the same to the secondary key. When both change, one key is replaced, then the other.
	// Default: empty.
	//
	// Example: `secondaryNonce: "2026-05-01"`
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=128
	// +optional
	SecondaryNonce string `json:"secondaryNonce"`

	// schedule replaces a key each time it comes round, alternating between the two: a cron expression of five fields, in
	// UTC. Default: empty, which is never.
	//
	// Example: `schedule: "0 3 1 * *"`
	// +kubebuilder:default=""
	// +optional
	Schedule CronExpression `json:"schedule"`

	// overlapSeconds is how long a key that the schedule has replaced stays valid, 0 to 2,592,000 (30 days).
	// Default: 86400 (a day).
	//
	// Example: `overlapSeconds: 604800`
	// +kubebuilder:default=86400
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	OverlapSeconds *int32 `json:"overlapSeconds,omitempty"`
}

// SecretReference names a Secret in the namespace of the instance.
type SecretReference struct {
	// name is the name of the Secret. Required.
	//
	// Example: `name: my-keys`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')`,message="must be the name of a Secret: lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
	// +required
	Name string `json:"name"`
}
