package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decode reads one YAML document into c, over what c has. The shape is checked here first and not by yaml.v3, which
// would cut 1.5 to 1, name Go types, and quote the beginning of a value that may be a key.
func decode(b []byte, c *Config) error {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var document yaml.Node
	switch err := dec.Decode(&document); {
	case errors.Is(err, io.EOF): // an empty file: all defaults
		return nil
	case err != nil:
		return syntaxError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("decode: the file has more than one YAML document")
	}
	var s shape
	s.check(document.Content[0], reflect.TypeOf(*c), "")
	if len(s) > 0 {
		return errors.Join(s...)
	}
	if err := document.Decode(c); err != nil {
		return syntaxError(err)
	}
	return nil
}

// quoted is what yaml.v3 repeats of a file in its errors.
var quoted = regexp.MustCompile("(?s)['`\"].*['`\"]")

// syntaxError returns an error of yaml.v3 without what it repeats of the file.
func syntaxError(err error) error {
	return fmt.Errorf("decode: %s", quoted.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "(text)"))
}

// shape collects what of a document does not fit the types it is to be decoded into.
type shape []error

func (s *shape) add(n *yaml.Node, path, text string) {
	if len(*s) >= maxProblems {
		return
	}
	if path != "" {
		path += ": "
	}
	*s = append(*s, fmt.Errorf("line %d: %s%s", n.Line, path, text))
}

// check compares a node with a type, and so on inwards: the types are not recursive, so it ends for any document.
func (s *shape) check(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
	case t == reflect.TypeFor[time.Time]():
		if n.Kind != yaml.ScalarNode || n.Decode(new(time.Time)) != nil {
			s.add(n, path, "found "+kind(n)+" where a time belongs: RFC 3339, as 2026-12-31T23:59:59Z")
		}
	case t.Kind() == reflect.Struct:
		if n.Kind != yaml.MappingNode {
			s.add(n, path, "found "+kind(n)+" where fields belong")
			return
		}
		s.checkFields(n, t, path)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			s.add(n, path, "found "+kind(n)+" where a list belongs")
			return
		}
		for i, e := range n.Content {
			s.check(e, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	case t.Kind() == reflect.String:
		if n.Kind != yaml.ScalarNode {
			s.add(n, path, "found "+kind(n)+" where a text belongs")
		}
	default: // a whole number
		if n.ShortTag() != "!!int" || n.Decode(reflect.New(t).Interface()) != nil {
			s.add(n, path, "found "+kind(n)+" where a whole number belongs")
		}
	}
}

// checkFields compares a mapping with a struct.
func (s *shape) checkFields(n *yaml.Node, t reflect.Type, path string) {
	types := make(map[string]reflect.Type, t.NumField())
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		types[name] = field.Type
	}
	if path != "" {
		path += "."
	}
	seen := make(map[string]int, len(types))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at, known := types[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known: // merge keys (<<) among them: one file has no need of them
			s.add(key, path+key.Value, "unknown field")
		case seen[key.Value] > 0:
			s.add(key, path+key.Value, fmt.Sprintf("the field is there twice, first in line %d", seen[key.Value]))
		default:
			seen[key.Value] = key.Line
			s.check(value, at, path+key.Value)
		}
	}
}

// kind names what a node is, and never what it says.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	switch n.ShortTag() {
	case "!!int":
		return "a number out of range"
	case "!!float":
		return "a fraction"
	case "!!bool":
		return "true or false"
	default:
		return "a text"
	}
}
