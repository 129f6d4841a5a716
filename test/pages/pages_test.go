package pages

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// runners says who runs the commands of a page. What a page says with "not run" is left out by all of them.
var runners = map[string]string{
	"docs/quickstart-kubernetes.md":        "test/e2e",
	"docs/operations/install.md":           "test/install",
	"charts/signalr-operator/README.md":    "test/install",
	"charts/signalr-operator/README.md.in": "", // README.md is made of it
	"README.md":                            ".ci/run",
}

// everyPage calls a function with every page of the repository and its name.
func everyPage(t *testing.T, with func(name string, page *Page)) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "*.md", "*.md.in")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for name := range strings.FieldsSeq(string(files)) {
		page, err := Read(filepath.Join(root, name), nil)
		switch {
		case errors.Is(err, os.ErrNotExist): // deleted and not committed yet
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			with(name, page)
		}
	}
}

func TestSomebodyRunsTheCommandsOfEveryPage(t *testing.T) {
	everyPage(t, func(name string, page *Page) {
		if _, known := runners[name]; known {
			return
		}
		if err := page.Finished(); err != nil {
			t.Errorf("%s: say in runners who runs its commands: %v", name, err)
		}
	})
}

// TestWhatIsAsInAnotherPageIsThere: commands that a page leaves to another are run with that one, when they are the
// same.
func TestWhatIsAsInAnotherPageIsThere(t *testing.T) {
	everyPage(t, func(_ string, page *Page) {
		for _, b := range page.blocks {
			if b.AsIn == "" {
				continue
			}
			other, err := Read(filepath.Join(root, b.AsIn), nil)
			if err != nil {
				t.Errorf("%s: %v", b.At, err)
				continue
			}
			if !slices.ContainsFunc(other.blocks, func(o Block) bool { return o.Text == b.Text && o.NotRun+o.AsIn == "" }) {
				t.Errorf("%s: these commands are not in %s:\n%s", b.At, b.AsIn, b.Text)
			}
		}
	})
}

