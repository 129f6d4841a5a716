package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tier is the size class of an instance. It bounds the units, and so the quotas.
//
// +kubebuilder:validation:Enum=Free;Standard;Premium
type Tier string

// The tiers, as the service spells them.
const (
	// TierFree is one unit of 20 connections and at most 20,000 messages per UTC day.
	TierFree Tier = "Free"
	// TierStandard is 1 to 100 units of 1,000 connections and 1,000,000 messages per UTC day each.
	TierStandard Tier = "Standard"
	// TierPremium is 1 to 1,000 units of the same size.
	TierPremium Tier = "Premium"
)

// MaxUnits returns the most units that an instance of the tier may have, 0 for an unknown tier.
func (t Tier) MaxUnits() int32 {
	switch t {
	case TierFree:
		return 1
	case TierStandard:
		return 100
	case TierPremium:
		return 1000
	default:
		return 0
	}
}

// ServiceMode says who answers clients.
//
// +kubebuilder:validation:Enum=Default;Serverless;Classic
type ServiceMode string

// The service modes, as the service spells them.
const (
	// ServiceModeDefault connects each client with an app server of its hub.
	ServiceModeDefault ServiceMode = "Default"
	// ServiceModeServerless has no app servers: messages are sent by HTTP, invocations go to upstreams.
	ServiceModeServerless ServiceMode = "Serverless"
	// ServiceModeClassic is Default for a hub that has an app server when a client connects, else Serverless.
	ServiceModeClassic ServiceMode = "Classic"
)

// State says whether an instance is meant to serve.
//
// +kubebuilder:validation:Enum=Running;Stopped
type State string

// The states.
const (
	// StateRunning keeps the edges running.
	StateRunning State = "Running"
	// StateStopped keeps everything but the pods: Services, keys, storage and the day's counters stay.
	StateStopped State = "Stopped"
)

// MessagePolicy says what happens when the day's message quota is used up.
//
// +kubebuilder:validation:Enum=Soft;Hard
type MessagePolicy string

// The message policies.
const (
	// MessagePolicySoft keeps delivering and counts on.
	MessagePolicySoft MessagePolicy = "Soft"
	// MessagePolicyHard refuses messages until midnight UTC.
	MessagePolicyHard MessagePolicy = "Hard"
)

// DeletionPolicy says what happens to the keys of an instance that is deleted.
//
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionPolicyDelete deletes the key Secret with the instance.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the key Secret; an instance of the same name takes it up again.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)

