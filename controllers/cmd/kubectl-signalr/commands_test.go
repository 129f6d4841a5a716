package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func TestWhatCommandsPrint(t *testing.T) {
	quiet := chat()
	quiet.Name, quiet.Status = "quiet", signalrv1alpha1.SignalRInstanceStatus{}
	quiet.Spec.State = signalrv1alpha1.StateStopped
	elsewhere := chat()
	elsewhere.Namespace = "games"
	for name, args := range map[string][]string{
		"list":              {"list"},
		"list-all":          {"list", "--all-namespaces"},
		"list-name":         {"list", "--output", "name"},
		"list-yaml":         {"list", "--output", "yaml"},
		"list-table":        {"list", "--output", "table"},
		"keys":              {"keys", "chat"},
		"keys-yaml":         {"keys", "--name", "chat", "--output", "yaml"},
		"keys-secondary":    {"keys", "chat", "--key-type", "Secondary"},
		"connection-string": {"connection-string", "chat"},
		"status":            {"status", "chat"},
		"status-rounded":    {"status", "chat", "--rounded"},
		"status-stopped":    {"status", "quiet"},
		"create-dry-run": {
			"create", "--name", "chat", "--resource-group", "web", "--location", "westeurope", "--sku", "Premium_P1",
			"--unit-count", "50", "--service-mode", "serverless", "--allowed-origins", "https://a.example,https://b.example",
			"--tags", "team=trading", "--enable-message-logs", "true", "--dry-run",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, chat(), keysOfChat(), quiet.DeepCopy(), elsewhere.DeepCopy())
			c.numbers = edgesOfChat()
			got := c.run(t, "", args...)
			if got.err != nil {
				t.Fatal(got.err)
			}
			golden(t, name+".out", got.note+got.out)
		})
	}
}

func TestOnlyTwoCommandsPrintKeys(t *testing.T) {
	for name, args := range map[string][]string{
		"list": {"list", "-o", "yaml"}, "status": {"status", "chat"}, "scale": {"scale", "chat", "--unit-count", "3"},
		"rotate": {"rotate", "chat", "--key-type", "primary", "--no-wait"}, "restart": {"restart", "chat"},
	} {
		t.Run(name, func(t *testing.T) {
			got := newCluster(t, chat(), keysOfChat()).run(t, "", args...)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if all := got.out + got.note; strings.Contains(all, primaryValue) || strings.Contains(all, secondaryValue) {
				t.Errorf("it prints a key: %s", all)
			}
		})
	}
}

