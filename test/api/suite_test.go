package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

const (
	crdFile    = "../../config/crd/bases/signalr-operator.io_signalrinstances.yaml"
	policyFile = "../../config/policy/warnings.yaml"
	samplesDir = "../../config/samples"
	namespace  = "default"
)

var (
	server *envtest.Environment
	// config reaches the API server as an administrator.
	config *rest.Config
)

func TestAPI(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		dir, err := exec.CommandContext(t.Context(), "../../hack/envtest", "--present").Output()
		if err != nil {
			t.Fatal("no etcd and kube-apiserver here: make envtest-assets makes them")
		}
		t.Setenv("KUBEBUILDER_ASSETS", strings.TrimSpace(string(dir)))
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "API")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = &envtest.Environment{CRDDirectoryPaths: []string{crdFile}, ErrorIfCRDPathMissing: true}
	var err error
	config, err = server.Start()
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1 // the suite is its only client
	startPolicy(ctx)
}, NodeTimeout(3*time.Minute))

var _ = AfterSuite(func() {
	if server != nil {
		Expect(server.Stop()).To(Succeed())
	}
})

// startPolicy applies the warnings and waits until the API server gives them: it learns of a policy a little later.
func startPolicy(ctx context.Context) {
	GinkgoHelper()
	c := kubernetes.NewForConfigOrDie(config).AdmissionregistrationV1()
	force := metav1.PatchOptions{FieldManager: "test", Force: new(true)}
	for _, u := range read(policyFile) {
		body, err := json.Marshal(u)
		Expect(err).NotTo(HaveOccurred())
		switch u.GetKind() {
		case "ValidatingAdmissionPolicy":
			_, err = c.ValidatingAdmissionPolicies().Patch(ctx, u.GetName(), types.ApplyPatchType, body, force)
		default:
			_, err = c.ValidatingAdmissionPolicyBindings().Patch(ctx, u.GetName(), types.ApplyPatchType, body, force)
		}
		Expect(err).NotTo(HaveOccurred())
	}
	Eventually(func() []string {
		return create(ctx, instance("canary", "serviceMode: Classic")).warnings
	}).WithContext(ctx).WithTimeout(time.Minute).WithPolling(100 * time.Millisecond).ShouldNot(BeEmpty())
}

// policy returns the warnings that ship.
func policy() *admissionv1.ValidatingAdmissionPolicy {
	GinkgoHelper()
	p := &admissionv1.ValidatingAdmissionPolicy{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(read(policyFile)[0].Object, p)).To(Succeed())
	return p
}

// read returns the objects of a YAML file.
func read(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	f, err := os.Open(filepath.Clean(file))
	Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	var out []*unstructured.Unstructured
	for d := utilyaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		Expect(err).NotTo(HaveOccurred(), file)
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}

// manifest is an entry of a table in testdata.
type manifest struct {
	// Name says what it is about.
	Name string `json:"name"`
	// Metadata and Spec are those of the SignalRInstance; the name is chat when there is no metadata.
	Metadata json.RawMessage `json:"metadata"`
	Spec     json.RawMessage `json:"spec"`
	// Field is the path of the field that the answer must name, Allowed what it must say that it may hold, and Warning
	// what it must warn of.
	Field   string `json:"field"`
	Allowed string `json:"allowed"`
	Warning string `json:"warning"`
}

// table returns the entries of a table.
func table(file string) []manifest {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	Expect(err).NotTo(HaveOccurred())
	var out []manifest
	Expect(yaml.UnmarshalStrict(text, &out)).To(Succeed(), file)
	return out
}

// object returns the entry as a SignalRInstance.
func (m manifest) object() *unstructured.Unstructured {
	GinkgoHelper()
	u := instance("chat", string(m.Spec))
	if len(m.Metadata) > 0 {
		u.Object["metadata"] = decode(string(m.Metadata))
		u.SetNamespace(namespace)
	}
	return u
}

// instance returns a SignalRInstance with a spec written as YAML.
func instance(name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": signalrv1alpha1.SchemeGroupVersion.String(),
		"kind":       signalrv1alpha1.Kind,
		"spec":       decode(spec),
	}}
	u.SetName(name)
	u.SetNamespace(namespace)
	return u
}

// decode reads YAML as the API machinery wants it: whole numbers are int64.
func decode(text string) map[string]any {
	GinkgoHelper()
	body, err := yaml.YAMLToJSONStrict([]byte(text))
	Expect(err).NotTo(HaveOccurred(), text)
	out := map[string]any{}
	Expect(utiljson.Unmarshal(body, &out)).To(Succeed(), text)
	return out
}

