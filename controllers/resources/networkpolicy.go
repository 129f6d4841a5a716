package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// NetworkPolicy returns who may reach the edges: everybody the client port, where the edge itself decides, and only the
// operator's and the monitoring namespaces the admin port. What edges reach is not restricted.
func NetworkPolicy(in Input) *networkingv1.NetworkPolicy {
	if in.spec().NetworkPolicy.Mode == signalrv1alpha1.NetworkPolicyNone {
		return nil
	}
	rules := []networkingv1.NetworkPolicyIngressRule{{Ports: ports(ClientPort)}}
	if admin := in.admins(AdminPort); admin != nil {
		rules = append(rules, *admin)
	}
	return in.policy(EdgeName(in.Instance.Name), ComponentEdge, rules)
}

// BackplaneNetworkPolicy returns who may reach the managed backplane: edges its client port, its own nodes each other,
// the operator and monitoring its monitoring port.
func BackplaneNetworkPolicy(in Input) *networkingv1.NetworkPolicy {
	if !in.managed() || in.spec().NetworkPolicy.Mode == signalrv1alpha1.NetworkPolicyNone {
		return nil
	}
	from := func(component string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{
			PodSelector: &metav1.LabelSelector{MatchLabels: SelectorLabels(in.Instance.Name, component)},
		}}
	}
	rules := []networkingv1.NetworkPolicyIngressRule{
		{From: from(ComponentEdge), Ports: ports(backplaneClientPort)},
		{From: from(ComponentBackplane), Ports: ports(backplaneClientPort, backplaneRoutePort)},
	}
	if admin := in.admins(backplaneMonitorPort); admin != nil {
		rules = append(rules, *admin)
	}
	return in.policy(BackplaneName(in.Instance.Name), ComponentBackplane, rules)
}

func (in Input) policy(
	name, component string, rules []networkingv1.NetworkPolicyIngressRule,
) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: in.meta(name, component),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: SelectorLabels(in.Instance.Name, component)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     rules,
		},
	}
}

// admins returns the rule that lets the operator's and the monitoring namespaces in, nil when none are known: a rule
// without a peer would let everybody in.
func (in Input) admins(port int32) *networkingv1.NetworkPolicyIngressRule {
	if len(in.AdminNamespaces) == 0 {
		return nil
	}
	names := slices.Sorted(slices.Values(in.AdminNamespaces))
	return &networkingv1.NetworkPolicyIngressRule{
		From: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: slices.Compact(names),
			}}},
		}},
		Ports: ports(port),
	}
}

func ports(numbers ...int32) []networkingv1.NetworkPolicyPort {
	out := make([]networkingv1.NetworkPolicyPort, 0, len(numbers))
	for _, n := range numbers {
		out = append(out, networkingv1.NetworkPolicyPort{
			Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(n)),
		})
	}
	return out
}
