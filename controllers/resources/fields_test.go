package resources

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

type specType = signalrv1alpha1.SignalRInstanceSpec

// field says what a field of the spec does: it changes children, a number that this package computes, or it is read by
// package controllers or controllers/autoscale.
type field struct {
	base     []change        // what the instance has beside the defaults
	set      func(*specType) // gives the field another value
	changes  []string        // the children that change, and no others
	computes func(*specType) any
	readBy   string // what reads it, as it stands in the source of the packages in consumers
}

// consumers are the packages that read what this one does not.
var consumers = []string{"..", "../autoscale"}

func tlsOf(termination signalrv1alpha1.TLSTermination) change {
	return exposed(signalrv1alpha1.ExposureSpec{Type: "Ingress", HostName: hostName, TLS: issued(termination)})
}

var (
	onIngress = tlsOf(signalrv1alpha1.TLSTerminationProxy)
	onGateway = exposed(signalrv1alpha1.ExposureSpec{
		Type: "Gateway", HostName: hostName, Gateway: &signalrv1alpha1.GatewayExposure{
			ParentRefs: []signalrv1alpha1.ParentReference{{Name: "public"}},
		},
	})
	onLoadBalancer = exposed(signalrv1alpha1.ExposureSpec{
		Type: "LoadBalancer", LoadBalancer: &signalrv1alpha1.LoadBalancerExposure{},
	})
	onNodePort = exposed(signalrv1alpha1.ExposureSpec{
		Type: "NodePort", HostName: hostName, NodePort: &signalrv1alpha1.NodePortExposure{Port: 30080},
	})
	onManaged = spec(func(s *specType) {
		s.Backplane.Managed = &signalrv1alpha1.ManagedBackplane{
			Storage: signalrv1alpha1.BackplaneStorage{Type: signalrv1alpha1.StoragePersistent},
		}
	})
)

func parentRef(f func(*signalrv1alpha1.ParentReference)) field {
	return field{
		base: []change{onGateway}, changes: []string{"httproute"},
		set: func(s *specType) { f(&s.Exposure.Gateway.ParentRefs[0]) },
	}
}

func pod(f func(*signalrv1alpha1.PodSpec)) field {
	return field{set: func(s *specType) { f(&s.Edge.Pod) }, changes: []string{"deployment"}}
}

func loadBalancerField(f func(*signalrv1alpha1.LoadBalancerExposure)) field {
	return field{
		base: []change{onLoadBalancer}, changes: []string{"service"},
		set: func(s *specType) { f(s.Exposure.LoadBalancer) },
	}
}

func backplane(f func(*signalrv1alpha1.ManagedBackplane), children ...string) field {
	return field{
		base: []change{three, onManaged}, changes: children,
		set: func(s *specType) { f(s.Backplane.Managed) },
	}
}

