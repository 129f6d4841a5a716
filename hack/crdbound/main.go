// Command crdbound finishes a CRD that controller-gen wrote. Types that are not ours, as the behavior of a
// HorizontalPodAutoscaler, bring neither bounds nor short descriptions, and no marker of ours reaches into them: their
// bounds are set here, and of their descriptions the first sentence stays, so that the whole remains small enough for
// client-side apply.
//
//	crdbound FILE
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// schema is a node of an OpenAPI schema.
type schema = map[string]any

// rules are those of HorizontalPodAutoscaler's own validation, which no API server runs for us.
var rules = schema{
	"stabilizationWindowSeconds": schema{"minimum": 0, "maximum": 3600},
	"selectPolicy":               schema{"enum": []any{"Max", "Min", "Disabled"}},
	"tolerance":                  schema{"minimum": 0, "pattern": notNegative},
	"policies":                   schema{"maxItems": 10},
	"policies[].type":            schema{"enum": []any{"Pods", "Percent"}},
	"policies[].value":           schema{"minimum": 1},
	"policies[].periodSeconds":   schema{"minimum": 1, "maximum": 1800},
}

// notNegative is the pattern of a quantity without its sign.
const notNegative = `^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i)?$`

// downWindow is the default of scaleDown.stabilizationWindowSeconds, which no marker can say either.
const downWindow = 900

// bounded lists where they hold.
var bounded = []string{"spec.autoscale.behavior.scaleUp", "spec.autoscale.behavior.scaleDown"}

// foreign lists the fields of types that are not ours.
var foreign = []string{
	"spec.autoscale.behavior",
	"spec.backplane.managed.resources",
	"spec.edge.pod.affinity",
	"spec.edge.pod.env",
	"spec.edge.pod.resources",
	"spec.edge.pod.tolerations",
	"spec.edge.pod.topologySpreadConstraints",
	"status.conditions",
}

// values lists the maps of ours whose values no marker reaches, with the most characters that a value has.
var values = map[string]int{
	"spec.edge.pod.annotations":              longText,
	"spec.edge.pod.labels":                   63,
	"spec.edge.pod.nodeSelector":             63,
	"spec.exposure.ingress.annotations":      longText,
	"spec.exposure.loadBalancer.annotations": longText,
}

// What a field of a type that is not ours holds at most where nothing else says so: more than anybody needs, and not
// without end.
const (
	mostItems = 64
	mostText  = 1024
	longText  = 32 << 10 // values of variables and annotations
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crdbound FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crdbound:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	crd := schema{}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	root, err := rootSchema(crd)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	for _, at := range bounded {
		for below, bounds := range rules {
			s, err := find(root, at+"."+below)
			if err != nil {
				return err
			}
			maps.Copy(s, bounds.(schema))
		}
	}
	down, err := find(root, "spec.autoscale.behavior.scaleDown")
	if err != nil {
		return err
	}
	down["default"] = schema{"stabilizationWindowSeconds": downWindow}
	down["properties"].(schema)["stabilizationWindowSeconds"].(schema)["default"] = downWindow
	for _, at := range foreign {
		s, err := find(root, at)
		if err != nil {
			return err
		}
		own := s["description"]
		shorten(s)
		s["description"] = own
		bound(s)
	}
	for at, most := range values {
		s, err := find(root, at+"{}")
		if err != nil {
			return err
		}
		s["maxLength"] = most
	}
	value, err := find(root, "spec.edge.pod.env[].value")
	if err != nil {
		return err
	}
	value["maxLength"] = longText
	out, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), out...), 0o644)
}

// rootSchema returns the schema of the only version.
func rootSchema(crd schema) (schema, error) {
	spec, _ := crd["spec"].(schema)
	versions, _ := spec["versions"].([]any)
	if len(versions) != 1 {
		return nil, fmt.Errorf("%d versions, want 1", len(versions))
	}
	version, _ := versions[0].(schema)
	validation, _ := version["schema"].(schema)
	root, ok := validation["openAPIV3Schema"].(schema)
	if !ok {
		return nil, errors.New("no schema")
	}
	return root, nil
}

// bound gives every list, map and text in s an end that has none.
func bound(s schema) {
	limit := func(name string, most int) {
		if s[name] == nil {
			s[name] = most
		}
	}
	switch s["type"] {
	case "array":
		limit("maxItems", mostItems)
		bound(s["items"].(schema))
	case "string":
		if s["enum"] == nil && s["format"] == nil {
			limit("maxLength", mostText)
		}
	case "object":
		if all, ok := s["additionalProperties"].(schema); ok {
			limit("maxProperties", mostItems)
			bound(all)
		}
		properties, _ := s["properties"].(schema)
		for _, p := range properties {
			bound(p.(schema))
		}
	}
}

// find returns the schema at a path as spec.list[].field, or spec.map{}.
func find(s schema, path string) (schema, error) {
	for name := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(name, "[]")
		name, all := strings.CutSuffix(name, "{}")
		properties, _ := s["properties"].(schema)
		next, ok := properties[name].(schema)
		switch {
		case ok && list:
			next, ok = next["items"].(schema)
		case ok && all:
			next, ok = next["additionalProperties"].(schema)
		}
		if !ok {
			return nil, fmt.Errorf("no field %s: correct the tables of this program", path)
		}
		s = next
	}
	return s, nil
}

// shorten leaves the first sentence of every description in s.
func shorten(s schema) {
	for key, value := range s {
		switch v := value.(type) {
		case string:
			if key == "description" {
				s[key] = sentence(v)
			}
		case schema:
			shorten(v)
		}
	}
}

func sentence(text string) string {
	text, _, _ = strings.Cut(text, "\n\n")
	text = strings.Join(strings.Fields(text), " ")
	if end := stop.FindStringIndex(text); end != nil {
		return text[:end[0]+1]
	}
	return text
}

// stop is the end of a sentence, which that of "e.g. 0.01" is not.
var stop = regexp.MustCompile(`\. [A-Z]`)
