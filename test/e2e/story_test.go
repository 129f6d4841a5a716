package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"regexp"
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

	It("installs the operator and the plugin", func(ctx SpecContext) {
		must(ctx, "", "kubectl", "create", "namespace", namespace)
		// What the operator makes must be allowed in the strictest of namespaces.
		must(ctx, "", "kubectl", "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
		follow(ctx, "helm install")
		isWhatTheDockerfileSays(root + "/bin/image.tar")
		follow(ctx, "make bin/kubectl-signalr")
	}, SpecTimeout(15*time.Minute)) // the image may have to be compiled

	It("becomes ready", func(ctx SpecContext) {
		start := time.Now()
		follow(ctx, "kubectl apply")
		took := time.Since(start)
		measured("created to Ready", "%.1f s", took.Seconds())
		Expect(took).To(BeNumerically("<", readyWithin))
		// Nobody writes into the spec: what was applied is what is there.
		kubectl(ctx, "diff", "--filename", root+"/config/samples/minimal.yaml")

		pods, err := edges(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(pods).To(HaveLen(1))
		edge = pods[0]
	}, SpecTimeout(2*time.Minute))

	It("talks with a stock client through an app server", func(ctx SpecContext) {
		printed := follow(ctx, "primaryConnectionString")
		Expect(printed).To(And(HavePrefix("Endpoint=http"), ContainSubstring("AccessKey="+secret(ctx, "primaryKey"))))
		Expect(typed(ctx, "kubectl signalr connection-string chat")).To(Equal(printed + "\n"))
		manifest, err := os.ReadFile("testdata/app.yaml")
		Expect(err).NotTo(HaveOccurred())
		env := quickstart.Blocks("yaml")[0].Text
		Expect(env).To(HavePrefix("env:\n"))
		apply(ctx, os.Expand(string(manifest), func(name string) string {
			return map[string]string{
				"IMAGE": given.appImage, "CLIENT_ENDPOINT": clientEndpoint(ctx),
				// The secondary: the story replaces the primary key.
				"ENV": strings.NewReplacer("\n", "\n        ", "primary", "secondary").Replace(strings.TrimSpace(env)),
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
		Expect(follow(ctx, "ServersConnected")).To(ContainSubstring("condition met"))

		series, err := metrics(ctx, edge)
		Expect(err).NotTo(HaveOccurred())
		measured("edge memory", "%.1f MiB resident, %d clients",
			series["process_resident_memory_bytes"]/(1<<20), clientCount)
	}, SpecTimeout(2*time.Minute))

	It("lets a laptop in", func(ctx SpecContext) {
		open := followOn("kubectl signalr open")
		url, _, _ := strings.Cut(open.line(ctx), " ")
		parts := connectionString(open.line(ctx))
		Expect(parts).To(And(HaveKeyWithValue("ClientEndpoint", url), HaveKeyWithValue("ServerEndpoint", url)))
		token, err := tokenFor(parts["Endpoint"], secret(ctx, "secondaryKey"))
		Expect(err).NotTo(HaveOccurred())

		laptop := startClients()
		defer laptop.in.Close()
		_, err = laptop.do(ctx, "connect", map[string]any{
			"url": url + "/client/?hub=conformance", "count": 1, "token": token,
		})
		Expect(err).NotTo(HaveOccurred())
		laptop.talk(ctx, "from outside")
		_, err = laptop.do(ctx, "stop", nil)
		Expect(err).NotTo(HaveOccurred())
		open.interrupt()
	}, SpecTimeout(time.Minute))

	It("grows to ten units and back, nobody closed", func(ctx SpecContext) {
		for _, to := range []struct {
			units int
			do    func()
		}{
			{10, func() { follow(ctx, "kubectl scale") }},
			{1, func() { typed(ctx, "kubectl signalr scale chat --unit-count 1") }},
		} {
			start := time.Now()
			to.do()
			Eventually(func(ctx context.Context) (float64, error) {
				series, err := metrics(ctx, edge)
				return series["signalr_edge_quota_connections"], err
			}).WithContext(ctx).Should(BeEquivalentTo(to.units * 1000))
			measured("quota in force", "%d units after %.1f s", to.units, time.Since(start).Seconds())
			Eventually(status(".status.units.effective")).WithContext(ctx).Should(Equal(strconv.Itoa(to.units)))
			js.talk(ctx, fmt.Sprintf("%d units", to.units))
		}
		Expect(edges(ctx)).To(Equal([]string{edge}), "ten units fit into one edge")
		js.nobodyClosed(ctx)
	}, SpecTimeout(2*time.Minute))

	It("shows exact numbers", func(ctx SpecContext) {
		shown := follow(ctx, "kubectl signalr status")
		for _, want := range []string{
			`Size: +Standard, units: 1 in force, 1 declared`, `Usage \(exact, from 1 of 1 edges\)`,
			fmt.Sprintf(`client connections +%d +1000`, clientCount), `app server connections +5`,
			edge + fmt.Sprintf(` +%d +5 `, clientCount), fmt.Sprintf(`conformance +%d +5`, clientCount), `Ready +True +Serving`,
		} {
			Expect(shown).To(MatchRegexp(want))
		}
	}, SpecTimeout(time.Minute))

	It("refuses a rotated key within seconds, nobody closed", func(ctx SpecContext) {
		service := address(ctx, "service/"+instance, 80)
		old, other := secret(ctx, "primaryKey"), secret(ctx, "secondaryKey")
		Expect(negotiate(ctx, service, old)).To(Equal(http.StatusOK))
		start := time.Now()
		rotated := followBeside(ctx, "kubectl signalr rotate")
		Eventually(func(ctx context.Context) (int, error) { return negotiate(ctx, service, old) }).
			WithContext(ctx).WithTimeout(10 * time.Second).WithPolling(50 * time.Millisecond).
			Should(Equal(http.StatusUnauthorized))
		measured("old key refused", "after %.1f s", time.Since(start).Seconds())
		// The command ends when the operator has heard from the edges that they have the new one.
		Expect(rotated()).To(ContainSubstring("primary key replaced"))
		measured("key replaced", "said after %.1f s", time.Since(start).Seconds())

		Expect(negotiate(ctx, service, secret(ctx, "primaryKey"))).To(Equal(http.StatusOK))
		Expect(typed(ctx, "kubectl signalr keys chat")).To(And(Not(ContainSubstring(old)),
			ContainSubstring(`"primaryKey": "`+secret(ctx, "primaryKey")), ContainSubstring(`"secondaryKey": "`+other)))
		Expect(condition("KeysReady")(ctx)).To(Equal("True"))
		js.talk(ctx, "rotated")
		js.nobodyClosed(ctx)
	}, SpecTimeout(time.Minute))

	It("rolls its edge, drained", func(ctx SpecContext) {
		start := time.Now()
		follow(ctx, "kubectl signalr restart")
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

	It("stops and starts, keys and counters stay", func(ctx SpecContext) {
		_, err := js.do(ctx, "stop", nil)
		Expect(err).NotTo(HaveOccurred())
		keys := typed(ctx, "kubectl signalr keys chat")
		messages, err := messagesToday(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(messages).To(BeNumerically(">", 0))
		start := time.Now()
		follow(ctx, "kubectl signalr stop")
		measured("stopped", "after %.1f s", time.Since(start).Seconds())
		Expect(edges(ctx)).To(BeEmpty())
		Eventually(status(`.status.conditions[?(@.type=="Ready")].reason`)).WithContext(ctx).Should(Equal("Stopped"))
		_, err = person.Do(ctx, "kubectl signalr open chat")
		Expect(err).To(MatchError(ContainSubstring("is stopped: kubectl signalr start chat")))

		start = time.Now()
		follow(ctx, "kubectl signalr start")
		measured("started", "app server back after %.1f s", time.Since(start).Seconds())
		Expect(typed(ctx, "kubectl signalr keys chat")).To(Equal(keys))
		Eventually(messagesToday).WithContext(ctx).Should(BeNumerically(">=", messages), "the day's counters stay")
	}, SpecTimeout(5*time.Minute))

	It("has a second one made from what Azure has", func(ctx SpecContext) {
		imported := follow(ctx, "az signalr show")
		Expect(imported).To(ContainSubstring("kind: SignalRInstance"))
		typed(ctx, "az signalr show --name trading | kubectl signalr az-import 2>/dev/null | kubectl apply -f -")
		Expect(typed(ctx, "kubectl signalr create second --sku Standard_S1 --unit-count 2")).
			To(MatchRegexp(`second created\n.*second is ready at http://second\.` + namespace + `\.svc\n`))
		kubectl(ctx, "wait", "signalrinstance/trading", "--for=condition=Ready", "--timeout=60s")
		Expect(typed(ctx, "kubectl signalr list")).To(And(
			MatchRegexp(`(?m)^chat +Standard +Default +1 +1/1 +True `),
			MatchRegexp(`(?m)^second +Standard +Default +2 +1/1 +True `),
			MatchRegexp(`(?m)^trading +Standard +Default +10 +1/1 +True `)))
		kubectl(ctx, "delete", "signalrinstance", "second", "trading")
	}, SpecTimeout(2*time.Minute))

	It("goes without a trace", func(ctx SpecContext) {
		follow(ctx, "kubectl delete signalrinstance")
		Eventually(remains).WithContext(ctx).WithTimeout(2 * time.Minute).Should(BeEmpty())

		kubectl(ctx, "delete", "deployment,service", "echo")
		must(ctx, "", "kubectl", "delete", "namespace", namespace, "--timeout=60s")
		follow(ctx, "helm uninstall")
		must(ctx, "", "kubectl", "delete", "namespace", systemNamespace, "--timeout=60s")
		left := func(ctx context.Context) ([]string, error) {
			now, err := inventory(ctx)
			return slices.DeleteFunc(now, func(o string) bool { return slices.Contains(before, o) }), err
		}
		Eventually(left).WithContext(ctx).Should(HaveEach(Satisfy(isOurCRD)))
		follow(ctx, "kubectl delete crd")
		Eventually(left).WithContext(ctx).Should(BeEmpty())
		Expect(quickstart.Finished()).To(Succeed())
	}, SpecTimeout(5*time.Minute))
})

// isOurCRD says whether a line of the inventory is a type of ours. The chart is told to keep those: uninstalling the
// operator deletes nobody's instances.
func isOurCRD(line string) bool {
	return strings.HasPrefix(line, "CustomResourceDefinition ") && strings.HasSuffix(line, ".signalr-operator.io")
}

// remains lists what still belongs to the instances.
func remains(ctx context.Context) (string, error) {
	return try(ctx, "", "kubectl", "--namespace", namespace, "get", "--output=name",
		"all,secrets,serviceaccounts,poddisruptionbudgets,networkpolicies,endpointslices",
		"--selector", "app.kubernetes.io/instance in ("+instance+", second, trading)")
}

// status returns a function that reads one field of the instance.
func status(path string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return field(ctx, object, path) }
}

// condition returns a function that reads the status of one condition of the instance.
func condition(name string) func(context.Context) (string, error) {
	return status(`.status.conditions[?(@.type=="` + name + `")].status`)
}

// messagesToday returns the exact number of messages that the instance's edges have counted today.
func messagesToday(ctx context.Context) (int, error) {
	shown, err := person.Do(ctx, "kubectl signalr status chat")
	if err != nil {
		return 0, err
	}
	number := regexp.MustCompile(`messages today \(UTC\) +(\d+)`).FindStringSubmatch(shown)
	if number == nil {
		return 0, fmt.Errorf("no messages in %q", shown)
	}
	return strconv.Atoi(number[1])
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

// connectionString returns the parts of a connection string by their names.
func connectionString(text string) map[string]string {
	parts := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	return parts
}

// clientEndpoint is what the app server's connection string needs behind it, so that the clients it sends to the
// service find it from where they are.
func clientEndpoint(ctx context.Context) string {
	if given.direct {
		return ""
	}
	return ";ClientEndpoint=" + address(ctx, "service/"+instance, 80)
}
