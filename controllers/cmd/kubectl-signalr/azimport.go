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
	var name, file, namespace string
	var strict bool
	cmd := &cobra.Command{
		Use:   "az-import [FILE]",
		Short: "Turn a service in Azure into the YAML of an instance",
		Long: "Turn the JSON of `az signalr show`, `az signalr list`, an ARM template or `terraform show -json` into the\n" +
			"YAML of instances. Every field that has no counterpart is named on standard error; --strict then ends with\n" +
			"exit code 2 and prints no YAML. Keys and host names are not taken over.",
		Example: `  az signalr show --name chat --resource-group web | kubectl signalr az-import | kubectl apply -f -
  kubectl signalr az-import template.json --strict
  terraform show -json | kubectl signalr az-import`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "File to read in place of the argument; - is standard input")
	cmd.Flags().StringVar(&name, "name", "", "Name of the instance, when there is one and Azure's does not do")
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
		return c.azImport(document, name, namespace, strict)
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

func (c *cli) azImport(document []byte, name, namespace string, strict bool) error {
	result, err := azimport.Parse(document)
	if err != nil {
		return err
	}
	if name != "" {
		if len(result.Imports) > 1 {
			return fmt.Errorf("--name is for one instance, and there are %d", len(result.Imports))
		}
		result.Imports[0].Rename(name)
	}
	dropped := c.tell("", result.Dropped)
	for i := range result.Imports {
		one := &result.Imports[i]
		if err := one.Check(); err != nil {
			return err
		}
		dropped = c.tell(one.Instance.Name+": ", one.Dropped) || dropped
		for _, note := range one.Notes {
			fmt.Fprintf(c.streams.ErrOut, "note: %s: %s\n", one.Instance.Name, note)
		}
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

// tell names what was dropped, and returns whether anything was.
func (c *cli) tell(of string, dropped []azimport.Drop) bool {
	for _, d := range dropped {
		fmt.Fprintf(c.streams.ErrOut, "dropped: %s%s: %s\n", of, d.Field, d.Why)
	}
	return len(dropped) > 0
}
