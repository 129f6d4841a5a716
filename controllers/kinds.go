package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
)

// Kinds that exist only where somebody has installed them.
var (
	httpRouteGVK      = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	certificateGVK    = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}
	serviceMonitorGVK = schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "ServiceMonitor"}
)

// optional tells whether a kind is one of those.
func optional(gvk schema.GroupVersionKind) bool {
	return gvk == httpRouteGVK || gvk == certificateGVK || gvk == serviceMonitorGVK
}

// absentFor is how long the absence of a kind is believed: asking costs a discovery request each time.
const absentFor = time.Minute

// kinds knows which of the optional kinds the API server has. Its methods may be called by several goroutines.
type kinds struct {
	mapper meta.RESTMapper
	clock  clock.PassiveClock

	mu sync.Mutex
	// absent says since when a kind has been known to be absent; guarded by mu.
	absent map[schema.GroupVersionKind]time.Time
}

func newKinds(mapper meta.RESTMapper, c clock.PassiveClock) *kinds {
	return &kinds{mapper: mapper, clock: c, absent: map[schema.GroupVersionKind]time.Time{}}
}

// installed tells whether the API server knows a kind. A kind that it cannot be asked about counts as absent: what is
// optional never holds up the rest.
func (k *kinds) installed(gvk schema.GroupVersionKind) bool {
	now := k.clock.Now()
	k.mu.Lock()
	since, known := k.absent[gvk]
	k.mu.Unlock()
	if known && now.Sub(since) < absentFor {
		return false
	}
	if _, err := k.mapper.RESTMapping(gvk.GroupKind(), gvk.Version); err != nil {
		k.gone(gvk)
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.absent, gvk)
	return true
}

// gone notes that a kind has turned out to be absent.
func (k *kinds) gone(gvk schema.GroupVersionKind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.absent[gvk] = k.clock.Now()
}