// SignalRInstance is one SignalR service: what `az signalr create` makes in the cloud, in this namespace.
//
// Ten lines give a service with two access keys and a connection string in the Secret `<name>-keys`:
//
//	apiVersion: signalr-operator.io/v1alpha1
//	kind: SignalRInstance
//	metadata:
//	  name: chat
//	spec:
//	  units: 1
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.units,statuspath=.status.units.effective,selectorpath=.status.selector
// +kubebuilder:resource:path=signalrinstances,singular=signalrinstance,shortName=sri,categories={all,signalr},scope=Namespaced
// +kubebuilder:printcolumn:name="Tier",type=string,JSONPath=`.spec.tier`,description="Size class: Free, Standard or Premium"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.serviceMode`,description="Who answers clients: Default, Serverless or Classic"
// +kubebuilder:printcolumn:name="Units",type=integer,JSONPath=`.status.units.effective`,description="Units in force"
// +kubebuilder:printcolumn:name="Edges",type=integer,JSONPath=`.status.edge.ready`,description="Edge pods that are ready"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether clients can use it"
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`,description="What a client should use"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connections",type=integer,priority=1,JSONPath=`.status.usage.connections`,description="Client connections, to two digits"
// +kubebuilder:printcolumn:name="Util",type=integer,priority=1,JSONPath=`.status.usage.utilizationPercent`,description="Percent of the connection quota in use, in steps of 5"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40",message="metadata.name: must have at most 40 characters, because Services and StatefulSets are named after it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: must be a lower-case letter, then lower-case letters, digits and '-', with a letter or digit at the end"
type SignalRInstance struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name is at most 40 characters long, begins with a lower-case letter
	// and has lower-case letters, digits and '-': Services and other children are named after it.
	//
	// Four annotations mean something. `signalr-operator.io/paused: "true"` makes the operator leave everything as it is.
	// A new value of `signalr-operator.io/restarted-at` rolls the edges, drained; one of `signalr-operator.io/upgraded-at`
	// rolls them to the version of the operator that runs. `signalr-operator.io/adopt: "true"` lets the operator take over
	// objects that have the names of its children already.
	//
	// Example: `metadata: {name: chat, annotations: {signalr-operator.io/paused: "true"}}`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what you ask for. Left out, it is a Standard instance of one unit in service mode Default.
	// +kubebuilder:default={}
	// +optional
	Spec SignalRInstanceSpec `json:"spec,omitzero"`

	// status is what the operator sees. Until it has looked, the condition Ready is Unknown with the reason Pending.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no operator has looked at this instance yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status SignalRInstanceStatus `json:"status,omitzero"`
}

// SignalRInstanceList is a list of instances.
//
// +kubebuilder:object:root=true
type SignalRInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the instances.
	Items []SignalRInstance `json:"items"`
}

// SignalRInstanceSpec is what a user asks for. Every field has a default: `spec: {}` is a working instance.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tier) || self.tier != 'Free' || self.units == 1",message="must be 1 in tier Free",fieldPath=".units"
// +kubebuilder:validation:XValidation:rule="!has(self.tier) || self.tier != 'Standard' || self.units <= 100",message="must be 1 to 100 in tier Standard; tier Premium allows 1 to 1000",fieldPath=".units"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscale) || self.autoscale.maxUnits >= self.units",message="must be at least spec.units, which is the floor of autoscaling",fieldPath=".autoscale.maxUnits"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscale) || !has(self.tier) || self.tier != 'Free' || self.autoscale.maxUnits == 1",message="must be 1 in tier Free",fieldPath=".autoscale.maxUnits"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscale) || !has(self.tier) || self.tier != 'Standard' || self.autoscale.maxUnits <= 100",message="must be at most 100 in tier Standard; tier Premium allows up to 1000",fieldPath=".autoscale.maxUnits"
// +kubebuilder:validation:XValidation:rule="!has(self.tier) || self.tier != 'Free' || self.?limits.?messagePolicy.orValue('Hard') == 'Hard'",message="must be Hard in tier Free, or left out; Soft is for Standard and Premium",fieldPath=".limits.messagePolicy"
// +kubebuilder:validation:XValidation:rule="!has(self.tier) || self.tier != 'Free' || self.edge.minReplicas == 1",message="must be 1 in tier Free",fieldPath=".edge.minReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.backplane) || self.backplane.mode != 'Embedded' || self.edge.minReplicas == 1",message="must be 1 with spec.backplane.mode Embedded, which connects one edge only; Auto, Managed and External connect several",fieldPath=".edge.minReplicas"
type SignalRInstanceSpec struct {
	// tier is the size class: Free, Standard or Premium. It bounds units. Default: Standard.
	//
	// Free gives 20 connections and 20,000 messages per UTC day. Standard and Premium give 1,000 connections and
	// 1,000,000 messages per day for each unit. All features are in every tier.
	//
	// Example: `tier: Premium`
	// +kubebuilder:default=Standard
	// +optional
	Tier Tier `json:"tier,omitempty"`

	// units is the size: quotas are per unit. 1 in tier Free, 1 to 100 in Standard, 1 to 1,000 in Premium. Default: 1.
	//
	// It is the floor of the units in force: an autoscaler only adds to it. It is also what the scale subresource
	// reads and writes, so `kubectl scale sri/chat --replicas=10`, a HorizontalPodAutoscaler or KEDA move this floor.
	// Fewer units cut nobody: new clients are refused until the live ones fit.
	//
	// Example: `units: 10`
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Units int32 `json:"units,omitempty"`

	// serviceMode says who answers clients: Default (app servers), Serverless (HTTP and upstreams) or Classic (either,
	// for each hub as it is when a client connects). Default: Default.
	//
	// A mode that the running edge cannot serve makes Ready False with the reason UnsupportedByEdge.
	//
	// Example: `serviceMode: Serverless`
	// +kubebuilder:default=Default
	// +optional
	ServiceMode ServiceMode `json:"serviceMode,omitempty"`

	// state is Running or Stopped. Default: Running.
	//
	// A stopped instance has no edge pods and costs nothing; its Services, keys, storage and the day's counters stay.
	//
	// Example: `state: Stopped`
	// +kubebuilder:default=Running
	// +optional
	State State `json:"state,omitempty"`

	// autoscale lets the operator add units above the floor while the load asks for them. Left out, units are fixed.
	//
	// Example: `autoscale: {maxUnits: 10}`
	// +optional
	Autoscale *AutoscaleSpec `json:"autoscale,omitempty"`

	// auth says how clients and app servers prove who they are.
	//
	// Example: `auth: {accessKeys: {rotation: {schedule: "0 3 1 * *"}}}`
	// +kubebuilder:default={}
	// +optional
	Auth AuthSpec `json:"auth,omitzero"`

	// cors says which web pages may connect.
	//
	// Example: `cors: {allowedOrigins: ["https://www.example.com"]}`
	// +kubebuilder:default={}
	// +optional
	CORS CORSSpec `json:"cors,omitzero"`

	// limits bounds messages.
	//
	// Example: `limits: {maxMessageBytes: 65536}`
	// +kubebuilder:default={}
	// +optional
	Limits LimitsSpec `json:"limits,omitzero"`

	// exposure says how clients outside of the cluster reach the instance. Left out, they do not: it has ClusterIP
	// Services only.
	//
	// Example: `exposure: {type: Ingress, hostName: signalr.example.com}`
	// +kubebuilder:default={type: None}
	// +optional
	Exposure ExposureSpec `json:"exposure,omitzero"`

	// backplane says how edges reach each other.
	//
	// Example: `backplane: {mode: Managed}`
	// +kubebuilder:default={mode: Auto}
	// +optional
	Backplane BackplaneSpec `json:"backplane,omitzero"`

	// edge shapes the pods that serve clients.
	//
	// Example: `edge: {minReplicas: 3, drainSeconds: 300}`
	// +kubebuilder:default={}
	// +optional
	Edge EdgeSpec `json:"edge,omitzero"`

	// monitoring says whether Prometheus is told to scrape the edges.
	//
	// Example: `monitoring: {mode: Disabled}`
	// +kubebuilder:default={}
	// +optional
	Monitoring MonitoringSpec `json:"monitoring,omitzero"`

	// networkPolicy says whether the operator guards the ports of its pods.
	//
	// Example: `networkPolicy: {mode: None}`
	// +kubebuilder:default={}
	// +optional
	NetworkPolicy NetworkPolicySpec `json:"networkPolicy,omitzero"`

	// deletionPolicy says what happens to the key Secret when the instance is deleted: Delete or Retain.
	// Default: Delete.
	//
	// A retained Secret has no owner; a new instance of the same name takes it up, and clients' tokens stay valid.
	//
	// Example: `deletionPolicy: Retain`
	// +kubebuilder:default=Delete
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// CORSSpec says which web pages may connect.
type CORSSpec struct {
	// allowedOrigins are the origins that a browser may connect from: `"*"` alone for all of them, or up to 100 of the
	// form `scheme://host[:port]`, without a path. Default: `["*"]`.
	//
	// Example: `allowedOrigins: ["https://www.example.com", "http://localhost:3000"]`
	// +kubebuilder:default={"*"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=300
	// +kubebuilder:validation:XValidation:rule="self.size() == 1 || !self.exists(o, o == '*')",message="\"*\" must stand alone"
	// +kubebuilder:validation:XValidation:rule=`self.all(o, o == '*' || o.matches(r'^[a-z][a-z0-9+.-]*://([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$'))`,message="must be \"*\" alone, or origins as https://example.com or http://localhost:3000, without a path"
	// +listType=set
	// +optional
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`
}

// LimitsSpec bounds messages.
type LimitsSpec struct {
	// messagePolicy says what happens when the day's message quota is used up: Soft keeps delivering and counts on, Hard
	// refuses messages until midnight UTC. Left out, it is Soft, and Hard in tier Free, which allows nothing else.
	//
	// Example: `messagePolicy: Hard`
	// +optional
	MessagePolicy MessagePolicy `json:"messagePolicy,omitempty"`

	// maxMessageBytes bounds one message of a client with its envelope, 1,024 to 16,777,215. Default: 1048576 (1 MiB). A
	// client that sends a longer one is closed.
	//
	// Example: `maxMessageBytes: 65536`
	// +kubebuilder:default=1048576
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=16777215
	// +optional
	MaxMessageBytes int32 `json:"maxMessageBytes,omitempty"`
}

// EffectiveMessagePolicy returns the message policy in force: what the spec says, else what the tier says.
func (s *SignalRInstanceSpec) EffectiveMessagePolicy() MessagePolicy {
	switch {
	case s.Limits.MessagePolicy != "":
		return s.Limits.MessagePolicy
	case s.Tier == TierFree:
		return MessagePolicyHard
	default:
		return MessagePolicySoft
	}
}
