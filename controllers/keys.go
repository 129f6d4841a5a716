package controllers

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// queueBound is how long one rotation waits at most for the other to be loaded by every edge. An edge that cannot be
// reached must not keep a leaked key in force.
const queueBound = 5 * time.Minute

// mended is what comes of a Secret of ours that is damaged while there are good keys.
const mended = "it is written again, and the last good keys stay in force"

// Triggers of a rotation, as the metric has them.
const (
	triggerNonce    = "nonce"
	triggerSchedule = "schedule"
)

// Which of our Secrets is brought back.
const (
	restoredKeys = "keys"
	restoredEdge = "edge"
)

// keysInput is everything that the keys of an instance depend on.
type keysInput struct {
	now  time.Time
	spec *signalrv1alpha1.AccessKeysSpec
	// config is the configuration in the edges' Secret, nil when it cannot be read.
	config *config.Config
	// edge and own are the Secrets that we write, user the one that the spec names; nil when they are not there, or not
	// ours to take keys from.
	edge, own, user *corev1.Secret
	// remembered is what this process last put in force, nil after a restart.
	remembered *keyState
	// loaded tells that every edge has loaded the keys that the edges' Secret holds.
	loaded bool
	// created tells that the instance is new: nobody has looked at it to the end.
	created bool
	random  io.Reader
}

// keysPlan is which keys are in force from now on, and what happened to get there.
type keysPlan struct {
	state keyState
	// problem says what is wrong with a Secret; the keys of state are in force all the same, if they are valid.
	problem string
	// scheduleProblem says why the schedule is not followed.
	scheduleProblem string
	// invalidReference tells that the problem is with a Secret of the user's.
	invalidReference bool
	// queued tells that a rotation waits for another.
	queued    bool
	generated bool
	restored  string // which of our Secrets is brought back: restoredKeys, restoredEdge or none
	rotated   []rotation
	// next is when to look again, the zero time when nothing is due.
	next time.Time
}

// rotation is one replaced key.
type rotation struct {
	name, trigger, fingerprint string
}

// planKeys decides which keys are in force. It is pure but for the random bits it takes.
func planKeys(in keysInput) (keysPlan, error) {
	p := keysPlan{}
	if err := p.find(in); err != nil {
		return p, err
	}
	if in.spec.ExistingSecretRef != nil {
		p.takeUser(in)
	}
	if !p.state.valid() {
		return p, nil
	}
	for _, s := range []*config.Secret{&p.state.connectionToken, &p.state.admin} {
		if *s != "" {
			continue
		}
		made, err := newSecret(in.random)
		if err != nil {
			return p, err
		}
		*s = made
	}
	p.state.prune(in.now)
	if in.spec.ExistingSecretRef == nil {
		if err := p.rotate(in); err != nil {
			return p, err
		}
	}
	if e := p.state.expiry(); !e.IsZero() {
		p.again(e.Add(clockSlack))
	}
	return p, nil
}

// find takes the keys from the best source there is: the edges' Secret, what this process remembers of it, the key
// Secret; and makes new ones only if neither Secret exists.
func (p *keysPlan) find(in keysInput) error {
	var damaged error
	if in.edge != nil {
		state, err := readEdgeSecret(in.edge, in.config)
		if err == nil {
			p.state = state
			if in.spec.ExistingSecretRef == nil {
				p.compare(in.own)
			}
			return nil
		}
		damaged = err
	}
	if damaged != nil {
		p.problem = fmt.Sprintf("Secret %s cannot be used: %s: %s", in.edge.Name, damaged, mended)
	}
	if in.remembered != nil && in.remembered.valid() {
		p.state, p.restored = in.remembered.clone(), restoredEdge
		return nil
	}
	if in.own != nil && in.spec.ExistingSecretRef == nil { // else its keys are no longer in force
		state, err := readKeysSecret(in.own)
		if err == nil {
			p.state, p.restored = state, restoredEdge
			if in.created { // it takes up what another one has left: what it comes with itself replaces nothing
				p.state.recorded, p.state.schedule = false, ""
			}
			return nil
		}
		damaged = err
	}
	switch {
	case in.spec.ExistingSecretRef != nil:
		return nil // the user's Secret decides
	case damaged != nil:
		// Somebody may hold the only copy of the keys: new ones would lock every client out for good.
		p.problem = fmt.Sprintf("the key Secrets are damaged and hold no usable keys (%s): restore them from a backup, "+
			"or delete both to get new keys", damaged)
		return nil
	default:
		return p.generate(in)
	}
}

