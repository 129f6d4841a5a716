package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds the file; the largest sensible one has a few kilobytes.
const maxFileBytes = 1 << 20

// Load reads, decodes and validates the file at path.
func Load(path string) (*Config, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", path, err)
	}
	return c, nil
}

// readFile reads at most maxFileBytes of the file at path.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator of the node names its own file
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	if len(b) > maxFileBytes {
		return nil, fmt.Errorf("read config: %s is larger than %d bytes", path, maxFileBytes)
	}
	return b, nil
}

// Parse decodes and validates one YAML document. What the document leaves out, or has as null, has its default;
// unknown fields, repeated fields, values of the wrong kind and a second document are errors that name line and field.
// No error text contains a value of the file that may be secret.
func Parse(b []byte) (*Config, error) {
	c := Default()
	if err := decode(b, c); err != nil {
		return nil, err
	}
	var mode error
	if c.ServiceMode == ServiceModeAuto { // good in code, but not in a file
		mode = errors.New(`serviceMode: "" is not allowed: Default, Serverless, Classic`)
	}
	if err := errors.Join(mode, c.Validate()); err != nil {
		return nil, err
	}
	return c, nil
}

// Marshal returns c as the YAML document that Parse reads, secrets included, every field in a fixed order. It refuses
// ServiceModeAuto, which no file may hold, and does not validate otherwise.
func Marshal(c *Config) ([]byte, error) {
	if c.ServiceMode == ServiceModeAuto {
		return nil, errors.New("marshal config: serviceMode Auto cannot be written to a file")
	}
	return encode(c)
}

func encode(c *Config) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(c), enc.Close()); err != nil {
		return nil, fmt.Errorf("marshal config: %w", err)
	}
	return buf.Bytes(), nil
}

// Hash returns the SHA-256, in hex, of the canonical form of c. Secrets go into it, so a rotated key changes it;
// comments and the order of fields in the file do not.
func (c *Config) Hash() string {
	b, err := encode(c)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
