// Package test holds the rules of the house: which package may import which, and what every source file must and must
// not contain. It is not a test of behaviour: those stand beside the code and in test/conformance. Its tests read the
// source tree and the output of "go list"; they share nothing and may run in any order.
package test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/signalr-operator/signalr-operator"

// layer is a floor of the edge. A package may import packages of lower floors only; what it may import on its own floor
// is said in its room.
type layer int

const (
	leaf     layer = iota // L0: bytes, values, tables. Imports std and what its room names
	box                   // L1: one concern each. Boxes never import each other
	assembly              // L2: knows all the boxes and joins them
	program               // L3: package main: flags, signals, exit code
	outside               // hack and test: may use anything in the edge, and nothing in the edge uses them
)

func (l layer) String() string {
	return [...]string{"L0", "L1", "L2", "L3", "outside"}[l]
}

// room says where a package stands and what it may import.
type room struct {
	layer layer
	// third lists the modules' import path prefixes the package may import beside std and this module.
	third []string
	// beside lists the packages of its own layer that it may import. Boxes (L1) have none, ever.
	beside []string
}

const (
	cobra      = "github.com/spf13/cobra"
	jwt        = "github.com/golang-jwt/jwt/v5"
	prometheus = "github.com/prometheus/client_golang"
	promModel  = "github.com/prometheus/client_model"
	xsys       = "golang.org/x/sys"
	yaml       = "go.yaml.in/yaml/v3"
	wsPeer     = "github.com/coder/websocket"
	mpPeer     = "github.com/vmihailenco/msgpack/v5"
	mpRuntime  = "github.com/tinylib/msgp"
	k8s        = "k8s.io"
	sigs       = "sigs.k8s.io"
	cron       = "github.com/robfig/cron/v3"
	logr       = "github.com/go-logr/logr"
	xsync      = "golang.org/x/sync"
)

// house is the one table of layers. A new package gets its row here first; .golangci.yaml (depguard) says the same per
// layer for the editor's sake, this table per package.
var house = map[string]room{
	"edge/protocol/msgpack":   {layer: leaf},
	"edge/protocol/service":   {layer: leaf, beside: []string{"edge/protocol/msgpack"}},
	"edge/protocol/websocket": {layer: leaf},
	"edge/protocol/hub":       {layer: leaf, beside: []string{"edge/protocol/msgpack"}},
	"edge/config":             {layer: leaf, third: []string{yaml}},
	"edge/reason":             {layer: leaf},
	"edge/metrics":            {layer: leaf, third: []string{prometheus}, beside: []string{"edge/reason"}},
	"edge/internal/epoll":     {layer: leaf, third: []string{xsys}},

	"edge/auth":      {layer: box, third: []string{jwt}},
	"edge/shard":     {layer: box, third: []string{xsys}},
	"edge/transport": {layer: box, third: []string{xsys}},
	"edge/appserver": {layer: box},
	"edge/quota":     {layer: box},

	"edge":          {layer: assembly, third: []string{prometheus, xsys}},
	"edge/cmd/edge": {layer: program, third: []string{cobra}},

	"api/v1alpha1":            {layer: leaf, third: []string{k8s}},
	"controllers/autoscale":   {layer: box, third: []string{k8s, cron}},
	"controllers/azimport":    {layer: box, third: []string{k8s}},
	"controllers/resources":   {layer: box, third: []string{k8s}},
	"controllers":             {layer: assembly, third: []string{k8s, sigs, cron, prometheus, promModel}},
	"controllers/cmd/manager": {layer: program, third: []string{k8s, sigs, logr}},
	"controllers/cmd/kubectl-signalr": {
		layer:  program,
		third:  []string{k8s, sigs, cobra, logr, xsync},
		beside: []string{"controllers/azimport"},
	},

	"hack/apidocs":     {layer: outside},
	"hack/chartgen":    {layer: outside, third: []string{k8s, sigs, yaml}, beside: []string{"hack/install"}},
	"hack/crdbound":    {layer: outside, third: []string{k8s, sigs}},
	"hack/dist":        {layer: outside, third: []string{k8s, sigs}, beside: []string{"hack/install"}},
	"hack/install":     {layer: outside, third: []string{k8s, sigs}},
	"hack/pack":        {layer: outside},
	"hack/pause":       {layer: outside},
	"test/api":         {layer: outside, third: []string{k8s, sigs}},
	"test/build":       {layer: outside, third: []string{k8s, sigs}},
	"test/e2e":         {layer: outside, third: []string{k8s, sigs}},
	"test/install":     {layer: outside, third: []string{k8s, sigs}},
	"test/pages":       {layer: outside},
	"hack/demo":        {layer: outside, third: []string{cobra}, beside: []string{"test/appserver"}},
	"hack/docgen":      {layer: outside, third: []string{prometheus, promModel}},
	"test":             {layer: outside},
	"test/appserver":   {layer: outside, third: []string{jwt, wsPeer, mpPeer}},
	"test/badinput":    {layer: outside, beside: []string{"test/appserver", "test/badinput/..."}},
	"test/conformance": {layer: outside, third: []string{cobra}, beside: []string{"test/appserver"}},
	"test/load": {
		layer:  outside,
		third:  []string{cobra, jwt, wsPeer, mpPeer, mpRuntime, xsys},
		beside: []string{"test/appserver", "test/load/..."},
	},
}

