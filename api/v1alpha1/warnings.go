package v1alpha1

import (
	"regexp"
	"slices"
	"strings"
)

// Warning is something in an instance that is allowed and yet unwise.
type Warning struct {
	// Field is the path of the field, as spec.cors.allowedOrigins.
	Field string
	// Message says what is unwise about its value and what is better. It holds no value of the instance.
	Message string
}

// String returns field and message as the API server shows them.
func (w Warning) String() string { return w.Field + ": " + w.Message }

// Warnings returns what is unwise in an instance that has its defaults, in the order of config/policy/warnings.yaml.
// The API server says the same to whoever applies it, from that file; the operator says it as events, so that it is
// also known where nobody reads what kubectl prints. The two are held against each other by the suite in test/api.
func (in *SignalRInstance) Warnings() []Warning {
	var out []Warning
	for _, r := range unwise {
		if r.applies(in) {
			out = append(out, r.Warning)
		}
	}
	return out
}

// AllWarnings returns every warning there is, for documentation and tests.
func AllWarnings() []Warning {
	out := make([]Warning, len(unwise))
	for i, r := range unwise {
		out[i] = r.Warning
	}
	return out
}

type rule struct {
	Warning
	applies func(*SignalRInstance) bool
}

var pinned = regexp.MustCompile(`:[^/]+$`)

var unwise = slices.Concat([]rule{
	{
		Warning{
			"metadata.annotations[" + PausedAnnotation + "]",
			`only the value "true" pauses; this one does nothing`,
		},
		func(in *SignalRInstance) bool { return annotationIgnored(in, PausedAnnotation) },
	},
	{
		Warning{
			"metadata.annotations[" + AdoptAnnotation + "]",
			`only the value "true" adopts; this one does nothing`,
		},
		func(in *SignalRInstance) bool { return annotationIgnored(in, AdoptAnnotation) },
	},
	{
		Warning{
			"spec.serviceMode",
			"Classic decides for each client by which app servers happen to be connected; prefer Default or Serverless",
		},
		func(in *SignalRInstance) bool { return in.Spec.ServiceMode == ServiceModeClassic },
	},
	{
		Warning{
			"spec.limits.maxMessageBytes",
			"above 1048576 (1 MiB), one slow client may hold that much of an edge's memory, and the cloud service " +
				"refuses such messages",
		},
		func(in *SignalRInstance) bool { return in.Spec.Limits.MaxMessageBytes > 1<<20 },
	},
}, unwiseScaling, unwiseKeys, unwiseExposure, unwiseEdges)

var unwiseScaling = []rule{
	{
		Warning{"spec.autoscale.maxUnits", "equal to spec.units leaves nothing to scale"},
		func(in *SignalRInstance) bool {
			return in.Spec.Autoscale != nil && in.Spec.Autoscale.MaxUnits <= in.Spec.Units
		},
	},
	{
		Warning{
			"spec.autoscale.metrics",
			"a targetPercent above 90 leaves little room until units are added; 50 to 80 is usual",
		},
		func(in *SignalRInstance) bool {
			return in.Spec.Autoscale != nil && slices.ContainsFunc(in.Spec.Autoscale.Metrics,
				func(m AutoscaleMetric) bool { return m.TargetPercent > 90 })
		},
	},
	{
		Warning{
			"spec.autoscale.behavior.scaleDown.stabilizationWindowSeconds",
			"under 60, units follow every dip of the load and clients are moved each time; 900 is the default",
		},
		func(in *SignalRInstance) bool {
			a := in.Spec.Autoscale
			return a != nil && a.Behavior != nil && a.Behavior.ScaleDown != nil &&
				a.Behavior.ScaleDown.StabilizationWindowSeconds != nil &&
				*a.Behavior.ScaleDown.StabilizationWindowSeconds < 60
		},
	},
	{
		Warning{"spec.autoscale.schedules", "a schedule whose units are not above spec.units changes nothing"},
		func(in *SignalRInstance) bool {
			return in.Spec.Autoscale != nil && slices.ContainsFunc(in.Spec.Autoscale.Schedules,
				func(s AutoscaleSchedule) bool { return s.Units <= in.Spec.Units })
		},
	},
}

var unwiseKeys = []rule{
	{
		Warning{
			"spec.auth.accessKeys.rotation.overlapSeconds",
			"0 makes every scheduled rotation refuse at once whoever has not read the new key; 86400 is the default",
		},
		func(in *SignalRInstance) bool {
			r := in.Spec.Auth.AccessKeys.Rotation
			return r.Schedule != "" && r.OverlapSeconds != nil && *r.OverlapSeconds == 0
		},
	},
	{
		Warning{
			"spec.deletionPolicy",
			"Retain does nothing with spec.auth.accessKeys.existingSecretRef, because the operator never deletes that " +
				"Secret",
		},
		func(in *SignalRInstance) bool {
			return in.Spec.DeletionPolicy == DeletionPolicyRetain && in.Spec.Auth.AccessKeys.ExistingSecretRef != nil
		},
	},
}

