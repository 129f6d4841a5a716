package controllers

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
	"github.com/signalr-operator/signalr-operator/test/build"
)

var testNow = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// counting is a source of bits that are not random: each key differs from the one before.
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = c.n
	}
	return len(b), nil
}

// keysCase is an instance that has had its keys for a day.
func keysCase(t *testing.T) keysInput {
	t.Helper()
	in := keysInput{
		now: testNow, spec: &signalrv1alpha1.AccessKeysSpec{}, loaded: true, random: &counting{},
	}
	in.now = testNow.Add(-24 * time.Hour)
	p, err := planKeys(in)
	if err != nil || !p.generated {
		t.Fatalf("planKeys() = %+v, %v", p, err)
	}
	in.now = testNow
	in.written(t, p.state)
	return in
}

// written puts a state into both Secrets, as applying does.
func (in *keysInput) written(t *testing.T, s keyState) {
	t.Helper()
	children := resources.Input{
		Instance: build.Instance("chat").Obj(), Units: 1, Replicas: 1,
		Keys: resources.KeySet{
			Keys: s.keys(), ConnectionTokenKey: s.connectionToken, AdminToken: s.admin, Annotations: s.annotations(),
		},
	}
	var err error
	if in.edge, err = resources.EdgeSecret(children); err != nil {
		t.Fatal(err)
	}
	if in.config, err = config.Parse(in.edge.Data[resources.ConfigFile]); err != nil {
		t.Fatal(err)
	}
	in.own = resources.KeysSecret(children)
}

func TestKeysSurviveTheirSecrets(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change                             func(*keysInput)
		wantSame, wantGenerated, wantValid bool
		wantRestored                       string
		wantProblem                        string
	}{
		"both there": {change: func(*keysInput) {}, wantSame: true, wantValid: true},
		"what users read is gone": {
			change: func(in *keysInput) { in.own = nil }, wantSame: true, wantValid: true, wantRestored: "keys",
		},
		"what edges read is gone": {
			change: func(in *keysInput) { in.edge, in.config = nil, nil }, wantSame: true, wantValid: true, wantRestored: "edge",
		},
		"what edges read is damaged": {
			change: func(in *keysInput) { in.config = nil }, wantSame: true, wantValid: true, wantRestored: "edge",
			wantProblem: "written again",
		},
		"what users read is damaged": {
			change: func(in *keysInput) { in.own.Data["primaryKey"] = nil }, wantSame: true, wantValid: true,
			wantRestored: "keys", wantProblem: "written again",
		},
		"what users read was changed": {
			change: func(in *keysInput) { in.own.Data["primaryKey"] = in.own.Data["secondaryKey"] }, wantSame: true,
			wantValid: true, wantRestored: "keys", wantProblem: "written again",
		},
		"both gone, and a new operator": {
			change: func(in *keysInput) { in.edge, in.config, in.own = nil, nil, nil }, wantGenerated: true, wantValid: true,
		},
		"one damaged, one gone, and a new operator": {
			change:      func(in *keysInput) { in.config, in.own = nil, nil },
			wantProblem: "damaged",
		},
		"one gone, one damaged, and a new operator": {
			change: func(in *keysInput) {
				in.edge, in.config, in.own = nil, nil, &corev1.Secret{Data: map[string][]byte{"primaryKey": []byte("x")}}
			},
			wantProblem: "damaged",
		},
		"both gone, and an operator that remembers": {
			change: func(in *keysInput) {
				state, _ := readEdgeSecret(in.edge, in.config)
				in.edge, in.config, in.own, in.remembered = nil, nil, nil, &state
			},
			wantSame: true, wantValid: true, wantRestored: "edge",
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			in := keysCase(t)
			before, _ := readEdgeSecret(in.edge, in.config)
			tt.change(&in)
			p, err := planKeys(in)
			if err != nil {
				t.Fatal(err)
			}
			same := p.state.primary.value == before.primary.value && p.state.secondary.value == before.secondary.value
			if same != tt.wantSame || p.generated != tt.wantGenerated || p.state.valid() != tt.wantValid ||
				p.restored != tt.wantRestored {
				t.Errorf("same %t generated %t valid %t restored %q", same, p.generated, p.state.valid(), p.restored)
			}
			if tt.wantProblem == "" && p.problem != "" || !strings.Contains(p.problem, tt.wantProblem) {
				t.Errorf("problem %q, want %q", p.problem, tt.wantProblem)
			}
			if len(p.rotated) > 0 {
				t.Errorf("rotated %v", p.rotated)
			}
		})
	}
}

