package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// GroupName is the API group of every kind of this project.
	GroupName = "signalr-operator.io"
	// Version is the version of the API that this package describes.
	Version = "v1alpha1"
	// Kind is the kind of a SignalRInstance.
	Kind = "SignalRInstance"
	// Resource is the plural name of a SignalRInstance, as it stands in URLs and RBAC rules.
	Resource = "signalrinstances"
)

// SchemeGroupVersion is the group and version of the objects of this package.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: Version}

// SchemeBuilder collects what AddToScheme adds.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds the kinds of this package to a scheme.
var AddToScheme = SchemeBuilder.AddToScheme

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(SchemeGroupVersion, &SignalRInstance{}, &SignalRInstanceList{})
	metav1.AddToGroupVersion(s, SchemeGroupVersion)
	return nil
}
