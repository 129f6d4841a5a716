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

// programs are the commands users run, by name and package.
var programs = []struct{ name, pkg string }{
	{"signalr-edge", "./edge/cmd/edge"},
	{"signalr-bench", "./test/load/cmd/signalr-bench"},
}

// cliPage builds each program and lets it say how it is used: the page shows what a user sees.
func cliPage(ctx context.Context, root string) ([]byte, error) {
	var w bytes.Buffer
	w.WriteString("# Command line\n\n")
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
		if err := commandHelp(ctx, &w, program, p.name, nil); err != nil {
			return nil, err
		}
	}
	return w.Bytes(), nil
}

// deepest is how many sub-commands may stand inside each other.
const deepest = 3

// commandHelp writes the help of one command, then of each of its sub-commands.
func commandHelp(ctx context.Context, w *bytes.Buffer, program, name string, path []string) error {
	out, err := exec.CommandContext(ctx, program, append(path, "--help")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w: %s", strings.Join(append([]string{name}, path...), " "), err, out)
	}
	help := strings.ReplaceAll(strings.TrimSpace(string(out)), program, name)
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
