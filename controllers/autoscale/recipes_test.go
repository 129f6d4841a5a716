package autoscale

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// page is where the recipes stand that this file computes.
const page = "../../docs/operations/autoscaling.md"

// moment is what a HorizontalPodAutoscaler finds when it looks at an instance.
type moment struct {
	units       int32 // scale's status.replicas
	pods        int32 // ready pods that scale's status.selector finds
	connections int64
	percent     int64 // utilisation of quota or CPU
}

// hpa computes what a HorizontalPodAutoscaler asks for, by the algorithm of
// kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (Algorithm details) and of the API reference of
// autoscaling/v2 MetricTarget: replicas × current / target, where replicas are the ready pods; but for the averageValue
// of an External or Object metric, where the total is compared with the target times the replicas of the scale, and
// divided by the target.
func hpa(t *testing.T, metric autoscalingv2.MetricSpec, value int64, m moment) int32 {
	t.Helper()
	pods := func(target *resource.Quantity, current float64) int32 {
		ratio := current / target.AsApproximateFloat64()
		if math.Abs(ratio-1) <= 0.1 {
			return m.units
		}
		return int32(math.Ceil(float64(m.pods) * ratio))
	}
	switch {
	case metric.External != nil && metric.External.Target.Type == autoscalingv2.AverageValueMetricType:
		target := metric.External.Target.AverageValue.AsApproximateFloat64()
		if math.Abs(float64(value)/(target*float64(m.units))-1) <= 0.1 {
			return m.units
		}
		return int32(math.Ceil(float64(value) / target))
	case metric.External != nil && metric.External.Target.Type == autoscalingv2.ValueMetricType:
		return pods(metric.External.Target.Value, float64(value))
	case metric.Pods != nil:
		return pods(metric.Pods.Target.AverageValue, float64(value)/float64(m.pods))
	case metric.Resource != nil:
		return pods(resource.NewQuantity(int64(*metric.Resource.Target.AverageUtilization), ""), float64(value))
	default:
		t.Fatal("unknown metric")
		return 0
	}
}

// blocks returns the YAML blocks of the page that have a text in them.
func block(t *testing.T, having string) []byte {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if body, ok := strings.CutPrefix(part, "yaml\n"); i%2 == 1 && ok && strings.Contains(body, having) {
			return []byte(body)
		}
	}
	t.Fatalf("%s: no block with %q", page, having)
	return nil
}

// unbridled is an instance whose autoscaler has the target of the recipes and, like hpa, neither windows nor policies.
func unbridled() *signalrv1alpha1.SignalRInstanceSpec {
	s := instance(behaves(
		policies(autoscalingv2.MaxChangePolicySelect, units(1000, 15)),
		policies(autoscalingv2.MaxChangePolicySelect, units(1000, 15)),
	))
	s.Autoscale.MaxUnits = 1000
	return s
}

var moments = map[string]moment{
	"one unit, nobody":            {units: 1, pods: 1, connections: 0},
	"one unit, full":              {units: 1, pods: 1, connections: 1000},
	"one unit, on target":         {units: 1, pods: 1, connections: 700},
	"ten units, in one pod":       {units: 10, pods: 1, connections: 9000},
	"ten units, within tolerance": {units: 10, pods: 1, connections: 7500},
	"ten units, nearly empty":     {units: 10, pods: 1, connections: 700},
	"ten units, spread over three": {
		units: 10, pods: 3, connections: 9000,
	},
	"a hundred units": {units: 100, pods: 10, connections: 90_000},
}

func TestHorizontalPodAutoscalerRecipe(t *testing.T) {
	var recipe autoscalingv2.HorizontalPodAutoscaler
	if err := yaml.UnmarshalStrict(block(t, "kind: HorizontalPodAutoscaler"), &recipe); err != nil {
		t.Fatal(err)
	}
	if recipe.Spec.ScaleTargetRef.Kind != signalrv1alpha1.Kind ||
		recipe.Spec.ScaleTargetRef.APIVersion != signalrv1alpha1.SchemeGroupVersion.String() {
		t.Errorf("the recipe scales %v", recipe.Spec.ScaleTargetRef)
	}
	for name, m := range moments {
		t.Run(name, func(t *testing.T) {
			checkRecipe(t, recipe.Spec.Metrics[0], m)
		})
	}
}

// checkRecipe compares a recipe with the operator's own autoscaler.
func checkRecipe(t *testing.T, metric autoscalingv2.MetricSpec, m moment) {
	t.Helper()
	want := Decide(Input{Spec: unbridled(), Current: m.units, Edges: live(m.connections), Now: noon}).Effective
	got := max(hpa(t, metric, m.connections, m), 1) // minReplicas
	if got != want {
		t.Errorf("%d connections with %d units: want %d, got %d", m.connections, m.units, want, got)
	}
}