// fields is the table of every field of the spec.
var fields = map[string]field{
	"tier": {set: func(s *specType) { s.Tier = signalrv1alpha1.TierFree }, changes: []string{"deployment", "secret-edge"}},
	"units": {
		set:      func(s *specType) { s.Units = 50 },
		computes: func(s *specType) any { return Replicas(s, s.Units, 0, true) },
	},
	"serviceMode": {set: func(s *specType) { s.ServiceMode = "Classic" }, changes: []string{"secret-edge", "deployment"}},
	"state": {
		set:      func(s *specType) { s.State = signalrv1alpha1.StateStopped },
		computes: func(s *specType) any { return Replicas(s, 1, 0, true) },
	},
	"autoscale.maxUnits": {
		set:     func(s *specType) { s.Autoscale = &signalrv1alpha1.AutoscaleSpec{MaxUnits: 50} },
		changes: []string{"deployment"},
	},
	"autoscale.metrics[].type":          {readBy: "switch m.Type"},
	"autoscale.metrics[].targetPercent": {readBy: ".TargetPercent"},
	"autoscale.behavior":                {readBy: "spec.Behavior"},
	"autoscale.schedules[].name":        {readBy: "spec.Name"},
	"autoscale.schedules[].start":       {readBy: "s.Start"},
	"autoscale.schedules[].end":         {readBy: "s.End"},
	"autoscale.schedules[].timeZone":    {readBy: "s.TimeZone"},
	"autoscale.schedules[].units":       {readBy: "s.Units"},

	// The mode has one value so far: it is there so that Disabled can come.
	"auth.accessKeys.mode": {set: func(*specType) {}},
	"auth.accessKeys.existingSecretRef.name": {
		set: func(s *specType) {
			s.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
		},
		changes: []string{"secret-keys"},
	},
	"auth.accessKeys.rotation.primaryNonce":   {readBy: "Rotation.PrimaryNonce"},
	"auth.accessKeys.rotation.secondaryNonce": {readBy: "Rotation.SecondaryNonce"},
	"auth.accessKeys.rotation.schedule":       {readBy: "Rotation.Schedule"},
	"auth.accessKeys.rotation.overlapSeconds": {readBy: "Rotation.OverlapSeconds"},

	"cors.allowedOrigins": {
		set:     func(s *specType) { s.CORS.AllowedOrigins = []string{"https://www.example.com"} },
		changes: []string{"secret-edge"},
	},
	"limits.messagePolicy": {
		set: func(s *specType) { s.Limits.MessagePolicy = "Hard" }, changes: []string{"secret-edge"},
	},
	"limits.maxMessageBytes": {
		set: func(s *specType) { s.Limits.MaxMessageBytes = 2048 }, changes: []string{"secret-edge"},
	},

	"exposure.type": {
		base: []change{onIngress}, set: func(s *specType) { s.Exposure.Type = "LoadBalancer" },
		changes: []string{"ingress", "service"},
	},
	"exposure.hostName": {
		base: []change{onIngress}, set: func(s *specType) { s.Exposure.HostName = "other.example.com" },
		changes: []string{"ingress", "certificate", "secret-edge", "secret-keys"},
	},
	"exposure.additionalHostNames": {
		base: []change{onIngress}, set: func(s *specType) { s.Exposure.AdditionalHostNames = []string{"b.example.com"} },
		changes: []string{"ingress", "certificate", "secret-edge"},
	},
	"exposure.tls.termination": {
		base:    []change{onIngress},
		set:     func(s *specType) { s.Exposure.TLS.Termination = signalrv1alpha1.TLSTerminationEdge },
		changes: []string{"ingress", "service", "deployment", "secret-edge", "secret-keys"},
	},
	"exposure.tls.secretName": {
		base: []change{tlsOf(signalrv1alpha1.TLSTerminationEdge)},
		set: func(s *specType) {
			s.Exposure.TLS = &signalrv1alpha1.ExposureTLS{Termination: "Edge", SecretName: "own"}
		},
		changes: []string{"ingress", "deployment", "certificate"},
	},
	"exposure.tls.issuerRef.name": {
		base: []change{onIngress}, set: func(s *specType) { s.Exposure.TLS.IssuerRef.Name = "other" },
		changes: []string{"certificate"},
	},
	"exposure.tls.issuerRef.kind": {
		base: []change{onIngress}, set: func(s *specType) { s.Exposure.TLS.IssuerRef.Kind = "Issuer" },
		changes: []string{"certificate"},
	},
	"exposure.ingress.className": {
		base:    []change{onIngress},
		set:     func(s *specType) { s.Exposure.Ingress = &signalrv1alpha1.IngressExposure{ClassName: "nginx"} },
		changes: []string{"ingress"},
	},
	"exposure.ingress.annotations": {
		base: []change{onIngress},
		set: func(s *specType) {
			s.Exposure.Ingress = &signalrv1alpha1.IngressExposure{Annotations: map[string]string{"a": "b"}}
		},
		changes: []string{"ingress"},
	},
	"exposure.gateway.parentRefs[].group":     parentRef(func(r *signalrv1alpha1.ParentReference) { r.Group = "x" }),
	"exposure.gateway.parentRefs[].kind":      parentRef(func(r *signalrv1alpha1.ParentReference) { r.Kind = "X" }),
	"exposure.gateway.parentRefs[].namespace": parentRef(func(r *signalrv1alpha1.ParentReference) { r.Namespace = "x" }),
	"exposure.gateway.parentRefs[].name":      parentRef(func(r *signalrv1alpha1.ParentReference) { r.Name = "x" }),
	"exposure.gateway.parentRefs[].sectionName": parentRef(func(r *signalrv1alpha1.ParentReference) {
		r.SectionName = "x"
	}),
	"exposure.gateway.parentRefs[].port": parentRef(func(r *signalrv1alpha1.ParentReference) { r.Port = 8443 }),
	"exposure.loadBalancer.annotations": loadBalancerField(func(l *signalrv1alpha1.LoadBalancerExposure) {
		l.Annotations = map[string]string{"a": "b"}
	}),
	"exposure.loadBalancer.loadBalancerClass": loadBalancerField(func(l *signalrv1alpha1.LoadBalancerExposure) {
		l.LoadBalancerClass = "example.com/nlb"
	}),
	"exposure.loadBalancer.sourceRanges": loadBalancerField(func(l *signalrv1alpha1.LoadBalancerExposure) {
		l.SourceRanges = []string{"203.0.113.0/24"}
	}),
	"exposure.loadBalancer.externalTrafficPolicy": loadBalancerField(func(l *signalrv1alpha1.LoadBalancerExposure) {
		l.ExternalTrafficPolicy = signalrv1alpha1.ExternalTrafficPolicyCluster
	}),
	"exposure.nodePort.port": {
		base: []change{onNodePort}, set: func(s *specType) { s.Exposure.NodePort.Port = 30081 },
		changes: []string{"service", "secret-keys"},
	},

	"backplane.mode": {
		set: func(s *specType) { s.Backplane.Mode = signalrv1alpha1.BackplaneEmbedded },
		computes: func(s *specType) any {
			return Replicas(s, 100, 0, true)
		},
	},
	"backplane.managed.storage.type": backplane(func(m *signalrv1alpha1.ManagedBackplane) {
		m.Storage.Type = signalrv1alpha1.StorageEphemeral
	}, "backplane-statefulset"),
	"backplane.managed.storage.size": backplane(func(m *signalrv1alpha1.ManagedBackplane) {
		m.Storage.Size = resource.MustParse("7Gi")
	}, "backplane-statefulset", "backplane-secret"),
	"backplane.managed.storage.storageClassName": backplane(func(m *signalrv1alpha1.ManagedBackplane) {
		m.Storage.StorageClassName = "slow"
	}, "backplane-statefulset"),
	"backplane.managed.resources": backplane(func(m *signalrv1alpha1.ManagedBackplane) {
		m.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	}, "backplane-statefulset"),
	// No edge can use it yet, which is what an instance that asks for it is told; the edge's configuration has no place
	// for addresses before an edge reads them.
	"backplane.external.urls":                      {readBy: "BackplaneExternal"},
	"backplane.external.credentialsSecretRef.name": {readBy: "BackplaneExternal"},
	"backplane.external.caSecretRef.name":          {readBy: "BackplaneExternal"},

	"edge.unitsPerPod": {
		set:      func(s *specType) { s.Edge.UnitsPerPod = 5 },
		computes: func(s *specType) any { return Replicas(s, 10, 0, true) },
	},
	"edge.minReplicas": {
		set:      func(s *specType) { s.Edge.MinReplicas = 3 },
		computes: func(s *specType) any { return Replicas(s, 1, 0, true) },
	},
	"edge.drainSeconds": {
		set: func(s *specType) { s.Edge.DrainSeconds = 30 }, changes: []string{"deployment", "secret-edge"},
	},
	"edge.upgradePolicy": {readBy: ".UpgradePolicy"},
	"edge.image":         {readBy: "spec.Image"},

	"edge.pod.labels": pod(func(p *signalrv1alpha1.PodSpec) { p.Labels = map[string]string{"a": "b"} }),
	"edge.pod.annotations": pod(func(p *signalrv1alpha1.PodSpec) {
		p.Annotations = map[string]string{"a": "b"}
	}),
	"edge.pod.resources": pod(func(p *signalrv1alpha1.PodSpec) {
		p.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	}),
	"edge.pod.nodeSelector": pod(func(p *signalrv1alpha1.PodSpec) { p.NodeSelector = map[string]string{"a": "b"} }),
	"edge.pod.tolerations": pod(func(p *signalrv1alpha1.PodSpec) {
		p.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}
	}),
	"edge.pod.affinity": pod(func(p *signalrv1alpha1.PodSpec) {
		p.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}}
	}),
	"edge.pod.topologySpreadConstraints": pod(func(p *signalrv1alpha1.PodSpec) {
		p.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 2, TopologyKey: "rack"}}
	}),
	"edge.pod.priorityClassName": pod(func(p *signalrv1alpha1.PodSpec) { p.PriorityClassName = "high" }),
	"edge.pod.imagePullSecrets[].name": pod(func(p *signalrv1alpha1.PodSpec) {
		p.ImagePullSecrets = []signalrv1alpha1.SecretReference{{Name: "registry"}}
	}),
	"edge.pod.env": pod(func(p *signalrv1alpha1.PodSpec) { p.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} }),

	"monitoring.mode": {
		set:     func(s *specType) { s.Monitoring.Mode = signalrv1alpha1.MonitoringDisabled },
		changes: []string{"servicemonitor"},
	},
	"networkPolicy.mode": {
		set:     func(s *specType) { s.NetworkPolicy.Mode = signalrv1alpha1.NetworkPolicyNone },
		changes: []string{"networkpolicy"},
	},
	"deletionPolicy": {
		set:     func(s *specType) { s.DeletionPolicy = signalrv1alpha1.DeletionPolicyRetain },
		changes: []string{"secret-keys"},
	},
}

