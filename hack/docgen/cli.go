package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is a command that users run, by name and package.
type program struct{ name, pkg string }

// cliPage is about the programs that serve and measure.
func cliPage(ctx context.Context, root string) ([]byte, error) {
	return helpPage(ctx, root, "# Command line\n\n", []program{
		{"signalr-edge", "./edge/cmd/edge"},
		{"signalr-operator", "./controllers/cmd/manager"},
		{"signalr-bench", "./test/load/cmd/signalr-bench"},
	})
}

// pluginPage is about the plugin for kubectl.
func pluginPage(ctx context.Context, root string) ([]byte, error) {
	return helpPage(ctx, root, "# kubectl signalr\n\nA plugin: kubectl finds the program `kubectl-signalr` on the "+
		"`PATH`. `make build` puts it into `bin/`. A link to it named `kubectl_complete-signalr`, there too, lets "+
		"kubectl's shell completion know its commands, flags and instances: `ln -s kubectl-signalr "+
		"bin/kubectl_complete-signalr`.\n\nEvery command takes the flags that the first section lists, beside its own: "+
		"kubectl's. Those of `az signalr` have az's names, but for `-n`, which is kubectl's `--namespace`. It ends with "+
		"exit code 1 when something is wrong, and `az-import --strict` with 2 when something was dropped.\n\n", []program{
		{"kubectl-signalr", "./controllers/cmd/kubectl-signalr"},
	})
}

// helpPage builds each program and lets it say how it is used: the page shows what a user sees.
func helpPage(ctx context.Context, root, head string, programs []program) ([]byte, error) {
	var w bytes.Buffer
	w.WriteString(head)
	dir, err := os.MkdirTemp("", "docgen")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	for _, p := range programs {
		if files, err := filepath.Glob(filepath.Join(root, p.pkg, "*.go")); err != nil || len(files) == 0 {
			continue // not written yet: the page tells of what there is
		}
		// The program's own name is in its help, so the file has it too.
		program := filepath.Join(dir, p.name)
		build := exec.CommandContext(ctx, "go", "build", "-o", program, p.pkg)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", p.name, err, out)
		}
		shown := strings.Replace(p.name, "kubectl-", "kubectl ", 1) // kubectl's rule for plugins
		if err := commandHelp(ctx, &w, program, shown, nil); err != nil {
			return nil, err
		}
	}
	return w.Bytes(), nil
}

// deepest is how many sub-commands may stand inside each other.
const deepest = 3

// commandHelp writes the help of one command, then of each of its sub-commands.
func commandHelp(ctx context.Context, w *bytes.Buffer, program, name string, path []string) error {
	run := exec.CommandContext(ctx, program, append(path, "--help")...)
	run.Env = append(os.Environ(), "HOME=~") // where a default is below the user's folder, it is everybody's
	out, err := run.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w: %s", strings.Join(append([]string{name}, path...), " "), err, out)
	}
	help := strings.ReplaceAll(strings.TrimSpace(string(out)), program, name)
	help, _, _ = strings.Cut(help, "\n\nGlobal Flags:\n") // said once, by the program itself
	fmt.Fprintf(w, "%s %s\n\n```text\n%s\n```\n\n", strings.Repeat("#", 2+min(len(path), 1)),
		strings.Join(append([]string{name}, path...), " "), help)
	if len(path) == deepest {
		return nil
	}
	for _, sub := range subCommands(help) {
		if err := commandHelp(ctx, w, program, name, append(slices.Clip(path), sub)); err != nil {
			return err
		}
	}
	return nil
}

// subCommands reads the names below "Available Commands:" in a command's help, without those every program has.
func subCommands(help string) []string {
	_, list, ok := strings.Cut(help, "Available Commands:\n")
	if !ok {
		return nil
	}
	var names []string
	for line := range strings.SplitSeq(list, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(line, "  ") {
			break
		}
		if name := fields[0]; name != "help" && name != "completion" {
			names = append(names, name)
		}
	}
	return names
}