// The operator has the same floors: its API is L0, its pure rooms are L1, package controllers is L2, its programs L3.
// The two halves meet in edge/config alone: TestTheHalvesMeetInTheConfig.

// below lists rows that stand for every package under a folder: leaves that come and go with the code around them.
// edge/internal leaves are std and x/sys only; programs below test's packages share their parent's row.
var below = map[string]room{
	"edge/internal":    {layer: leaf, third: []string{xsys}},
	"test/appserver":   {layer: outside, third: house["test/appserver"].third, beside: []string{"test/appserver"}},
	"test/badinput":    house["test/badinput"],
	"test/conformance": house["test/conformance"],
	"test/load":        house["test/load"],
}

// silent lists what no package under edge/protocol imports: no logging, no metrics, no operating system, no network, no
// locks. net/http is allowed in edge/protocol/websocket alone, for the upgrade request's header.
var silent = []string{
	"context", "expvar", "flag", "log", "log/slog", "net", "net/http", "os", "runtime", "sync", "sync/atomic", "testing",
}

// unwelcome lists import path prefixes that nothing in this module imports, tests included: each has a
// better answer.
var unwelcome = map[string]string{
	"github.com/pkg/errors":       "wrap with fmt.Errorf and %w",
	"github.com/stretchr/testify": "plain testing with go-cmp",
	"golang.org/x/exp":            "std has it by now, or it is not stable",
	"gopkg.in/yaml":               "go.yaml.in/yaml/v3, in edge/config only",
	"github.com/sirupsen/logrus":  "log/slog",
	"go.uber.org/zap":             "log/slog",
	"github.com/rs/zerolog":       "log/slog",
	"k8s.io/klog":                 "log/slog",
}

// operatorSide lists import path prefixes that the edge must not even reach indirectly: it knows no Kubernetes.
var operatorSide = []string{"k8s.io", "sigs.k8s.io", module + "/api", module + "/controllers"}

func TestEveryPackageHasARoom(t *testing.T) {
	for _, p := range packages(t) {
		if _, ok := roomOf(p.name()); !ok {
			t.Errorf("package %s is not in the table of layers: add a row for it to house in test/deps_test.go", p.name())
		}
		for element := range strings.SplitSeq(p.name(), "/") {
			if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "pkg"}, element) {
				t.Errorf("package %s: %q is no noun of the domain; name what it is", p.name(), element)
			}
		}
	}
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := roomOf(p.name())
		if !ok {
			continue // said by TestEveryPackageHasARoom
		}
		for _, imported := range p.Imports {
			if err := mayImport(p.name(), own, imported); err != nil {
				t.Errorf("%s (%s) imports %s: %v", p.name(), own.layer, imported, err)
			}
		}
	}
}