// compare looks whether the Secret that users read is what it should be: it is written again when it is not. One that
// is only behind, because a rotation could not be written to it yet, has the times of the rotation before.
func (p *keysPlan) compare(own *corev1.Secret) {
	if own == nil {
		p.restored = restoredKeys
		return
	}
	inForce := &p.state
	switch state, err := readKeysSecret(own); {
	case err != nil:
		p.restored, p.problem = restoredKeys, fmt.Sprintf("Secret %s cannot be used: %s: %s", own.Name, err, mended)
	case !state.primary.rotated.Equal(inForce.primary.rotated), !state.secondary.rotated.Equal(inForce.secondary.rotated):
	case state.primary.value != inForce.primary.value, state.secondary.value != inForce.secondary.value:
		p.restored, p.problem = restoredKeys, fmt.Sprintf("Secret %s has other keys than those in force: %s", own.Name,
			mended)
	}
}

func (p *keysPlan) generate(in keysInput) error {
	for _, name := range []string{primary, secondary} {
		value, err := newSecret(in.random)
		if err != nil {
			return err
		}
		*p.state.key(name) = accessKey{value: value, rotated: in.now}
	}
	p.generated = true
	return nil
}

// takeUser puts the keys of the user's Secret in force if they are good, else leaves those that were.
func (p *keysPlan) takeUser(in keysInput) {
	name := in.spec.ExistingSecretRef.Name
	p.state.schedule, p.state.scheduled, p.restored, p.problem = "", time.Time{}, "", ""
	// Nothing is rotated here, and nothing shall be that was asked for before, when the keys are the operator's again.
	p.state.primary.nonce, p.state.secondary.nonce = in.spec.Rotation.PrimaryNonce, in.spec.Rotation.SecondaryNonce
	kept := "the last good keys stay in force"
	if !p.state.valid() {
		kept = "there are no other keys"
	}
	if in.user == nil {
		p.problem, p.invalidReference = fmt.Sprintf("Secret %s of spec.auth.accessKeys.existingSecretRef is not there: %s",
			name, kept), true
		return
	}
	user, err := readKeysSecret(in.user)
	if err != nil {
		p.problem, p.invalidReference = fmt.Sprintf("Secret %s of spec.auth.accessKeys.existingSecretRef cannot be used: "+
			"%s: %s", name, err, kept), true
		return
	}
	for _, k := range []string{primary, secondary} {
		if key := p.state.key(k); key.value != user.key(k).value {
			*key = accessKey{value: user.key(k).value, rotated: in.now}
		}
	}
	p.state.previous = nil
}

// rotate replaces keys: at once for a changed nonce, with an overlap when the schedule comes round. One key at a time.
func (p *keysPlan) rotate(in keysInput) error {
	nonces := map[string]string{primary: in.spec.Rotation.PrimaryNonce, secondary: in.spec.Rotation.SecondaryNonce}
	if !p.state.recorded {
		p.state.primary.nonce, p.state.secondary.nonce, p.state.recorded = nonces[primary], nonces[secondary], true
	}
	for _, name := range []string{primary, secondary} {
		if p.state.key(name).nonce == nonces[name] {
			continue
		}
		if len(p.rotated) > 0 || p.busy(in, name) {
			p.queue(in)
			continue
		}
		if err := p.replace(in, name, 0, triggerNonce); err != nil {
			return err
		}
		p.state.key(name).nonce = nonces[name]
	}
	return p.rotateBySchedule(in)
}

