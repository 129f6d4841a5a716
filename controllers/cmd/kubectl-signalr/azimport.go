package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/controllers/azimport"
)

// errDropped says that az-import --strict left something out.
var errDropped = errors.New("fields were dropped, and --strict allows none")

// maxDocument bounds what az-import reads: a template has at most 4 MB, a state of Terraform's may be larger.
const maxDocument = 64 << 20

func newAzImport(c *cli) *cobra.Command {
	var file, namespace string
	var names []string
	var strict bool
	cmd := &cobra.Command{
		Use:   "az-import [FILE]",
		Short: "Turn a service in Azure into the YAML of an instance",
		Long: "Turn the JSON of `az signalr show`, `az signalr list`, an ARM template or `terraform show -json` into the\n" +
			"YAML of instances. Every field that has no counterpart is named on standard error; --strict then ends with\n" +
			"exit code 2 and prints no YAML. Keys and host names are not taken over. A name that no instance may have is\n" +
			"made one, and that is said too.",
		Example: `  az signalr show --name chat --resource-group web | kubectl signalr az-import | kubectl apply -f -
  kubectl signalr az-import template.json --strict
  terraform show -json | kubectl signalr az-import`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "File to read in place of the argument; - is standard input")
	cmd.Flags().StringSliceVar(&names, "name", nil,
		"Name of the instance, when Azure's does not do; of several, in their order")
	cmd.Flags().BoolVar(&strict, "strict", false, "Exit with code 2, without YAML, when anything is dropped")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			file = args[0]
		}
		document, err := c.readDocument(file)
		if err != nil {
			return err
		}
		if c.config != nil && c.config.Namespace != nil {
			namespace = *c.config.Namespace
		}
		return c.azImport(document, names, namespace, strict)
	}
	return cmd
}

// readDocument reads a file, or standard input.
func (c *cli) readDocument(file string) ([]byte, error) {
	in := c.streams.In
	if file != "" && file != "-" {
		opened, err := os.Open(file) //nolint:gosec // the user's own file, and the user's own rights
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	document, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if len(document) > maxDocument {
		return nil, fmt.Errorf("the document is larger than %d MiB", maxDocument>>20)
	}
	return document, nil
}

func (c *cli) azImport(document []byte, names []string, namespace string, strict bool) error {
	result, err := azimport.Parse(document)
	if err != nil {
		return err
	}
	if len(names) > 0 && len(names) != len(result.Imports) {
		return fmt.Errorf("--name has %d names, and there are %d instances: as many, separated by commas", len(names),
			len(result.Imports))
	}
	for i, name := range names {
		result.Imports[i].Rename(name)
	}
	dropped := c.tell("", result.Dropped)
	seen := map[string]bool{}
	for i := range result.Imports {
		one := &result.Imports[i]
		if err := one.Check(); err != nil {
			return err
		}
		if seen[one.Instance.Name] {
			one.Notes = append(one.Notes, "an instance before it has the same name; --name gives others")
		}
		seen[one.Instance.Name] = true
		dropped = c.tellImport(one) || dropped
	}
	if dropped && strict {
		return errDropped
	}
	for i := range result.Imports {
		if i > 0 {
			fmt.Fprintln(c.streams.Out, "---")
		}
		result.Imports[i].Instance.Namespace = namespace
		if err := printObject(c.streams.Out, "yaml", manifest(result.Imports[i].Instance)); err != nil {
			return err
		}
	}
	return nil
}

// tellImport says of an instance what was dropped and what is worth knowing, and returns whether anything was dropped.
func (c *cli) tellImport(one *azimport.Import) bool {
	name := one.Instance.Name
	dropped := c.tell(name+": ", one.Dropped)
	if one.Renamed != "" {
		fmt.Fprintf(c.streams.ErrOut, "note: %s: Azure calls it %s, which no instance may be called; --name gives another "+
			"name\n", name, one.Renamed)
	}
	for _, note := range one.Notes {
		fmt.Fprintf(c.streams.ErrOut, "note: %s: %s\n", name, note)
	}
	return dropped
}

// tell names what was dropped, and returns whether anything was.
func (c *cli) tell(of string, dropped []azimport.Drop) bool {
	for _, d := range dropped {
		fmt.Fprintf(c.streams.ErrOut, "dropped: %s%s: %s\n", of, d.Field, d.Why)
	}
	return len(dropped) > 0
}
