package controllers

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func TestMetricsOfAnInstanceComeAndGo(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	instance := &signalrv1alpha1.SignalRInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "chat"}}
	instance.Spec.Units = 2
	m.show(&observed{instance: instance, workload: workload{ready: 1}}, &decision{
		units: signalrv1alpha1.UnitsStatus{Desired: 4, Effective: 3}, wanted: 2,
		use: use{edges: 2, clients: 1200, servers: 10, messages: 73, totalLoad: 30},
	}, map[string]verdict{
		signalrv1alpha1.ConditionReady:   {status: metav1.ConditionTrue},
		signalrv1alpha1.ConditionStalled: {status: metav1.ConditionFalse},
		signalrv1alpha1.ConditionPaused:  {status: metav1.ConditionTrue},
	})
	const want = `
# HELP signalr_operator_instance_condition 1 while a condition of an instance is True, else 0: Ready, Stalled, ` +
		`KeysReady, QuotaHealthy, ServersConnected.
# TYPE signalr_operator_instance_condition gauge
signalr_operator_instance_condition{condition="Ready",name="chat",namespace="shop"} 1
signalr_operator_instance_condition{condition="Stalled",name="chat",namespace="shop"} 0
# HELP signalr_operator_instance_connections Client connections of an instance, exact.
# TYPE signalr_operator_instance_connections gauge
signalr_operator_instance_connections{name="chat",namespace="shop"} 1200
# HELP signalr_operator_instance_edges Edge pods of an instance: desired, ready, read.
# TYPE signalr_operator_instance_edges gauge
signalr_operator_instance_edges{name="chat",namespace="shop",of="desired"} 2
signalr_operator_instance_edges{name="chat",namespace="shop",of="read"} 2
signalr_operator_instance_edges{name="chat",namespace="shop",of="ready"} 1
# HELP signalr_operator_instance_load_percent Mean load of an instance's edges in percent, exact.
# TYPE signalr_operator_instance_load_percent gauge
signalr_operator_instance_load_percent{name="chat",namespace="shop"} 15
# HELP signalr_operator_instance_messages_today Messages of an instance in the present UTC day, exact.
# TYPE signalr_operator_instance_messages_today gauge
signalr_operator_instance_messages_today{name="chat",namespace="shop"} 73
# HELP signalr_operator_instance_server_connections App-server connections of an instance, exact.
# TYPE signalr_operator_instance_server_connections gauge
signalr_operator_instance_server_connections{name="chat",namespace="shop"} 10
# HELP signalr_operator_instance_units Units of an instance: declared, desired, effective.
# TYPE signalr_operator_instance_units gauge
signalr_operator_instance_units{name="chat",namespace="shop",of="declared"} 2
signalr_operator_instance_units{name="chat",namespace="shop",of="desired"} 4
signalr_operator_instance_units{name="chat",namespace="shop",of="effective"} 3
`
	if err := testutil.CollectAndCompare(m, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if _, err := registry.Gather(); err != nil {
		t.Errorf("a pedantic registry: %v", err)
	}
	m.forget(types.NamespacedName{Namespace: "shop", Name: "chat"})
	if n := testutil.CollectAndCount(m); n != 0 {
		t.Errorf("%d series of an instance that is gone", n)
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	m.applied("Service", "applied")
	m.show(&observed{instance: &signalrv1alpha1.SignalRInstance{}}, &decision{use: use{edges: 1}},
		map[string]verdict{signalrv1alpha1.ConditionReady: {}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 12 {
		t.Errorf("%d families, want 12", len(families))
	}
	for _, f := range families {
		if row := "| `" + f.GetName() + "` | " + strings.ToLower(f.GetType().String()); !strings.Contains(string(page), row) {
			t.Errorf("the page lacks the row %q", row)
		}
	}
}
