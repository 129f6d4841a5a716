package resources

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// TestRestricted runs the Pod Security Standards' own checks on every pod that is ever made.
func TestRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	persistent := spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
		s.Backplane.Managed = &signalrv1alpha1.ManagedBackplane{
			Storage: signalrv1alpha1.BackplaneStorage{Type: signalrv1alpha1.StoragePersistent},
		}
	})
	for name, in := range map[string]Input{
		"default":         input(),
		"every pod field": input(spec(everyPodField)),
		"TLS in the edge": input(exposed(signalrv1alpha1.ExposureSpec{
			HostName: hostName, TLS: issued(signalrv1alpha1.TLSTerminationEdge),
		})),
		"several edges":                   input(three),
		"several edges with stored state": input(three, persistent),
	} {
		t.Run(name, func(t *testing.T) {
			pods := map[string]corev1.PodTemplateSpec{"edge": EdgeDeployment(in).Spec.Template}
			if s := BackplaneStatefulSet(in); s != nil {
				pods["backplane"] = s.Spec.Template
			}
			for pod, template := range pods {
				results := evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)
				if sum := policy.AggregateCheckResults(results); !sum.Allowed {
					t.Errorf("%s: refused by the restricted profile: %s", pod, sum.ForbiddenDetail())
				}
			}
		})
	}
	bad := EdgeDeployment(input()).Spec.Template
	bad.Spec.SecurityContext = nil
	if policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &bad.ObjectMeta, &bad.Spec)).Allowed {
		t.Error("want a pod without a security context to be refused: the checks do not check")
	}
}

func TestRollout(t *testing.T) {
	for _, drain := range []int32{1, 60, 3600} {
		d := EdgeDeployment(input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Edge.DrainSeconds = drain })))
		if got := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; got != int64(drain)+15 {
			t.Errorf("drain %d: want a grace period of %d, got %d", drain, drain+15, got)
		}
		if d.Spec.MinReadySeconds != drain {
			t.Errorf("drain %d: want minReadySeconds %d, got %d", drain, drain, d.Spec.MinReadySeconds)
		}
		if *d.Spec.ProgressDeadlineSeconds <= d.Spec.MinReadySeconds {
			t.Errorf("drain %d: the API server refuses a progress deadline of %d", drain, *d.Spec.ProgressDeadlineSeconds)
		}
	}
}

func TestSize(t *testing.T) {
	units := func(tier signalrv1alpha1.Tier, units, most, perPod int32) change {
		return spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
			s.Tier, s.Units, s.Edge.UnitsPerPod = tier, units, perPod
			if most > 0 {
				s.Autoscale = &signalrv1alpha1.AutoscaleSpec{MaxUnits: most}
			}
		})
	}
	const standard, premium = signalrv1alpha1.TierStandard, signalrv1alpha1.TierPremium
	for name, c := range map[string]struct {
		in   Input
		want int64
	}{
		"one unit":                             {input(units(standard, 1, 0, 10)), 10},
		"ten units have the size of one":       {input(units(standard, 10, 0, 10)), 10},
		"alone, it is sized for all":           {input(units(standard, 11, 0, 10)), 20},
		"and for what autoscaling goes to":     {input(units(standard, 1, 35, 10)), 40},
		"no more than the tier has":            {input(units(standard, 90, 0, 30)), 100},
		"one of several serves its share":      {input(units(premium, 300, 0, 10), three), 10},
		"a thousand units alone":               {input(units(premium, 1000, 0, 10)), 1000},
		"Free is one unit":                     {input(units(signalrv1alpha1.TierFree, 1, 0, 10)), 1},
		"a pod larger than the tier":           {input(units(standard, 1, 0, 100)), 100},
		"units that are in force do not count": {input(units(standard, 1, 10, 10), func(in *Input) { in.Units = 9 }), 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := EdgeDeployment(c.in).Spec.Template.Spec.Containers[0].Resources
			want := resource.NewMilliQuantity(baseCPU+unitCPU*c.want, resource.DecimalSI)
			if got := r.Requests[corev1.ResourceCPU]; got.Cmp(*want) != 0 {
				t.Errorf("want %s of CPU (%d units), got %s", want, c.want, got.String())
			}
			if r.Requests.Memory().Cmp(*r.Limits.Memory()) >= 0 {
				t.Errorf("want less memory requested than allowed, got %s of %s", r.Requests.Memory(), r.Limits.Memory())
			}
		})
	}
}

func TestMemoryLimitIsTheRuntimes(t *testing.T) {
	limit := func(d *appsv1.Deployment) (values []string) {
		for _, e := range d.Spec.Template.Spec.Containers[0].Env {
			if e.Name == "GOMEMLIMIT" {
				values = append(values, e.Value)
			}
		}
		return values
	}
	for name, c := range map[string]struct {
		pod  signalrv1alpha1.PodSpec
		want string
	}{
		"nine tenths of the limit": {signalrv1alpha1.PodSpec{Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1000")},
		}}, "900"},
		"nothing without a limit": {signalrv1alpha1.PodSpec{Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1000")},
		}}, ""},
		"what the user says": {signalrv1alpha1.PodSpec{Env: []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "1GiB"}}}, "1GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			got := limit(EdgeDeployment(input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Edge.Pod = c.pod }))))
			if c.want == "" && len(got) == 0 || len(got) == 1 && got[0] == c.want {
				return
			}
			t.Errorf("want GOMEMLIMIT %q once, got %q", c.want, got)
		})
	}
}

func TestUserLabelsDoNotWin(t *testing.T) {
	l := EdgeDeployment(input(spec(everyPodField))).Spec.Template.Labels
	if l[LabelInstance] != "chat" || l["team"] != "trading" {
		t.Errorf("want our labels kept and the user's added, got %v", l)
	}
}

// TestTemplateInForceStays is what keeps an operator upgrade from restarting edges: a template that is passed in is not
// built anew.
func TestTemplateInForceStays(t *testing.T) {
	old := EdgePodTemplate(input())
	old.Annotations = map[string]string{"built-by": "an older operator"}
	d := EdgeDeployment(input(func(in *Input) { in.Template, in.Revision = &old, "0123456789abcdef" }))
	if d.Spec.Template.Annotations["built-by"] == "" || d.Annotations[RevisionAnnotation] != "0123456789abcdef" {
		t.Errorf("want the template and revision that were passed in, got %v, %v", d.Spec.Template.Annotations, d.Annotations)
	}
}
