package config

import (
	"reflect"
	"slices"
	"strings"
)

// liveFields are the top-level fields that a running node takes over, design.md section 10. Whatever is not here
// needs a new process.
var liveFields = []string{"tier", "units", "auth", "quota", "limits", "cors", "log"}

// LiveReloadable returns the names of the top-level fields which differ between two configurations and which a running
// node cannot take over, in the order of the file; none means that next can replace old at once. An empty node name in
// next is no difference: the program chose the name of the running one.
func LiveReloadable(old, next *Config) (restart []string) {
	a, b := reflect.ValueOf(*old), reflect.ValueOf(*next)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		if slices.Contains(liveFields, name) || name == "node" && next.Node == "" {
			continue
		}
		if !equal(a.Field(i), b.Field(i)) {
			restart = append(restart, name)
		}
	}
	return restart
}

// equal is reflect.DeepEqual but for an empty list, which is what no list is.
func equal(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
