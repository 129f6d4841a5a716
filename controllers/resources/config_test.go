package resources

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// TestEdgeReadsWhatIsRendered parses the Secret as an edge does.
func TestEdgeReadsWhatIsRendered(t *testing.T) {
	for name, in := range map[string]Input{
		"default":    input(),
		"Free":       input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Tier = signalrv1alpha1.TierFree })),
		"ten edges":  input(three, func(in *Input) { in.Units, in.Replicas = 100, 10 }),
		"serverless": input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.ServiceMode = "Serverless" })),
		"stopped":    input(func(in *Input) { in.Replicas = 0 }),
		"the largest message": input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
			s.Limits.MaxMessageBytes = 16_777_215
		})),
		"the longest drain": input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.Edge.DrainSeconds = 3600 })),
		"many former hosts": input(exposed(signalrv1alpha1.ExposureSpec{HostName: hostName}), func(in *Input) {
			for i := range 200 {
				in.FormerHosts = append(in.FormerHosts, fmt.Sprintf("old-%d.example.com", i))
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			secret, err := EdgeSecret(in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := config.Parse(secret.Data[ConfigFile])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(EdgeConfig(in).Hash(), got.Hash()); diff != "" {
				t.Errorf("hash of what was read (-want +got):\n%s", diff)
			}
			if !reflect.DeepEqual(EdgeConfig(in), got) { // or each poll would encode it
				t.Errorf("what was read is not what was written: %s", cmp.Diff(EdgeConfig(in), got))
			}
		})
	}
}

func TestEdgeSecretRefusesWhatEdgesWouldRefuse(t *testing.T) {
	secret, err := EdgeSecret(input(func(in *Input) { in.Keys.Keys[0].Value = "too-short-to-be-a-key" }))
	if err == nil || secret != nil {
		t.Fatalf("want an error and no Secret, got %v", err)
	}
	if strings.Contains(err.Error(), "too-short") {
		t.Errorf("the error shows a key: %v", err)
	}
}

