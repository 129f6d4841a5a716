package resources

import (
	"testing"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func TestReplicas(t *testing.T) {
	type s = signalrv1alpha1.SignalRInstanceSpec
	for name, c := range map[string]struct {
		change      func(*s)
		units       int32
		connections int64
		backplane   bool
		want        int32
	}{
		"one unit":                       {nil, 1, 0, true, 1},
		"as many as fit":                 {nil, 10, 10_000, true, 1},
		"one more unit is one more pod":  {nil, 11, 0, true, 2},
		"a hundred units":                {nil, 100, 0, true, 10},
		"live connections keep pods":     {nil, 1, 30_001, true, 4},
		"units or connections, the more": {nil, 50, 20_000, true, 5},
		"the least that is asked for":    {func(s *s) { s.Edge.MinReplicas = 3 }, 1, 0, true, 3},
		"smaller pods":                   {func(s *s) { s.Edge.UnitsPerPod = 1 }, 7, 0, true, 7},
		"without a backplane one pod":    {func(s *s) { s.Edge.MinReplicas = 3 }, 1000, 1_000_000, false, 1},
		"embedded is one pod": {
			func(s *s) { s.Backplane.Mode = signalrv1alpha1.BackplaneEmbedded }, 1000, 0, true, 1,
		},
		"Free is one pod": {func(s *s) { s.Tier = signalrv1alpha1.TierFree }, 1, 50_000, true, 1},
		"stopped is none": {func(s *s) { s.State = signalrv1alpha1.StateStopped }, 10, 5000, true, 0},
		"stopped without a backplane is none": {
			func(s *s) { s.State = signalrv1alpha1.StateStopped }, 10, 5000, false, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := chat().Spec
			if c.change != nil {
				c.change(&spec)
			}
			if got := Replicas(&spec, c.units, c.connections, c.backplane); got != c.want {
				t.Errorf("want %d pods, got %d", c.want, got)
			}
		})
	}
}

func TestBackplaneMode(t *testing.T) {
	const (
		auto, embedded = signalrv1alpha1.BackplaneAuto, signalrv1alpha1.BackplaneEmbedded
		managed        = signalrv1alpha1.BackplaneManaged
	)
	for name, c := range map[string]struct {
		asked, was signalrv1alpha1.BackplaneMode
		replicas   int32
		capable    bool
		want       signalrv1alpha1.BackplaneMode
	}{
		"one edge":                             {auto, "", 1, true, embedded},
		"several edges":                        {auto, embedded, 2, true, managed},
		"one edge again does not go back":      {auto, managed, 1, true, managed},
		"edges that cannot":                    {auto, "", 1, false, embedded},
		"what is asked for, though one edge":   {managed, "", 1, true, managed},
		"what is asked for, though it was not": {embedded, managed, 1, true, embedded},
	} {
		t.Run(name, func(t *testing.T) {
			spec := chat().Spec
			spec.Backplane.Mode = c.asked
			if got := BackplaneMode(&spec, c.was, c.replicas, c.capable); got != c.want {
				t.Errorf("want %s, got %s", c.want, got)
			}
		})
	}
	asked := input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Backplane.Mode = managed }))
	if BackplaneStatefulSet(asked) != nil || BackplaneSecret(asked) != nil || BackplaneService(asked) != nil {
		t.Error("want no backplane for edges that do not report the capability")
	}
}

// TestNobodyIsNotEverybody holds that a policy without known namespaces closes the admin port, rather than opening it.
func TestNobodyIsNotEverybody(t *testing.T) {
	for _, rule := range NetworkPolicy(input(func(in *Input) { in.AdminNamespaces = nil })).Spec.Ingress {
		for _, p := range rule.Ports {
			if p.Port.IntValue() != ClientPort {
				t.Errorf("want the client port only, got a rule for port %s from %v", p.Port, rule.From)
			}
		}
	}
}
