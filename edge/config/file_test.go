package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string // each must be in the error
	}{
		"nothing":          {"", []string{"auth.keys: 0 keys are not allowed: 1..8"}},
		"a comment alone":  {"# nothing\n", []string{"auth.keys: 0 keys are not allowed"}},
		"an unknown field": {valid + "unit: 5\n", []string{"line 2: unit: unknown field"}},
		"unknown fields deep inside": {
			valid + "listen:\n  clients: x\nlimits:\n  maxMesageBytes: 5\n",
			[]string{"line 3: listen.clients: unknown field", "line 5: limits.maxMesageBytes: unknown field"},
		},
		"an unknown field of a key": {
			"auth:\n  keys:\n  - name: a\n    valeu: " + keyA + "\n",
			[]string{"line 4: auth.keys[0].valeu: unknown field"},
		},
		"a field in another case": {valid + "Units: 5\n", []string{"line 2: Units: unknown field"}},
		"a field twice": {
			valid + "units: 5\nunits: 6\n", []string{"line 3: units: the field is there twice, first in line 2"},
		},
		"a text for a number": {
			valid + "units: many\n", []string{"line 2: units: found a text where a whole number belongs"},
		},
		"a fraction": {
			valid + "units: 1.5\n", []string{"line 2: units: found a fraction where a whole number belongs"},
		},
		"a number of 70 bits": {
			valid + "units: 1180591620717411303424\n", []string{"line 2: units: found a fraction where a whole"},
		},
		"a number of 64 bits": {
			valid + "units: 18446744073709551615\n", []string{"line 2: units: found a number out of range"},
		},
		"true for a number": {
			valid + "units: true\n", []string{"line 2: units: found true or false where a whole number"},
		},
		"a list for a number": {
			valid + "units: [1]\n", []string{"line 2: units: found a list where a whole number belongs"},
		},
		"fields for a text": {valid + "node: {a: b}\n", []string{"line 2: node: found fields where a text belongs"}},
		"fields for a list": {
			"auth:\n  keys: {a: b}\n", []string{"line 2: auth.keys: found fields where a list belongs"},
		},
		"a list for fields": {valid + "log: [a]\n", []string{"line 2: log: found a list where fields belong"}},
		"a list for all":    {"- a\n", []string{"line 1: found a list where fields belong"}},
		"no time": {
			"auth:\n  keys:\n  - {name: a, value: " + keyA + ", notAfter: soon}\n",
			[]string{"line 3: auth.keys[0].notAfter: found a text where a time belongs: RFC 3339"},
		},
		"a list for a time": {
			"auth:\n  keys:\n  - {name: a, value: " + keyA + ", notAfter: [1]}\n",
			[]string{"line 3: auth.keys[0].notAfter: found a list where a time belongs: RFC 3339"},
		},
		"a merge key":            {"<<: {units: 5}\n" + valid, []string{"line 1: <<: unknown field"}},
		"a field that is a list": {valid + "[a, b]: c\n", []string{"line 2: unknown field"}},
		"an alias of the wrong kind": {
			"node: &a x\n" + valid + "units: *a\n", []string{"units: found a text where a whole number belongs"},
		},
		"an anchor that holds itself": {"auth: &a {keys: *a}\n", []string{"auth.keys: found fields where a list belongs"}},
		"two documents":               {valid + "---\n" + valid, []string{"more than one YAML document"}},
		"no YAML":                     {valid + "a: [\n", []string{"decode: line"}},
		"an unknown anchor":           {"node: *" + keyA + "\n", []string{"decode: "}},
		"an empty mode": {
			valid + "serviceMode: \"\"\n", []string{`serviceMode: "" is not allowed: Default, Serverless, Classic`},
		},
		"an empty mode and more": {"serviceMode: \"\"\n", []string{`serviceMode: ""`, "auth.keys: 0 keys"}},
		"a wrong value": {
			valid + "limits: {maxMessageBytes: 0}\n", []string{"limits.maxMessageBytes: 0 is not allowed: 1024..16777216"},
		},
		"a key where keys belong": {
			"auth: {keys: " + keyA + "}\n", []string{"line 1: auth.keys: found a text where a list belongs"},
		},
		"a key where a name belongs": {
			"auth: {keys: [" + keyA + "]}\n", []string{"line 1: auth.keys[0]: found a text where fields belong"},
		},
		"a key where a number belongs": {valid + "units: " + keyB + "\n", []string{"found a text where a whole number"}},
		"a short key, quoted":          {valid + "units: 'test-key'\n", []string{"found a text where a whole number"}},
		"several lines in a wrong text": {
			valid + "units: \"" + "a`\\nb" + "\"\n", []string{"found a text where a whole number"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Parse([]byte(tt.file))
			if err == nil {
				t.Fatalf("Parse: want an error, got %v", c)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse: want %q in the error, got %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "test-key") || strings.Contains(err.Error(), "test-ke") {
				t.Errorf("the error tells a key: %v", err)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.yaml")); err == nil || !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("Load of no file: want not-exist, got %v", err)
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("#\n"), maxFileBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("Load of a large file: want its size refused, got %v", err)
	}
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("x: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(bad); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("Load of a bad file: want its name in the error, got %v", err)
	}
}

// unwrapAll returns the innermost error, as os.IsNotExist does not unwrap.
func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		if os.IsNotExist(err) {
			return err
		}
		err = u.Unwrap()
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	c := full()
	secrets := []string{c.Auth.ConnectionTokenKey.Reveal(), c.Auth.AdminToken.Reveal()}
	for _, k := range c.Auth.Keys {
		secrets = append(secrets, k.Value.Reveal())
	}
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T"} {
		for name, value := range map[string]any{
			"*Config": c, "Config": *c, "Auth": c.Auth, "*Auth": &c.Auth, "Key": c.Auth.Keys[0], "Keys": c.Auth.Keys,
			"Secret": c.Auth.AdminToken, "map": map[string]any{"c": c, "s": c.Auth.AdminToken}, "in a list": []any{*c},
		} {
			printed[verb+" of "+name] = fmt.Sprintf(verb, value)
		}
	}
	var text, js bytes.Buffer
	level := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, logger := range map[string]*slog.Logger{
		"text log": slog.New(slog.NewTextHandler(&text, level)), "JSON log": slog.New(slog.NewJSONHandler(&js, level)),
	} {
		logger.Info("configuration", "config", c, "value", *c, "auth", c.Auth, "key", c.Auth.Keys[0],
			"secret", c.Auth.AdminToken, "keys", c.Auth.Keys)
		printed[name] = text.String() + js.String()
	}
	for name, value := range map[string]any{"*Config": c, "Auth": c.Auth, "Secret": c.Auth.AdminToken} {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed["JSON of "+name] = string(b)
	}
	for name, out := range printed {
		for _, s := range secrets {
			for _, form := range []string{s, fmt.Sprintf("%x", s), fmt.Sprintf("%X", s), fmt.Sprint(string([]byte(s)))} {
				if strings.Contains(out, form) {
					t.Errorf("%s shows a secret: %s", name, out)
				}
			}
		}
	}
	if got := fmt.Sprint(c); !strings.Contains(got, "value: '[redacted]'") || !strings.Contains(got, "units: 2") {
		t.Errorf("String: want the configuration with redacted secrets, got\n%s", got)
	}
	if got := js.String(); !strings.Contains(got, c.Hash()) {
		t.Errorf("the log does not show the hash: %s", got)
	}
	if got := fmt.Sprint(Secret("")); got != "" {
		t.Errorf("an empty secret: want nothing, got %q", got)
	}
}

func TestFingerprint(t *testing.T) {
	k := Key{Name: "a", Value: "abc"} // SHA-256 of "abc" is FIPS 180's example
	if got, want := k.Fingerprint(), "sha256:ba7816bf"; got != want {
		t.Errorf("Fingerprint: want %s, got %s", want, got)
	}
}

func FuzzParse(f *testing.F) {
	sample, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(valid))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("<<: {units: 5}\n" + valid))
	f.Add([]byte("auth: !!str x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		out, err := Marshal(c)
		if err != nil {
			t.Fatalf("Marshal of what Parse took: %v", err)
		}
		back, err := Parse(out)
		if err != nil {
			t.Fatalf("Parse of what Marshal wrote: %v\n%s", err, out)
		}
		if c.Hash() != back.Hash() {
			t.Errorf("the round trip changed\n%s", out)
		}
	})
}
