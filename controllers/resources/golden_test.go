package resources

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// chat is an instance with the schema's defaults, as the API server would return it.
func chat() *signalrv1alpha1.SignalRInstance {
	return &signalrv1alpha1.SignalRInstance{
		ObjectMeta: metav1.ObjectMeta{
			Name: "chat", Namespace: "default", UID: "11111111-2222-3333-4444-555555555555",
		},
		Spec: signalrv1alpha1.SignalRInstanceSpec{
			Tier: signalrv1alpha1.TierStandard, Units: 1,
			ServiceMode: signalrv1alpha1.ServiceModeDefault, State: signalrv1alpha1.StateRunning,
			Auth:      signalrv1alpha1.AuthSpec{AccessKeys: signalrv1alpha1.AccessKeysSpec{Mode: "Enabled"}},
			CORS:      signalrv1alpha1.CORSSpec{AllowedOrigins: []string{"*"}},
			Limits:    signalrv1alpha1.LimitsSpec{MaxMessageBytes: 1 << 20},
			Exposure:  signalrv1alpha1.ExposureSpec{Type: signalrv1alpha1.ExposureNone},
			Backplane: signalrv1alpha1.BackplaneSpec{Mode: signalrv1alpha1.BackplaneAuto},
			Edge: signalrv1alpha1.EdgeSpec{
				UnitsPerPod: 10, MinReplicas: 1, DrainSeconds: 60,
				UpgradePolicy: signalrv1alpha1.UpgradePolicyManual,
			},
			Monitoring:     signalrv1alpha1.MonitoringSpec{Mode: signalrv1alpha1.MonitoringAuto},
			NetworkPolicy:  signalrv1alpha1.NetworkPolicySpec{Mode: signalrv1alpha1.NetworkPolicyManaged},
			DeletionPolicy: signalrv1alpha1.DeletionPolicyDelete,
		},
	}
}

// keys are made up, and long enough for an edge to take.
func keys() KeySet {
	return KeySet{
		Keys: []config.Key{
			{Name: PrimaryKey, Value: "example-primary-key-0123456789abcdefghijklmno="},
			{Name: SecondaryKey, Value: "example-secondary-key-0123456789abcdefghijklm="},
		},
		ConnectionTokenKey: "example-connection-token-key-0123456789=",
		AdminToken:         "example-admin-token-0123456789",
		Annotations:        map[string]string{"signalr-operator.io/primary-nonce": ""},
	}
}

type change func(*Input)

// input is what the controller knows of chat when one edge runs, with changes.
func input(changes ...change) Input {
	in := Input{
		Instance: chat(), Units: 1, Replicas: 1,
		Image: "ghcr.io/signalr-operator/signalr-operator:1.0.0",
		Keys:  keys(), Capabilities: []string{"mode/Default"}, ConfigVersion: 1,
		Kinds:           Kinds{HTTPRoute: true, Certificate: true, ServiceMonitor: true},
		AdminNamespaces: []string{"signalr-system", "monitoring"},
		Backplane:       Certificates{CA: []byte("CA\n"), Certificate: []byte("CERT\n"), Key: []byte("KEY\n")},
	}
	for _, c := range changes {
		c(&in)
	}
	return in
}

func spec(f func(*signalrv1alpha1.SignalRInstanceSpec)) change {
	return func(in *Input) { f(&in.Instance.Spec) }
}

// three is what an instance of 30 units looks like whose edges can be several.
func three(in *Input) {
	in.Capabilities = append(in.Capabilities, CapabilityBackplane)
	in.Instance.Spec.Units, in.Units, in.Replicas = 30, 30, 3
}

func exposed(e signalrv1alpha1.ExposureSpec) change {
	return spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Exposure = *e.DeepCopy() })
}

// everyPodField sets every field of spec.edge.pod.
func everyPodField(s *signalrv1alpha1.SignalRInstanceSpec) {
	s.Edge.DrainSeconds = 300
	s.Edge.Pod = signalrv1alpha1.PodSpec{
		Labels:      map[string]string{"team": "trading", LabelInstance: "not-mine"},
		Annotations: map[string]string{"sidecar.istio.io/inject": "false"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
		},
		NodeSelector: map[string]string{"kubernetes.io/arch": "arm64"},
		Tolerations:  []corev1.Toleration{{Key: "dedicated", Value: "signalr", Effect: corev1.TaintEffectNoSchedule}},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey:   corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchLabels: SelectorLabels("chat", ComponentEdge)},
			}},
		}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: SelectorLabels("chat", ComponentEdge)},
		}},
		PriorityClassName: "high",
		ImagePullSecrets:  []signalrv1alpha1.SecretReference{{Name: "registry"}},
		Env:               []corev1.EnvVar{{Name: "GODEBUG", Value: "madvdontneed=1"}},
	}
}

