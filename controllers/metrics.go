package controllers

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
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

// shownConditions are those that have a series: what an alarm is built on. An instance has a dozen, and each
// series costs about a kilobyte here and more where it is stored.
var shownConditions = []string{
	signalrv1alpha1.ConditionReady, signalrv1alpha1.ConditionStalled, signalrv1alpha1.ConditionKeysReady,
	signalrv1alpha1.ConditionQuotaHealthy, signalrv1alpha1.ConditionServersConnected,
}

// Metrics are the operator's own series; controller-runtime adds those of its queues, clients and reconciles. Series of
// an instance go with the instance.
type Metrics struct {
	applies      *prometheus.CounterVec
	statusWrites *prometheus.CounterVec
	edgeReads    *prometheus.CounterVec
	rotations    *prometheus.CounterVec
	scalings     *prometheus.CounterVec

	condition   *prometheus.GaugeVec
	units       *prometheus.GaugeVec
	edges       *prometheus.GaugeVec
	connections *prometheus.GaugeVec
	servers     *prometheus.GaugeVec
	messages    *prometheus.GaugeVec
	load        *prometheus.GaugeVec
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
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "signalr", Subsystem: "operator", Name: name, Help: help,
		}, append([]string{labelNamespace, labelName}, labels...))
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

		condition: gauge("instance_condition",
			"1 while a condition of an instance is True, 0 while it is not: "+strings.Join(shownConditions, ", ")+".",
			labelCondition),
		units:       gauge("instance_units", "Units of an instance: declared, desired, effective.", labelOf),
		edges:       gauge("instance_edges", "Edge pods of an instance: desired, ready, read.", labelOf),
		connections: gauge("instance_connections", "Client connections of an instance, exact."),
		servers:     gauge("instance_server_connections", "App-server connections of an instance, exact."),
		messages:    gauge("instance_messages_today", "Messages of an instance in the present UTC day, exact."),
		load:        gauge("instance_load_percent", "Mean load of an instance's edges in percent, exact."),
	}
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

// show sets the series of an instance, exactly.
func (m *Metrics) show(o *observed, d *decision, verdicts map[string]verdict) {
	key := o.key()
	set := func(v *prometheus.GaugeVec, value float64, labels ...string) {
		v.WithLabelValues(append([]string{key.Namespace, key.Name}, labels...)...).Set(value)
	}
	for _, conditionType := range shownConditions {
		v, known := verdicts[conditionType]
		if !known {
			continue
		}
		value := 0.0
		if v.status == metav1.ConditionTrue {
			value = 1
		}
		set(m.condition, value, conditionType)
	}
	set(m.units, float64(o.instance.Spec.Units), "declared")
	set(m.units, float64(d.units.Desired), "desired")
	set(m.units, float64(d.units.Effective), "effective")
	set(m.edges, float64(d.wanted), "desired")
	set(m.edges, float64(o.workload.ready), "ready")
	set(m.edges, float64(d.use.edges), "read")
	set(m.connections, float64(d.use.clients))
	set(m.servers, float64(d.use.servers))
	set(m.messages, float64(d.use.messages))
	if d.use.edges > 0 {
		set(m.load, float64(d.use.totalLoad)/float64(d.use.edges))
	}
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
	labels := prometheus.Labels{labelNamespace: key.Namespace, labelName: key.Name}
	for _, v := range []*prometheus.GaugeVec{
		m.condition, m.units, m.edges, m.connections, m.servers, m.messages, m.load,
	} {
		v.DeletePartialMatch(labels)
	}
}