func TestWhatCommandsChange(t *testing.T) {
	for name, tc := range map[string]struct {
		args   []string
		change func(want *signalrv1alpha1.SignalRInstance)
		says   string
	}{
		"scale changes units": {
			args:   []string{"scale", "chat", "--unit-count", "10"},
			change: func(want *signalrv1alpha1.SignalRInstance) { want.Spec.Units = 10 },
			says:   "signalrinstance/chat scaled to Standard, 10 units\n",
		},
		"scale changes the tier": {
			args: []string{"scale", "--name", "chat", "--sku", "Premium_P2", "--unit-count", "200"},
			change: func(want *signalrv1alpha1.SignalRInstance) {
				want.Spec.Tier, want.Spec.Units = signalrv1alpha1.TierPremium, 200
			},
			says: "signalrinstance/chat scaled to Premium, 200 units\n",
		},
		"stop": {
			args:   []string{"stop", "chat"},
			change: func(want *signalrv1alpha1.SignalRInstance) { want.Spec.State = signalrv1alpha1.StateStopped },
			says:   "signalrinstance/chat stopped\n",
		},
		"start": {
			args:   []string{"start", "chat"},
			change: func(want *signalrv1alpha1.SignalRInstance) { want.Spec.State = signalrv1alpha1.StateRunning },
			says:   "signalrinstance/chat started\n",
		},
		"restart": {
			args: []string{"restart", "chat"},
			change: func(want *signalrv1alpha1.SignalRInstance) {
				want.Annotations = map[string]string{signalrv1alpha1.RestartedAtAnnotation: "2026-05-01T12:00:00Z"}
			},
			says: "signalrinstance/chat restarting, one edge at a time\n",
		},
		"upgrade to the operator's": {
			args: []string{"upgrade", "chat"},
			change: func(want *signalrv1alpha1.SignalRInstance) {
				want.Annotations = map[string]string{signalrv1alpha1.UpgradedAtAnnotation: "2026-05-01T12:00:00Z"}
			},
			says: "signalrinstance/chat upgrading, one edge at a time\n",
		},
		"upgrade to an image": {
			args: []string{"upgrade", "chat", "--image", "r.example/s:2"},
			change: func(want *signalrv1alpha1.SignalRInstance) {
				want.Annotations = map[string]string{signalrv1alpha1.UpgradedAtAnnotation: "2026-05-01T12:00:00Z"}
				want.Spec.Edge.Image = "r.example/s:2"
			},
			says: "signalrinstance/chat upgrading, one edge at a time\n",
		},
		"rotate": {
			args: []string{"rotate", "chat", "--key-type", "secondary", "--no-wait"},
			change: func(want *signalrv1alpha1.SignalRInstance) {
				want.Spec.Auth.AccessKeys.Rotation.SecondaryNonce = "2026-05-01T12:00:00Z"
			},
			says: "signalrinstance/chat secondary key is being replaced\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, chat())
			want := chat()
			tc.change(want)
			got := c.run(t, "", tc.args...)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if diff := cmp.Diff(tc.says, got.out); diff != "" {
				t.Errorf("what it says (-want +got):\n%s", diff)
			}
			now := c.instance(t, "chat")
			if diff := cmp.Diff(want.Spec, now.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Annotations, now.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCommandsRefuse(t *testing.T) {
	external := chat()
	external.Name = "external"
	external.Spec.Auth.AccessKeys.ExistingSecretRef = &signalrv1alpha1.SecretReference{Name: "my-keys"}
	pinned := chat()
	pinned.Name, pinned.Spec.Edge.Image = "pinned", "r.example/s:1"
	stopped := chat()
	stopped.Name, stopped.Spec.State = "stopped", signalrv1alpha1.StateStopped
	paused := chat()
	paused.Name, paused.Annotations = "paused", map[string]string{signalrv1alpha1.PausedAnnotation: "true"}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no name":               {[]string{"keys"}, "which instance?"},
		"two names":             {[]string{"keys", "chat", "--name", "other"}, "which one?"},
		"a list without commas": {[]string{"create", "chat", "--allowed-origins", "https://a", "https://b"}, "commas"},
		"a list without commas, and a name": {
			[]string{"create", "--name", "chat", "--allowed-origins", "https://a", "https://b"}, "commas",
		},
		"no units":                        {[]string{"create", "x", "--unit-count", "0"}, "one unit at least"},
		"a scale to no units":             {[]string{"scale", "chat", "--unit-count", "0"}, "one unit at least"},
		"a command of az's alone":         {[]string{"key", "list", "--name", "chat"}, "kubectl signalr keys NAME"},
		"a flag of az's alone":            {[]string{"keys", "chat", "--query", "x"}, "see kubectl signalr keys --help"},
		"a rotation of what is paused":    {[]string{"rotate", "paused", "--key-type", "primary"}, "is paused"},
		"an instance that is not there":   {[]string{"keys", "nobody"}, "no SignalRInstance nobody in namespace web"},
		"keys that are not there yet":     {[]string{"keys", "chat"}, "there is no Secret chat-keys yet"},
		"a key that is none":              {[]string{"keys", "chat", "--key-type", "salt"}, "primary, secondary"},
		"a rotation of which key?":        {[]string{"rotate", "chat"}, "key-type"},
		"a rotation of somebody's Secret": {[]string{"rotate", "external", "--key-type", "primary"}, "my-keys"},
		"a size that is none":             {[]string{"create", "x", "--sku", "Basic"}, "Standard_S1"},
		"a mode that is none":             {[]string{"create", "x", "--service-mode", "Auto"}, "Serverless"},
		"a tag that is none":              {[]string{"create", "x", "--tags", "team"}, "name=value"},
		"a scale to nothing":              {[]string{"scale", "chat"}, "unit-count"},
		"an upgrade of a pinned image":    {[]string{"upgrade", "pinned"}, "--image"},
		"an instance that is there":       {[]string{"create", "chat"}, "already exists"},
		"a port to nothing":               {[]string{"open", "chat"}, "no edge pod is running"},
		"a port to what is stopped":       {[]string{"open", "stopped"}, "kubectl signalr start stopped"},
		"a format that is none":           {[]string{"list", "-o", "xml"}, "table, json, yaml, name"},
	} {
		t.Run(name, func(t *testing.T) {
			got := newCluster(t, chat(), external.DeepCopy(), pinned.DeepCopy(), stopped.DeepCopy(), paused.DeepCopy()).
				run(t, "", tc.args...)
			if got.err == nil || !strings.Contains(got.err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, got.err)
			}
		})
	}
}

func TestCreateWaitsUntilReady(t *testing.T) {
	c := newCluster(t)
	looks := 0
	c.operator = func(instance *signalrv1alpha1.SignalRInstance) {
		if looks++; looks < 3 {
			return
		}
		instance.Status.Endpoint = "http://new.web.svc"
		meta.SetStatusCondition(&instance.Status.Conditions, metav1.Condition{
			Type: signalrv1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: signalrv1alpha1.ReasonServing,
			ObservedGeneration: instance.Generation,
		})
	}
	got := c.run(t, "", "create", "new", "--unit-count", "5")
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := "signalrinstance/new created\nsignalrinstance/new is ready at http://new.web.svc\n"
	if diff := cmp.Diff(want, got.out); diff != "" {
		t.Errorf("what it says (-want +got):\n%s", diff)
	}
	if units := c.instance(t, "new").Spec.Units; units != 5 {
		t.Errorf("want 5 units, got %d", units)
	}
}

func TestCreateSaysWhyItWaitedInVain(t *testing.T) {
	c := newCluster(t)
	c.operator = func(instance *signalrv1alpha1.SignalRInstance) {
		meta.SetStatusCondition(&instance.Status.Conditions, metav1.Condition{
			Type: signalrv1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "0 of 1 edges",
			Reason: signalrv1alpha1.ReasonEdgesNotReady, ObservedGeneration: instance.Generation,
		})
	}
	got := c.run(t, "", "create", "new", "--timeout", "20ms")
	if got.err == nil || !strings.Contains(got.err.Error(), "EdgesNotReady: 0 of 1 edges") {
		t.Errorf("want an error with reason and message, got %v", got.err)
	}
}

func TestCreateSaysWhatHasStalledIt(t *testing.T) {
	c := newCluster(t)
	c.operator = func(instance *signalrv1alpha1.SignalRInstance) {
		for _, condition := range []metav1.Condition{
			{Type: signalrv1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: signalrv1alpha1.ReasonEdgesNotReady},
			{
				Type: signalrv1alpha1.ConditionStalled, Status: metav1.ConditionTrue,
				Reason: signalrv1alpha1.ReasonNameConflict, Message: "Service new is somebody else's",
			},
		} {
			condition.ObservedGeneration = instance.Generation
			meta.SetStatusCondition(&instance.Status.Conditions, condition)
		}
	}
	got := c.run(t, "", "create", "new", "--timeout", "20ms")
	if got.err == nil || !strings.Contains(got.err.Error(), "NameConflict: Service new is somebody else's") {
		t.Errorf("want an error with the cause, got %v", got.err)
	}
}

func TestWhatIsPausedIsSaidToBe(t *testing.T) {
	paused := chat()
	paused.Annotations = map[string]string{signalrv1alpha1.PausedAnnotation: "true"}
	got := newCluster(t, paused).run(t, "", "scale", "chat", "--unit-count", "5")
	if got.err != nil || !strings.Contains(got.note, "is paused") {
		t.Errorf("want a note that it is paused, got %q, %v", got.note, got.err)
	}
}

func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"keys ": "chat\n:4\n", "keys chat ": ":4\n", "create ": ":4\n",
		"create --sku ":           "Free_F1\nStandard_S1\nPremium_P1\nPremium_P2\n:4\n",
		"rotate chat --key-type ": "primary\nsecondary\n:4\n",
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{cobra.ShellCompRequestCmd}, strings.Split(line, " ")...)
			if diff := cmp.Diff(want, newCluster(t, chat()).run(t, "", args...).out); diff != "" {
				t.Errorf("what is offered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfImports(t *testing.T) {
	const two = `[{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "Free_F1"}, "name": "Chat"},
		{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "Free_F1"}, "name": "CHAT"}]`
	c := newCluster(t)
	got := c.run(t, two, "az-import")
	for _, want := range []string{
		"note: chat: Azure calls it Chat,", "note: chat: Azure calls it CHAT,",
		"note: chat: an instance before it has the same name",
	} {
		if !strings.Contains(got.note, want) {
			t.Errorf("want %q, got %q, %v", want, got.note, got.err)
		}
	}
	got = c.run(t, two, "az-import", "--name", "west,north", "--strict")
	if got.err != nil || got.note != "" || !strings.Contains(got.out, "name: west\n") ||
		!strings.Contains(got.out, "name: north\n") {
		t.Errorf("want west and north, and nothing to say, got %s%s, %v", got.out, got.note, got.err)
	}
	got = c.run(t, two, "az-import", "--name", "west")
	if got.err == nil || !strings.Contains(got.err.Error(), "2 instances") {
		t.Errorf("one name is for one, got %v", got.err)
	}
}

func TestKeysOfASecretWithoutConnectionStrings(t *testing.T) {
	secret := keysOfChat()
	delete(secret.Data, "primaryConnectionString")
	delete(secret.Data, "secondaryConnectionString")
	got := newCluster(t, chat(), secret).run(t, "", "keys", "chat")
	if got.err != nil || strings.Contains(got.out, "ConnectionString") {
		t.Errorf("want the keys alone, got %s, %v", got.out, got.err)
	}
}

func TestRotateWaitsForTheNewSpecToBeSeen(t *testing.T) {
	behind := chat() // True, but for an older spec
	meta.FindStatusCondition(behind.Status.Conditions, signalrv1alpha1.ConditionKeysReady).ObservedGeneration = 2
	c := newCluster(t, behind)
	looks := 0
	c.operator = func(instance *signalrv1alpha1.SignalRInstance) {
		if looks++; looks > 4 {
			meta.FindStatusCondition(instance.Status.Conditions, signalrv1alpha1.ConditionKeysReady).ObservedGeneration = 3
		}
	}
	if got := c.run(t, "", "rotate", "chat", "--key-type", "primary"); got.err != nil {
		t.Fatal(got.err)
	}
	if looks <= 4 {
		t.Errorf("it did not wait: looked %d times", looks)
	}
}

func TestStatusFallsBackToRoundedNumbers(t *testing.T) {
	c := newCluster(t, chat())
	c.refuse = errors.New("pods is forbidden")
	got := c.run(t, "", "status", "chat")
	if got.err != nil {
		t.Fatal(got.err)
	}
	if !strings.Contains(got.note, "pods is forbidden") || !strings.Contains(got.out, "Usage (rounded") {
		t.Errorf("want rounded numbers and why, got %s%s", got.note, got.out)
	}
}

func TestASpecOfADoubtfulGenerationIsSaid(t *testing.T) {
	changed := chat()
	changed.Generation = 4
	got := newCluster(t, changed).run(t, "", "status", "chat", "--rounded")
	if !strings.Contains(got.out, "Unknown (was True)") {
		t.Errorf("conditions of an older spec are shown as those of this one:\n%s", got.out)
	}
}
