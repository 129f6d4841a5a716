package install

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/signalr-operator/signalr-operator/test/pages"
)

// noKubelets takes out of a page what waits for pods and namespaces: nothing starts the ones and ends the others.
var noKubelets = strings.NewReplacer(" --wait\n", "\n", " --wait ", " ",
	"kubectl delete -f dist/install.yaml", "kubectl delete --wait=false -f dist/install.yaml")

// instance makes one.
const instance = `kubectl apply -f - <<EOF
apiVersion: signalr-operator.io/v1alpha1
kind: SignalRInstance
metadata: {name: chat}
EOF`

// image prints the image of the operator, and the one that it gives its edges.
const image = `kubectl get deployment/signalr-operator --namespace signalr-operator \
  --output=jsonpath='{.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].args[0]}'`

func read(file string) *pages.Page {
	GinkgoHelper()
	page, err := pages.Read(filepath.Join(root, file), noKubelets)
	Expect(err).NotTo(HaveOccurred())
	return page
}

var _ = Describe("docs/operations/install.md", Ordered, func() {
	var page *pages.Page
	var withHelm, withoutHelm *terminal

	BeforeAll(func(ctx SpecContext) {
		page = read("docs/operations/install.md")
		withHelm, withoutHelm = newTerminal(ctx), newTerminal(ctx)
	}, NodeTimeout(10*time.Minute)) // kubectl may have to be built

	AfterAll(func() {
		for _, written := range []string{"overlay", "signalr-operator.tar", "signalr-operator-0.1.0.tgz"} {
			Expect(os.RemoveAll(filepath.Join(root, "dist", written))).To(Succeed())
		}
	})

	It("installs with Helm", func(ctx SpecContext) {
		withHelm.follows(ctx, page, "helm install")
		Expect(withHelm.types(ctx, image)).To(Equal("ghcr.io/signalr-operator/signalr-operator:0.1.0 " +
			"--edge-image=ghcr.io/signalr-operator/signalr-operator:0.1.0"))
	}, NodeTimeout(3*time.Minute))

	It("installs without Helm, again and again, and nothing differs from the file", func(ctx SpecContext) {
		withoutHelm.types(ctx, "make install-yaml VERSION=0.1.0")
		const versions = "kubectl get -f dist/install.yaml --no-headers " +
			"--output=custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion"
		for _, flags := range []string{"", " --server-side"} {
			withoutHelm.types(ctx, "kubectl apply -f dist/install.yaml"+flags)
			first := withoutHelm.types(ctx, versions)
			withoutHelm.types(ctx, "kubectl apply -f dist/install.yaml"+flags)
			Expect(withoutHelm.types(ctx, versions)).To(Equal(first), "a second apply changes nothing")
			Expect(withoutHelm.types(ctx, "kubectl diff -f dist/install.yaml"+flags)).To(BeEmpty())
		}
		withoutHelm.follows(ctx, page, "kubectl apply --server-side -f dist/install.yaml")
	}, NodeTimeout(5*time.Minute))

	It("installs from an overlay, with one image for operator and edges", func(ctx SpecContext) {
		withoutHelm.follows(ctx, page, "dist/overlay")
		Expect(withoutHelm.types(ctx, image)).To(Equal("registry.example.com/signalr-operator:0.1.0 " +
			"--edge-image=registry.example.com/signalr-operator:0.1.0"))
	}, NodeTimeout(3*time.Minute))

	It("writes the bundle", func(ctx SpecContext) {
		withoutHelm.follows(ctx, page, "make bundle")
		Expect(filepath.Join(root, "dist/bundle/manifests/signalr-operator.clusterserviceversion.yaml")).To(BeARegularFile())
	}, NodeTimeout(3*time.Minute))

	It("lets others read the keys of one instance", func(ctx SpecContext) {
		withHelm.follows(ctx, page, "kubectl create role")
		const may = "kubectl auth can-i get secret/%s --as=somebody --as-group=chat-developers || true"
		Expect(withHelm.types(ctx, strings.Replace(may, "%s", "chat-keys", 1))).To(Equal("yes\n"))
		Expect(withHelm.types(ctx, strings.Replace(may, "%s", "chat-edge", 1))).To(Equal("no\n"))
		withHelm.types(ctx, "kubectl delete role,rolebinding chat-keys")
	}, NodeTimeout(3*time.Minute))

	It("packs everything for a network without a way out", func(ctx SpecContext) {
		withHelm.follows(ctx, page, "hack/image")
		for _, file := range []string{"signalr-operator.tar", "signalr-operator-0.1.0.tgz"} {
			Expect(filepath.Join(root, "dist", file)).To(BeARegularFile())
		}
	}, NodeTimeout(10*time.Minute)) // the programs of the image may have to be built

	It("upgrades the operator, then the edges", func(ctx SpecContext) {
		withHelm.follows(ctx, page, "helm upgrade")
		withHelm.types(ctx, instance)
		Expect(withHelm.follows(ctx, page, "kubectl signalr upgrade chat")).To(ContainSubstring("upgrading"))
	}, NodeTimeout(3*time.Minute))

	It("leaves nothing behind but the namespace", func(ctx SpecContext) {
		withHelm.follows(ctx, page, "helm uninstall")
		withHelm.leaves(ctx, ConsistOf("Namespace <none> signalr-operator"))
		withoutHelm.follows(ctx, page, "kubectl delete")
		withoutHelm.leaves(ctx, ConsistOf("Namespace <none> signalr-operator")) // which is ending
		Expect(page.Finished()).To(Succeed())
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("charts/signalr-operator/README.md", Ordered, func() {
	var page *pages.Page
	var person *terminal
	// other is a release as the page has it, under another name and in another namespace.
	const (
		release = "helm install signalr-operator charts/signalr-operator --namespace signalr-operator --create-namespace"
		other   = "helm install signalr charts/signalr-operator --namespace platform --create-namespace"
	)
	owner := func(ctx SpecContext) string {
		const bears = `{.metadata.annotations.meta\.helm\.sh/release-`
		return person.types(ctx, "kubectl get crd signalrinstances.signalr-operator.io --output=jsonpath='"+
			bears+"namespace}/"+bears+"name}'")
	}

	BeforeAll(func(ctx SpecContext) {
		page = read("charts/signalr-operator/README.md")
		person = newTerminal(ctx)
	}, NodeTimeout(10*time.Minute))

	It("installs, and tells commands that work", func(ctx SpecContext) {
		notes := person.follows(ctx, page, "helm install")
		said := regexp.MustCompile(`(?s)kubectl apply.*?\nEOF\n`).FindString(notes)
		Expect(said).NotTo(BeEmpty(), notes)
		Expect(person.types(ctx, said)).To(Equal("signalrinstance.signalr-operator.io/chat created\n"))
		Expect(notes).To(ContainSubstring("kubectl wait --for=condition=Ready signalrinstance/chat"))
	}, NodeTimeout(3*time.Minute))

	It("upgrades with the values of the installation, and with new ones", func(ctx SpecContext) {
		const upgrade = "helm upgrade signalr-operator charts/signalr-operator --namespace signalr-operator "
		person.types(ctx, upgrade+"--set image.tag=0.2.0,replicas=1,monitoringNamespaces={observability}")
		person.follows(ctx, page, "helm upgrade")
		Expect(person.types(ctx, image)).To(Equal("ghcr.io/signalr-operator/signalr-operator:0.2.0 " +
			"--edge-image=ghcr.io/signalr-operator/signalr-operator:0.2.0"))
		person.types(ctx, upgrade+"--set podDisruptionBudget.enabled=false,networkPolicy.enabled=false,"+
			"metrics.enabled=false,admissionWarnings.enabled=false,rbac.aggregateRoles=false")
		Expect(person.leftovers(ctx)).NotTo(ContainElement(MatchRegexp(
			"PodDisruptionBudget|NetworkPolicy|Service signalr|ValidatingAdmissionPolicy|-view")), "what is off goes")
		_, err := person.shell.Do(ctx, upgrade+"--set replica=2")
		Expect(err).To(MatchError(ContainSubstring("replica")))
	}, NodeTimeout(3*time.Minute))

	It("keeps the CRD and the instances, and takes them up again", func(ctx SpecContext) {
		person.types(ctx, "helm uninstall signalr-operator --namespace signalr-operator")
		person.leaves(ctx, ConsistOf(
			theCRD, "Namespace <none> signalr-operator", "SignalRInstance default chat"))
		person.types(ctx, release)
		person.types(ctx, "kubectl get signalrinstance chat")
	}, NodeTimeout(3*time.Minute))

	It("goes without a trace", func(ctx SpecContext) {
		person.follows(ctx, page, "helm uninstall")
		person.leaves(ctx, ConsistOf("Namespace <none> signalr-operator"))
	}, NodeTimeout(3*time.Minute))

	It("is installed again elsewhere when the CRD is handed over", func(ctx SpecContext) {
		const uninstall = "helm uninstall signalr-operator --namespace signalr-operator"
		const uninstallOther = "helm uninstall signalr --namespace platform"
		person.types(ctx, release+"\n"+uninstall)
		_, err := person.shell.Do(ctx, other)
		Expect(err).To(MatchError(ContainSubstring("invalid ownership metadata")))
		person.follows(ctx, page, "--take-ownership")
		Expect(owner(ctx)).To(Equal("platform/signalr"))

		person.types(ctx, uninstallOther+"\n"+release+" --take-ownership\n"+uninstall)
		Expect(owner(ctx)).To(Equal("signalr-operator/signalr-operator"))
		person.follows(ctx, page, "kubectl annotate")
		Expect(owner(ctx)).To(Equal("platform/signalr"))

		// Beside a release that is not gone.
		person.types(ctx, release+" --set crds.enabled=false,rbac.aggregateRoles=false,admissionWarnings.enabled=false")
		person.types(ctx, uninstall+"\n"+uninstallOther)
		person.leaves(ctx, ContainElement(theCRD))
	}, NodeTimeout(5*time.Minute))

	It("takes over what install.yaml brought", func(ctx SpecContext) {
		person.types(ctx, "kubectl delete crd signalrinstances.signalr-operator.io\nmake install-yaml VERSION=0.1.0\n"+
			"kubectl apply --server-side -f dist/install.yaml")
		for _, install := range []string{other, release} { // the CRD; everything
			_, err := person.shell.Do(ctx, install)
			Expect(err).To(MatchError(ContainSubstring("invalid ownership metadata")))
			person.types(ctx, install+" --take-ownership --force-conflicts")
		}
		Expect(owner(ctx)).To(Equal("signalr-operator/signalr-operator"))
		person.types(ctx, "helm uninstall signalr --namespace platform\n"+
			"helm uninstall signalr-operator --namespace signalr-operator")
	}, NodeTimeout(3*time.Minute))

	It("is installed for some namespaces", func(ctx SpecContext) {
		person.types(ctx, "kubectl create namespace team-a\nkubectl create namespace team-b\n"+
			"kubectl delete crd signalrinstances.signalr-operator.io")
		person.follows(ctx, page, "watchNamespaces")
		Expect(page.Finished()).To(Succeed())
		// Another one beside it.
		person.types(ctx, "kubectl create namespace team-c\n"+other+" --set watchNamespaces={team-c} "+
			"--set crds.enabled=false,rbac.aggregateRoles=false,admissionWarnings.enabled=false")
	}, NodeTimeout(3*time.Minute))
})

// What pages show of an instance must be one: whole objects, and pieces of its spec.
var _ = Describe("The YAML of the pages", func() {
	DescribeTable("is accepted", func(ctx SpecContext, file string) {
		page := read(file)
		namespace := newNamespace(ctx)
		for _, block := range page.Blocks("yaml") {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(block.Text), &object.Object)).To(Succeed(), block.At)
			if _, piece := object.Object["spec"]; piece && object.GetKind() == "" {
				object.SetAPIVersion("signalr-operator.io/v1alpha1")
				object.SetKind("SignalRInstance")
				object.SetName("chat")
			}
			if group := object.GroupVersionKind().Group; group == "" || group == "keda.sh" {
				continue // a piece of something else, or of a kind that is unknown here
			}
			object.SetNamespace(namespace)
			_, err := apply(ctx, object, true)
			Expect(err).NotTo(HaveOccurred(), block.At)
		}
	},
		Entry(nil, "docs/quickstart-kubernetes.md"),
		Entry(nil, "docs/operations/autoscaling.md"),
	)
})
