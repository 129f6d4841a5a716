package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Shell runs commands as a person types them: in one folder, and with what earlier commands exported. It stops at the
// first command that fails, which a person should not have to see.
type Shell struct {
	dir, state string
	env        []string
}

// NewShell returns a shell that begins in a folder with an environment. It keeps its state in a folder that is there
// until the last command has ended.
func NewShell(dir, state string, env []string) *Shell {
	return &Shell{dir: dir, state: filepath.Join(state, "exported"), env: env}
}

// Command returns what runs a text, for those who want to stop it or read along.
func (s *Shell) Command(ctx context.Context, text string) *exec.Cmd {
	const around = `set -eo pipefail
if [ -e "$1" ]; then . "$1"; fi
trap 'status=$?; { export -p; printf "cd %q\n" "$PWD"; } >"$1"; exit "$status"' EXIT
eval "$2"`
	cmd := exec.CommandContext(ctx, "bash", "-c", around, "page", s.state, text)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	return cmd
}

// Do runs a text and returns what it prints; the error has what it says on standard error.
func (s *Shell) Do(ctx context.Context, text string) (string, error) {
	cmd := s.Command(ctx, text)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", strings.TrimSpace(text), err, out.String(), said.String())
	}
	return out.String(), nil
}

// Run runs a block and compares what it prints with what the page shows.
func (s *Shell) Run(ctx context.Context, b Block) (string, error) {
	if b.Endless {
		return "", fmt.Errorf("%s: these commands do not end by themselves", b.At)
	}
	out, err := s.Do(ctx, b.Text)
	if err != nil {
		return out, fmt.Errorf("%s: %w", b.At, err)
	}
	return out, b.Shows(out)
}

// passing matches what is different each time: times, and the width of columns.
var passing = regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?(ms|[smhd])([0-9]+[smhd])?\b`)

// Shows returns an error when a line that the page shows is not in an output, in the page's order. Times and the width
// of columns may differ.
func (b Block) Shows(out string) error {
	rest := lines(out)
	for _, want := range lines(b.Prints) {
		found := false
		for len(rest) > 0 && !found {
			found, rest = rest[0] == want, rest[1:]
		}
		if !found {
			return errors.New(b.At + ": the page shows a line that the commands do not print: " + want + "\nThey print:\n" + out)
		}
	}
	return nil
}

// lines returns the lines of a text that hold something, without what is different each time.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			all = append(all, passing.ReplaceAllString(line, "TIME"))
		}
	}
	return all
}