// mayImport tells why the package called name, standing in own, must not import the package imported, or nil.
func mayImport(name string, own room, imported string) error {
	if local, ok := strings.CutPrefix(imported, module+"/"); ok {
		other, ok := roomOf(local)
		switch {
		case !ok:
			return errors.New("which has no room in the table of layers")
		case other.layer < own.layer:
			return nil
		case other.layer > own.layer:
			return fmt.Errorf("which stands above it (%s); declare an interface here and let the layer above join the two",
				other.layer)
		case own.layer == box:
			return errors.New("and L1 packages never import each other; declare the interface it needs, package edge joins them")
		case slices.ContainsFunc(own.beside, func(pattern string) bool { return matches(pattern, local) }):
			return nil
		default:
			return fmt.Errorf("on its own layer, which is not among those its row allows: %q", own.beside)
		}
	}
	if isStd(imported) {
		if strings.HasPrefix(name, "edge/protocol/") && slices.Contains(silent, imported) &&
			(name != "edge/protocol/websocket" || imported != "net/http") {
			return errors.New("protocols are bytes and values: no logging, metrics, goroutines, clock, system or network")
		}
		if imported == "flag" && own.layer < program {
			return errors.New("flags are read in package main only")
		}
		return nil
	}
	if !slices.ContainsFunc(own.third, func(prefix string) bool { return under(imported, prefix) }) {
		return fmt.Errorf("its row allows these modules only: %q", own.third)
	}
	return nil
}

func TestUnwelcomeModulesStayOut(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for prefix, instead := range unwelcome {
				if prefix == "k8s.io/klog" && p.name() == "controllers/cmd/manager" {
					continue // client-go logs with it: the program tells it to use log/slog
				}
				if imported == prefix || strings.HasPrefix(imported, prefix+"/") || strings.HasPrefix(imported, prefix+".") {
					t.Errorf("%s imports %s: %s", p.name(), imported, instead)
				}
			}
			if imported == "log" || imported == "sort" {
				t.Errorf("%s imports %s: use log/slog, or package slices", p.name(), imported)
			}
		}
	}
}

func TestTheEdgeKnowsNoKubernetes(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() != "edge" && !strings.HasPrefix(p.name(), "edge/") {
			continue
		}
		for _, dep := range slices.Concat(p.Deps, p.TestImports, p.XTestImports) {
			for _, prefix := range operatorSide {
				if under(dep, prefix) {
					t.Errorf("%s reaches %s: the edge knows no Kubernetes; the halves meet in edge/config only", p.name(), dep)
				}
			}
		}
	}
}

func TestTheHalvesMeetInTheConfig(t *testing.T) {
	for _, p := range packages(t) {
		if !under(p.name(), "controllers") && !under(p.name(), "api") {
			continue
		}
		for _, imported := range p.Imports {
			if under(imported, module+"/edge") && imported != module+"/edge/config" {
				t.Errorf("%s imports %s: the operator knows of the edge what edge/config says", p.name(), imported)
			}
		}
	}
}