// typed converts what the API server answered.
func typed(u *unstructured.Unstructured) *signalrv1alpha1.SignalRInstance {
	GinkgoHelper()
	out := &signalrv1alpha1.SignalRInstance{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out)).To(Succeed())
	return out
}

// answer is what the API server said to a manifest.
type answer struct {
	object   *unstructured.Unstructured
	warnings []string
	err      error
}

// create asks what would happen to a new object, as `kubectl create --dry-run=server` does: everything is checked and
// nothing kept.
func create(ctx context.Context, u *unstructured.Unstructured) answer {
	GinkgoHelper()
	c, heard := instances()
	out, err := c.Create(ctx, u, metav1.CreateOptions{
		DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
	return answer{out, heard.texts(), err}
}

// apply does what `kubectl apply --server-side` does.
func apply(ctx context.Context, u *unstructured.Unstructured, dryRun ...string) answer {
	GinkgoHelper()
	c, heard := instances()
	out, err := c.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "kubectl", DryRun: dryRun})
	return answer{out, heard.texts(), err}
}

// keep applies for the length of one test.
func keep(ctx context.Context, u *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	a := apply(ctx, u)
	Expect(a.err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		c, _ := instances()
		Expect(c.Delete(ctx, u.GetName(), metav1.DeleteOptions{})).To(Succeed())
	})
	return a.object
}

// instances returns a client for SignalRInstances of its own, with what it is warned of.
func instances() (dynamic.ResourceInterface, *warnings) {
	GinkgoHelper()
	heard := &warnings{}
	cfg := rest.CopyConfig(config)
	cfg.WarningHandlerWithContext = heard
	c, err := dynamic.NewForConfig(cfg)
	Expect(err).NotTo(HaveOccurred())
	return c.Resource(signalrv1alpha1.SchemeGroupVersion.WithResource(signalrv1alpha1.Resource)).Namespace(namespace),
		heard
}

// warnings collects the Warning headers of answers.
type warnings struct {
	mu sync.Mutex // guards list
	// list holds the texts.
	list []string
}

// HandleWarningHeaderWithContext is called by the client for each header.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	if code != 299 || text == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

func (w *warnings) texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}

// observed returns an instance with the status of one that serves.
func observed(name string) *signalrv1alpha1.SignalRInstance {
	return &signalrv1alpha1.SignalRInstance{
		TypeMeta: metav1.TypeMeta{
			APIVersion: signalrv1alpha1.SchemeGroupVersion.String(), Kind: signalrv1alpha1.Kind,
		},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Status: signalrv1alpha1.SignalRInstanceStatus{
			Conditions: []metav1.Condition{{
				Type: signalrv1alpha1.ConditionReady, Status: metav1.ConditionTrue,
				Reason: signalrv1alpha1.ReasonServing, LastTransitionTime: metav1.Now(),
			}},
		},
	}
}

// updateStatus writes the status of an instance. It is a patch and no apply: the API server sorts the owners of fields
// by operation and time, so that one who applies after another who applied moves behind it, which counts as a change.
func updateStatus(ctx context.Context, in *signalrv1alpha1.SignalRInstance) error {
	GinkgoHelper()
	body, err := json.Marshal(map[string]any{"status": in.Status})
	Expect(err).NotTo(HaveOccurred())
	c, _ := instances()
	_, err = c.Patch(ctx, in.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "test"}, "status")
	return err
}

// printed returns what `kubectl get -o wide` shows of an instance.
func printed(ctx context.Context, name string) (columns []string, cells []any) {
	GinkgoHelper()
	body, err := kubernetes.NewForConfigOrDie(config).RESTClient().Get().
		AbsPath("/apis", signalrv1alpha1.GroupName, signalrv1alpha1.Version, "namespaces", namespace,
			signalrv1alpha1.Resource, name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	t := &unstructured.Unstructured{}
	Expect(t.UnmarshalJSON(body)).To(Succeed())
	definitions, _, err := unstructured.NestedSlice(t.Object, "columnDefinitions")
	Expect(err).NotTo(HaveOccurred())
	for _, d := range definitions {
		columns = append(columns, d.(map[string]any)["name"].(string))
	}
	rows, _, err := unstructured.NestedSlice(t.Object, "rows")
	Expect(err).NotTo(HaveOccurred())
	Expect(rows).To(HaveLen(1))
	return columns, rows[0].(map[string]any)["cells"].([]any)
}
