// Command chartgen writes the parts of charts/signalr-operator that have another source of truth: the CRD, the rules of
// the roles and the admission policy from config/, values.schema.json and README.md from the comments of values.yaml.
//
// It is no way around reading the chart: Deployment, Services and policies are templates written by hand, and a test
// renders the chart and compares it with config/default object by object. It runs in one goroutine and writes the same
// bytes for the same tree, which "make verify" relies on.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/signalr-operator/signalr-operator/hack/install"
)

// chart is the chart's folder.
const chart = "charts/signalr-operator"

func main() {
	root := flag.String("root", ".", "the repository's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "chartgen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	dir := filepath.Join(root, filepath.FromSlash(chart))
	files := map[string][]byte{}
	objects, err := install.Build(root, install.Default)
	if err != nil {
		return err
	}
	templates, err := generateTemplates(objects)
	if err != nil {
		return err
	}
	for name, text := range templates {
		files[filepath.Join("templates", "generated", name)] = text
	}
	source, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	values, err := parseValues(source)
	if err != nil {
		return fmt.Errorf("values.yaml: %w", err)
	}
	if files["values.schema.json"], err = schemaOf(values); err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	about, err := os.ReadFile(filepath.Join(dir, "README.md.in"))
	if err != nil {
		return fmt.Errorf("read the README's text: %w", err)
	}
	files["README.md"] = readme(about, values)
	return write(dir, files)
}

// write replaces the files that changed and removes generated templates that are no longer generated.
func write(dir string, files map[string][]byte) error {
	generated := filepath.Join(dir, "templates", "generated")
	if err := os.MkdirAll(generated, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	var errs []error
	there, err := filepath.Glob(filepath.Join(generated, "*"))
	if err != nil {
		return fmt.Errorf("list %s: %w", generated, err)
	}
	for _, file := range there {
		if name, _ := filepath.Rel(dir, file); files[name] == nil {
			errs = append(errs, os.Remove(file))
		}
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
			continue
		}
		errs = append(errs, os.WriteFile(file, text, 0o644))
	}
	return errors.Join(errs...)
}
