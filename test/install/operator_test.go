package install

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/hack/install"
)

var _ = Describe("The operator as it is installed", Ordered, func() {
	var manager string

	BeforeAll(func(ctx SpecContext) { manager = build(ctx, "./controllers/cmd/manager", GinkgoT().TempDir()) })

	// start runs the program of a Deployment with its arguments and as its ServiceAccount, on this machine, and returns
	// what it logs. It is stopped in order when the spec ends.
	start := func(ctx context.Context, objects []*unstructured.Unstructured) *journal {
		GinkgoHelper()
		deployment := deploymentOf(objects)
		kubeconfig := as(ctx, deployment.Namespace, deployment.Spec.Template.Spec.ServiceAccountName)
		args := []string{"--kubeconfig=" + kubeconfig}
		for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
			if name, _, _ := strings.Cut(arg, "="); strings.HasSuffix(name, "-bind-address") {
				arg = name + "=0" // ports are the pod's
			}
			args = append(args, arg)
		}
		log := &journal{}
		run := exec.Command(manager, args...)
		run.Env = append(os.Environ(), "POD_NAMESPACE="+deployment.Namespace)
		run.Stderr = log
		Expect(run.Start()).To(Succeed())
		DeferCleanup(func() {
			Expect(run.Process.Signal(syscall.SIGTERM)).To(Succeed())
			Expect(run.Wait()).To(Succeed(), log.String())
		})
		return log
	}

	// serves makes an instance and waits for the operator to have made everything of it.
	serves := func(ctx context.Context, namespace string) {
		GinkgoHelper()
		instance := &signalrv1alpha1.SignalRInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "chat"}}
		Expect(admin.Create(ctx, instance)).To(Succeed())
		Eventually(func(ctx context.Context) (int64, error) {
			err := admin.Get(ctx, client.ObjectKeyFromObject(instance), instance)
			return instance.Status.ObservedGeneration, err
		}).WithContext(ctx).WithTimeout(time.Minute).Should(BeEquivalentTo(1))
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "chat-edge"}, &appsv1.Deployment{})).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "chat-keys"}, &corev1.Secret{})).To(Succeed())
	}

	// leads waits until the operator has its lease and has told of it, and nothing was denied to it.
	leads := func(ctx context.Context, namespace string, log *journal) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(log.lines("forbidden")).To(BeEmpty(), "what it does and may not")
			var leases coordinationv1.LeaseList
			g.Expect(admin.List(ctx, &leases, client.InNamespace(namespace))).To(Succeed())
			g.Expect(leases.Items).To(HaveLen(1))
			g.Expect(leases.Items[0].Spec.HolderIdentity).NotTo(BeNil())
			var events corev1.EventList
			g.Expect(admin.List(ctx, &events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(HaveField("Reason", "LeaderElection")))
		}).WithContext(ctx).WithTimeout(20 * time.Second).Should(Succeed())
	}

	It("takes its lease and runs an instance with its own rights", func(ctx SpecContext) {
		log := start(ctx, installed)
		serves(ctx, newNamespace(ctx))
		leads(ctx, install.Name, log)
	}, SpecTimeout(3*time.Minute))

	It("runs the instances of its namespaces with rights in these alone", func(ctx SpecContext) {
		home, theirs, others := newNamespace(ctx), newNamespace(ctx), newNamespace(ctx)
		objects := render(ctx, home, "--set", "watchNamespaces={"+theirs+"}",
			"--set", "crds.enabled=false,rbac.aggregateRoles=false,admissionWarnings.enabled=false")
		for _, object := range objects {
			_, err := apply(ctx, object, false)
			Expect(err).NotTo(HaveOccurred(), "%s %s", object.GetKind(), object.GetName())
		}
		stranger := &signalrv1alpha1.SignalRInstance{ObjectMeta: metav1.ObjectMeta{Namespace: others, Name: "chat"}}
		Expect(admin.Create(ctx, stranger)).To(Succeed())
		log := start(ctx, objects)
		serves(ctx, theirs)
		leads(ctx, home, log)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(stranger), stranger)).To(Succeed())
		Expect(stranger.Status.ObservedGeneration).To(BeZero(), "an instance of another namespace")
	}, SpecTimeout(3*time.Minute))
})

// deploymentOf returns the one Deployment of an installation.
func deploymentOf(objects []*unstructured.Unstructured) *appsv1.Deployment {
	GinkgoHelper()
	found := install.OfKind(objects, "Deployment")
	Expect(found).To(HaveLen(1))
	deployment := &appsv1.Deployment{}
	Expect(scheme.Convert(found[0], deployment, nil)).To(Succeed())
	return deployment
}

// as writes a kubeconfig of a ServiceAccount.
func as(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	token := &authenticationv1.TokenRequest{}
	Expect(admin.SubResource("token").Create(ctx, account, token)).To(Succeed())
	file := filepath.Join(GinkgoT().TempDir(), "config")
	Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			"envtest": {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"operator": {Cluster: "envtest", AuthInfo: "operator"}},
		CurrentContext: "operator",
	}, file)).To(Succeed())
	return file
}

// journal keeps what a program logs.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// lines returns the lines that have a word in them.
func (j *journal) lines(word string) []string {
	var found []string
	for line := range strings.SplitSeq(j.String(), "\n") {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return found
}
