package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for a secret wherever a human or a log may look.
const redacted = "[redacted]"

// Secret is text that must not be seen: every fmt verb that go vet lets pass, log/slog and encoding/json show a
// placeholder instead. Only Reveal and Marshal give the text away.
type Secret string

// Reveal returns the secret text.
func (s Secret) Reveal() string { return string(s) }

// Format writes the placeholder, whatever the verb, so that %x and %q are no way around String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.shown()) }

// String returns the placeholder, or nothing for an empty secret.
func (s Secret) String() string { return s.shown() }

// GoString returns the placeholder, or nothing for an empty secret.
func (s Secret) GoString() string { return s.shown() }

// LogValue returns the placeholder, or nothing for an empty secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.shown()) }

// MarshalText returns the placeholder: encoding/json and its like never see the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

// MarshalYAML returns the secret itself; Marshal, which writes the file that an edge reads, needs it.
func (s Secret) MarshalYAML() (any, error) { return string(s), nil }

func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Fingerprint returns "sha256:" and the first 8 hex digits of the SHA-256 of the key's text. It tells keys apart in
// status and logs, and the operator by it whether an edge has loaded a key.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256([]byte(k.Value))
	return "sha256:" + hex.EncodeToString(sum[:4])
}

// String returns the configuration as YAML with every secret redacted.
func (c Config) String() string {
	b, err := encode(c.redacted())
	if err != nil {
		return "config: " + err.Error()
	}
	return string(b)
}

// GoString returns what String does, so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// Format writes what String returns, whatever the verb: for a verb that does not fit, fmt would go past String and the
// methods of Secret.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns what identifies a configuration in a log: hash, node, mode, tier, units and how many keys.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("hash", c.Hash()),
		slog.String("node", c.Node),
		slog.String("serviceMode", string(c.ServiceMode)),
		slog.String("tier", string(c.Tier)),
		slog.Int("units", c.Units),
		slog.Int("keys", len(c.Auth.Keys)),
	)
}

// redacted returns a copy of c in which no secret is left.
func (c *Config) redacted() *Config {
	d := c.Clone()
	for i := range d.Auth.Keys {
		d.Auth.Keys[i].Value = Secret(d.Auth.Keys[i].Value.shown())
	}
	d.Auth.ConnectionTokenKey = Secret(d.Auth.ConnectionTokenKey.shown())
	d.Auth.AdminToken = Secret(d.Auth.AdminToken.shown())
	return d
}
