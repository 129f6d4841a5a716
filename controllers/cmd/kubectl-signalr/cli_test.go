package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

var update = flag.Bool("update", false, "write the golden files")

// now is when the tests take place.
var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const (
	primaryValue   = "primary-key-value-that-nobody-may-see"
	secondaryValue = "secondary-key-value-that-nobody-may-see"
)

// cluster is a fake API server with the plugin in front of it.
type cluster struct {
	client.Client
	// numbers is what the edges say when asked.
	numbers []edgeNumbers
	refuse  error // in place of numbers
	// operator, when set, is called before an instance is read: it plays the operator.
	operator func(instance *signalrv1alpha1.SignalRInstance)
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey,
			o client.Object, options ...client.GetOption,
		) error {
			err := next.Get(ctx, key, o, options...)
			if instance, ok := o.(*signalrv1alpha1.SignalRInstance); ok && err == nil && c.operator != nil {
				c.operator(instance)
			}
			return err
		}}).Build()
	return c
}

// answer is what a command printed and how it ended.
type answer struct {
	out, note string
	err       error
}

// run runs a command line as a user in namespace web.
func (c *cluster) run(t *testing.T, stdin string, args ...string) answer {
	t.Helper()
	var out, note bytes.Buffer
	plugin := &cli{
		streams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &note},
		connect: func() (client.Client, string, error) { return c.Client, "web", nil },
		edges: func(context.Context, client.Client, *signalrv1alpha1.SignalRInstance) ([]edgeNumbers, error) {
			return c.numbers, c.refuse
		},
		now:  func() time.Time { return now },
		poll: time.Millisecond,
	}
	root := newRoot(plugin)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return answer{out: out.String(), note: note.String(), err: err}
}

func (c *cluster) instance(t *testing.T, name string) *signalrv1alpha1.SignalRInstance {
	t.Helper()
	found := &signalrv1alpha1.SignalRInstance{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "web", Name: name}, found); err != nil {
		t.Fatal(err)
	}
	return found
}

// chat returns an instance that serves.
func chat() *signalrv1alpha1.SignalRInstance {
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(now.Add(-ago)) }
	measured := at(20 * time.Second)
	condition := func(kind, reason, message string) metav1.Condition {
		return metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: 3,
			LastTransitionTime: at(time.Hour),
		}
	}
	return &signalrv1alpha1.SignalRInstance{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "web", Name: "chat", Generation: 3, CreationTimestamp: at(50 * time.Hour),
		},
		Spec: signalrv1alpha1.SignalRInstanceSpec{
			Tier: signalrv1alpha1.TierStandard, Units: 2, ServiceMode: signalrv1alpha1.ServiceModeDefault,
			State: signalrv1alpha1.StateRunning,
		},
		Status: signalrv1alpha1.SignalRInstanceStatus{
			ObservedGeneration: 3, Endpoint: "http://chat.web.svc", KeysSecretName: "chat-keys",
			Endpoints: signalrv1alpha1.Endpoints{Internal: "http://chat.web.svc"},
			Keys: []signalrv1alpha1.KeyStatus{
				{Name: "primary", Fingerprint: "sha256:11111111"}, {Name: "secondary", Fingerprint: "sha256:22222222"},
			},
			Units:    signalrv1alpha1.UnitsStatus{Desired: 2, Effective: 2},
			Selector: "app.kubernetes.io/instance=chat,app.kubernetes.io/component=edge",
			Quota:    signalrv1alpha1.QuotaStatus{Connections: 2000, MessagesPerDay: 2000000},
			Usage: &signalrv1alpha1.UsageStatus{
				Connections: 1200, Servers: 10, UtilizationPercent: 60, MessagesToday: 73000, ServerLoadPercent: 15,
				Time: &measured,
			},
			Edge: signalrv1alpha1.EdgeStatus{Replicas: 1, Ready: 1, Updated: 1, Image: "r.example/s:1"},
			Backplane: signalrv1alpha1.BackplaneStatus{
				Mode: signalrv1alpha1.BackplaneEmbedded,
			},
			Conditions: []metav1.Condition{
				condition(signalrv1alpha1.ConditionReady, signalrv1alpha1.ReasonServing, ""),
				condition(signalrv1alpha1.ConditionKeysReady, signalrv1alpha1.ReasonLoaded, ""),
			},
		},
	}
}

func keysOfChat() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "chat-keys"},
		Data: map[string][]byte{
			"primaryKey": []byte(primaryValue), "secondaryKey": []byte(secondaryValue),
			"primaryConnectionString":   []byte("Endpoint=http://chat.web.svc;AccessKey=" + primaryValue + ";Version=1.0;"),
			"secondaryConnectionString": []byte("Endpoint=http://chat.web.svc;AccessKey=" + secondaryValue + ";Version=1.0;"),
		},
	}
}

// edgesOfChat is what two edges say.
func edgesOfChat() []edgeNumbers {
	edge := func(pod string, clients int64) edgeNumbers {
		return edgeNumbers{pod: pod, status: config.Status{
			Version: "1.0.0", Ready: true,
			Connections: config.StatusConnections{Client: clients, Server: 5},
			Messages:    config.StatusMessages{Today: 9 * clients, Carried: clients},
			Load:        config.StatusLoad{Percent: int(clients / 50)},
			Hubs: []config.StatusHub{
				{Name: "orders", Clients: clients - 100, Servers: 3}, {Name: "chat", Clients: 100, Servers: 2},
			},
		}}
	}
	return []edgeNumbers{
		edge("chat-edge-a", 1234), edge("chat-edge-b", 321),
		{pod: "chat-edge-c", err: errors.New("forward a port of chat-edge-c: the connection ended")},
	}
}

// golden compares text with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}
