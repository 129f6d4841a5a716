package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// BackplaneMode says how edges reach each other.
//
// +kubebuilder:validation:Enum=Auto;Embedded;Managed;External
type BackplaneMode string

// The backplane modes.
const (
	// BackplaneAuto is Embedded while one edge is enough and Managed from then on; it never goes back by itself.
	BackplaneAuto BackplaneMode = "Auto"
	// BackplaneEmbedded runs the backplane inside of the only edge.
	BackplaneEmbedded BackplaneMode = "Embedded"
	// BackplaneManaged runs a backplane of three nodes beside the edges.
	BackplaneManaged BackplaneMode = "Managed"
	// BackplaneExternal uses a NATS cluster of your own.
	BackplaneExternal BackplaneMode = "External"
)

// StorageType says where the managed backplane keeps its data.
//
// +kubebuilder:validation:Enum=Ephemeral;Persistent
type StorageType string

// The storage types.
const (
	// StorageEphemeral keeps data as long as the pod lives; three nodes keep copies of it.
	StorageEphemeral StorageType = "Ephemeral"
	// StoragePersistent keeps data in volumes that outlive the pods.
	StoragePersistent StorageType = "Persistent"
)

// UpgradePolicy says whether a newer operator rolls running edges.
//
// +kubebuilder:validation:Enum=Manual;Automatic
type UpgradePolicy string

// The upgrade policies.
const (
	// UpgradePolicyManual leaves running edges at their version until asked.
	UpgradePolicyManual UpgradePolicy = "Manual"
	// UpgradePolicyAutomatic rolls edges to the operator's version, at most five instances at once.
	UpgradePolicyAutomatic UpgradePolicy = "Automatic"
)

// MonitoringMode says whether Prometheus is told to scrape the edges.
//
// +kubebuilder:validation:Enum=Auto;Disabled
type MonitoringMode string

// The monitoring modes.
const (
	// MonitoringAuto makes a ServiceMonitor when that kind is installed.
	MonitoringAuto MonitoringMode = "Auto"
	// MonitoringDisabled makes none.
	MonitoringDisabled MonitoringMode = "Disabled"
)

// NetworkPolicyMode says whether the operator guards the ports of its pods.
//
// +kubebuilder:validation:Enum=Managed;None
type NetworkPolicyMode string

// The network policy modes.
const (
	// NetworkPolicyManaged makes a NetworkPolicy.
	NetworkPolicyManaged NetworkPolicyMode = "Managed"
	// NetworkPolicyNone makes none.
	NetworkPolicyNone NetworkPolicyMode = "None"
)

// BackplaneSpec says how edges reach each other. It is a union: mode says which of managed and external may be set.
//
// +kubebuilder:validation:XValidation:rule="!has(self.managed) || self.mode in ['Auto', 'Managed']",message="must be left out unless spec.backplane.mode is Auto or Managed",fieldPath=".managed",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule="self.mode != 'External' || has(self.external)",message="must be set, with urls, when spec.backplane.mode is External",fieldPath=".external",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.external) || self.mode == 'External'",message="must be left out unless spec.backplane.mode is External",fieldPath=".external",reason=FieldValueForbidden
type BackplaneSpec struct {
	// mode is Auto, Embedded, Managed or External. Default: Auto, which is Embedded while one edge is enough and Managed
	// from then on, and never goes back by itself.
	//
	// Example: `mode: Managed`
	// +unionDiscriminator
	// +kubebuilder:default=Auto
	// +optional
	Mode BackplaneMode `json:"mode,omitempty"`

	// managed details the three nodes of the managed backplane; for modes Auto and Managed only. Left out, they have
	// ephemeral storage of 1Gi.
	//
	// Example: `managed: {storage: {type: Persistent, size: 5Gi}}`
	// +optional
	Managed *ManagedBackplane `json:"managed,omitempty"`

	// external names a NATS cluster of your own; for mode External only, and required there.
	//
	// Example: `external: {urls: ["tls://nats.example.com:4222"], credentialsSecretRef: {name: nats}}`
	// +optional
	External *ExternalBackplane `json:"external,omitempty"`
}

