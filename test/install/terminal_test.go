package install

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/signalr-operator/signalr-operator/test/pages"
)

// terminal is where a person types: kubectl, its plugin and helm against an API server that nothing was installed into.
// Nothing runs there but the API server: no pod starts, and a namespace that is deleted does not end.
type terminal struct {
	shell  *pages.Shell
	before []string // the objects that were there
}

// newTerminal starts an API server for the container that it is called from.
func newTerminal(ctx context.Context) *terminal {
	GinkgoHelper()
	own := &envtest.Environment{}
	_, err := own.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(own.Stop)
	user, err := own.AddUser(envtest.User{Name: "person", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	text, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	folder := GinkgoT().TempDir()
	config := filepath.Join(folder, "config")
	Expect(os.WriteFile(config, text, 0o600)).To(Succeed())

	checkout, err := filepath.Abs(root)
	Expect(err).NotTo(HaveOccurred())
	t := &terminal{shell: pages.NewShell(checkout, folder, []string{
		"PATH=" + tools(ctx) + string(filepath.ListSeparator) + os.Getenv("PATH"), "KUBECONFIG=" + config,
		"HELM_CONFIG_HOME=" + folder, "HELM_CACHE_HOME=" + folder, "HELM_DATA_HOME=" + folder, // nobody's settings but ours
	})}
	t.before, err = t.objects(ctx)
	Expect(err).NotTo(HaveOccurred())
	return t
}

// toolbox is the folder that tools fills; the suite removes it.
var toolbox string

// tools returns a folder with helm, kubectl and its plugin. What is missing is built the first time.
func tools(ctx context.Context) string {
	GinkgoHelper()
	if toolbox != "" {
		return toolbox
	}
	folder, err := os.MkdirTemp("", "tools-")
	Expect(err).NotTo(HaveOccurred())
	toolbox = folder
	for name, program := range map[string]string{"helm": helmProgram(ctx), "kubectl": kubectlProgram(ctx)} {
		Expect(os.Symlink(program, filepath.Join(folder, name))).To(Succeed())
	}
	build(ctx, "./controllers/cmd/kubectl-signalr", folder)
	return folder
}

// kubectlProgram returns the path of kubectl: the one that came with the API server, or the person's own, or one that
// is built.
func kubectlProgram(ctx context.Context) string {
	GinkgoHelper()
	own := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	if own, err := exec.LookPath("kubectl"); err == nil {
		return own
	}
	dir, err := exec.CommandContext(ctx, root+"/hack/kube", "kubectl").Output()
	Expect(err).NotTo(HaveOccurred())
	return filepath.Join(strings.TrimSpace(string(dir)), "kubectl")
}

// type types a command that must succeed, and returns what it prints.
func (t *terminal) types(ctx context.Context, command string) string {
	GinkgoHelper()
	out, err := t.shell.Do(ctx, command)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// follows types the next commands of a page, which have a text in them.
func (t *terminal) follows(ctx context.Context, page *pages.Page, with string) string {
	GinkgoHelper()
	block, err := page.Next(with)
	Expect(err).NotTo(HaveOccurred())
	out, err := t.shell.Run(ctx, block)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// objects lists every object of the API server but those that come by themselves. It fails for a moment after a kind
// has gone.
func (t *terminal) objects(ctx context.Context) ([]string, error) {
	out, err := t.shell.Do(ctx, `kubectl get "$(kubectl api-resources --verbs=list --output=name | grep -v -e ^events \
  -e ^leases -e ^componentstatuses -e ^apiservices | paste -sd,)" --all-namespaces --no-headers \
  --output=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name`)
	var list []string
	for line := range strings.Lines(out) {
		list = append(list, strings.Join(strings.Fields(line), " "))
	}
	return list, err
}

// leftovers lists the objects that were not there when the terminal was opened.
func (t *terminal) leftovers(ctx context.Context) ([]string, error) {
	now, err := t.objects(ctx)
	return slices.DeleteFunc(now, func(object string) bool { return slices.Contains(t.before, object) }), err
}

// leaves waits until the leftovers are those that are wanted: the API server forgets a kind a moment later.
func (t *terminal) leaves(ctx context.Context, wanted OmegaMatcher) {
	GinkgoHelper()
	Eventually(t.leftovers).WithContext(ctx).WithTimeout(30 * time.Second).Should(wanted)
}

// theCRD is how the CRD stands in a list of objects.
const theCRD = "CustomResourceDefinition <none> signalrinstances.signalr-operator.io"