const hostName = "signalr.example.com"

func issued(termination signalrv1alpha1.TLSTermination) *signalrv1alpha1.ExposureTLS {
	return &signalrv1alpha1.ExposureTLS{
		Termination: termination,
		IssuerRef:   &signalrv1alpha1.IssuerReference{Name: "letsencrypt", Kind: signalrv1alpha1.IssuerKindClusterIssuer},
	}
}

// children builds every child of an instance, by the name of its golden files. A child that should not exist is nil.
func children(t *testing.T, in Input) map[string]runtime.Object {
	t.Helper()
	edge, err := EdgeSecret(in)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]runtime.Object{
		"secret-edge":             edge,
		"secret-keys":             KeysSecret(in),
		"deployment":              EdgeDeployment(in),
		"service":                 Service(in),
		"service-headless":        HeadlessService(in),
		"poddisruptionbudget":     PodDisruptionBudget(in),
		"serviceaccount":          ServiceAccount(in),
		"networkpolicy":           NetworkPolicy(in),
		"ingress":                 Ingress(in),
		"httproute":               HTTPRoute(in),
		"certificate":             Certificate(in),
		"servicemonitor":          ServiceMonitor(in),
		"backplane-secret":        BackplaneSecret(in),
		"backplane-statefulset":   BackplaneStatefulSet(in),
		"backplane-service":       BackplaneService(in),
		"backplane-headless":      BackplaneHeadlessService(in),
		"backplane-pdb":           BackplanePodDisruptionBudget(in),
		"backplane-networkpolicy": BackplaneNetworkPolicy(in),
	}
	maps.DeleteFunc(all, func(_ string, o runtime.Object) bool { return reflect.ValueOf(o).IsNil() })
	return all
}