// leaves returns the paths of the fields below a type of ours; types of Kubernetes are leaves.
func leaves(typ reflect.Type, path string) []string {
	ours := func(t reflect.Type) bool {
		return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[specType]().PkgPath()
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Slice && ours(typ.Elem()) {
		typ, path = typ.Elem(), path+"[]"
	}
	if !ours(typ) {
		return []string{path}
	}
	var out []string
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		out = append(out, leaves(field.Type, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return out
}

// TestEveryFieldDoesSomething fails when a field of the spec has no row in the table, and when a row does not say what
// the field does.
func TestEveryFieldDoesSomething(t *testing.T) {
	want := leaves(reflect.TypeFor[specType](), "")
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(fields))); diff != "" {
		t.Errorf("fields of the spec and rows of the table (-spec +table):\n%s", diff)
	}
	source := readSource(t)
	for path, f := range fields {
		t.Run(path, func(t *testing.T) {
			switch {
			case f.readBy != "":
				word := regexp.MustCompile(regexp.QuoteMeta(f.readBy) + `\b`)
				if !word.MatchString(source) {
					t.Errorf("want %q in the source of %v", f.readBy, consumers)
				}
			case f.computes != nil:
				before, after := chat().Spec, chat().Spec
				f.set(&after)
				if was, is := f.computes(&before), f.computes(&after); was == is {
					t.Errorf("want another number than %v", was)
				}
			default:
				slices.Sort(f.changes)
				if diff := cmp.Diff(f.changes, changed(t, f)); diff != "" {
					t.Errorf("children that change (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// both returns the inputs before and after a field is set.
func (f field) both() (before, after Input) {
	return input(f.base...), input(append(slices.Clone(f.base), spec(f.set))...)
}

func changed(t *testing.T, f field) []string {
	t.Helper()
	a, b := f.both()
	before, after := children(t, a), children(t, b)
	all := maps.Clone(before)
	maps.Copy(all, after)
	var out []string
	for name := range all {
		if before[name] == nil || after[name] == nil || render(t, before[name]) != render(t, after[name]) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func readSource(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range consumers {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return b.String()
}

// TestRevision holds for every field: the revision is another one if and only if pods have to be replaced, because
// their template is another one or an edge says that it cannot take its configuration over.
func TestRevision(t *testing.T) {
	for path, f := range fields {
		if f.set == nil {
			continue
		}
		t.Run(path, func(t *testing.T) {
			before, after := f.both()
			replace := len(config.LiveReloadable(EdgeConfig(before), EdgeConfig(after))) > 0 ||
				!reflect.DeepEqual(EdgePodTemplate(before), EdgePodTemplate(after))
			if got := Revision(before) != Revision(after); got != replace {
				t.Errorf("want pods replaced %t, got %t", replace, got)
			}
		})
	}
	for name, c := range map[string]struct {
		change change
		want   bool
	}{
		"another image": {func(in *Input) { in.Image = "other" }, true},
		"a restart that is asked for": {func(in *Input) {
			in.Instance.Annotations = map[string]string{signalrv1alpha1.RestartedAtAnnotation: "now"}
		}, true},
		"units in force": {func(in *Input) { in.Units = 9 }, false},
		"another key": {func(in *Input) {
			in.Keys.Keys[0].Value = "another-primary-key-0123456789abcdefghijkl="
		}, false},
		"other capabilities": {func(in *Input) { in.Capabilities = append(in.Capabilities, "stateful-reconnect") }, false},
		"a public address":   {func(in *Input) { in.PublicAddress = "203.0.113.7" }, false},
		"an unrelated annotation": {func(in *Input) {
			in.Instance.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Revision(input()) != Revision(input(c.change)); got != c.want {
				t.Errorf("want pods replaced %t, got %t", c.want, got)
			}
		})
	}
}

// TestRevisionIsStable holds a revision still over versions of this program. It may change only together with what a
// pod is made from; a change for any other reason restarts everybody's edges at an upgrade.
func TestRevisionIsStable(t *testing.T) {
	const want = "415899fc7883df11"
	if got := Revision(input()); got != want {
		t.Errorf("want the revision %s, got %s: every edge would be restarted", want, got)
	}
}

// TestBuildersLeaveTheInput builds everything, and looks whether the instance and the keys are as they were.
func TestBuildersLeaveTheInput(t *testing.T) {
	in := input(three, onManaged, onIngress, spec(everyPodField))
	instance, secrets := in.Instance.DeepCopy(), slices.Clone(in.Keys.Keys)
	built := children(t, in)
	if diff := cmp.Diff(instance, in.Instance); diff != "" {
		t.Errorf("the instance was changed (-was +is):\n%s", diff)
	}
	if !reflect.DeepEqual(secrets, in.Keys.Keys) {
		t.Error("the keys were changed")
	}
	for name, o := range children(t, in) {
		if render(t, o) != render(t, built[name]) {
			t.Errorf("%s: want the same object twice", name)
		}
	}
}