// ManagedBackplane details the three nodes of the managed backplane.
type ManagedBackplane struct {
	// storage says where they keep their data.
	//
	// Example: `storage: {type: Persistent, size: 5Gi}`
	// +kubebuilder:default={}
	// +optional
	Storage BackplaneStorage `json:"storage,omitzero"`

	// resources are the requests and limits of each node's container. Left out, they are the operator's.
	//
	// Example: `resources: {requests: {cpu: 200m, memory: 256Mi}}`
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
}

// BackplaneStorage says where a node of the managed backplane keeps its data.
type BackplaneStorage struct {
	// type is Ephemeral or Persistent. Default: Ephemeral.
	//
	// Example: `type: Persistent`
	// +kubebuilder:default=Ephemeral
	// +optional
	Type StorageType `json:"type,omitempty"`

	// size is the size of each node's volume, and the limit of an ephemeral one. Default: 1Gi.
	//
	// Example: `size: 5Gi`
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="must be above 0, as 1Gi"
	// +optional
	Size resource.Quantity `json:"size,omitzero"`

	// storageClassName is the class of the volumes. Left out, persistent ones are of the cluster's default class, and
	// ephemeral ones are space on the pod's node.
	//
	// Example: `storageClassName: fast`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName string `json:"storageClassName,omitempty"`
}

// ExternalBackplane names a NATS cluster of your own, with JetStream.
type ExternalBackplane struct {
	// urls are the addresses of its servers, 1 to 16. Required.
	//
	// Example: `urls: ["tls://nats-0.example.com:4222", "tls://nats-1.example.com:4222"]`
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=300
	// +kubebuilder:validation:XValidation:rule=`self.all(u, u.matches(r'^(nats|tls)://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$'))`,message="must be nats://host[:port] or tls://host[:port], without user, password and path"
	// +listType=set
	// +required
	URLs []string `json:"urls"`

	// credentialsSecretRef names a Secret that holds a NATS credentials file under the name nats.creds. Left out, edges
	// connect without credentials.
	//
	// Example: `credentialsSecretRef: {name: nats}`
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`

	// caSecretRef names a Secret that holds the certificates to trust under the name ca.crt. Left out, edges trust what
	// the system trusts.
	//
	// Example: `caSecretRef: {name: nats-ca}`
	// +optional
	CASecretRef *SecretReference `json:"caSecretRef,omitempty"`
}

// EdgeSpec shapes the pods that serve clients.
type EdgeSpec struct {
	// unitsPerPod is how many units one edge pod serves, 1 to 1,000. Default: 10. The number of pods is the largest of
	// minReplicas, ⌈units in force / unitsPerPod⌉ and ⌈live connections / (unitsPerPod × 1,000)⌉.
	//
	// Example: `unitsPerPod: 5`
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	UnitsPerPod int32 `json:"unitsPerPod,omitempty"`

	// minReplicas is the least number of edge pods, 1 to 1,000. Default: 1. Two or more survive the loss of a node or a
	// zone, and need a backplane.
	//
	// Example: `minReplicas: 3`
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// drainSeconds is the time over which a pod that goes away closes its clients, evenly, so that they reconnect to
	// others, 1 to 3600. Default: 60. The pod's grace period is 15 seconds longer, and edges are replaced one at a time
	// with this much between them.
	//
	// Example: `drainSeconds: 300`
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	DrainSeconds int32 `json:"drainSeconds,omitempty"`

	// upgradePolicy says whether a newer operator rolls running edges: Manual (not until asked) or Automatic.
	// Default: Manual. The condition UpdateAvailable tells that there is something to ask for.
	//
	// Example: `upgradePolicy: Automatic`
	// +kubebuilder:default=Manual
	// +optional
	UpgradePolicy UpgradePolicy `json:"upgradePolicy,omitempty"`

	// image is the image of the edges. Default: empty, which is the version recorded in status: that of the operator
	// which made the instance, or which it was last upgraded to.
	//
	// Example: `image: registry.example.com/signalr-operator:1.2.3`
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches(r'^[A-Za-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$')`,message="must be empty or an image reference, as registry.example.com/signalr-operator:1.2.3"
	// +optional
	Image string `json:"image"`

	// pod is what else the pods have.
	//
	// Example: `pod: {labels: {team: trading}, priorityClassName: high}`
	// +kubebuilder:default={}
	// +optional
	Pod PodSpec `json:"pod,omitzero"`
}

