package controllers

import (
	"maps"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Label names of the operator's series.
const (
	labelNamespace = "namespace"
	labelName      = "name"
	labelKind      = "kind"
	labelResult    = "result"
	labelTrigger   = "trigger"
	labelDirection = "direction"
	labelCondition = "condition"
	labelOf        = "of"
)

// shownConditions are those that have a series: what an alarm is built on. An instance has a dozen, and each series
// costs where it is stored.
var shownConditions = [...]string{
	signalrv1alpha1.ConditionReady, signalrv1alpha1.ConditionStalled, signalrv1alpha1.ConditionKeysReady,
	signalrv1alpha1.ConditionQuotaHealthy, signalrv1alpha1.ConditionServersConnected,
}

// Metrics are the operator's own series; controller-runtime adds those of its queues, clients and reconciles. Series of
// an instance are made when they are asked for, of what was last seen of it, and go with the instance. Its methods may
// be called by several goroutines.
type Metrics struct {
	applies      *prometheus.CounterVec
	statusWrites *prometheus.CounterVec
	edgeReads    *prometheus.CounterVec
	rotations    *prometheus.CounterVec
	scalings     *prometheus.CounterVec

	mu sync.Mutex
	// instances is guarded by mu.
	instances map[types.NamespacedName]*snapshot
}

// snapshot is what there is to show of an instance.
type snapshot struct {
	conditions                            [len(shownConditions)]int8 // of shownConditions: 1 True, 0 not, -1 not known
	declared, desired, effective          int32
	edges, edgesReady, edgesRead          int32
	connections, servers, messages, loads int64 // loads: of all edges, in percent
}

// Descriptions of an instance's series.
var (
	descCondition = describeInstance("condition",
		"1 while a condition of an instance is True, else 0: "+strings.Join(shownConditions[:], ", ")+".",
		labelCondition)
	descUnits       = describeInstance("units", "Units of an instance: declared, desired, effective.", labelOf)
	descEdges       = describeInstance("edges", "Edge pods of an instance: desired, ready, read.", labelOf)
	descConnections = describeInstance("connections", "Client connections of an instance, exact.")
	descServers     = describeInstance("server_connections", "App-server connections of an instance, exact.")
	descMessages    = describeInstance("messages_today", "Messages of an instance in the present UTC day, exact.")
	descLoad        = describeInstance("load_percent", "Mean load of an instance's edges in percent, exact.")
)

func describeInstance(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("signalr", "operator", "instance_"+name), help,
		append([]string{labelNamespace, labelName}, labels...), nil)
}

// NewMetrics returns the operator's series, registered with r, those with closed label sets at zero.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "signalr", Subsystem: "operator", Name: name, Help: help,
		}, labels)
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		applies: counter("applies_total",
			"Children looked at, by kind and what came of it: applied, unchanged, skipped, deleted, failed.",
			labelKind, labelResult),
		statusWrites: counter("status_writes_total",
			"Status writes, by what made them necessary: conditions, usage; or failed.", labelResult),
		edgeReads: counter("edge_reads_total", "Readings of an edge's /status: ok or failed.", labelResult),
		rotations: counter("key_rotations_total", "Replaced access keys, by trigger: nonce or schedule.", labelTrigger),
		scalings:  counter("scalings_total", "Changes of the units in force, by direction: out or in.", labelDirection),
		instances: map[types.NamespacedName]*snapshot{},
	}
	r.MustRegister(m)
	for _, result := range []string{"conditions", "usage", "failed"} {
		m.statusWrites.WithLabelValues(result)
	}
	for _, result := range []string{"ok", "failed"} {
		m.edgeReads.WithLabelValues(result)
	}
	for _, trigger := range []string{"nonce", "schedule"} {
		m.rotations.WithLabelValues(trigger)
	}
	for _, direction := range []string{"out", "in"} {
		m.scalings.WithLabelValues(direction)
	}
	return m
}

func (m *Metrics) applied(kind, result string) { m.applies.WithLabelValues(kind, result).Inc() }