func (p *keysPlan) queue(in keysInput) {
	p.queued = true
	p.again(in.now.Add(time.Second))
}

// again notes that something is due at a time.
func (p *keysPlan) again(at time.Time) {
	if p.next.IsZero() || at.Before(p.next) {
		p.next = at
	}
}

// busy tells whether the other key was replaced a moment ago and is not loaded everywhere yet.
func (p *keysPlan) busy(in keysInput, name string) bool {
	own, before := p.state.key(name).rotated, p.state.key(other(name)).rotated
	return !in.loaded && before.After(own) && in.now.Sub(before) < queueBound
}

func other(name string) string {
	if name == primary {
		return secondary
	}
	return primary
}

// replace gives a key a new value. The old one stays valid for overlap.
func (p *keysPlan) replace(in keysInput, name string, overlap time.Duration, trigger string) error {
	value, err := newSecret(in.random)
	if err != nil {
		return err
	}
	key := p.state.key(name)
	old := config.Key{Value: key.value}
	if overlap == 0 { // somebody may have the key who should not, or the one before it
		p.state.previous = slices.DeleteFunc(p.state.previous, func(k config.Key) bool {
			return strings.HasPrefix(k.Name, previousPrefix+name+"-")
		})
	} else {
		old.Name = previousPrefix + name + "-" + strings.TrimPrefix(old.Fingerprint(), "sha256:")
		old.NotAfter = in.now.Add(overlap).UTC().Truncate(time.Second)
		p.state.previous = append([]config.Key{old}, p.state.previous...)
		p.state.previous = p.state.previous[:min(len(p.state.previous), maxPrevious)]
	}
	key.value, key.rotated = value, in.now
	p.rotated = append(p.rotated, rotation{
		name: name, trigger: trigger, fingerprint: config.Key{Value: value}.Fingerprint(),
	})
	return nil
}

// rotateBySchedule replaces the key that was replaced longer ago, if the schedule has come round since the last time.
// However many times it came round while nobody looked, one key is replaced.
func (p *keysPlan) rotateBySchedule(in keysInput) error {
	expression := string(in.spec.Rotation.Schedule)
	if expression != p.state.schedule {
		p.state.schedule, p.state.scheduled = expression, in.now
	}
	if expression == "" {
		return nil
	}
	schedule, err := cron.ParseStandard(expression)
	if err != nil || strings.Contains(expression, "TZ=") {
		p.scheduleProblem = "spec.auth.accessKeys.rotation.schedule: no cron expression of five fields, as \"0 3 1 * *\", " +
			"with ranges that go up: no key is replaced by it"
		return nil //nolint:nilerr // said in the status; the keys in force stay
	}
	due := schedule.Next(p.state.scheduled.UTC())
	if due.IsZero() {
		p.scheduleProblem = "spec.auth.accessKeys.rotation.schedule: never comes round: no key is replaced by it"
		return nil
	}
	if in.now.Before(due) {
		p.again(due)
		return nil
	}
	name := primary
	if p.state.secondary.rotated.Before(p.state.primary.rotated) {
		name = secondary
	}
	if len(p.rotated) > 0 || p.busy(in, name) {
		p.queue(in)
		return nil
	}
	overlap := time.Duration(0)
	if s := in.spec.Rotation.OverlapSeconds; s != nil {
		overlap = time.Duration(*s) * time.Second
	}
	if err := p.replace(in, name, overlap, triggerSchedule); err != nil {
		return err
	}
	p.state.scheduled = in.now
	p.again(schedule.Next(in.now.UTC()))
	return nil
}

// prune drops previous keys whose overlap has ended. Edges refuse them from then on by themselves; that they are gone
// from the configuration is tidiness, and waits until every clock agrees.
func (s *keyState) prune(now time.Time) {
	kept := s.previous[:0:0]
	for _, k := range s.previous {
		if now.Before(k.NotAfter.Add(clockSlack)) {
			kept = append(kept, k)
		}
	}
	s.previous = kept
}
