package install

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

var _ = Describe("kubectl signalr", Ordered, func() {
	const documents = root + "/controllers/azimport/testdata"
	var plugin, kubeconfig, namespace string

	BeforeAll(func(ctx SpecContext) {
		plugin = filepath.Join(tools(ctx), "kubectl-signalr")
		user, err := server.AddUser(envtest.User{Name: "plugin", Groups: []string{"system:masters"}}, nil)
		Expect(err).NotTo(HaveOccurred())
		text, err := user.KubeConfig()
		Expect(err).NotTo(HaveOccurred())
		kubeconfig = filepath.Join(GinkgoT().TempDir(), "config")
		Expect(os.WriteFile(kubeconfig, text, 0o600)).To(Succeed())
		namespace = newNamespace(ctx)
	})

	// run runs the program; it returns both outputs and the exit code.
	run := func(ctx context.Context, args ...string) (out, note string, code int) {
		GinkgoHelper()
		command := exec.CommandContext(ctx, plugin,
			append([]string{"--kubeconfig", kubeconfig, "--namespace", namespace}, args...)...)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		err := command.Run()
		if _, exited := err.(*exec.ExitError); !exited { //nolint:errorlint // Run wraps nothing
			Expect(err).NotTo(HaveOccurred())
		}
		return stdout.String(), stderr.String(), command.ProcessState.ExitCode()
	}
	must := func(ctx context.Context, args ...string) string {
		GinkgoHelper()
		out, note, code := run(ctx, args...)
		Expect(code).To(BeZero(), "%s%s", out, note)
		return out
	}
	chat := func(ctx context.Context) *signalrv1alpha1.SignalRInstance {
		GinkgoHelper()
		found := &signalrv1alpha1.SignalRInstance{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "chat"}, found)).To(Succeed())
		return found
	}

	It("creates what az's flags say", func(ctx SpecContext) {
		Expect(must(ctx, "create", "--name", "chat", "--sku", "Standard_S1", "--unit-count", "2", "--service-mode", "Default",
			"--allowed-origins", "https://www.example.com", "--tags", "team=web", "--no-wait")).
			To(Equal("signalrinstance/chat created\n"))
		spec := chat(ctx).Spec
		Expect(spec.Units).To(BeEquivalentTo(2))
		Expect(spec.CORS.AllowedOrigins).To(Equal([]string{"https://www.example.com"}))
		Expect(spec.Edge.DrainSeconds).To(BeEquivalentTo(60), "what is not said has its default")
	})

	It("prints what kubectl can apply", func(ctx SpecContext) {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(must(ctx, "create", "other", "--sku", "Free_F1", "--dry-run")), &object.Object)).
			To(Succeed())
		object.SetNamespace(namespace)
		_, err := apply(ctx, object, true)
		Expect(err).NotTo(HaveOccurred())
	})

	It("says what the API server refuses, with the field", func(ctx SpecContext) {
		_, note, code := run(ctx, "create", "free", "--sku", "Free_F1", "--unit-count", "5", "--no-wait")
		Expect(code).To(Equal(1))
		Expect(note).To(ContainSubstring("spec.units"))
		_, note, code = run(ctx, "create", "UPPER", "--no-wait")
		Expect(code).To(Equal(1))
		Expect(note).To(ContainSubstring("metadata.name"))
	})

	DescribeTable("says what is missing", func(ctx SpecContext, want string, args ...string) {
		out, note, code := run(ctx, args...)
		Expect(code).To(Equal(1))
		Expect(out).To(BeEmpty())
		Expect(note).To(And(HavePrefix("error: "), ContainSubstring(want)))
	},
		Entry("an instance", "no SignalRInstance nobody in namespace", "status", "nobody"),
		Entry("an instance, in another namespace",
			"no SignalRInstance chat in namespace default", "keys", "chat", "-n", "default"),
		Entry("a namespace", `namespaces "nowhere" not found`, "create", "chat", "-n", "nowhere"),
		Entry("a name, where az has -n for it", "-n is --namespace here", "keys", "-n", "chat"),
		Entry("a right", "cannot get resource", "keys", "chat", "--as", "somebody"),
		Entry("a right to make something", "cannot create resource", "create", "x", "--as", "somebody"),
		Entry("a cluster", "connection refused", "list", "--server", "https://127.0.0.1:1"),
	)

	It("completes for kubectl", func(ctx SpecContext) {
		link := filepath.Join(GinkgoT().TempDir(), "kubectl_complete-signalr")
		Expect(os.Symlink(plugin, link)).To(Succeed())
		command := exec.CommandContext(ctx, link, "stop", "--kubeconfig", kubeconfig, "--namespace", namespace, "ch")
		Expect(command.Output()).To(HavePrefix("chat\n:"))
	})

	It("waits no longer than told, and says what it waited for", func(ctx SpecContext) {
		_, note, code := run(ctx, "create", "slow", "--timeout", "1s")
		Expect(code).To(Equal(1))
		Expect(note).To(ContainSubstring("slow is not Ready after 1s"))
	})

	It("lists", func(ctx SpecContext) {
		Expect(must(ctx, "list")).To(MatchRegexp(`(?m)^chat +Standard +Default +0 +0/0 +Unknown +<none>`))
		Expect(must(ctx, "list", "--output", "json")).To(ContainSubstring(`"apiVersion": "signalr-operator.io/v1alpha1"`))
	})

	It("changes", func(ctx SpecContext) {
		must(ctx, "scale", "chat", "--unit-count", "7")
		Expect(chat(ctx).Spec.Units).To(BeEquivalentTo(7))
		_, note, code := run(ctx, "scale", "chat", "--sku", "Premium_P1", "--unit-count", "200")
		Expect(code).To(BeZero(), note)
		Expect(note).To(HavePrefix("Warning: "), "one edge for a Premium instance is worth a warning")
		Expect(chat(ctx).Spec.Tier).To(Equal(signalrv1alpha1.TierPremium))
		must(ctx, "stop", "chat")
		Expect(chat(ctx).Spec.State).To(Equal(signalrv1alpha1.StateStopped))
		must(ctx, "start", "chat")
		Expect(chat(ctx).Spec.State).To(Equal(signalrv1alpha1.StateRunning))
		must(ctx, "restart", "chat")
		must(ctx, "upgrade", "chat", "--image", "registry.example.com/s:2")
		Expect(chat(ctx).Spec.Edge.Image).To(Equal("registry.example.com/s:2"))
		Expect(chat(ctx).Annotations).To(And(
			HaveKey(signalrv1alpha1.RestartedAtAnnotation), HaveKey(signalrv1alpha1.UpgradedAtAnnotation)))
		must(ctx, "rotate", "chat", "--key-type", "primary", "--no-wait")
		Expect(chat(ctx).Spec.Auth.AccessKeys.Rotation.PrimaryNonce).NotTo(BeEmpty())
	})

	It("prints keys when there are any", func(ctx SpecContext) {
		_, note, code := run(ctx, "keys", "chat")
		Expect(code).To(Equal(1))
		Expect(note).To(ContainSubstring("there is no Secret chat-keys yet"))
		Expect(admin.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "chat-keys"},
			StringData: map[string]string{"primaryConnectionString": "Endpoint=http://chat;AccessKey=k;Version=1.0;"},
		})).To(Succeed())
		Expect(must(ctx, "connection-string", "chat")).To(Equal("Endpoint=http://chat;AccessKey=k;Version=1.0;\n"))
	})

	It("shows the status", func(ctx SpecContext) {
		Expect(must(ctx, "status", "chat")).To(ContainSubstring("Premium, units: 0 in force, 200 declared"))
	})

	It("has nothing to open without edges", func(ctx SpecContext) {
		_, note, code := run(ctx, "open", "chat")
		Expect(code).To(Equal(1))
		Expect(note).To(ContainSubstring("nothing to forward to"))
	})

	DescribeTable("imports what the API server accepts", func(ctx SpecContext, file string) {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(must(ctx, "az-import", filepath.Join(documents, file))), &object.Object)).To(Succeed())
		_, err := apply(ctx, object, true)
		Expect(err).NotTo(HaveOccurred())
		_, note, code := run(ctx, "az-import", filepath.Join(documents, file), "--strict")
		Expect(code).To(Equal(2))
		Expect(note).To(ContainSubstring("dropped: "))
	},
		Entry("from az signalr show", "az-show.json"),
		Entry("from an ARM template", "template.json"),
		Entry("from a template of templates", "modules.json"),
		Entry("from a template of Bicep's", "quickstart.json"),
		Entry("from a plan of Terraform's", "plan.json"),
		Entry("from terraform show", "terraform.json"),
	)
})
