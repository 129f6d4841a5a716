package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
)

// given is what hack/e2e prepared.
var given = struct {
	appImage string // of the app server, in the cluster already
	helm     string // the program
	direct   bool   // Services are reached by name, not only through kubectl port-forward
}{
	appImage: os.Getenv("E2E_APP_IMAGE"), helm: os.Getenv("E2E_HELM"),
	direct: os.Getenv("CLUSTER_REACH") == "direct",
}

// The namespaces of the story.
const (
	systemNamespace = "signalr-operator" // the operator's
	namespace       = "signalr-e2e"      // the instance's and its app server's
)

// background lives as long as the suite: port-forwards and clients outlive the spec that started them.
var background, stop = context.WithCancel(context.Background())

var _ = AfterSuite(func() { stop() })

func TestE2E(t *testing.T) {
	if given.appImage == "" {
		t.Skip("make e2e runs this: it needs a cluster")
	}
	RegisterTestingT(t)
	sitDown(t)
	RegisterFailHandler(Fail)
	format.UseStringerRepresentation = true // of an error: its text, which says it all
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(250 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "A service in a cluster")
}

// The times go to where hack/step collects them too, so that CI shows them in its table.
var _ = ReportAfterSuite("times", func(report Report) {
	var log strings.Builder
	fmt.Printf("\n%8s  stage\n", "seconds")
	for _, spec := range report.SpecReports {
		if spec.LeafNodeType != types.NodeTypeIt || spec.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
			continue
		}
		word := "ok"
		if spec.Failed() {
			word = "FAILED"
		}
		fmt.Printf("%8.1f  %s\n", spec.RunTime.Seconds(), spec.LeafNodeText)
		for _, entry := range spec.ReportEntries {
			fmt.Printf("%8s  - %s: %s\n", "", entry.Name, entry.StringRepresentation())
		}
		fmt.Fprintf(&log, "%.0f\t%s\te2e: %s\n", spec.RunTime.Seconds(), word, spec.LeafNodeText)
	}
	if path := os.Getenv("STEP_LOG"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
		Expect(err).NotTo(HaveOccurred())
		defer f.Close()
		_, err = f.WriteString(log.String())
		Expect(err).NotTo(HaveOccurred())
	}
})

// measured adds a figure to the stage's line of the report.
func measured(what, format string, args ...any) {
	AddReportEntry(what, fmt.Sprintf(format, args...), ReportEntryVisibilityNever)
}