// render writes an object as YAML, without its status; what Secrets hold is shown as text.
func render(t *testing.T, o runtime.Object) string {
	t.Helper()
	if s, ok := o.(*corev1.Secret); ok {
		shown := s.DeepCopy()
		shown.StringData = map[string]string{}
		for k, v := range s.Data {
			shown.StringData[k] = string(v)
		}
		shown.Data = nil
		o = shown
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	delete(content, "status")
	b, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGolden(t *testing.T) {
	covered := map[string]bool{}
	for name, c := range map[string]struct {
		in   Input
		only []string // the children to compare, all when empty
	}{
		"default": {input(), []string{
			"secret-edge", "secret-keys", "deployment", "service", "service-headless", "poddisruptionbudget",
			"serviceaccount", "networkpolicy", "servicemonitor",
		}},
		"ten-edges": {input(three, spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
			s.Tier, s.CORS.AllowedOrigins = signalrv1alpha1.TierPremium, []string{"https://www.example.com"}
			s.Limits = signalrv1alpha1.LimitsSpec{MessagePolicy: "Hard", MaxMessageBytes: 16_777_215}
		}), func(in *Input) {
			in.Units, in.Replicas, in.FormerHosts = 95, 10, []string{"old.example.com"}
			in.Keys.Keys = append(in.Keys.Keys, config.Key{
				Name: "previous-1a2b3c4d", Value: "example-previous-key-0123456789abcdefghijklmn=",
				NotAfter: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
			})
		}, exposed(signalrv1alpha1.ExposureSpec{
			Type: "None", HostName: hostName, AdditionalHostNames: []string{"chat.example.com"},
			TLS: &signalrv1alpha1.ExposureTLS{Termination: signalrv1alpha1.TLSTerminationProxy},
		})), []string{"secret-edge", "secret-keys"}},
		"every-pod-field": {
			input(spec(everyPodField), func(in *Input) {
				in.Instance.Annotations = map[string]string{signalrv1alpha1.RestartedAtAnnotation: "2026-05-01T12:00:00Z"}
			}),
			[]string{"deployment"},
		},
		"tls-in-the-edge": {
			input(exposed(signalrv1alpha1.ExposureSpec{
				Type: "LoadBalancer", HostName: hostName, TLS: issued(signalrv1alpha1.TLSTerminationEdge),
				LoadBalancer: &signalrv1alpha1.LoadBalancerExposure{
					Annotations:       map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": "external"},
					LoadBalancerClass: "service.k8s.aws/nlb", SourceRanges: []string{"203.0.113.0/24"},
					ExternalTrafficPolicy: signalrv1alpha1.ExternalTrafficPolicyLocal,
				},
			})),
			[]string{"deployment", "service", "secret-keys"},
		},
		"tls-in-the-load-balancer": {
			input(exposed(signalrv1alpha1.ExposureSpec{
				Type: "LoadBalancer", HostName: hostName,
				TLS: &signalrv1alpha1.ExposureTLS{Termination: signalrv1alpha1.TLSTerminationProxy},
				LoadBalancer: &signalrv1alpha1.LoadBalancerExposure{Annotations: map[string]string{
					"service.beta.kubernetes.io/aws-load-balancer-ssl-cert": "arn:aws:acm:eu-west-1:0:certificate/0",
				}},
			})),
			[]string{"service"},
		},
		"nodeport": {
			input(exposed(signalrv1alpha1.ExposureSpec{
				Type: "NodePort", HostName: hostName, NodePort: &signalrv1alpha1.NodePortExposure{Port: 30080},
			})),
			[]string{"service"},
		},
		"proxy": {
			input(exposed(signalrv1alpha1.ExposureSpec{
				Type: "Ingress", HostName: hostName, AdditionalHostNames: []string{"chat.example.com"},
				TLS: issued(signalrv1alpha1.TLSTerminationProxy),
				Ingress: &signalrv1alpha1.IngressExposure{
					ClassName: "nginx",
					Annotations: map[string]string{
						"nginx.ingress.kubernetes.io/limit-rps":          "50",
						"nginx.ingress.kubernetes.io/proxy-read-timeout": "7200",
					},
				},
			})),
			[]string{"ingress", "certificate"},
		},
		"gateway": {
			input(exposed(signalrv1alpha1.ExposureSpec{
				Type: "Gateway", HostName: hostName, Gateway: &signalrv1alpha1.GatewayExposure{
					ParentRefs: []signalrv1alpha1.ParentReference{{
						Group: "gateway.networking.k8s.io", Kind: "Gateway", Namespace: "gateways", Name: "public",
						SectionName: "https", Port: 443,
					}},
				},
			})),
			[]string{"httproute"},
		},
		"three-edges": {input(three), []string{
			"deployment", "backplane-secret", "backplane-statefulset", "backplane-service", "backplane-headless",
			"backplane-pdb", "backplane-networkpolicy",
		}},
		"persistent": {
			input(three, spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
				s.Backplane.Managed = &signalrv1alpha1.ManagedBackplane{
					Storage: signalrv1alpha1.BackplaneStorage{
						Type: signalrv1alpha1.StoragePersistent, Size: resource.MustParse("5Gi"), StorageClassName: "fast",
					},
					Resources: corev1.ResourceRequirements{
						Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
					},
				}
			})),
			[]string{"backplane-statefulset"},
		},
		"ephemeral-class": {
			input(three, spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
				s.Backplane.Managed = &signalrv1alpha1.ManagedBackplane{Storage: signalrv1alpha1.BackplaneStorage{
					Type: signalrv1alpha1.StorageEphemeral, Size: resource.MustParse("5Gi"), StorageClassName: "fast",
				}}
			})),
			[]string{"backplane-statefulset"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			built := children(t, c.in)
			for _, child := range c.only {
				file := filepath.Join("testdata", child+"."+name+".yaml")
				covered[file] = true
				if built[child] == nil {
					t.Errorf("%s: want an object, got none", child)
					continue
				}
				compare(t, file, render(t, built[child]))
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !covered[f] {
			t.Errorf("%s belongs to no case", f)
		}
	}
	if len(files) >= 40 {
		t.Errorf("want fewer than 40 golden files, got %d: nobody reads more", len(files))
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// TestChildrenOfDefault tells which children an instance has that says nothing.
func TestChildrenOfDefault(t *testing.T) {
	want := []string{
		"deployment", "networkpolicy", "poddisruptionbudget", "secret-edge", "secret-keys", "service",
		"service-headless", "serviceaccount", "servicemonitor",
	}
	got := slices.Sorted(maps.Keys(children(t, input())))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
}
