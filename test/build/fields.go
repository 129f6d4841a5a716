package build

import (
	"reflect"
	"slices"
	"strings"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// SpecFields returns the path of every field of the spec that holds a value, sorted: spec.units,
// spec.autoscale.metrics[].type. Structs of the API are followed; types that are not ours, as a behavior or an
// affinity, are one field.
//
// Whoever wants to prove that each field changes something observable walks this list, so that a field which is added
// tomorrow is missed today.
func SpecFields() []string {
	out := fields("spec", reflect.TypeFor[signalrv1alpha1.SignalRInstanceSpec]())
	slices.Sort(out)
	return out
}

func fields(path string, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && ours(t.Elem()):
		return fields(path+"[]", t.Elem())
	case !ours(t):
		return []string{path}
	}
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out = append(out, fields(path+"."+name, f.Type)...)
	}
	return out
}

// ours reports whether t is a struct of the API.
func ours(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[signalrv1alpha1.SignalRInstance]().PkgPath()
}
