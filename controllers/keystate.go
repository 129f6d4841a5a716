package controllers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// Names of the two access keys, in status and in the edges' configuration.
const (
	primary   = resources.PrimaryKey
	secondary = resources.SecondaryKey
	// previousPrefix begins the name of a key that the schedule has replaced and that is still within its overlap.
	previousPrefix = "previous-"
)

// Annotations on both key Secrets. They say what was done, so that a restored backup rotates nothing and a new operator
// knows where the old one stood. None of them is secret.
const (
	primaryNonceAnnotation     = signalrv1alpha1.GroupName + "/primary-nonce"
	secondaryNonceAnnotation   = signalrv1alpha1.GroupName + "/secondary-nonce"
	primaryRotatedAnnotation   = signalrv1alpha1.GroupName + "/primary-rotated-at"
	secondaryRotatedAnnotation = signalrv1alpha1.GroupName + "/secondary-rotated-at"
	// scheduleAnnotation is the schedule that is being followed, scheduledAnnotation when it last came round (or was
	// first seen).
	scheduleAnnotation  = signalrv1alpha1.GroupName + "/rotation-schedule"
	scheduledAnnotation = signalrv1alpha1.GroupName + "/rotation-scheduled-at"
)

const (
	// keyBytes is the entropy of a key: 256 bits, which HS256 wants at least (RFC 7518 section 3.2).
	keyBytes = 32
	// maxPrevious bounds the replaced keys within overlap: edges take 8 keys in all (edge/config).
	maxPrevious = 6
)

// accessKey is one key with what is known of it.
type accessKey struct {
	value   config.Secret
	nonce   string
	rotated time.Time
}

// keyState is every secret of an instance, as the Secret of its edges holds it.
type keyState struct {
	primary, secondary accessKey
	// previous are replaced keys within their overlap, newest first.
	previous []config.Key
	// connectionToken authenticates connection tokens, admin is the bearer token of /status.
	connectionToken, admin config.Secret
	// schedule is the rotation schedule being followed, scheduled when it last came round or was first seen.
	schedule  string
	scheduled time.Time
	// recorded tells that nonces were written down; those that an instance comes with are recorded and rotate nothing.
	recorded bool
}

// Format writes that there are keys, whatever the verb: fmt does not ask the methods of what lies in unexported fields.
func (s keyState) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keys [redacted]") }

