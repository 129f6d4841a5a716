package azimport

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// show writes everything that an import says.
func show(t *testing.T, result *Result) string {
	t.Helper()
	var w strings.Builder
	for _, d := range result.Dropped {
		fmt.Fprintf(&w, "dropped: %s: %s\n", d.Field, d.Why)
	}
	for _, i := range result.Imports {
		for _, d := range i.Dropped {
			fmt.Fprintf(&w, "dropped: %s: %s\n", d.Field, d.Why)
		}
		for _, n := range i.Notes {
			fmt.Fprintf(&w, "note: %s\n", n)
		}
		if i.Renamed != "" {
			fmt.Fprintf(&w, "renamed: %s\n", i.Renamed)
		}
		text, err := yaml.Marshal(map[string]any{"metadata": i.Instance.ObjectMeta, "spec": i.Instance.Spec})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(text)
	}
	return w.String()
}

func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			result, err := Parse(document)
			if err != nil {
				t.Fatal(err)
			}
			got := show(t, result)
			if strings.Contains(got, "nobody-may-see") || strings.Contains(got, "secret-in-a-url") {
				t.Errorf("a secret of the document is shown:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".json") + ".out"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got; -update writes it):\n%s", diff)
			}
		})
	}
}

// around puts properties into what the REST API returns.
func around(properties string) []byte {
	return []byte(`{"type": "Microsoft.SignalRService/SignalR", "name": "chat", "location": "westeurope",
		"sku": {"name": "Standard_S1", "capacity": 1}, "properties": {` + properties + `}}`)
}