func (m *Metrics) edgeRead(result string) { m.edgeReads.WithLabelValues(result).Inc() }

// show takes what there is to show of an instance, exactly.
func (m *Metrics) show(o *observed, d *decision, verdicts map[string]verdict) {
	s := &snapshot{
		declared: o.instance.Spec.Units, desired: d.units.Desired, effective: d.units.Effective,
		edges: d.wanted, edgesReady: o.workload.ready, edgesRead: int32(d.use.edges),
		connections: d.use.clients, servers: d.use.servers, messages: d.use.messages, loads: int64(d.use.totalLoad),
	}
	for i, conditionType := range shownConditions {
		switch v, known := verdicts[conditionType]; {
		case !known:
			s.conditions[i] = -1
		case v.status == metav1.ConditionTrue:
			s.conditions[i] = 1
		}
	}
	m.mu.Lock()
	m.instances[o.key()] = s
	m.mu.Unlock()
	if was := o.instance.Status.Units.Effective; was != 0 && was != d.units.Effective {
		direction := "out"
		if d.units.Effective < was {
			direction = "in"
		}
		m.scalings.WithLabelValues(direction).Inc()
	}
}

// forget drops the series of an instance that is gone.
func (m *Metrics) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.instances, key)
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descCondition, descUnits, descEdges, descConnections, descServers, descMessages, descLoad,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector]: the series of all instances.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	instances := maps.Clone(m.instances) // a snapshot is never changed
	m.mu.Unlock()
	for key, s := range instances {
		namespace, name := label(labelNamespace, key.Namespace), label(labelName, key.Name)
		alone := []*dto.LabelPair{name, namespace}
		set := func(d *prometheus.Desc, value float64) { out <- &sample{desc: d, value: value, labels: alone} }
		for i := range shownConditions {
			if s.conditions[i] >= 0 {
				out <- &sample{descCondition, float64(s.conditions[i]), []*dto.LabelPair{conditionLabels[i], name, namespace}}
			}
		}
		of := func(d *prometheus.Desc, what *dto.LabelPair, value int32) {
			out <- &sample{desc: d, value: float64(value), labels: []*dto.LabelPair{name, namespace, what}}
		}
		of(descUnits, ofDeclared, s.declared)
		of(descUnits, ofDesired, s.desired)
		of(descUnits, ofEffective, s.effective)
		of(descEdges, ofDesired, s.edges)
		of(descEdges, ofReady, s.edgesReady)
		of(descEdges, ofRead, s.edgesRead)
		set(descConnections, float64(s.connections))
		set(descServers, float64(s.servers))
		set(descMessages, float64(s.messages))
		if s.edgesRead > 0 {
			set(descLoad, float64(s.loads)/float64(s.edgesRead))
		}
	}
}

// sample is one series of an instance at the moment when it is asked for. An instance's series share its labels: the
// library's own constant metrics would cost three times the memory, thousands of times at each scrape.
type sample struct {
	desc   *prometheus.Desc
	value  float64
	labels []*dto.LabelPair // by name, as the exposition wants them
}

// Desc implements [prometheus.Metric].
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements [prometheus.Metric].
func (s *sample) Write(out *dto.Metric) error {
	out.Label, out.Gauge = s.labels, &dto.Gauge{Value: &s.value}
	return nil
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Labels that are the same for all instances.
var (
	ofDeclared, ofDesired, ofEffective = label(labelOf, "declared"), label(labelOf, "desired"), label(labelOf, "effective")
	ofReady, ofRead                    = label(labelOf, "ready"), label(labelOf, "read")
	conditionLabels                    = func() (out [len(shownConditions)]*dto.LabelPair) {
		for i, conditionType := range shownConditions {
			out[i] = label(labelCondition, conditionType)
		}
		return out
	}()
)

// Interface guards.
var (
	_ prometheus.Collector = (*Metrics)(nil)
	_ prometheus.Metric    = (*sample)(nil)
)