// TestCommandsInSentencesAreInAFenceToo: what a sentence shows of kubectl and helm, some fence has, and so is run.
func TestCommandsInSentencesAreInAFenceToo(t *testing.T) {
	fenced, inline := "", map[string]string{}
	sentence := regexp.MustCompile("`((?:kubectl|helm) [a-z][^`]*)`")
	everyPage(t, func(name string, page *Page) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		rest := string(text)
		for _, b := range page.blocks {
			rest = strings.Replace(rest, b.Text, "", 1)
			if slices.Contains(Commands, b.Language) && b.NotRun == "" {
				fenced += b.Text
			}
		}
		for _, m := range sentence.FindAllStringSubmatch(rest, -1) {
			inline[m[1]] = name
		}
	})
	if len(inline) == 0 {
		t.Fatal("no page has a command in a sentence: the pattern is wrong")
	}
	for command, name := range inline {
		if !strings.Contains(fenced, command) {
			t.Errorf("%s shows %q, and no test runs it: put it into a fence", name, command)
		}
	}
}

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		page    string
		want    []Block
		wantErr string
	}{
		"commands and what they print": {
			page: "# A\n\n```sh\none \\\n  two\n```\n\n```text\nNAME\n```\n",
			want: []Block{{At: "p:3", Language: "sh", Text: "one \\\n  two\n", Prints: "NAME\n"}},
		},
		"words between commands and a text": {
			page: "```sh\none\n```\n\nThe file is then:\n\n```text\nNAME\n```\n",
			want: []Block{{At: "p:1", Language: "sh", Text: "one\n"}, {At: "p:7", Language: "prose", Text: "NAME\n"}},
		},
		"a reason": {
			page: "<!-- not run: no Docker here -->\n```sh\ndocker\n```\n",
			want: []Block{{At: "p:2", Language: "sh", Text: "docker\n", NotRun: "no Docker here"}},
		},
		"commands of another page": {
			page: "<!-- as in docs/a.md -->\n```sh\nx\n```\n",
			want: []Block{{At: "p:2", Language: "sh", Text: "x\n", AsIn: "docs/a.md"}},
		},
		"no end": {
			page: "<!-- runs until interrupted -->\n```sh\nopen\n```\n",
			want: []Block{{At: "p:2", Language: "sh", Text: "open\n", Endless: true}},
		},
		"a fence in a list": {
			page: "* do\n\n  ```sh\n  one\n  ```\n",
			want: []Block{{At: "p:3", Language: "sh", Text: "one\n"}},
		},
		"another language": {
			page: "```yaml\na: b\n```\n",
			want: []Block{{At: "p:1", Language: "yaml", Text: "a: b\n"}},
		},
		"a comment about something else": {page: "<!-- Code generated. -->\n\nWords.\n"},
		"no reason":                      {page: "<!-- not run -->\n```sh\nx\n```\n", wantErr: "p:1: say why"},
		"a comment without a fence":      {page: "<!-- not run: x -->\n\n```sh\nx\n```\n", wantErr: "directly above"},
		"no end of a fence":              {page: "```sh\nx\n", wantErr: "p:1: the fence is not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse("p", []byte(tc.page))
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("want an error with %q, got %v", tc.wantErr, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommandsAreTakenInOrder(t *testing.T) {
	blocks, err := parse("p", []byte(
		"```sh\none\n```\n\n<!-- not run: x -->\n```sh\ntwo\n```\n\n```yaml\n```\n\n```sh\nthree\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	page := &Page{name: "p", blocks: blocks}
	if _, err := page.Next("three"); err == nil || !strings.Contains(err.Error(), "one") {
		t.Errorf("want to be told of the commands before, got %v", err)
	}
	for _, want := range []string{"one", "three"} {
		if err := page.Finished(); err == nil {
			t.Errorf("%s is left, and nobody is told", want)
		}
		if _, err := page.Next(want); err != nil {
			t.Error(err)
		}
	}
	if err := page.Finished(); err != nil {
		t.Error(err)
	}
	if _, err := page.Next("four"); err == nil {
		t.Error("want an error behind the last commands")
	}
}

func TestShell(t *testing.T) {
	shell := NewShell(t.TempDir(), t.TempDir(), []string{"GIVEN=given"})
	run := func(text string) (string, error) {
		return shell.Run(context.Background(), Block{At: "p:1", Text: text})
	}
	if _, err := run("export CHANGED=\"$GIVEN and more\"\nmkdir inner\ncd inner\n"); err != nil {
		t.Fatal(err)
	}
	if out, err := run("echo \"$CHANGED\"\nbasename \"$PWD\"\ncat <<END\nhere\nEND\n"); err != nil ||
		out != "given and more\ninner\nhere\n" {
		t.Errorf("want what was exported and the folder, got %q, %v", out, err)
	}
	if out, err := run("false\necho not reached\n"); err == nil || out != "" {
		t.Errorf("want the first failure to end it, got %q, %v", out, err)
	}
	if _, err := run("echo why >&2\nfalse | true\n"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("want an error with what was said, got %v", err)
	}
}

func TestShows(t *testing.T) {
	page := Block{At: "p:1", Prints: "NAME   AGE\nchat   12s\n"}
	for name, tc := range map[string]struct {
		out string
		ok  bool
	}{
		"the same":                   {out: "NAME   AGE\nchat   12s\n", ok: true},
		"other widths, another time": {out: "created\nNAME  AGE\nchat  1m5s\n", ok: true},
		"another name":               {out: "NAME   AGE\nblog   12s\n"},
		"the other order":            {out: "chat   12s\nNAME   AGE\n"},
		"less":                       {out: "NAME   AGE\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := page.Shows(tc.out); (err == nil) != tc.ok {
				t.Errorf("want it to fit: %t, got %v", tc.ok, err)
			}
		})
	}
}