// TestTheRulesCatch proves that the rules above can fail at all, by asking them about imports that nobody wrote.
func TestTheRulesCatch(t *testing.T) {
	tests := map[string]struct {
		name, imported string
		wantErr        bool
	}{
		"a leaf takes std":                        {name: "edge/reason", imported: "fmt"},
		"a leaf takes no module outside its row":  {name: "edge/reason", imported: yaml, wantErr: true},
		"a leaf takes the module of its row":      {name: "edge/config", imported: yaml},
		"a prefix is a whole path element":        {name: "edge/config", imported: yaml + "x", wantErr: true},
		"a leaf takes nothing from above":         {name: "edge/config", imported: module + "/edge/auth", wantErr: true},
		"a leaf beside it must be in its row":     {name: "edge/reason", imported: module + "/edge/metrics", wantErr: true},
		"a box takes a leaf":                      {name: "edge/shard", imported: module + "/edge/protocol/hub"},
		"a box takes no box":                      {name: "edge/shard", imported: module + "/edge/appserver", wantErr: true},
		"the assembly takes a box":                {name: "edge", imported: module + "/edge/shard"},
		"the edge takes nothing from test":        {name: "edge", imported: module + "/test/appserver", wantErr: true},
		"a new leaf under internal has a room":    {name: "edge/internal/queue", imported: xsys + "/unix"},
		"a protocol takes no logger":              {name: "edge/protocol/hub", imported: "log/slog", wantErr: true},
		"a protocol takes no HTTP":                {name: "edge/protocol/service", imported: "net/http", wantErr: true},
		"the WebSocket upgrade takes HTTP":        {name: "edge/protocol/websocket", imported: "net/http"},
		"the WebSocket protocol takes no network": {name: "edge/protocol/websocket", imported: "net", wantErr: true},
		"flags are for main":                      {name: "edge/shard", imported: "flag", wantErr: true},
		"an unknown package has no room":          {name: "edge", imported: module + "/edge/nowhere", wantErr: true},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			own, ok := roomOf(tt.name)
			if !ok {
				t.Fatalf("%s has no room", tt.name)
			}
			if err := mayImport(tt.name, own, tt.imported); (err != nil) != tt.wantErr {
				t.Errorf("mayImport(%s, %s) = %v, want an error: %t", tt.name, tt.imported, err, tt.wantErr)
			}
		})
	}
}

// pkg is what "go list -json" says of a package.
type pkg struct {
	ImportPath, Dir, Name              string
	Standard                           bool
	Module                             *struct{ Main bool }
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

// name returns the package's folder from the root of the module, "edge/shard".
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// systems are the platforms whose imports are read: the one with epoll, and one without.
var systems = []string{"linux", "darwin"}

// packages returns the module's own packages, their imports merged over systems, sorted by path.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var listOnce = sync.OnceValues(func() ([]pkg, error) {
	found := map[string]pkg{}
	for _, system := range systems {
		listed, err := list(system)
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for _, p := range listed {
			before := found[p.ImportPath]
			p.Imports = union(before.Imports, p.Imports)
			p.TestImports = union(before.TestImports, p.TestImports)
			p.XTestImports = union(before.XTestImports, p.XTestImports)
			p.Deps = union(before.Deps, p.Deps)
			found[p.ImportPath] = p
		}
	}
	if len(found) == 0 {
		return nil, errors.New("go list names no package of this module")
	}
	byPath := func(a, b pkg) int { return cmp.Compare(a.ImportPath, b.ImportPath) }
	return slices.SortedFunc(maps.Values(found), byPath), nil
})

// list runs "go list -deps" for one operating system and keeps this module's packages.
func list(system string) ([]pkg, error) {
	root, err := root()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "list", "-deps",
		"-json=ImportPath,Dir,Name,Standard,Module,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var listed []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return listed, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode go list: %w", err)
		}
		if p.Module != nil && p.Module.Main && !strings.Contains(p.ImportPath, "/node_modules/") {
			listed = append(listed, p)
		}
	}
}

// root returns the folder of go.mod above the test's folder.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the test")
		}
	}
}

// roomOf returns the row of the package in the folder name.
func roomOf(name string) (room, bool) {
	if r, ok := house[name]; ok {
		return r, true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if r, ok := below[dir]; ok {
			return r, true
		}
	}
	return room{}, false
}

// under tells whether an import path is prefix or below it.
func under(imported, prefix string) bool {
	return imported == prefix || strings.HasPrefix(imported, prefix+"/")
}

// matches tells whether a package's folder is pattern, or below it when pattern ends in "/...".
func matches(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return under(name, dir)
	}
	return name == pattern
}

// isStd tells whether an import path is the standard library's: its first element has no dot.
func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
