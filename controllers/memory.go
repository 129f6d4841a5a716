package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/signalr-operator/signalr-operator/controllers/autoscale"
)

// memory is what is known of an instance from one reconcile to the next and is not worth a write. Everything in it can
// be lost: a new operator begins without it.
type memory struct {
	uid types.UID
	// keys is what was last put in force.
	keys *keyState
	// history is the autoscaler's.
	history autoscale.History
	// warned is what the spec and the annotations were last warned of, nil before the first look.
	warned []string
	// messages adds up the day's messages.
	messages tally
	// capabilities and configVersion are what the edges could do when they were last asked.
	capabilities  []string
	configVersion int
	// edgeHash is the hash of the configuration that edges should have, and edgeHashSince when it became that.
	edgeHash      string
	edgeHashSince time.Time
	// template is the pod template that stays, see liveTemplate.
	template keptTemplate
	// secrets are the Secrets that were read, by name.
	secrets map[types.NamespacedName]secretRead
}

// secretRead is a Secret's content as of a resourceVersion.
type secretRead struct {
	view secretView
	at   time.Time
}

// memories holds the memory of every instance. Its methods may be called by several goroutines; the memory of one
// instance belongs to the reconcile of that instance.
type memories struct {
	mu sync.Mutex
	// byKey is guarded by mu.
	byKey map[types.NamespacedName]*memory
}

func newMemories() *memories { return &memories{byKey: map[types.NamespacedName]*memory{}} }

// of returns the memory of an instance; an instance of the same name that was deleted before is forgotten.
func (m *memories) of(key types.NamespacedName, uid types.UID) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byKey[key] == nil || m.byKey[key].uid != uid {
		m.byKey[key] = &memory{uid: uid, secrets: map[types.NamespacedName]secretRead{}}
	}
	return m.byKey[key]
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byKey, key)
}
