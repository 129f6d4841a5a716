// Command signalr-operator runs the operator: it watches SignalRInstance objects and makes the cluster what they say.
// It holds flags and wiring; what is done stands in package controllers. It has no state of its own: it may be stopped,
// moved and started at any time, and edges serve on meanwhile.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2" //nolint:depguard // what client-go logs with is told to use ours
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/signalr-operator/signalr-operator/controllers"
)

// version is set by the build.
var version = "dev"

// gcPercent is how much the heap grows between two collections. What the operator keeps is its caches, which live for
// ever, and it has time: less than a third of Go's default costs a few percent of a core here and saves a third of the
// memory. GOGC overrides it.
const gcPercent = 30

// settings are the flags.
type settings struct {
	edgeImage, namespaces, adminNamespaces, ownNamespace string
	metricsAddress, healthAddress, pprofAddress          string
	logLevel                                             slog.LevelVar
	elect, tellVersion                                   bool
	lease, renew, retry                                  time.Duration
}

func main() {
	s := settings{ownNamespace: os.Getenv("POD_NAMESPACE")}
	s.flags(flag.CommandLine)
	flag.Parse()
	if s.tellVersion {
		fmt.Println("signalr-operator version", version)
		return
	}
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: &s.logLevel})
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	klog.SetSlogLogger(slog.New(handler)) // client-go's
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := run(&s); err != nil {
		slog.New(handler).Error("the operator ends", "err", err)
		os.Exit(1)
	}
}

func (s *settings) flags(f *flag.FlagSet) {
	f.StringVar(&s.edgeImage, "edge-image", "ghcr.io/signalr-operator/signalr-operator:"+version,
		"`image` of the edges that are made or upgraded from now on")
	f.StringVar(&s.namespaces, "namespaces", "", "comma-separated `namespaces` to look after; empty for the whole cluster")
	f.StringVar(&s.ownNamespace, "operator-namespace", s.ownNamespace,
		"the `namespace` that the operator runs in; it may reach the edges' admin port, and holds the lease")
	f.StringVar(&s.adminNamespaces, "monitoring-namespaces", "monitoring",
		"comma-separated `namespaces` that may scrape the edges' metrics")
	f.StringVar(&s.metricsAddress, "metrics-bind-address", ":8080", "`address` of /metrics; 0 for none")
	f.StringVar(&s.healthAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 for none")
	f.StringVar(&s.pprofAddress, "pprof-bind-address", "0", "`address` of /debug/pprof/; 0 for none")
	f.TextVar(&s.logLevel, "log-level", &slog.LevelVar{}, "lowest `level` that is logged: debug, info, warn or error")
	f.BoolVar(&s.tellVersion, "version", false, "print the version and end")
	f.BoolVar(&s.elect, "leader-elect", false, "let one of several operators work, the others wait")
	f.DurationVar(&s.lease, "leader-elect-lease-duration", time.Minute, "how long the others wait for a silent leader")
	f.DurationVar(&s.renew, "leader-elect-renew-deadline", 40*time.Second, "how long a leader tries to renew its lease")
	f.DurationVar(&s.retry, "leader-elect-retry-period", 10*time.Second, "time between two writes of the lease")
}

// list splits a comma-separated flag.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(s *settings) error {
	if flag.NArg() > 0 { // and flags after it, which would be silently ignored
		return fmt.Errorf("%q is no flag", flag.Arg(0))
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	config.UserAgent = "signalr-operator/" + version
	config.QPS, config.Burst = 100, 200 // the API server's own fairness does the rest
	scheme, err := controllers.NewScheme()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  controllers.CacheOptions(list(s.namespaces)),
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics:                metricsserver.Options{BindAddress: s.metricsAddress},
		HealthProbeBindAddress: s.healthAddress, PprofBindAddress: s.pprofAddress,
		LeaderElection: s.elect, LeaderElectionID: "signalr-operator", LeaderElectionNamespace: s.ownNamespace,
		LeaseDuration: &s.lease, RenewDeadline: &s.renew, RetryPeriod: &s.retry, LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	reconciler := controllers.NewReconciler(controllers.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("signalr-operator"),
		Clock: clock.RealClock{}, Edges: controllers.NewHTTPEdgeReader(nil), EdgeImage: s.edgeImage,
		AdminNamespaces: list(s.ownNamespace + "," + s.adminNamespaces), Metrics: controllers.NewMetrics(metrics.Registry),
	})
	ctx := ctrl.SetupSignalHandler()
	if err := reconciler.SetupWithManager(ctx, mgr); err != nil {
		return err
	}
	for _, add := range []func(string, healthz.Checker) error{mgr.AddHealthzCheck, mgr.AddReadyzCheck} {
		if err := add("ping", healthz.Ping); err != nil {
			return fmt.Errorf("add a health check: %w", err)
		}
	}
	return mgr.Start(ctx)
}
