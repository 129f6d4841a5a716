package controllers

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

const (
	// pollInterval is how often edges are asked for their status.
	pollInterval = 15 * time.Second
	// pollSlack is how much earlier a reading may be renewed: the next reconcile comes at the interval give or take the
	// jitter, and must not find that it is a moment too early.
	pollSlack = 3 * time.Second
	// eagerInterval is how often an edge is asked that has not loaded what it should: a rotation waits for it.
	eagerInterval = time.Second
	// eagerFor is how long: a kubelet takes a minute at the most to notice that a Secret has changed.
	eagerFor = 2 * time.Minute
	// edgeReadsAtOnce bounds the readings under way for all instances together.
	edgeReadsAtOnce = 64
	// lonelyInterval is how often an edge is asked that has just become ready and has no app server yet: somebody waits
	// for that.
	lonelyInterval = 3 * time.Second
	// adminPort is the port of /status, design.md section 10.
	adminPort = 8889
)

// edgeView is what is known of one edge pod.
type edgeView struct {
	pod *corev1.Pod
	// status is the newest answer; it stays when a later reading fails.
	status config.Status
	// known tells that there was an answer at all, fresh that the newest reading succeeded.
	known, fresh bool
	err          error
}

// lonely tells that an edge became ready a moment ago and has no app server yet.
func (e *edgeView) lonely(now time.Time) bool {
	return e.fresh && e.status.Connections.Server == 0 && e.pod.DeletionTimestamp == nil &&
		now.Sub(podReadySince(e.pod)) < eagerFor
}

// begun tells that an edge runs, and is to run on: one that is ready, or has answered before.
func (e *edgeView) begun() bool {
	return e.pod.DeletionTimestamp == nil && (e.known || podReady(e.pod))
}

// lost tells that nobody will hear of an edge again: it does not answer, and should have been gone by now. The pod of a
// machine that is dead stays until somebody deletes that, and its clients are connected elsewhere.
func (e *edgeView) lost(now time.Time) bool {
	return e.pod.DeletionTimestamp != nil && e.pod.DeletionTimestamp.Time.Before(now) && !e.fresh
}

// reading is what is remembered of one pod between reconciles.
type reading struct {
	edgeView // its pod is there during a read only
	at       time.Time
	used     bool // seen in the present reconcile; the others' pods are gone
}

// poller reads edges and remembers what they said. Its methods may be called for several instances at once.
type poller struct {
	reader EdgeReader
	clock  clock.PassiveClock
	slots  chan struct{} // bounds readings under way, edgeReadsAtOnce
	count  func(result string)

	mu sync.Mutex
	// instances is guarded by mu, the map of one instance belongs to the reconcile of that instance.
	instances map[types.NamespacedName]map[types.UID]*reading
}

func newPoller(reader EdgeReader, c clock.PassiveClock, count func(result string)) *poller {
	return &poller{
		reader: reader, clock: c, count: count, slots: make(chan struct{}, edgeReadsAtOnce),
		instances: map[types.NamespacedName]map[types.UID]*reading{},
	}
}

// read returns a view of each pod, in the order of pods. Readings that are due are renewed, several at once; wanted is
// the hash of the configuration that edges should have, and those that have another are asked more often.
func (p *poller) read(
	ctx context.Context, instance types.NamespacedName, token config.Secret, wanted string, pods []*corev1.Pod,
) []edgeView {
	readings := p.of(instance)
	var wait sync.WaitGroup
	out := make([]*reading, len(pods))
	for i, pod := range pods {
		r := readings[pod.UID]
		if r == nil {
			r = &reading{}
			readings[pod.UID] = r
		}
		r.pod, r.used, out[i] = pod, true, r
		if !r.due(p.clock.Now(), wanted) {
			continue
		}
		wait.Go(func() { p.renew(ctx, token, r) })
	}
	wait.Wait()
	views := make([]edgeView, len(out))
	for i, r := range out {
		views[i] = r.edgeView
		r.pod = nil // the cache has it already
	}
	for uid, r := range readings {
		if !r.used {
			delete(readings, uid)
		}
		r.used = false
	}
	return views
}

// of returns the readings of one instance.
func (p *poller) of(instance types.NamespacedName) map[types.UID]*reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.instances[instance] == nil {
		p.instances[instance] = map[types.UID]*reading{}
	}
	return p.instances[instance]
}

// forget drops what is remembered of an instance.
func (p *poller) forget(instance types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.instances, instance)
}

// due tells whether a pod should be asked now. A pod without an address cannot be.
func (r *reading) due(now time.Time, wanted string) bool {
	if r.pod.Status.PodIP == "" || r.pod.Status.Phase != corev1.PodRunning {
		return false
	}
	age := now.Sub(r.at)
	if r.fresh && wanted != "" && r.status.Config.Hash != wanted && !r.status.Draining {
		return age >= eagerInterval
	}
	if r.lonely(now) {
		return age >= lonelyInterval
	}
	if r.fresh && r.pod.DeletionTimestamp != nil {
		return age >= eagerInterval // what it says now may be the last of it, and what it counted is carried on
	}
	return age >= pollInterval-pollSlack || r.err != nil && age >= pollInterval/3
}

func (p *poller) renew(ctx context.Context, token config.Secret, r *reading) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, edgeReadTimeout)
	defer cancel()
	r.at = p.clock.Now()
	s, err := p.reader.ReadStatus(ctx, Edge{
		Address: net.JoinHostPort(r.pod.Status.PodIP, strconv.Itoa(adminPort)), Token: token,
	})
	if err != nil {
		r.err, r.fresh = err, false
		p.count("failed")
		return
	}
	s.Hubs = nil // thousands of names that nobody asks for
	r.status, r.err, r.known, r.fresh = s, nil, true, true
	p.count("ok")
}

// nextPoll returns the jittered time to the next poll: 1,000 instances must not be read in the same moment.
func nextPoll() time.Duration {
	return pollInterval - pollSlack/2 + rand.N(pollSlack) //nolint:gosec // spreads load, guards nothing
}
