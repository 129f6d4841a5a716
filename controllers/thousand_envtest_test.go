package controllers

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/test/build"
)

// Bars of issue 4.
const (
	thousand       = 1000
	maxResident    = 128 << 20
	maxNoChangeP99 = 50 * time.Millisecond
)

// A target of its own, "make bench-operator", as it takes minutes and wants the port 8889 of loopback addresses for the
// edges it plays. What it says is written down in docs/operations/operator.md.
//
// The operator is the real program in a process of its own, as its ServiceAccount.
var _ = Describe("a thousand instances", Label("scale"), func() {
	It("cost what they may", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.edges.listen = true
		p := w.startProgram(ctx)
		start := time.Now()
		for i := range thousand {
			w.create(ctx, build.Instance(fmt.Sprintf("chat-%d", i)))
		}
		looked := func(reason string) func() int {
			return func() (n int) {
				var list signalrv1alpha1.SignalRInstanceList
				Expect(admin.List(ctx, &list, client.InNamespace(w.namespace))).To(Succeed())
				for i := range list.Items {
					for _, c := range list.Items[i].Status.Conditions {
						if c.Type == "Ready" && c.Reason == reason {
							n++
						}
					}
				}
				return n
			}
		}
		long := func(f func() int) {
			GinkgoHelper()
			Eventually(f).WithContext(ctx).WithTimeout(10 * time.Minute).WithPolling(2 * time.Second).Should(Equal(thousand))
		}
		long(looked("EdgesNotReady"))
		AddReportEntry("made", fmt.Sprintf("in %s with %.0f requests", time.Since(start).Round(time.Second), p.requests("")))
		for i := range thousand {
			w.rollOut(ctx, fmt.Sprintf("chat-%d", i))
		}
		long(looked("Serving"))
		pass(90 * time.Second) // the last writes of usage come a minute after the first

		const calm = time.Minute
		all, writes, before := p.requests(""), p.requests("P"), p.reconciles()
		pass(calm)
		all, writes = p.requests("")-all, p.requests("P")-writes
		AddReportEntry("a calm minute", fmt.Sprintf("%.0f requests, of them %.0f writes", all, writes))
		p99, n := percentile(before, p.reconciles(), 0.99)
		AddReportEntry("reconciles in it", fmt.Sprintf("%d, p99 at most %s", n, p99))
		m := p.resident()
		AddReportEntry("resident memory", fmt.Sprintf("%d MiB, at most %d MiB; %d MiB are pages of the program's file, "+
			"%.0f MiB the heap that lives", m.now>>20, m.most>>20, m.file>>20, p.value("go_gc_heap_live_bytes")/(1<<20)))
		Expect(n).To(BeNumerically(">", thousand), "all are polled")
		Expect(writes).To(BeNumerically("<=", 7), "the lease, every ten seconds")
		Expect(p99).To(BeNumerically("<=", maxNoChangeP99))
		Expect(m.now).To(BeNumerically("<=", maxResident))
	}, NodeTimeout(25*time.Minute))
})

// program is the operator's program while it runs.
type program struct {
	cmd     *exec.Cmd
	metrics string
}

// startProgram builds and starts the operator, for the namespace of a world.
func (w *world) startProgram(ctx context.Context) *program {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	binary, kubeconfig := filepath.Join(dir, "signalr-operator"), filepath.Join(dir, "kubeconfig")
	built, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/manager").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(built))
	c := adminConfig
	Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"test": {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"operator": {
			ClientCertificateData: c.CertData, ClientKeyData: c.KeyData, Impersonate: operatorUser,
			ImpersonateGroups: operatorConfig.Impersonate.Groups,
		}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "operator"}},
		CurrentContext: "test",
	}, kubeconfig)).To(Succeed())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	p := &program{metrics: free.Addr().String()}
	Expect(free.Close()).To(Succeed())
	p.cmd = exec.Command(binary, "--kubeconfig="+kubeconfig, "--namespaces="+w.namespace, "--edge-image="+firstImage,
		"--operator-namespace="+operatorNamespace, "--leader-elect", "--metrics-bind-address="+p.metrics,
		"--health-probe-bind-address=0", "--log-level=warn")
	p.cmd.Stderr = GinkgoWriter
	Expect(p.cmd.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(p.cmd.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(p.cmd.Wait()).To(Succeed())
	})
	Eventually(func() float64 { return p.requests("") }).WithContext(ctx).WithTimeout(time.Minute).
		Should(BeNumerically(">", 0))
	return p
}

// family reads one family of the program's metrics.
func (p *program) family(name string) *dto.MetricFamily {
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + p.metrics + "/metrics")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	return families[name]
}

// requests returns how many requests the program has sent with a method that begins with prefix.
func (p *program) requests(prefix string) (n float64) {
	for _, m := range p.family("rest_client_requests_total").GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "method" && strings.HasPrefix(l.GetValue(), prefix) {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// reconciles returns how many reconciles took at most how many seconds.
func (p *program) reconciles() map[float64]uint64 {
	out := map[float64]uint64{}
	for _, m := range p.family("controller_runtime_reconcile_time_seconds").GetMetric() {
		for _, b := range m.GetHistogram().GetBucket() {
			out[b.GetUpperBound()] += b.GetCumulativeCount()
		}
	}
	return out
}

// percentile returns a bound of a percentile of what happened between two readings of a histogram, and how much did.
func percentile(before, after map[float64]uint64, percent float64) (time.Duration, uint64) {
	var all uint64
	for bound := range after {
		all = max(all, after[bound]-before[bound])
	}
	best := time.Duration(math.MaxInt64)
	for bound := range after {
		if !math.IsInf(bound, 1) && float64(after[bound]-before[bound]) >= percent*float64(all) {
			best = min(best, time.Duration(bound*float64(time.Second)))
		}
	}
	return best, all
}

// value returns one of the program's series without labels.
func (p *program) value(name string) float64 {
	for _, m := range p.family(name).GetMetric() {
		return m.GetGauge().GetValue()
	}
	return 0
}

// residence is the memory that a program has, the most that it had, and how much of it is pages of its file.
type residence struct{ now, most, file int64 }

func (p *program) resident() (r residence) {
	GinkgoHelper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			r.now = kib << 10
		case "VmHWM:":
			r.most = kib << 10
		case "RssFile:":
			r.file = kib << 10
		}
	}
	return r
}

// pass lets real time pass.
func pass(d time.Duration) {
	GinkgoHelper()
	Eventually(time.After(d)).WithTimeout(d + time.Minute).Should(Receive())
}