func TestQuotaShares(t *testing.T) {
	for name, c := range map[string]struct {
		tier        signalrv1alpha1.Tier
		units       int32
		edges       int32
		connections int64
		messages    int64
		carried     int64
	}{
		"one edge has it all":     {signalrv1alpha1.TierStandard, 7, 1, 7_000, 7_000_000, 1000},
		"three edges share":       {signalrv1alpha1.TierStandard, 30, 3, 10_000, 10_000_000, 334},
		"a share is rounded up":   {signalrv1alpha1.TierStandard, 1, 3, 334, 333_334, 334},
		"Free has its own":        {signalrv1alpha1.TierFree, 1, 1, 20, 20_000, 1000},
		"none running, all of it": {signalrv1alpha1.TierPremium, 1000, 0, 1_000_000, 1_000_000_000, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := EdgeConfig(input(func(in *Input) {
				in.Instance.Spec.Tier, in.Units, in.Replicas = c.tier, c.units, c.edges
				in.Carried = config.Carried{Day: "2026-11-22", Messages: 1000}
			}))
			want := config.Quota{
				Connections: c.connections, MessagesPerDay: c.messages,
				Carried: config.Carried{Day: "2026-11-22", Messages: c.carried},
			}
			if diff := cmp.Diff(want, cfg.Quota); diff != "" {
				t.Errorf("quota of an edge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigVersion(t *testing.T) {
	for name, c := range map[string]struct{ understood, want int }{
		"before an edge was asked, the current one": {0, config.CurrentVersion},
		"an edge of this version":                   {config.CurrentVersion, config.CurrentVersion},
		"a newer edge reads the current one":        {config.CurrentVersion + 5, config.CurrentVersion},
		"the oldest that is written":                {OldestConfigVersion, OldestConfigVersion},
	} {
		t.Run(name, func(t *testing.T) {
			if got := EdgeConfig(input(func(in *Input) { in.ConfigVersion = c.understood })).ConfigVersion; got != c.want {
				t.Errorf("want version %d, got %d", c.want, got)
			}
		})
	}
}

// TestKeepRunning compares with what an edge itself says it cannot take over.
func TestKeepRunning(t *testing.T) {
	live := EdgeConfig(input())
	next := EdgeConfig(input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
		s.ServiceMode, s.Edge.DrainSeconds, s.CORS.AllowedOrigins = "Serverless", 5, []string{"https://a.example.com"}
	}), exposed(signalrv1alpha1.ExposureSpec{HostName: hostName, TLS: issued(signalrv1alpha1.TLSTerminationEdge)})))
	next.Timeouts.IdleSeconds, next.TrustedProxies, next.Node = 7, []string{"10.0.0.0/8"}, "other"
	if got := config.LiveReloadable(live, next); len(got) < 5 {
		t.Fatalf("want more fields that need a restart, got %v", got)
	}
	merged := KeepRunning(live, next)
	if got := config.LiveReloadable(live, merged); len(got) > 0 {
		t.Errorf("want a configuration that a running edge takes over, not so: %v", got)
	}
	if diff := cmp.Diff(next.CORS, merged.CORS); diff != "" {
		t.Errorf("what is reloaded must be the new (-want +got):\n%s", diff)
	}
}

func TestTheSelectorIsTheOneOfTheAPI(t *testing.T) {
	const want = "app.kubernetes.io/instance=chat,app.kubernetes.io/component=edge"
	if got := Selector("chat"); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestEndpoints(t *testing.T) {
	type e = signalrv1alpha1.ExposureSpec
	edge, proxy := issued(signalrv1alpha1.TLSTerminationEdge), issued(signalrv1alpha1.TLSTerminationProxy)
	address := func(a string) change { return func(in *Input) { in.PublicAddress = a } }
	for name, c := range map[string]struct {
		in         Input
		public     string
		connection string
	}{
		"in the cluster only": {input(), "", "Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;"},
		"by a proxy without TLS": {
			input(exposed(e{Type: "Ingress", HostName: hostName})), "http://signalr.example.com",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://signalr.example.com;",
		},
		"by a proxy with TLS": {
			input(exposed(e{Type: "Gateway", HostName: hostName, TLS: proxy})), "https://signalr.example.com",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=https://signalr.example.com;",
		},
		"with TLS in the edge": {
			input(exposed(e{HostName: hostName, TLS: edge})), "https://signalr.example.com",
			"Endpoint=https://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=https://signalr.example.com;",
		},
		"a load balancer that has no address yet": {
			input(exposed(e{Type: "LoadBalancer"})), "", "Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;",
		},
		"a load balancer with an address": {
			input(exposed(e{Type: "LoadBalancer"}), address("203.0.113.7")), "http://203.0.113.7",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://203.0.113.7;",
		},
		"a load balancer with an IPv6 address": {
			input(exposed(e{Type: "LoadBalancer"}), address("2001:db8::7")), "http://[2001:db8::7]",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://[2001:db8::7];",
		},
		"a load balancer with a name of its own": {
			input(exposed(e{Type: "LoadBalancer", HostName: hostName}), address("203.0.113.7")),
			"http://signalr.example.com",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://signalr.example.com;",
		},
		"a node port that was chosen": {
			input(exposed(e{
				Type: "NodePort", HostName: hostName, NodePort: &signalrv1alpha1.NodePortExposure{Port: 30080},
			})),
			"http://signalr.example.com:30080",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://signalr.example.com:30080;",
		},
		"a node port that is not known yet": {
			input(exposed(e{Type: "NodePort", HostName: hostName})), "",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;",
		},
		"a node port that was given": {
			input(exposed(e{Type: "NodePort", HostName: hostName}), func(in *Input) { in.NodePort = 31234 }),
			"http://signalr.example.com:31234",
			"Endpoint=http://chat.default.svc;AccessKey=K;Version=1.0;ClientEndpoint=http://signalr.example.com:31234;",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PublicEndpoint(c.in); got != c.public {
				t.Errorf("want the public endpoint %q, got %q", c.public, got)
			}
			if got := ConnectionString(c.in, "K"); got != c.connection {
				t.Errorf("connection string:\nwant %s\ngot  %s", c.connection, got)
			}
			if want, got := PublicEndpoint(c.in), Endpoint(c.in); want != "" && got != want {
				t.Errorf("want the endpoint to be the public one, %s, got %s", want, got)
			}
		})
	}
}

// TestHostsWithoutNamesTakeAll holds that a token's host is checked only where all hosts are known.
func TestHostsWithoutNamesTakeAll(t *testing.T) {
	balanced := input(exposed(signalrv1alpha1.ExposureSpec{Type: "LoadBalancer"}), func(in *Input) {
		in.PublicAddress = "203.0.113.7"
	})
	for name, in := range map[string]Input{"in the cluster": input(), "by a load balancer": balanced} {
		if hosts := EdgeConfig(in).Auth.AudienceHosts; hosts != nil {
			t.Errorf("%s: want any host to do, got %v", name, hosts)
		}
	}
}

func TestKeysSecret(t *testing.T) {
	retained := KeysSecret(input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) { s.DeletionPolicy = "Retain" })))
	if len(retained.OwnerReferences) > 0 || retained.Labels[LabelInstance] != "chat" {
		t.Errorf("want a retained Secret without owner and with the label of its instance, got %v, %v",
			retained.OwnerReferences, retained.Labels)
	}
	theirs := input(spec(func(s *signalrv1alpha1.SignalRInstanceSpec) {
		s.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
	}))
	if KeysSecret(theirs) != nil {
		t.Error("want no Secret of ours beside the user's")
	}
	if KeysSecret(input(func(in *Input) { in.Keys.Keys = in.Keys.Keys[:1] })) != nil {
		t.Error("want no Secret with one key only")
	}
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	c, err := NewCertificates("chat", "default", now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(c.Certificate, c.Key); err != nil {
		t.Errorf("certificate and key are no pair: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	leaf, err := c.leaf()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"chat-backplane.default.svc", "chat-backplane-0.chat-backplane-nodes.default.svc",
		"chat-backplane-2.chat-backplane-nodes.default.svc.cluster.local",
	} {
		opts := x509.VerifyOptions{
			Roots: roots, DNSName: host, CurrentTime: now.Add(300 * 24 * time.Hour),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		if _, err := leaf.Verify(opts); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for after, want := range map[time.Duration]bool{0: false, 270 * 24 * time.Hour: false, 276 * 24 * time.Hour: true} {
		if got := c.Due(now.Add(after)); got != want {
			t.Errorf("after %s: want due %t, got %t", after, want, got)
		}
	}
	if !(Certificates{}).Due(now) {
		t.Error("want certificates due when there are none")
	}
}
