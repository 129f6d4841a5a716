package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// none stands in a table for what is not known.
const none = "<none>"

// printObject writes a value in a format that programs read.
func printObject(w io.Writer, format string, object any) error {
	var text []byte
	var err error
	switch format {
	case "json":
		if text, err = json.MarshalIndent(object, "", "  "); err == nil {
			text = append(text, '\n')
		}
	case "yaml":
		text, err = yaml.Marshal(object)
	default:
		return fmt.Errorf("--output: %q is not one of json, yaml", format)
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// printTable writes rows below a head, as kubectl does.
func printTable(w io.Writer, head []string, rows [][]string) error {
	tab := printers.GetNewTabWriter(w)
	for _, row := range append([][]string{head}, rows...) {
		if _, err := fmt.Fprintln(tab, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return tab.Flush()
}

// manifest returns an instance as a person would write it: without status and what the API server adds.
func manifest(instance *signalrv1alpha1.SignalRInstance) map[string]any {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(instance)
	if err != nil {
		panic("an instance of our own type is always convertible: " + err.Error())
	}
	delete(content, "status")
	prune(content)
	return content
}

// prune removes what is empty, at any depth.
func prune(content map[string]any) {
	for key, value := range content {
		if inner, ok := value.(map[string]any); ok {
			prune(inner)
			if len(inner) == 0 {
				delete(content, key)
			}
			continue
		}
		if value == nil || value == "" {
			delete(content, key)
		}
	}
}

// age returns the time since t as kubectl shows it.
func age(now, t time.Time) string {
	if t.IsZero() {
		return none
	}
	return duration.HumanDuration(now.Sub(t))
}

// or returns text, or what stands for nothing.
func or(text string) string {
	if text == "" {
		return none
	}
	return text
}