// Format does the same for one key.
func (k accessKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key [redacted]") }

// key returns the key called name: primary or secondary.
func (s *keyState) key(name string) *accessKey {
	if name == primary {
		return &s.primary
	}
	return &s.secondary
}

// valid tells whether there are keys to serve with.
func (s *keyState) valid() bool { return s.primary.value != "" && s.secondary.value != "" }

// keys returns all keys, as an edge's configuration has them.
func (s *keyState) keys() []config.Key {
	return append([]config.Key{
		{Name: primary, Value: s.primary.value}, {Name: secondary, Value: s.secondary.value},
	}, s.previous...)
}

// expiry returns when the first of the previous keys ends, or the zero time.
func (s *keyState) expiry() time.Time {
	var first time.Time
	for _, k := range s.previous {
		if first.IsZero() || k.NotAfter.Before(first) {
			first = k.NotAfter
		}
	}
	return first
}

// clone returns a copy that shares nothing that is changed.
func (s *keyState) clone() keyState {
	c := *s
	c.previous = append([]config.Key(nil), s.previous...)
	return c
}

// annotations returns what both Secrets say about the keys. Those of a user's keys say nothing: they are not ours.
func (s *keyState) annotations() map[string]string {
	out := map[string]string{
		primaryNonceAnnotation:   s.primary.nonce,
		secondaryNonceAnnotation: s.secondary.nonce,
	}
	for name, t := range map[string]time.Time{
		primaryRotatedAnnotation: s.primary.rotated, secondaryRotatedAnnotation: s.secondary.rotated,
	} {
		if !t.IsZero() {
			out[name] = t.UTC().Format(time.RFC3339)
		}
	}
	if s.schedule != "" {
		out[scheduleAnnotation] = s.schedule
		out[scheduledAnnotation] = s.scheduled.UTC().Format(time.RFC3339)
	}
	return out
}

// status returns the fingerprints for the instance's status.
func (s *keyState) status() []signalrv1alpha1.KeyStatus {
	if !s.valid() {
		return nil
	}
	out := make([]signalrv1alpha1.KeyStatus, 0, 2)
	for _, name := range []string{primary, secondary} {
		k := s.key(name)
		st := signalrv1alpha1.KeyStatus{Name: name, Fingerprint: config.Key{Value: k.value}.Fingerprint()}
		if !k.rotated.IsZero() {
			t := metav1.NewTime(k.rotated.UTC().Truncate(time.Second))
			st.RotatedTime = &t
		}
		out = append(out, st)
	}
	return out
}

// readAnnotations fills in what the annotations of a Secret say.
func (s *keyState) readAnnotations(a map[string]string) {
	_, s.recorded = a[primaryNonceAnnotation]
	s.primary.nonce = a[primaryNonceAnnotation]
	s.secondary.nonce = a[secondaryNonceAnnotation]
	s.primary.rotated = parseTime(a[primaryRotatedAnnotation])
	s.secondary.rotated = parseTime(a[secondaryRotatedAnnotation])
	s.schedule, s.scheduled = a[scheduleAnnotation], parseTime(a[scheduledAnnotation])
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// errDamaged says that a Secret does not hold what it should. Its text never says what it holds.
var errDamaged = errors.New("is damaged")

// readEdgeSecret returns the keys in the Secret of the edges, which is the source of truth: c is the configuration in
// it. Of one that this program cannot read (damaged, or written by a newer operator), which is nil, nothing is taken.
func readEdgeSecret(s *corev1.Secret, c *config.Config) (keyState, error) {
	var state keyState
	if c == nil {
		return state, fmt.Errorf("the configuration in it %w", errDamaged)
	}
	for _, k := range c.Auth.Keys {
		switch {
		case k.Name == primary:
			state.primary.value = k.Value
		case k.Name == secondary:
			state.secondary.value = k.Value
		case strings.HasPrefix(k.Name, previousPrefix) && !k.NotAfter.IsZero():
			state.previous = append(state.previous, k)
		}
	}
	state.connectionToken, state.admin = c.Auth.ConnectionTokenKey, c.Auth.AdminToken
	if !state.valid() {
		return keyState{}, fmt.Errorf("the configuration in it %w: it has no two keys", errDamaged)
	}
	state.readAnnotations(s.Annotations)
	return state, nil
}

// readKeysSecret returns the keys in a Secret with the vendor's names, ours or a user's.
func readKeysSecret(s *corev1.Secret) (keyState, error) {
	var state keyState
	for _, entry := range []struct { // in this order: of two that are damaged always the same is named
		name string
		key  *accessKey
	}{{resources.PrimaryKeyEntry, &state.primary}, {resources.SecondaryKeyEntry, &state.secondary}} {
		value := config.Secret(strings.TrimSpace(string(s.Data[entry.name])))
		switch {
		case value == "":
			return keyState{}, fmt.Errorf("it %w: %s is missing", errDamaged, entry.name)
		case strings.Contains(value.Reveal(), config.EmulatorKey):
			return keyState{}, fmt.Errorf("it %w: %s is the key of the vendor's emulator, which everybody knows", errDamaged,
				entry.name)
		case checkKey(value) != nil:
			return keyState{}, fmt.Errorf("it %w: %s must have 32 to 1024 printable characters, without space and "+
				"semicolon", errDamaged, entry.name)
		}
		entry.key.value = value
	}
	state.readAnnotations(s.Annotations)
	return state, nil
}

// checkKey asks the edge's own rules whether a key can be used.
func checkKey(value config.Secret) error {
	c := config.Default()
	c.Auth.Keys = []config.Key{{Name: primary, Value: value}}
	return c.Validate()
}

// newSecret makes a secret of 256 random bits.
func newSecret(random io.Reader) (config.Secret, error) {
	b := make([]byte, keyBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return config.Secret(base64.StdEncoding.EncodeToString(b)), nil
}
