package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SignalRInstanceStatus is what the operator sees. Numbers of use are rounded and at most a minute old; exact ones are
// in the metrics and in `kubectl signalr status`.
type SignalRInstanceStatus struct {
	// conditions say what is and what is not as it should be; see the constants of this package for types and reasons.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// endpoint is what a client should use: the public address, or the one in the cluster while there is no public one.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// endpoints are all addresses.
	// +optional
	Endpoints Endpoints `json:"endpoints,omitzero"`

	// hostName is the host of endpoint.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	HostName string `json:"hostName,omitempty"`

	// keysSecretName names the Secret with the keys and connection strings.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	KeysSecretName string `json:"keysSecretName,omitempty"`

	// keys tell which keys are in force, without showing them.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Keys []KeyStatus `json:"keys,omitempty"`

	// units are the units that are asked for and those in force.
	// +optional
	Units UnitsStatus `json:"units,omitzero"`

	// selector selects the edge pods, for the scale subresource.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Selector string `json:"selector,omitempty"`

	// quota is what the units in force give.
	// +optional
	Quota QuotaStatus `json:"quota,omitzero"`

	// usage is what is used of it. Absent until an edge was asked.
	// +optional
	Usage *UsageStatus `json:"usage,omitempty"`

	// edge is about the edge pods.
	// +optional
	Edge EdgeStatus `json:"edge,omitzero"`

	// backplane is about the backplane.
	// +optional
	Backplane BackplaneStatus `json:"backplane,omitzero"`
}

// Endpoints are the addresses of an instance.
type Endpoints struct {
	// internal is the address in the cluster.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Internal string `json:"internal,omitempty"`

	// public is the address for clients outside of the cluster; absent when there is none.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Public string `json:"public,omitempty"`
}

// KeyStatus tells which key is in force, without showing it.
type KeyStatus struct {
	// name is primary or secondary.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name"`

	// fingerprint is the beginning of the SHA-256 of the key, as sha256:1a2b3c4d.
	// +kubebuilder:validation:MaxLength=80
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`

	// rotatedTime is when the key was made or last replaced.
	// +optional
	RotatedTime *metav1.Time `json:"rotatedTime,omitempty"`
}

// UnitsStatus are the units that are asked for and those in force.
type UnitsStatus struct {
	// desired is what spec, schedules and load ask for.
	// +optional
	Desired int32 `json:"desired,omitempty"`

	// effective is what is in force.
	// +optional
	Effective int32 `json:"effective"`
}

// QuotaStatus is what the units in force give.
type QuotaStatus struct {
	// connections is how many clients may be connected at once.
	// +optional
	Connections int64 `json:"connections,omitempty"`

	// messagesPerDay is how many messages a UTC day has.
	// +optional
	MessagesPerDay int64 `json:"messagesPerDay,omitempty"`
}

// UsageStatus is what is used, rounded: percents to 5, counts to two digits.
type UsageStatus struct {
	// connections is the number of client connections.
	// +optional
	Connections int64 `json:"connections"`

	// servers is the number of app-server connections.
	// +optional
	Servers int64 `json:"servers"`

	// utilizationPercent is connections in percent of the quota.
	// +optional
	UtilizationPercent int64 `json:"utilizationPercent"`

	// messagesToday is the number of messages since midnight UTC.
	// +optional
	MessagesToday int64 `json:"messagesToday"`

	// serverLoadPercent is the load of the busiest edge.
	// +optional
	ServerLoadPercent int64 `json:"serverLoadPercent"`

	// time is when the edges were asked.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// EdgeStatus is about the edge pods.
type EdgeStatus struct {
	// replicas is the number of edge pods.
	// +optional
	Replicas int32 `json:"replicas"`

	// ready is how many of them are ready.
	// +optional
	Ready int32 `json:"ready"`

	// updated is how many of them have the current revision.
	// +optional
	Updated int32 `json:"updated"`

	// image is the image that the edges have, and keep under the upgrade policy Manual.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// revision is the hash of what the pods are made from.
	// +kubebuilder:validation:MaxLength=80
	// +optional
	Revision string `json:"revision,omitempty"`
}

// BackplaneStatus is about the backplane.
type BackplaneStatus struct {
	// mode is the mode in force; Auto is decided to be Embedded or Managed here.
	// +optional
	Mode BackplaneMode `json:"mode,omitempty"`

	// ready is how many of its nodes are ready.
	// +optional
	Ready int32 `json:"ready,omitempty"`
}