// PodSpec is what the edge pods have beside what the operator gives them. A change of anything in it rolls the edges,
// drained.
type PodSpec struct {
	// labels are put on the pods, up to 64. Names that begin with app.kubernetes.io/ and signalr-operator.io/ are the
	// operator's. Default: none.
	//
	// Example: `labels: {team: trading}`
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('signalr-operator.io/') && k != 'pod-template-hash')",message="must not begin with app.kubernetes.io/ or signalr-operator.io/ and must not be pod-template-hash, which the operator and Kubernetes set"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations are put on the pods, up to 64. Names that begin with signalr-operator.io/ are the operator's.
	// Default: none.
	//
	// Example: `annotations: {sidecar.istio.io/inject: "false"}`
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('signalr-operator.io/'))",message="must not begin with signalr-operator.io/, which the operator sets"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// resources are the requests and limits of the edge's container. Left out, they follow unitsPerPod.
	//
	// Example: `resources: {requests: {cpu: "1", memory: 1Gi}, limits: {memory: 2Gi}}`
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// nodeSelector chooses nodes by labels, up to 64. Default: none.
	//
	// Example: `nodeSelector: {kubernetes.io/arch: arm64}`
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let the pods onto tainted nodes, up to 32. Default: none.
	//
	// Example: `tolerations: [{key: dedicated, value: signalr, effect: NoSchedule}]`
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity attracts the pods to nodes and other pods, or keeps them away. Default: none.
	//
	// Example: `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms:
	// [{matchExpressions: [{key: pool, operator: In, values: [signalr]}]}]}}}`
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the pods, up to 16. Left out, they are spread over zones and hosts as far as
	// possible; set, it is only as you say.
	//
	// Example: `topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable:
	// DoNotSchedule, labelSelector: {matchLabels: {app.kubernetes.io/instance: chat}}}]`
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName is the name of the PriorityClass of the pods. Default: none.
	//
	// Example: `priorityClassName: high`
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// imagePullSecrets name the Secrets that the image is pulled with, up to 16. Default: none.
	//
	// Example: `imagePullSecrets: [{name: registry}]`
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	ImagePullSecrets []SecretReference `json:"imagePullSecrets,omitempty"`

	// env adds environment variables to the edge's container, up to 64. Default: none. The edge takes its configuration
	// from a file: this is for what the Go runtime and your tools read.
	//
	// Example: `env: [{name: GOMEMLIMIT, value: 1500MiB}]`
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`
}

// MonitoringSpec says whether Prometheus is told to scrape the edges.
type MonitoringSpec struct {
	// mode is Auto (a ServiceMonitor when that kind is installed) or Disabled. Default: Auto. The metrics are there
	// either way.
	//
	// Example: `mode: Disabled`
	// +kubebuilder:default=Auto
	// +optional
	Mode MonitoringMode `json:"mode,omitempty"`
}

// NetworkPolicySpec says whether the operator guards the ports of its pods.
type NetworkPolicySpec struct {
	// mode is Managed (the client port is open, the admin port only to the operator and monitoring, the backplane only to
	// its own pods) or None. Default: Managed.
	//
	// Example: `mode: None`
	// +kubebuilder:default=Managed
	// +optional
	Mode NetworkPolicyMode `json:"mode,omitempty"`
}
