package controllers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	crdFile   = "../config/crd/bases/signalr-operator.io_signalrinstances.yaml"
	kindsFile = "testdata/optional-kinds.yaml"
	rbacDir   = "../config/rbac/"

	operatorNamespace = "signalr-operator"
	operatorUser      = "system:serviceaccount:" + operatorNamespace + ":signalr-operator"
	firstImage        = "example.com/signalr:1.0.0"
)

var (
	server *envtest.Environment
	scheme *runtime.Scheme
	// adminConfig reaches the API server as an administrator, operatorConfig as the operator's ServiceAccount, with the
	// generated role and nothing else. Every request through it is recorded.
	adminConfig, operatorConfig *rest.Config
	admin, operator             client.WithWatch
	recorded                    = newRecord()
)

func TestControllers(t *testing.T) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		dir, err := exec.CommandContext(t.Context(), "../hack/envtest", "--present").Output()
		if err != nil {
			t.Fatal("no etcd and kube-apiserver here: make envtest-assets makes them")
		}
		t.Setenv("KUBEBUILDER_ASSETS", strings.TrimSpace(string(dir)))
	}
	// API servers of 1.31 list before they watch, newer ones stream: the older way needs more rights, so it is tested.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	if suite.LabelFilter == "" {
		suite.LabelFilter = "!scale" // minutes, and a target of its own
	}
	RunSpecs(t, "Controllers", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(GinkgoLogr)
	var err error
	scheme, err = NewScheme()
	Expect(err).NotTo(HaveOccurred())
	server = &envtest.Environment{CRDDirectoryPaths: []string{crdFile, kindsFile}, ErrorIfCRDPathMissing: true}
	// Without this plugin nobody would notice that the operator may not set blockOwnerDeletion.
	server.ControlPlane.GetAPIServer().Configure().
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		Set("service-cluster-ip-range", "10.96.0.0/16") // room for a thousand instances
	adminConfig, err = server.Start()
	Expect(err).NotTo(HaveOccurred())
	adminConfig.QPS = -1
	admin, err = client.NewWithWatch(adminConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	grant(ctx)
	operatorConfig = rest.CopyConfig(adminConfig)
	operatorConfig.Impersonate = rest.ImpersonationConfig{
		UserName: operatorUser,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorNamespace, "system:authenticated"},
	}
	operatorConfig.Wrap(recorded.wrap)
	operator, err = client.NewWithWatch(operatorConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(3*time.Minute))

var _ = AfterSuite(func() {
	if server != nil {
		Expect(server.Stop()).To(Succeed())
	}
})

// grant applies config/rbac, and waits until the API server's authorizer knows it.
func grant(ctx context.Context) {
	GinkgoHelper()
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(operatorNamespace)
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	for _, file := range []string{"role.yaml", "cluster_role_binding.yaml", "role_binding.yaml"} {
		for _, u := range readObjects(rbacDir + file) {
			Expect(admin.Create(ctx, u)).To(Succeed())
		}
	}
	probe := rest.CopyConfig(adminConfig)
	probe.Impersonate = rest.ImpersonationConfig{UserName: operatorUser}
	c, err := client.New(probe, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		secrets := &metav1.PartialObjectMetadataList{}
		secrets.SetGroupVersionKind(secretGVK)
		return c.List(ctx, secrets)
	}).WithContext(ctx).WithTimeout(10 * time.Second).Should(Succeed())
}

// readObjects reads the YAML documents of a file.
func readObjects(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var out []*unstructured.Unstructured
	for {
		u := &unstructured.Unstructured{}
		switch err := decoder.Decode(&u.Object); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			Expect(err).NotTo(HaveOccurred())
		case len(u.Object) > 0:
			out = append(out, u)
		}
	}
}