func TestKeysRotateOneAtATime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change      func(*keysInput)
		wantRotated string
		wantQueued  bool
	}{
		"nothing changed": {change: func(*keysInput) {}},
		"primary": {
			change: func(in *keysInput) { in.spec.Rotation.PrimaryNonce = "1" }, wantRotated: "primary/nonce",
		},
		"secondary": {
			change: func(in *keysInput) { in.spec.Rotation.SecondaryNonce = "1" }, wantRotated: "secondary/nonce",
		},
		"primary although no edge has loaded anything": {
			change:      func(in *keysInput) { in.spec.Rotation.PrimaryNonce, in.loaded = "1", false },
			wantRotated: "primary/nonce",
		},
		"both": {
			change:      func(in *keysInput) { in.spec.Rotation.PrimaryNonce, in.spec.Rotation.SecondaryNonce = "1", "1" },
			wantRotated: "primary/nonce", wantQueued: true,
		},
		"a schedule that is new counts from now": {
			change: func(in *keysInput) { in.spec.Rotation.Schedule = "0 9 * * *" },
		},
		"a schedule in a language of its own": {
			change: func(in *keysInput) { in.spec.Rotation.Schedule = "CRON_TZ=UTC 0 9 * * *" },
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			in := keysCase(t)
			tt.change(&in)
			p, err := planKeys(in)
			if err != nil {
				t.Fatal(err)
			}
			var rotated []string
			for _, r := range p.rotated {
				rotated = append(rotated, r.name+"/"+r.trigger)
			}
			if got := strings.Join(rotated, " "); got != tt.wantRotated || p.queued != tt.wantQueued {
				t.Errorf("rotated %q queued %t, want %q %t", got, p.queued, tt.wantRotated, tt.wantQueued)
			}
			if len(p.state.previous) > 0 {
				t.Error("a nonce leaves no overlap")
			}
		})
	}
}

func TestScheduledKeysAlternateAndExpire(t *testing.T) {
	t.Parallel()
	in := keysCase(t)
	in.spec.Rotation.Schedule = "0 * * * *"
	in.spec.Rotation.OverlapSeconds = new(int32(5400))
	p, err := planKeys(in)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for range 12 {
		in.written(t, p.state)
		in.now = p.next
		if p, err = planKeys(in); err != nil {
			t.Fatal(err)
		}
		for _, r := range p.rotated {
			order = append(order, r.name)
		}
		keys := p.state.keys()
		if len(keys) > 2+maxPrevious {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys[2:] {
			if !k.NotAfter.After(in.now.Add(-clockSlack)) {
				t.Errorf("%s ended at %s, and is there at %s", k.Name, k.NotAfter, in.now)
			}
		}
	}
	if got := strings.Join(order[:4], " "); got != "primary secondary primary secondary" {
		t.Errorf("replaced %s", got)
	}
}

func TestAUsersSecretIsTakenOrLeft(t *testing.T) {
	t.Parallel()
	const a, b = "user-a-0123456789abcdefghijklmnopqrst", "user-b-0123456789abcdefghijklmnopqrst"
	secret := func(primary, secondary string) *corev1.Secret {
		return &corev1.Secret{Data: map[string][]byte{"primaryKey": []byte(primary), "secondaryKey": []byte(secondary)}}
	}
	tests := map[string]struct {
		user      *corev1.Secret
		wantTaken bool
	}{
		"good":                       {secret(a, b), true},
		"with a newline at the end":  {secret(a+"\n", b), true},
		"gone":                       {nil, false},
		"without one of the keys":    {secret(a, ""), false},
		"with a key that is short":   {secret(a, "short"), false},
		"with a semicolon in a key":  {secret(a, b+";Version=1"), false},
		"with a key that is no text": {secret(a, strings.Repeat("\x00", 40)), false},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			in := keysCase(t)
			in.spec.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "mine"}
			in.user = tt.user
			p, err := planKeys(in)
			if err != nil {
				t.Fatal(err)
			}
			if taken := p.state.primary.value == a && p.state.secondary.value == b; taken != tt.wantTaken {
				t.Errorf("taken %t", taken)
			}
			if (p.problem == "") != tt.wantTaken || p.invalidReference == tt.wantTaken || !p.state.valid() {
				t.Errorf("problem %q, valid %t", p.problem, p.state.valid())
			}
			for _, value := range []string{a, b, "short"} {
				if strings.Contains(p.problem, value) {
					t.Errorf("the problem shows a key: %s", p.problem)
				}
			}
		})
	}
}

func TestKeyStatesAreNotPrinted(t *testing.T) {
	t.Parallel()
	in := keysCase(t)
	state, _ := readEdgeSecret(in.edge, in.config)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %s %#v", state, state, state.primary.value, state.keys())
	if strings.Contains(out.String(), state.primary.value.Reveal()) {
		t.Errorf("a key is printed: %s", out.String())
	}
}

func TestADamagedKeySecretSaysAlwaysTheSame(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("k", 44)
	const rule = " must have 32 to 1024 printable characters, without space and semicolon"
	for sentence, tt := range map[string]struct{ primary, secondary, want string }{
		"nothing in it":           {"", "", "it is damaged: primaryKey is missing"},
		"half of it":              {good, " \n", "it is damaged: secondaryKey is missing"},
		"a short one":             {good, "short", "it is damaged: secondaryKey" + rule},
		"the first of two faults": {"short", "", "it is damaged: primaryKey" + rule},
		"the emulator's": {
			config.EmulatorKey, good, "it is damaged: primaryKey is the key of the vendor's emulator, which everybody knows",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := &corev1.Secret{Data: map[string][]byte{
				resources.PrimaryKeyEntry: []byte(tt.primary), resources.SecondaryKeyEntry: []byte(tt.secondary),
			}}
			for range 20 { // nothing about it may be left to chance
				if _, err := readKeysSecret(s); err == nil || err.Error() != tt.want {
					t.Fatalf("readKeysSecret() = %v, want %s", err, tt.want)
				}
			}
		})
	}
}