func TestWhatIsDropped(t *testing.T) {
	for name, tc := range map[string]struct {
		properties string
		dropped    []string
	}{
		"nothing of what is default": {
			properties: `"tls": {"clientCertEnabled": true}, "disableLocalAuth": false, "cors": {"allowedOrigins": ["*"]},
				"networkACLs": {"defaultAction": "Allow", "publicNetwork": {"allow": null, "deny": null}, "ipRules": null}`,
		},
		"rules that deny": {
			properties: `"networkACLs": {"defaultAction": "Allow", "publicNetwork": {"deny": ["RESTAPI"]}}`,
			dropped:    []string{"networkACLs.publicNetwork.deny[0]"},
		},
		"live trace": {
			properties: `"liveTraceConfiguration": {"enabled": "true", "categories": [{"name": "x", "enabled": "true"}]}`,
			dropped: []string{
				"liveTraceConfiguration.categories[0].enabled",
				"liveTraceConfiguration.categories[0].name",
				"liveTraceConfiguration.enabled",
			},
		},
		"live trace that is off": {
			properties: `"liveTraceConfiguration": {"enabled": "false", "categories": [{"name": "x", "enabled": "true"}]}`,
		},
		"access keys that are off": {`"disableLocalAuth": true`, []string{"disableLocalAuth"}},
		"a keep-alive": {
			properties: `"serverless": {"keepAliveIntervalInSeconds": 20, "connectionTimeoutInSeconds": 30}`,
			dropped:    []string{"serverless.keepAliveIntervalInSeconds"},
		},
		"an endpoint taken out": {
			properties: `"regionEndpointEnabled": "Disabled"`,
			dropped:    []string{"regionEndpointEnabled"},
		},
		"what this program never saw": {
			properties: `"futureThing": {"a": [1, {"b": false}]}`,
			dropped:    []string{"futureThing.a[0]", "futureThing.a[1].b"},
		},
		"a feature nobody knows": {
			properties: `"features": [{"flag": "Teleport", "value": "on"}]`,
			dropped:    []string{"features[0].flag", "features[0].value"},
		},
		"a private endpoint": {
			properties: `"privateEndpointConnections": [{"id": "x"}]`,
			dropped:    []string{"privateEndpointConnections[0].id"},
		},
		"a firewall": {
			properties: `"applicationFirewall": {"maxClientConnectionLifetimeInSeconds": 60}`,
			dropped:    []string{"applicationFirewall.maxClientConnectionLifetimeInSeconds"},
		},
		"a feature's odd properties": {
			properties: `"features": [{"flag": "ServiceMode", "value": "Default", "properties": {"x": "y"}}]`,
			dropped:    []string{"features[0].properties.x"},
		},
		"an identity that there is no": {properties: `"identity": {"type": "None"}`},
		"an origin that is none": {
			properties: `"cors": {"allowedOrigins": ["https://a.example", "https://b.example/page", "*.example"]}`,
			dropped:    []string{"cors.allowedOrigins[1]", "cors.allowedOrigins[2]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Parse(around(tc.properties))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range result.Imports[0].Dropped {
				got = append(got, strings.TrimPrefix(d.Field, "properties."))
				if d.Why == "" {
					t.Errorf("%s: it does not say why", d.Field)
				}
			}
			if diff := cmp.Diff(tc.dropped, got); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsTakenOver(t *testing.T) {
	result, err := Parse(around(`"resourceStopped": "true", "features": [{"flag": "servicemode", "value": "classic"}],
		"cors": {"allowedOrigins": ["https://a.example", "https://a.example", "*"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := signalrv1alpha1.SignalRInstanceSpec{
		Tier: signalrv1alpha1.TierStandard, Units: 1, State: signalrv1alpha1.StateStopped,
		ServiceMode: signalrv1alpha1.ServiceModeClassic,
	}
	if diff := cmp.Diff(want, result.Imports[0].Instance.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestWhoLosesAllOriginsIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		document []byte
		told     bool
	}{
		"none that could be kept": {around(`"cors": {"allowedOrigins": ["https://a.example/page"]}`), true},
		"an expression":           {inTemplate(`"cors": {"allowedOrigins": "[parameters('asked')]"}`), true},
		"one is left":             {inTemplate(`"cors": {"allowedOrigins": ["https://a", "[parameters('asked')]"]}`), false},
		"all were let in":         {around(`"cors": {"allowedOrigins": ["*", "https://a.example/page"]}`), false},
		"none were named":         {around(`"cors": {"allowedOrigins": null}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Parse(tc.document)
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(result.Imports[0].Notes, "\n")
			if strings.Contains(notes, "any web page may connect") != tc.told {
				t.Errorf("want it told %t, got %q", tc.told, notes)
			}
		})
	}
}

func TestValuesThatNameEachOther(t *testing.T) {
	result, err := Parse([]byte(`{"$schema": "x",
		"parameters": {"a": {"defaultValue": "[parameters('b')]"}, "b": {"defaultValue": "[parameters('a')]"}},
		"variables": {"origins": "[variables('all')]", "all": ["https://a.example"]},
		"resources": [{"type": "Microsoft.SignalRService/signalR", "name": "chat", "sku": {"name": "Standard_S1"},
		"properties": {"cors": {"allowedOrigins": "[variables('origins')]"}, "resourceStopped": "[parameters('a')]"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	one := result.Imports[0]
	if diff := cmp.Diff([]string{"https://a.example"}, one.Instance.Spec.CORS.AllowedOrigins); diff != "" {
		t.Errorf("a variable that names another is not understood (-want +got):\n%s", diff)
	}
	if len(one.Dropped) != 1 || !strings.HasSuffix(one.Dropped[0].Field, "resourceStopped") {
		t.Errorf("want what goes round in a circle dropped, got %v", one.Dropped)
	}
}

func TestAServiceOfAnotherKindStandsInNobodysWay(t *testing.T) {
	other := `{"type": "Microsoft.SignalRService/SignalR", "name": "raw", "kind": "RawWebSockets"}`
	result, err := Parse([]byte(`[` + other + `,` + string(around(`"resourceStopped": "false"`)) + `]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Imports) != 1 || len(result.Dropped) != 1 || result.Dropped[0].Field != "raw" {
		t.Errorf("want chat imported and raw dropped, got %+v", result)
	}
}

func TestATemplateMayHaveComments(t *testing.T) {
	result, err := Parse([]byte(`{ // a template
		"$schema": "https://schema.management.azure.com/x#", /* with "quotes"
		and lines */ "resources": [{"type": "Microsoft.SignalRService/signalR", "name": "chat", "sku": {"name": "Free_F1"},
		"properties": {"cors": {"allowedOrigins": ["https://a.example"]}}, "tags": {"quote": "\" // none"} // one
		}]}`))
	if err != nil {
		t.Fatal(err)
	}
	one := result.Imports[0].Instance
	if diff := cmp.Diff([]string{"https://a.example"}, one.Spec.CORS.AllowedOrigins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	if got := one.Annotations[TagAnnotation("quote")]; got != `" // none` {
		t.Errorf("a text is taken for a comment: %q", got)
	}
	for _, open := range []string{`{"a": 1 /*`, `{"a": 1 //`, `{"a": "\`, `/`} {
		if _, err := Parse([]byte(open)); err == nil {
			t.Errorf("%s is taken for a document", open)
		}
	}
}

func TestATemplateOfVisualStudioIsRead(t *testing.T) {
	if _, err := Parse(append([]byte("\xef\xbb\xbf"), around(`"resourceStopped": "false"`)...)); err != nil {
		t.Error(err)
	}
}

func TestAzuresNamesAreMadeNamesOfInstances(t *testing.T) {
	long := "contoso-notifications-production-westeurope"
	names := map[string]bool{}
	for name, want := range map[string]string{
		"chat": "chat", "Chat-Web1": "chat-web1", strings.Repeat("a", 40): strings.Repeat("a", 40),
		long + "-01": "", long + "-02": "", strings.Repeat("a-", 31) + "a": "",
	} {
		result, err := Parse([]byte(`{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "Free_F1"}, "name": "` +
			name + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		one := result.Imports[0]
		if err := one.Check(); err != nil || want != "" && one.Instance.Name != want {
			t.Errorf("%s is called %s: %v", name, one.Instance.Name, err)
		}
		if said := one.Renamed == name; said != (one.Instance.Name != name) {
			t.Errorf("%s is called %s, and Renamed is %q", name, one.Instance.Name, one.Renamed)
		}
		names[one.Instance.Name] = true
	}
	if len(names) != 6 {
		t.Errorf("names that differ have become the same: %v", names)
	}
}

func TestWhatTheRESTAPIListsIsRead(t *testing.T) {
	result, err := Parse([]byte(`{"value": [` + string(around(`"disableAadAuth": true`)) + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Imports) != 1 || result.Imports[0].Instance.Name != "chat" {
		t.Errorf("got %+v", result.Imports)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ document, want string }{
		"no JSON":                {`name: chat`, "read JSON"},
		"JSON of something else": {`{"name": "chat"}`, "no SignalR service found"},
		"an empty list":          {`[]`, "no SignalR service found"},
		"a template without services": {
			`{"$schema": "x", "resources": [{"type": "Microsoft.Storage/x"}]}`,
			"no SignalR service",
		},
		"a state without services": {`{"format_version": "1.0", "values": {}}`, "no SignalR service found"},
		"a size that is none": {
			`{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "Basic"}}`,
			"Standard_S1",
		},
		"a size that is an expression": {
			`{"$schema": "x", "resources": [{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "[concat('a')]"}}]}`,
			"sku",
		},
		"units that are none": {
			`{"type": "Microsoft.SignalRService/SignalR", "sku": {"name": "Free_F1", "capacity": 0.5}}`,
			"number of units",
		},
		"a mode that is none": {
			string(around(`"features": [{"flag": "ServiceMode", "value": "Auto"}]`)),
			"Serverless",
		},
		"a mode that is an expression": {
			string(inTemplate(`"features": [{"flag": "ServiceMode", "value": "[parameters('asked')]"}]`)),
			"service mode",
		},
		"a size that is one expression": {
			`{"$schema": "x", "resources": [{"type": "Microsoft.SignalRService/SignalR", "sku": "[parameters('sku')]"}]}`,
			"[parameters('sku')] says no size",
		},
		"another kind": {
			`{"type": "Microsoft.SignalRService/SignalR", "kind": "RawWebSockets"}`,
			"RawWebSockets",
		},
		"a list with a stranger": {`[{"name": "chat"}]`, "[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.document))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

// inTemplate puts properties into a service of a template.
func inTemplate(properties string) []byte {
	return []byte(`{"$schema": "x", "parameters": {"given": {"defaultValue": "true"}, "asked": {"type": "string"}},
		"resources": [{"type": "Microsoft.SignalRService/signalR", "name": "chat", "location": "[resourceGroup().location]",
		"sku": {"name": "Standard_S1"}, "properties": {` + properties + `}}]}`)
}

func TestExpressionsOfATemplateAreNotTakenForValues(t *testing.T) {
	for name, tc := range map[string]struct {
		properties string
		dropped    []string
	}{
		"a parameter with a default": {properties: `"disableAadAuth": "[parameters('given')]"`},
		"origins": {
			properties: `"cors": {"allowedOrigins": ["https://a.example", "[parameters('asked')]"]}`,
			dropped:    []string{"cors.allowedOrigins[1]"},
		},
		"a whole setting":    {`"cors": "[parameters('asked')]"`, []string{"cors"}},
		"a switch":           {`"resourceStopped": "[parameters('asked')]"`, []string{"resourceStopped"}},
		"network rules":      {`"networkACLs": {"ipRules": "[parameters('asked')]"}`, []string{"networkACLs.ipRules"}},
		"what is not built":  {`"upstream": "[variables('upstream')]"`, []string{"upstream"}},
		"a text in brackets": {properties: `"publicNetworkAccess": "[[Disabled]"`},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Parse(inTemplate(tc.properties))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range result.Imports[0].Dropped {
				got = append(got, strings.TrimPrefix(d.Field, "resources[0].properties."))
			}
			if diff := cmp.Diff(tc.dropped, got); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
			for _, origin := range result.Imports[0].Instance.Spec.CORS.AllowedOrigins {
				if strings.HasPrefix(origin, "[") {
					t.Errorf("%s is taken for an origin", origin)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"chat": true, "a": true, "a-1": true, "Chat": false, "1chat": false, "chat-": false, "": false, "chat.web": false,
		strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
	} {
		i := Import{Instance: &signalrv1alpha1.SignalRInstance{}}
		i.Rename(name)
		if err := i.Check(); (err == nil) != good {
			t.Errorf("%q: want good %t, got %v", name, good, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		document, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		result, err := Parse(document)
		if (err == nil) != (result != nil) {
			t.Fatalf("want a result or an error, got %v, %v", result, err)
		}
	})
}
