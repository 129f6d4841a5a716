package install

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/hack/install"
)

const root = "../.."

var (
	server *envtest.Environment
	// admin may do everything.
	admin  client.Client
	config *rest.Config
	scheme = runtime.NewScheme()
	// installed are the objects of config/default.
	installed []*unstructured.Unstructured
)

func TestInstall(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		dir, err := exec.CommandContext(t.Context(), root+"/hack/envtest", "--present").Output()
		if err != nil {
			t.Fatal("no etcd and kube-apiserver here: make envtest-assets makes them")
		}
		t.Setenv("KUBEBUILDER_ASSETS", strings.TrimSpace(string(dir)))
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "Install")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	log.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(signalrv1alpha1.AddToScheme(scheme)).To(Succeed())
	server = &envtest.Environment{}
	var err error
	config, err = server.Start()
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1 // the suite is its only client
	installed, err = install.Build(root, install.Default)
	Expect(err).NotTo(HaveOccurred())
	for _, object := range installed {
		_, err := apply(ctx, object, false)
		Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
	}
	admin, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func(ctx context.Context) error {
		return admin.List(ctx, &signalrv1alpha1.SignalRInstanceList{})
	}).WithContext(ctx).WithTimeout(30 * time.Second).Should(Succeed())
}, NodeTimeout(3*time.Minute))

var _ = AfterSuite(func() {
	if server != nil {
		Expect(server.Stop()).To(Succeed())
	}
	Expect(os.RemoveAll(toolbox)).To(Succeed())
})

// apply applies an object as kubectl apply --server-side --validate=strict does.
func apply(ctx context.Context, object *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	GinkgoHelper()
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	Expect(err).NotTo(HaveOccurred())
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	var into dynamic.ResourceInterface = dynamic.NewForConfigOrDie(config).Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		Expect(object.GetNamespace()).NotTo(BeEmpty(), "%s %s has no namespace", kind.Kind, object.GetName())
		into = dynamic.NewForConfigOrDie(config).Resource(mapping.Resource).Namespace(object.GetNamespace())
	} else {
		Expect(object.GetNamespace()).To(BeEmpty(), "%s %s has a namespace", kind.Kind, object.GetName())
	}
	body, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	options := metav1.PatchOptions{
		FieldManager: "install", Force: new(true), FieldValidation: metav1.FieldValidationStrict,
	}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return into.Patch(ctx, object.GetName(), types.ApplyPatchType, body, options)
}

// newNamespace makes a namespace for one spec.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// build builds a program of the repository into a folder.
func build(ctx context.Context, pkg, folder string) string {
	GinkgoHelper()
	program, err := filepath.Abs(filepath.Join(folder, filepath.Base(pkg)))
	Expect(err).NotTo(HaveOccurred())
	run := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	run.Dir = root
	out, err := run.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	return program
}
