package controllers

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// byAdmission is what no request asks for, but the admission plugin OwnerReferencesPermissionEnforcement, which the
// suite's API server has: the owner's finalizers for blockOwnerDeletion, and "delete" for a change of the owners of
// what exists. The specs of adoption and retained Secrets fail without them.
var byAdmission = []grantKey{
	{"", "secrets", "delete"},
	{"", "serviceaccounts", "delete"},
	{"apps", "deployments", "delete"},
	{"signalr-operator.io", "signalrinstances/finalizers", "update"},
}

// conditionsWanted is the table of spec/api.md, "Conditions", whole; and MessageQuotaHigh, which is ours.
var conditionsWanted = []string{
	"BackplaneReady=False Connecting", "BackplaneReady=False Lost", "BackplaneReady=False UnsupportedByEdge",
	"BackplaneReady=True Connected", "BackplaneReady=True NotNeeded", "BackplaneReady=Unknown MetricsUnavailable",
	"KeysReady=False Rotating", "KeysReady=False RotationQueued", "KeysReady=False SecretInvalid", "KeysReady=True Loaded",
	"Paused=True Annotation",
	"QuotaHealthy=False ConnectionQuotaFull", "QuotaHealthy=False ConnectionQuotaHigh",
	"QuotaHealthy=False MessageQuotaFull", "QuotaHealthy=False MessageQuotaHigh", "QuotaHealthy=True WithinQuota",
	"QuotaHealthy=Unknown MetricsUnavailable",
	"Ready=False BackplaneNotConnected", "Ready=False EdgesNotReady", "Ready=False EndpointPending",
	"Ready=False KeysInvalid", "Ready=False UnsupportedByEdge",
	"Ready=True Serving", "Ready=True Stopped", "Ready=Unknown Pending",
	"Reconciling=True Draining", "Reconciling=True RollingOut", "Reconciling=True Scaling",
	"ScalingActive=False MetricsUnavailable", "ScalingActive=False Stopped", "ScalingActive=True ScalingEnabled",
	"ScalingLimited=True AtFloor", "ScalingLimited=True AtMaxUnits",
	"ServersConnected=False NoServer", "ServersConnected=True Connected", "ServersConnected=Unknown MetricsUnavailable",
	"Stalled=True ImagePull", "Stalled=True InvalidReference", "Stalled=True NameConflict", "Stalled=True QuotaForbidden",
	"UpdateAvailable=True NewerEdge",
}

var _ = ReportAfterSuite("everything was seen, and nothing is granted for nothing", func(report Report) {
	for _, s := range report.SpecReports {
		if s.LeafNodeType == types.NodeTypeIt && s.State != types.SpecStatePassed && !slices.Contains(s.Labels(), "scale") {
			return // only a whole and good run can tell
		}
	}
	Expect(conditionsSeen.list()).To(Equal(conditionsWanted))
	used := recorded.seen()
	granted := map[grantKey]bool{}
	for _, u := range readObjects(rbacDir + "role.yaml") {
		var role rbacv1.ClusterRole // a Role has the same rules
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &role)).To(Succeed())
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						granted[grantKey{group, resource, verb}] = true
					}
				}
			}
		}
	}
	var unused []string
	for g := range granted {
		if used[g] == 0 && !slices.Contains(byAdmission, g) {
			unused = append(unused, fmt.Sprint(g))
		}
	}
	Expect(unused).To(BeEmpty(), "granted and never used")
	for _, g := range byAdmission {
		Expect(granted).To(HaveKey(g))
		Expect(used).NotTo(HaveKey(g), "no Secret, Deployment or ServiceAccount is ever deleted")
	}
})
