//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/signalr-operator/signalr-operator/test/load"
)

// suiteTime bounds the suite; it takes about five minutes.
const suiteTime = 20 * time.Minute

func suiteCommand() *cobra.Command {
	var opts load.SuiteOptions
	var jsonFile, docs, command string
	var enforce bool
	cmd := &cobra.Command{
		Use: "suite", Short: "Measure signalr-edge against all performance bars", Args: cobra.NoArgs,
		Long: `suite starts the given signalr-edge several times, measures every bar of docs/performance.md, each in a run of
its own, and writes the figures. With --quick everything is small and short: it shows that all works, its
figures mean nothing.`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := contextWithLimit(cmd, suiteTime)
		defer cancel()
		opts.Log, opts.Terminal = cmd.ErrOrStderr(), isTerminal(os.Stderr)
		res, err := load.RunSuite(ctx, opts)
		text := res.Markdown(command)
		_, printed := cmd.OutOrStdout().Write(text)
		errs := []error{err, printed}
		if jsonFile != "" {
			errs = append(errs, writeJSON(cmd, jsonFile, res))
		}
		if docs != "" {
			errs = append(errs, load.WriteDocs(docs, text))
		}
		if missed := res.Missed(); enforce && missed > 0 {
			errs = append(errs, fmt.Errorf("%d bars missed", missed))
		}
		return errors.Join(errs...)
	}
	fs := cmd.Flags()
	fs.StringVar(&opts.Program, "start-edge", "", "the signalr-edge program to measure")
	fs.BoolVar(&opts.Quick, "quick", false, "small numbers, seconds instead of minutes")
	fs.StringVar(&jsonFile, "json", "", "write all results to this file")
	fs.StringVar(&docs, "docs", "", "write the tables between the markers of this Markdown file")
	fs.StringVar(&command, "command", "make bench", "the command that the document names")
	fs.BoolVar(&enforce, "enforce", false, "exit with an error when a bar is missed")
	if err := cmd.MarkFlagRequired("start-edge"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}
