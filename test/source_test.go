package test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is the longest a source file may be; tests and generated files are excepted.
const maxLines = 500

// clock lists the functions of package time that read or wait for a clock. Values (time.Time, time.Duration) are
// no clock.
var clock = []string{
	"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

// environment lists the functions of package os that read the process's surroundings: package main passes them in.
var environment = []string{"Environ", "ExpandEnv", "Getenv", "LookupEnv"}

// The patterns are put together from pieces so that this file does not match them itself.
var (
	// machinePath matches paths that exist on one machine only.
	machinePath = regexp.MustCompile(`(^|[\s"'=(])(/wor` + `k/|/roo` + `t/|/hom` + `e/[a-z]+/|\.\./shar` + `ed/)`)
	// registryHost matches the hosts packages come from: the machine's own set-up says which registry is asked.
	registryHost = regexp.MustCompile(`registry\.npm` + `js|proxy\.gol` + `ang\.org|deb\.deb` + `ian\.org`)
	// leftOpen matches the marks of unfinished work, and withIssue those that say where the work is kept.
	leftOpen  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	withIssue = regexp.MustCompile(`\b(TO` + `DO)\((issue )?#?\d+\)`)
)

// source is one file of the repository.
type source struct {
	name string // path from the root, with slashes
	text []byte
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, files := range folders(t) {
		var doc, name string
		tests := true
		for _, f := range files {
			if ast.IsGenerated(f.tree) && f.tree.Doc == nil {
				continue // the generator's to say
			}
			isTest := strings.HasSuffix(f.name, "_test.go")
			if isTest && strings.HasSuffix(f.tree.Name.Name, "_test") {
				continue
			}
			tests = tests && isTest
			name = f.tree.Name.Name
			if f.tree.Doc != nil && len(f.tree.Doc.Text()) > len(doc) {
				doc = f.tree.Doc.Text()
			}
		}
		if name == "" || (tests && doc == "") {
			continue // black-box tests alone: their package's comment stands elsewhere
		}
		prefix := "Package " + name + " "
		if name == "main" {
			prefix = "Command "
		}
		if !strings.HasPrefix(doc, prefix) {
			t.Errorf("%s: the package comment is missing or does not begin with %q: "+
				"say what it is, what it is not, and its concurrency rule", dir, prefix)
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.name, "_test.go") || ast.IsGenerated(f.tree) {
			continue
		}
		if lines := bytes.Count(f.text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, at most %d: what in it is a file of its own?", f.name, lines, maxLines)
		}
	}
}

func TestProtocolsStartNoGoroutineAndReadNoClock(t *testing.T) {
	for _, f := range goFiles(t) {
		if !strings.HasPrefix(f.name, "edge/protocol/") || strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: starts a goroutine: protocols are bytes and values", f.at(g))
			}
			return true
		})
		for _, use := range uses(f, "time", clock) {
			t.Errorf("%s: protocols read no clock", use)
		}
	}
}

func TestOnlyProgramsReadTheEnvironment(t *testing.T) {
	for _, f := range goFiles(t) {
		if !strings.HasPrefix(f.name, "edge/") || strings.HasSuffix(f.name, "_test.go") || f.tree.Name.Name == "main" {
			continue
		}
		for _, use := range uses(f, "os", environment) {
			t.Errorf("%s: only package main reads the environment; pass the value in", use)
		}
	}
}

func TestTheTreeNamesNoMachine(t *testing.T) {
	for _, f := range sources(t) {
		for i, line := range lines(f) {
			if machinePath.MatchString(line) {
				t.Errorf("%s:%d: a path of one machine: %s", f.name, i+1, strings.TrimSpace(line))
			}
			if registryHost.MatchString(line) {
				t.Errorf("%s:%d: a registry's host: %s", f.name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

func TestOpenWorkHasAnIssue(t *testing.T) {
	for _, f := range sources(t) {
		if filepath.Base(f.name) == "package-lock.json" {
			continue // base64 hashes
		}
		for i, line := range lines(f) {
			if leftOpen.MatchString(line) && !withIssue.MatchString(line) {
				t.Errorf("%s:%d: unfinished work needs an issue's number: %s", f.name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// goSource is a parsed Go file.
type goSource struct {
	source
	tree  *ast.File
	files *token.FileSet
}

// at returns where a node stands, as file:line.
func (f goSource) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.files.Position(n.Pos()).Line)
}

// goFiles parses every Go file of the module, whatever its build tags.
func goFiles(t *testing.T) []goSource {
	t.Helper()
	var parsed []goSource
	for _, s := range sources(t) {
		if !strings.HasSuffix(s.name, ".go") || strings.Contains(s.name, "/testdata/") {
			continue
		}
		files := token.NewFileSet()
		tree, err := parser.ParseFile(files, s.name, s.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		parsed = append(parsed, goSource{source: s, tree: tree, files: files})
	}
	return parsed
}

// folders groups goFiles by folder.
func folders(t *testing.T) map[string][]goSource {
	t.Helper()
	grouped := map[string][]goSource{}
	for _, f := range goFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(f.name))
		grouped[dir] = append(grouped[dir], f)
	}
	return grouped
}

// uses lists, as "file:line: package.Function", where f mentions one of the functions of the imported package.
func uses(f goSource, imported string, functions []string) []string {
	local := ""
	for _, spec := range f.tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil && p == imported {
			local = imported
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	var found []string
	ast.Inspect(f.tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(functions, sel.Sel.Name) {
			found = append(found, f.at(sel)+": "+imported+"."+sel.Sel.Name)
		}
		return true
	})
	return found
}

// sources reads every text file of the repository: not what is built, installed or recorded from the wire.
func sources(t *testing.T) []source {
	t.Helper()
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "node_modules", "artifacts"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); !d.Type().IsRegular() || (strings.Contains(name, "testdata/") &&
			!strings.HasSuffix(name, ".go")) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) < 0 { // else it is no text: a picture, a program
			all = append(all, source{name: name, text: text})
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read the tree: %v", err)
	}
	return all
}

func lines(f source) []string { return strings.Split(string(f.text), "\n") }
