package auth

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Key is one access key.
type Key struct {
	// Name tells keys apart: primary, secondary.
	Name string
	// Value is the key's text. Its UTF-8 bytes are the HMAC key; it is not base64-decoded (service protocol 2.3).
	Value string
	// NotAfter is the last moment at which the key verifies anything; the zero time sets no end.
	NotAfter time.Time
}

// Format writes the name alone, whatever the verb: a key is never shown.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key "+k.Name) }

// Keys is an immutable set of access keys. The zero value and nil have none and verify nothing.
type Keys struct {
	keys []key
}

type key struct {
	name     string
	value    []byte
	notAfter time.Time
}

// NewKeys returns a set of keys, which are tried in this order. It is an error if there is none, or if one has no
// text.
func NewKeys(keys ...Key) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("access keys: there is none")
	}
	set := &Keys{keys: make([]key, 0, len(keys))}
	for i, k := range keys {
		if k.Value == "" {
			return nil, fmt.Errorf("access keys: key %d (%s) is empty", i, k.Name)
		}
		set.keys = append(set.keys, key{name: k.Name, value: []byte(k.Value), notAfter: k.NotAfter})
	}
	return set, nil
}

// Len returns the number of keys, those past their end included.
func (k *Keys) Len() int {
	if k == nil {
		return 0
	}
	return len(k.keys)
}

// Format writes the names alone, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) {
	names := make([]string, 0, len(k.keys))
	for _, one := range k.keys {
		names = append(names, one.name)
	}
	_, _ = fmt.Fprintf(f, "keys %v", names)
}

// verify calls try with each key that is valid at now until one succeeds, and reports whether one did.
func (k *Keys) verify(now time.Time, try func(secret []byte) bool) bool {
	if k == nil {
		return false
	}
	for i := range k.keys {
		one := &k.keys[i]
		if !one.notAfter.IsZero() && now.After(one.notAfter) {
			continue
		}
		if try(one.value) {
			return true
		}
	}
	return false
}
