package install

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

var _ = Describe("What is installed", func() {
	It("is the same after a second apply", func(ctx SpecContext) {
		for _, object := range installed {
			before, err := apply(ctx, object, false)
			Expect(err).NotTo(HaveOccurred())
			after, err := apply(ctx, object, false)
			Expect(err).NotTo(HaveOccurred())
			Expect(after.GetResourceVersion()).To(Equal(before.GetResourceVersion()),
				"%s %s", object.GetKind(), object.GetName())
		}
	})

	It("fits client-side apply, whose annotation takes 256 KiB", func() {
		for _, object := range installed {
			text, err := object.MarshalJSON()
			Expect(err).NotTo(HaveOccurred())
			Expect(len(text)).To(BeNumerically("<", 200<<10), "%s %s", object.GetKind(), object.GetName())
		}
	})

	DescribeTable("is accepted from the chart", func(ctx SpecContext, args ...string) {
		namespace := newNamespace(ctx)
		for i, arg := range args {
			args[i] = strings.ReplaceAll(arg, "NAMESPACE", namespace)
		}
		objects := render(ctx, namespace, args...)
		Expect(objects).NotTo(BeEmpty())
		for _, object := range objects {
			_, err := apply(ctx, object, true)
			Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
		}
	},
		Entry("with the defaults"),
		Entry("for some namespaces", "--set", "watchNamespaces={NAMESPACE}"),
		Entry("with everything set", "--set", "image.pullSecrets={registry},priorityClassName=system-cluster-critical",
			"--set", "podLabels.team=a,podAnnotations.note=b,nodeSelector.kubernetes\\.io/os=linux,commonLabels.owner=c",
			"--set", "tolerations[0].operator=Exists,extraEnv[0].name=HTTPS_PROXY,extraEnv[0].value=http://proxy",
			"--set", "topologySpreadConstraints[0].maxSkew=1,topologySpreadConstraints[0].topologyKey=zone",
			"--set", "topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway,podDisruptionBudget.maxUnavailable=50%",
			"--set", "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."+
				"matchExpressions[0].key=pool,affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."+
				"nodeSelectorTerms[0].matchExpressions[0].operator=Exists,serviceAccount.annotations.a=b"),
		Entry("with next to nothing", "--set", "metrics.enabled=false,networkPolicy.enabled=false,crds.enabled=false",
			"--set", "podDisruptionBudget.enabled=false,admissionWarnings.enabled=false,rbac.aggregateRoles=false",
			"--set", "rbac.create=false,serviceAccount.create=false,monitoringNamespaces=null,replicas=1"),
	)
})

// helmProgram returns the path of Helm, which is built from its module the first time.
func helmProgram(ctx context.Context) string {
	GinkgoHelper()
	find := exec.CommandContext(ctx, "go", "tool", "-n", "-modfile=hack/helm/go.mod", "helm")
	find.Dir = root
	program, err := find.Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(program))
}

// render renders the chart with Helm.
func render(ctx SpecContext, namespace string, args ...string) []*unstructured.Unstructured {
	GinkgoHelper()
	run := exec.CommandContext(ctx, helmProgram(ctx), append([]string{
		"template", "signalr", root + "/charts/signalr-operator", "--namespace", namespace, "--kube-version", "v1.36.0",
	}, args...)...)
	home := GinkgoT().TempDir() // nobody's settings but ours
	run.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	text, err := run.Output()
	Expect(err).NotTo(HaveOccurred(), stderr.String())
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

var _ = Describe("The roles for people", func() {
	// bound returns a client of somebody who has one of the roles in a namespace, through a binding: what adds the roles
	// to the cluster's own is a controller, and none runs here. The authorizer learns of a binding a moment later.
	bound := func(ctx SpecContext, role, namespace string) client.Client {
		GinkgoHelper()
		user := role + "-" + namespace
		Expect(admin.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "signalr-operator-" + role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})).To(Succeed())
		theirs := rest.CopyConfig(config)
		theirs.Impersonate = rest.ImpersonationConfig{UserName: user}
		c, err := client.New(theirs, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		return c
	}
	forbidden := MatchError(apierrors.IsForbidden, "forbidden")
	chat := func(namespace string) *signalrv1alpha1.SignalRInstance {
		return &signalrv1alpha1.SignalRInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "chat"}}
	}

	It("let who may view see instances and nothing secret", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		viewer := bound(ctx, "view", namespace)
		Eventually(func() error {
			return viewer.List(ctx, &signalrv1alpha1.SignalRInstanceList{}, client.InNamespace(namespace))
		}).WithContext(ctx).Should(Succeed())
		Expect(viewer.Create(ctx, chat(namespace))).To(forbidden)
		Expect(viewer.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))).To(forbidden)
	})

	It("let who may edit make, scale and remove instances, and leave the status alone", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		editor := bound(ctx, "edit", namespace)
		Eventually(func() error { return editor.Create(ctx, chat(namespace)) }).WithContext(ctx).Should(Succeed())
		instance := chat(namespace)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(instance), instance)).To(Succeed())
		before := instance.DeepCopy()
		instance.Spec.Units = 3
		Expect(editor.Patch(ctx, instance, client.MergeFrom(before))).To(Succeed())
		Expect(editor.SubResource("scale").Patch(ctx, chat(namespace),
			client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":4}}`)))).To(Succeed())
		Expect(editor.Status().Patch(ctx, chat(namespace),
			client.RawPatch(types.MergePatchType, []byte(`{"status":{"hostName":"elsewhere.example"}}`)))).To(forbidden)
		Expect(editor.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))).To(forbidden)
		Expect(editor.DeleteAllOf(ctx, chat(namespace), client.InNamespace(namespace))).To(forbidden)
		Expect(editor.Delete(ctx, chat(namespace))).To(Succeed())
	})

	It("let who is admin remove all at once", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		owner := bound(ctx, "admin", namespace)
		Eventually(func() error {
			return owner.DeleteAllOf(ctx, chat(namespace), client.InNamespace(namespace))
		}).WithContext(ctx).Should(Succeed())
	})
})