var unwiseExposure = []rule{
	{
		Warning{
			"spec.cors.allowedOrigins",
			`"*" lets any web page connect to a public endpoint; name the origins`,
		},
		func(in *SignalRInstance) bool {
			return in.Spec.Exposure.Type != ExposureNone && slices.Contains(in.Spec.CORS.AllowedOrigins, "*")
		},
	},
	{
		Warning{"spec.exposure.tls", "without it access tokens cross the network in clear text"},
		func(in *SignalRInstance) bool {
			return in.Spec.Exposure.Type != ExposureNone && in.Spec.Exposure.TLS == nil
		},
	},
	{
		Warning{
			"spec.exposure.hostName",
			"a name without a dot is not resolved outside of one network and gets no public certificate",
		},
		func(in *SignalRInstance) bool {
			return proxied(in) && !strings.Contains(in.Spec.Exposure.HostName, ".")
		},
	},
	{
		Warning{
			"spec.exposure.tls.secretName",
			"nothing shows this certificate; with termination Proxy only an Ingress does",
		},
		func(in *SignalRInstance) bool {
			t := in.Spec.Exposure.TLS
			return t != nil && t.SecretName != "" && t.Termination != TLSTerminationEdge &&
				in.Spec.Exposure.Type != ExposureIngress
		},
	},
	{
		Warning{
			"spec.exposure.tls.issuerRef",
			"nothing shows this certificate; with termination Proxy only an Ingress or a Gateway does",
		},
		func(in *SignalRInstance) bool {
			t := in.Spec.Exposure.TLS
			return t != nil && t.IssuerRef != nil && t.Termination != TLSTerminationEdge && !proxied(in)
		},
	},
	{
		Warning{
			"spec.exposure.tls.termination",
			"Edge behind an Ingress or a Gateway works only where the proxy speaks TLS to the Service; Proxy is the " +
				"default",
		},
		func(in *SignalRInstance) bool {
			t := in.Spec.Exposure.TLS
			return t != nil && t.Termination == TLSTerminationEdge && proxied(in)
		},
	},
	{
		Warning{
			"spec.exposure.loadBalancer.externalTrafficPolicy",
			"with Cluster the edges see the addresses of nodes, not those of clients",
		},
		func(in *SignalRInstance) bool {
			l := in.Spec.Exposure.LoadBalancer
			return l != nil && l.ExternalTrafficPolicy == ExternalTrafficPolicyCluster
		},
	},
	{
		Warning{
			"spec.exposure.nodePort.port",
			"clusters refuse a port outside of their range, which is 30000 to 32767 unless configured otherwise",
		},
		func(in *SignalRInstance) bool {
			n := in.Spec.Exposure.NodePort
			return n != nil && n.Port != 0 && (n.Port < 30000 || n.Port > 32767)
		},
	},
	{
		Warning{
			"spec.backplane.external.urls",
			"credentials cross the network in clear text with nats://; use tls://",
		},
		func(in *SignalRInstance) bool {
			e := in.Spec.Backplane.External
			return e != nil && e.CredentialsSecretRef != nil && slices.ContainsFunc(e.URLs,
				func(u string) bool { return strings.HasPrefix(u, "nats://") })
		},
	},
}

var unwiseEdges = []rule{
	{
		Warning{
			"spec.edge.minReplicas",
			"1 in tier Premium does not survive the loss of a node; use 2 or more",
		},
		func(in *SignalRInstance) bool {
			return in.Spec.Tier == TierPremium && in.Spec.Edge.MinReplicas < 2 && in.Spec.State != StateStopped
		},
	},
	{
		Warning{
			"spec.edge.unitsPerPod",
			"above 50, the loss of one pod makes more than 50000 clients reconnect at once",
		},
		func(in *SignalRInstance) bool { return in.Spec.Edge.UnitsPerPod > 50 },
	},
	{
		Warning{
			"spec.edge.drainSeconds",
			"under 10, all clients of a pod that goes away reconnect in one burst; 60 is the default",
		},
		func(in *SignalRInstance) bool { return in.Spec.Edge.DrainSeconds < 10 },
	},
	{
		Warning{
			"spec.edge.drainSeconds",
			"above 585, node maintenance and cluster autoscalers, which wait 600 seconds as a rule, kill pods before " +
				"they have drained",
		},
		func(in *SignalRInstance) bool { return in.Spec.Edge.DrainSeconds > 585 },
	},
	{
		Warning{
			"spec.edge.image",
			"without a version or digest, edges that start later may run another image than those that run",
		},
		func(in *SignalRInstance) bool {
			i := in.Spec.Edge.Image
			return i != "" && !strings.Contains(i, "@") && (!pinned.MatchString(i) || strings.HasSuffix(i, ":latest"))
		},
	},
	{
		Warning{"spec.edge.upgradePolicy", "Automatic does nothing while spec.edge.image is set"},
		func(in *SignalRInstance) bool {
			return in.Spec.Edge.Image != "" && in.Spec.Edge.UpgradePolicy == UpgradePolicyAutomatic
		},
	},
}

func annotationIgnored(in *SignalRInstance, name string) bool {
	v, ok := in.Annotations[name]
	return ok && v != "true"
}

// proxied reports whether a proxy that speaks HTTP stands before the edges.
func proxied(in *SignalRInstance) bool {
	return in.Spec.Exposure.Type == ExposureIngress || in.Spec.Exposure.Type == ExposureGateway
}