// TestKEDARecipe builds the HorizontalPodAutoscaler that KEDA makes of a ScaledObject: a metric of type External with
// the trigger's metricType and threshold.
func TestKEDARecipe(t *testing.T) {
	var recipe struct {
		Spec struct {
			ScaleTargetRef  autoscalingv2.CrossVersionObjectReference
			MinReplicaCount int32
			Triggers        []struct {
				Type       string
				MetricType autoscalingv2.MetricTargetType
				Metadata   map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(block(t, "kind: ScaledObject"), &recipe); err != nil {
		t.Fatal(err)
	}
	trigger := recipe.Spec.Triggers[0]
	if trigger.MetricType != autoscalingv2.AverageValueMetricType || recipe.Spec.MinReplicaCount != 1 ||
		recipe.Spec.ScaleTargetRef.Kind != signalrv1alpha1.Kind {
		t.Fatalf("the recipe is another one: %+v", recipe)
	}
	threshold := resource.MustParse(trigger.Metadata["threshold"])
	metric := autoscalingv2.MetricSpec{External: &autoscalingv2.ExternalMetricSource{
		Target: autoscalingv2.MetricTarget{Type: trigger.MetricType, AverageValue: &threshold},
	}}
	for name, m := range moments {
		t.Run(name, func(t *testing.T) { checkRecipe(t, metric, m) })
	}
}

// TestWrongRecipes computes those that the page warns of, and that the page says what comes of them.
func TestWrongRecipes(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	external := func(target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{External: &autoscalingv2.ExternalMetricSource{Target: target}}
	}
	perPod := func(value string) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Pods: &autoscalingv2.PodsMetricSource{Target: autoscalingv2.MetricTarget{
			Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse(value)),
		}}}
	}
	m := moment{units: 10, pods: 1, connections: 9000, percent: 90}
	const right = 13
	for row, c := range map[string]struct {
		metric autoscalingv2.MetricSpec
		value  int64
		want   int32
	}{
		"`External`, `averageValue: 700` | ⌈9,000 / 700⌉": {
			external(autoscalingv2.MetricTarget{
				Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("700")),
			}), m.connections, right,
		},
		"`External`, `value: 70` of the utilisation in percent | ⌈1 pod × 90 / 70⌉": {
			external(autoscalingv2.MetricTarget{
				Type: autoscalingv2.ValueMetricType, Value: new(resource.MustParse("70")),
			}), m.percent, 2,
		},
		"`Pods`, `averageValue: 7000` of connections per pod | ⌈1 pod × 9,000 / 7,000⌉": {
			perPod("7000"), m.connections, 2,
		},
		"`Resource`, `averageUtilization: 70` of CPU at 90 percent | ⌈1 pod × 90 / 70⌉": {
			autoscalingv2.MetricSpec{Resource: &autoscalingv2.ResourceMetricSource{Target: autoscalingv2.MetricTarget{
				Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(70)),
			}}}, m.percent, 2,
		},
	} {
		t.Run(row, func(t *testing.T) {
			got := hpa(t, c.metric, c.value, m)
			if got != c.want {
				t.Errorf("want %d units, got %d", c.want, got)
			}
			if line := fmt.Sprintf("| %s | %d |\n", row, got); !strings.Contains(string(text), line) {
				t.Errorf("the page does not say: %s", line)
			}
		})
	}
	stuck := moment{units: 10, pods: 1, connections: 700}
	if got := hpa(t, perPod("700"), stuck.connections, stuck); got != 10 {
		t.Errorf("want 10 units kept for 700 connections, as the page says, got %d", got)
	}
}

// TestBuiltInRecipe reads the first block of the page as an instance, strictly.
func TestBuiltInRecipe(t *testing.T) {
	var recipe signalrv1alpha1.SignalRInstance
	if err := yaml.UnmarshalStrict(block(t, "kind: SignalRInstance\n"), &recipe); err != nil {
		t.Fatal(err)
	}
	if err := Validate(recipe.Spec.Autoscale); err != nil {
		t.Error(err)
	}
	d := Decide(Input{Spec: &recipe.Spec, Edges: live(0), Now: noon})
	if d.Effective != 5 || d.Err != nil { // noon on a Wednesday
		t.Errorf("want the schedule's 5 units at noon, got %d, %v", d.Effective, d.Err)
	}
}
