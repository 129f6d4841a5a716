package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is one entry of values.yaml: a leaf, which users set, or a branch, which holds others.
type value struct {
	key      string
	section  string // the last "##@" above it
	doc      string // what the comment says, on one line; every leaf has one
	node     *yaml.Node
	children []value
	// schema is what "@schema" adds to what the default says about the type.
	schema map[string]any
}

// isLeaf tells whether a user sets the value as a whole.
func (v value) isLeaf() bool { return len(v.children) == 0 }

// parseValues reads values.yaml with its comments.
func parseValues(source []byte) ([]value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping")
	}
	top := document.Content[0]
	// What stands above the first key belongs to the document when an empty line follows it.
	return parseMapping(top, "", sectionOf(document.HeadComment+"\n"+top.HeadComment))
}

func parseMapping(node *yaml.Node, path, section string) ([]value, error) {
	var values []value
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		v := value{key: key.Value, node: content}
		if title := sectionOf(key.HeadComment); title != "" {
			section = title
		}
		v.section = section
		at := strings.TrimPrefix(path+"."+v.key, ".")
		var err error
		if v.doc, v.schema, err = parseComment(key.HeadComment); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		// A mapping whose keys are somebody else's (a security context) is one value to us.
		foreign := v.schema["additionalProperties"] != nil
		if content.Kind == yaml.MappingNode && len(content.Content) > 0 && !foreign {
			if v.children, err = parseMapping(content, at, section); err != nil {
				return nil, err
			}
		}
		if v.isLeaf() && v.doc == "" {
			return nil, fmt.Errorf("%s: no comment says what it is", at)
		}
		values = append(values, v)
	}
	return values, nil
}

// sectionOf returns the title that a comment begins, or nothing.
func sectionOf(comment string) string {
	title := ""
	for line := range strings.SplitSeq(comment, "\n") {
		if t, ok := strings.CutPrefix(line, "##@"); ok {
			title = strings.TrimSpace(t)
		}
	}
	return title
}

// parseComment divides the comment directly above a value into words and schema. Paragraphs further up belong to
// nobody.
func parseComment(comment string) (doc string, schema map[string]any, err error) {
	paragraphs := strings.Split(comment, "\n\n")
	var words []string
	for line := range strings.SplitSeq(paragraphs[len(paragraphs)-1], "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if text, ok := strings.CutPrefix(line, "@schema "); ok {
			if err := json.Unmarshal([]byte(text), &schema); err != nil {
				return "", nil, fmt.Errorf("@schema: %w", err)
			}
			continue
		}
		if line != "" && !strings.HasPrefix(line, "#@") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " "), schema, nil
}
