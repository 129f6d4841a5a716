package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	instance    = "chat" // the name in the sample
	object      = "signalrinstance/" + instance
	clientCount = 20
	readyWithin = 20 * time.Second // from created to Ready, images there
)

var _ = Describe("ten lines of YAML", Ordered, func() {
	var (
		before []string // every object that was there before us
		js     *clients
		edge   string // the name of the one edge pod
	)

	BeforeAll(func(ctx SpecContext) {
		var err error
		before, err = inventory(ctx)
		Expect(err).NotTo(HaveOccurred())
	}, NodeTimeout(time.Minute))

	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			diagnose(ctx)
		}
	}, NodeTimeout(time.Minute))

	// What a failed story leaves, and what the chart is told to keep.
	AfterAll(func(ctx SpecContext) {
		if js != nil {
			js.in.Close()
		}
		_, _ = try(ctx, "", "kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
		_, _ = try(ctx, "", given.helm, "uninstall", "signalr-operator", "--namespace", systemNamespace, "--ignore-not-found")
		_, _ = try(ctx, "", "kubectl", "delete", "namespace", systemNamespace, "--ignore-not-found", "--wait=false")
		if !slices.ContainsFunc(before, isOurCRD) {
			_, _ = try(ctx, "", "kubectl", "delete", "crd", "signalrinstances.signalr-operator.io", "--ignore-not-found")
		}
	}, NodeTimeout(time.Minute))

	It("installs the chart", func(ctx SpecContext) {
		repository, tag, _ := cutLast(given.image, ":")
		must(ctx, "", given.helm, "install", "signalr-operator", given.chart,
			"--namespace", systemNamespace, "--create-namespace", "--wait", "--timeout", "60s",
			"--set", "image.repository="+repository, "--set", "image.tag="+tag)
		must(ctx, "", "kubectl", "create", "namespace", namespace)
		// What the operator makes must be allowed in the strictest of namespaces.
		must(ctx, "", "kubectl", "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	}, SpecTimeout(2*time.Minute))

	It("becomes ready", func(ctx SpecContext) {
		sample, err := os.ReadFile(given.sample)
		Expect(err).NotTo(HaveOccurred())
		start := time.Now()
		apply(ctx, string(sample))
		kubectl(ctx, "wait", object, "--for=condition=Ready", "--timeout=60s")
		took := time.Since(start)
		measured("created to Ready", "%.1f s", took.Seconds())
		Expect(took).To(BeNumerically("<", readyWithin))
		// Nobody writes into the spec: what was applied is what is there.
		kubectl(ctx, "diff", "--filename", given.sample)

		pods, err := edges(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(pods).To(HaveLen(1))
		edge = pods[0]
	}, SpecTimeout(2*time.Minute))

	It("talks with a stock client through an app server", func(ctx SpecContext) {
		Expect(secret(ctx, "secondaryConnectionString")).To(And(
			ContainSubstring("Endpoint=http"), ContainSubstring("AccessKey="+secret(ctx, "secondaryKey"))))
		manifest, err := os.ReadFile("testdata/app.yaml")
		Expect(err).NotTo(HaveOccurred())
		apply(ctx, os.Expand(string(manifest), func(name string) string {
			return map[string]string{
				"IMAGE": given.appImage, "CLIENT_ENDPOINT": clientEndpoint(ctx),
			}[name]
		}))
		kubectl(ctx, "rollout", "status", "deployment/echo", "--timeout=60s")

		js = startClients()
		_, err = js.do(ctx, "connect", map[string]any{
			"url": address(ctx, "service/echo", 80) + "/conformance", "count": clientCount,
		})
		Expect(err).NotTo(HaveOccurred())
		js.talk(ctx, "hello")
		js.nobodyClosed(ctx)
		Eventually(condition("ServersConnected")).WithContext(ctx).Should(Equal("True"))

		series, err := metrics(ctx, edge)
		Expect(err).NotTo(HaveOccurred())
		measured("edge memory", "%.1f MiB resident, %d clients",
			series["process_resident_memory_bytes"]/(1<<20), clientCount)
	}, SpecTimeout(2*time.Minute))

	It("grows to ten units and back, nobody closed", func(ctx SpecContext) {
		for _, units := range []int{10, 1} {
			start := time.Now()
			kubectl(ctx, "scale", object, "--replicas", strconv.Itoa(units))
			Eventually(func(ctx context.Context) (float64, error) {
				series, err := metrics(ctx, edge)
				return series["signalr_edge_quota_connections"], err
			}).WithContext(ctx).Should(BeEquivalentTo(units * 1000))
			measured("quota in force", "%d units after %.1f s", units, time.Since(start).Seconds())
			Eventually(status(".status.units.effective")).WithContext(ctx).Should(Equal(strconv.Itoa(units)))
			js.talk(ctx, fmt.Sprintf("%d units", units))
		}
		Expect(edges(ctx)).To(Equal([]string{edge}), "ten units fit into one edge")
		js.nobodyClosed(ctx)
	}, SpecTimeout(2*time.Minute))

	It("refuses a rotated key within seconds, nobody closed", func(ctx SpecContext) {
		service := address(ctx, "service/"+instance, 80)
		old, other := secret(ctx, "primaryKey"), secret(ctx, "secondaryKey")
		Expect(negotiate(ctx, service, old)).To(Equal(http.StatusOK))
		start := time.Now()
		kubectl(ctx, "patch", object, "--type=merge",
			"--patch", `{"spec": {"auth": {"accessKeys": {"rotation": {"primaryNonce": "again"}}}}}`)
		Eventually(func(ctx context.Context) (int, error) { return negotiate(ctx, service, old) }).
			WithContext(ctx).WithTimeout(10 * time.Second).WithPolling(50 * time.Millisecond).
			Should(Equal(http.StatusUnauthorized))
		measured("old key refused", "after %.1f s", time.Since(start).Seconds())

		Eventually(func(ctx context.Context) string { return secret(ctx, "primaryKey") }).
			WithContext(ctx).ShouldNot(Equal(old))
		Expect(negotiate(ctx, service, secret(ctx, "primaryKey"))).To(Equal(http.StatusOK))
		Expect(secret(ctx, "secondaryKey")).To(Equal(other))
		Eventually(condition("KeysReady")).WithContext(ctx).Should(Equal("True"))
		js.talk(ctx, "rotated")
		js.nobodyClosed(ctx)
	}, SpecTimeout(time.Minute))

	It("rolls its edge, drained", func(ctx SpecContext) {
		start := time.Now()
		kubectl(ctx, "annotate", object, "signalr-operator.io/restarted-at="+start.UTC().Format(time.RFC3339))
		Eventually(edges).WithContext(ctx).WithTimeout(3 * time.Minute).
			Should(And(HaveLen(1), Not(ContainElement(edge))))
		kubectl(ctx, "wait", "pod/"+edge, "--for=delete", "--timeout=120s")
		measured("old edge gone", "after %.0f s", time.Since(start).Seconds())
		Eventually(condition("Reconciling")).WithContext(ctx).WithTimeout(time.Minute).ShouldNot(Equal("True"))

		var after clientReport
		Eventually(func() int { after = js.report(ctx); return after.Connected }).WithContext(ctx).
			Should(Equal(clientCount))
		Expect(after.Closed).To(BeZero(), "%v", after.Errors)
		Expect(after.Reconnected).To(Equal(clientCount), "each client moves once: %v", after.Errors)
		measured("clients moved", "over %.1f s", after.LostOverSeconds)
		js.talk(ctx, "moved")
		Expect(condition("Ready")(ctx)).To(Equal("True"))
	}, SpecTimeout(5*time.Minute))

	It("goes without a trace", func(ctx SpecContext) {
		_, err := js.do(ctx, "stop", nil)
		Expect(err).NotTo(HaveOccurred())
		kubectl(ctx, "delete", object, "--timeout=30s")
		Eventually(remains).WithContext(ctx).WithTimeout(2 * time.Minute).Should(BeEmpty())

		kubectl(ctx, "delete", "--filename", "testdata/app.yaml", "--ignore-not-found")
		must(ctx, "", "kubectl", "delete", "namespace", namespace, "--timeout=60s")
		must(ctx, "", given.helm, "uninstall", "signalr-operator", "--namespace", systemNamespace,
			"--wait", "--timeout", "60s")
		must(ctx, "", "kubectl", "delete", "namespace", systemNamespace, "--timeout=60s")
		Eventually(func(ctx context.Context) ([]string, error) {
			now, err := inventory(ctx)
			return slices.DeleteFunc(now, func(o string) bool { return slices.Contains(before, o) }), err
		}).WithContext(ctx).Should(HaveEach(Satisfy(isOurCRD)))
	}, SpecTimeout(5*time.Minute))
})

// isOurCRD says whether a line of the inventory is a type of ours. The chart is told to keep those: uninstalling the
// operator deletes nobody's instances.
func isOurCRD(line string) bool {
	return strings.HasPrefix(line, "CustomResourceDefinition ") && strings.HasSuffix(line, ".signalr-operator.io")
}

// remains lists what still belongs to the instance.
func remains(ctx context.Context) (string, error) {
	return try(ctx, "", "kubectl", "--namespace", namespace, "get", "--output=name",
		"all,secrets,serviceaccounts,poddisruptionbudgets,networkpolicies,endpointslices",
		"--selector", "app.kubernetes.io/instance="+instance)
}

// status returns a function that reads one field of the instance.
func status(path string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return field(ctx, object, path) }
}

// condition returns a function that reads the status of one condition of the instance.
func condition(name string) func(context.Context) (string, error) {
	return status(`.status.conditions[?(@.type=="` + name + `")].status`)
}

// secret reads one entry of the Secret that users read.
func secret(ctx context.Context, entry string) string {
	GinkgoHelper()
	text := kubectl(ctx, "get", "secret", instance+"-keys", "--output", "jsonpath={.data."+entry+"}")
	value, err := base64.StdEncoding.DecodeString(text)
	Expect(err).NotTo(HaveOccurred())
	Expect(value).NotTo(BeEmpty())
	return string(value)
}

// clientEndpoint is what the app server's connection string needs behind it, so that the clients it sends to the
// service find it from where they are.
func clientEndpoint(ctx context.Context) string {
	if given.direct {
		return ""
	}
	return ";ClientEndpoint=" + address(ctx, "service/"+instance, 80)
}

// cutLast cuts s around the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
