// Package v1alpha1 is the API that users write: the kind SignalRInstance of the group signalr-operator.io, with its
// defaults, its validation and the vocabulary of its status.
//
// It is types and constants, and Warnings, which says what is allowed and yet unwise. What the types cause is in
// package controllers; what the API server checks is generated from the markers here into config/crd, and what it warns
// of is in config/policy. There is no webhook: a default that is not in the schema does not exist, and a rule that CEL
// cannot say is judged by the controller and shown as a condition.
//
// Conventions. Lists say how they merge and how long they may be, strings how long. Durations are whole seconds with
// the unit in the name. Switches are enums, because a boolean cannot grow a third value. A struct that means something
// by being absent is a pointer; every other struct is there always, with its defaults.
//
// Concurrency: values are plain data; who shares one does not change it.
//
// +groupName=signalr-operator.io
// +kubebuilder:object:generate=true
package v1alpha1
