package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// paths returns the full names of all values below a prefix, branches too.
func paths(prefix string, values []value) map[string]bool {
	found := map[string]bool{}
	for _, v := range values {
		name := prefix + v.key
		found[name] = v.isLeaf()
		maps.Copy(found, paths(name+".", v.children))
	}
	return found
}

func chartValues(t *testing.T) map[string]bool {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := parseValues(source)
	if err != nil {
		t.Fatal(err)
	}
	return paths("", values)
}

// templates returns the text of all templates, and the values they use: .Values.a.b, and .b inside of "with .Values.a".
func templates(t *testing.T) map[string]bool {
	t.Helper()
	full := regexp.MustCompile(`\.Values\.([A-Za-z0-9.]+)`)
	with := regexp.MustCompile(`(?s)with \.Values\.([A-Za-z0-9.]+) -?\}\}(.*?)\{\{-? end`)
	short := regexp.MustCompile(`[ (]\.([a-z][A-Za-z0-9]+)`)
	used := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, chart, "templates"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range full.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
		for _, m := range with.FindAllStringSubmatch(string(text), -1) {
			for _, inner := range short.FindAllStringSubmatch(m[2], -1) {
				used[m[1]+"."+inner[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func TestEveryValueIsUsed(t *testing.T) {
	used := templates(t)
	for name, leaf := range chartValues(t) {
		if leaf && !used[name] {
			t.Errorf("no template uses %s", name)
		}
	}
}

func TestEveryUsedValueIsDocumented(t *testing.T) {
	known := chartValues(t)
	for name := range templates(t) {
		if _, ok := known[name]; !ok && !strings.Contains(name, "leaderElection.") {
			t.Errorf("a template uses %s, which values.yaml does not have", name)
		}
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ set, names string }{
		"a slip of the pen":                      {set: "replica=2", names: "replica"},
		"a slip of the pen further in":           {set: "image.tags=1", names: "tags"},
		"a number of pods that is none":          {set: "replicas=two", names: "replicas"},
		"more pods than make sense":              {set: "replicas=50", names: "replicas"},
		"a pull policy that is none":             {set: "image.pullPolicy=Sometimes", names: "pullPolicy"},
		"a digest that is none":                  {set: "image.digest=latest", names: "digest"},
		"no image":                               {set: "image.repository=", names: "repository"},
		"an image with its tag":                  {set: "image.repository=r.example/s:1", names: "repository"},
		"a tag that is none":                     {set: "image.tag=1.0+x", names: "tag"},
		"an image of the edges that is none":     {set: "edge.image=a b", names: "image"},
		"a name that no object may have":         {set: "fullnameOverride=Foo", names: "fullnameOverride"},
		"a name of the chart that is none":       {set: "nameOverride=a_b", names: "nameOverride"},
		"a name that no account may have":        {set: "serviceAccount.name=A", names: "serviceAccount"},
		"a log level that is none":               {set: "log.level=loud", names: "level"},
		"a namespace that cannot exist":          {set: "watchNamespaces={Team_A}", names: "watchNamespaces"},
		"a namespace where a list is wanted":     {set: "watchNamespaces=team-a", names: "watchNamespaces"},
		"a word where a switch is wanted":        {set: "crds.keep=sometimes", names: "keep"},
		"a lease shorter than its renewal":       {set: "leaderElection.leaseSeconds=30", names: "renewSeconds"},
		"a retry longer than the renewal":        {set: "leaderElection.retrySeconds=45", names: "retrySeconds"},
		"a retry that may come too late":         {set: "leaderElection.retrySeconds=34", names: "retrySeconds"},
		"the probes' port for the metrics":       {set: "metrics.port=8081", names: "metrics.port"},
		"a duration where seconds are wanted":    {set: "leaderElection.leaseSeconds=60s", names: "leaseSeconds"},
		"a port that needs rights":               {set: "metrics.port=80", names: "port"},
		"an interval without unit":               {set: "metrics.serviceMonitor.interval=30", names: "interval"},
		"a share that is no percentage":          {set: "podDisruptionBudget.maxUnavailable=half", names: "maxUnavailable"},
		"a list where labels are wanted":         {set: "podLabels={a,b}", names: "podLabels"},
		"an argument list that is one argument":  {set: "extraArgs=--x", names: "extraArgs"},
		"an environment variable without a name": {set: "extraEnv[0].value=x", names: "extraEnv"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, refused := render(t, "r", "n", "--set", tc.set)
			switch {
			case refused == "":
				t.Errorf("--set %s is accepted: %d objects", tc.set, len(objects))
			case !strings.Contains(refused, tc.names):
				t.Errorf("--set %s is refused without naming %s: %s", tc.set, tc.names, refused)
			}
		})
	}
}

func TestValuesWithoutWordsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ source, want string }{
		"no comment":              {source: "a: 1\n", want: "no comment"},
		"a comment further up":    {source: "# Somebody else's.\n\na: 1\n", want: "no comment"},
		"schema that is no JSON":  {source: "# A.\n# @schema {x}\na: 1\n", want: "@schema"},
		"an empty list":           {source: "# A.\na: []\n", want: "items"},
		"an empty mapping":        {source: "# A.\na: {}\n", want: "additionalProperties"},
		"a default without type":  {source: "# A.\na: null\n", want: "type"},
		"an inner value, no word": {source: "b:\n  a: 1\n", want: "b.a"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := parseValues([]byte(tc.source))
			if err == nil {
				_, err = schemaOf(values)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}
