package build

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// InstanceBuilder makes a SignalRInstance.
type InstanceBuilder struct {
	obj *signalrv1alpha1.SignalRInstance
}

// Instance begins a SignalRInstance of that name in the namespace default, with the defaults of the schema, generation
// 1 and a UID made from the name.
func Instance(name string) *InstanceBuilder {
	in := &signalrv1alpha1.SignalRInstance{
		TypeMeta: metav1.TypeMeta{
			APIVersion: signalrv1alpha1.SchemeGroupVersion.String(),
			Kind:       signalrv1alpha1.Kind,
		},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", Generation: 1, UID: types.UID("uid-" + name),
		},
	}
	Default(in)
	return &InstanceBuilder{in}
}

// Namespace puts the instance elsewhere.
func (b *InstanceBuilder) Namespace(namespace string) *InstanceBuilder {
	b.obj.Namespace = namespace
	return b
}

// Annotation sets an annotation.
func (b *InstanceBuilder) Annotation(name, value string) *InstanceBuilder {
	metav1.SetMetaDataAnnotation(&b.obj.ObjectMeta, name, value)
	return b
}

// Generation sets the generation.
func (b *InstanceBuilder) Generation(generation int64) *InstanceBuilder {
	b.obj.Generation = generation
	return b
}

// Tier sets spec.tier.
func (b *InstanceBuilder) Tier(tier signalrv1alpha1.Tier) *InstanceBuilder {
	b.obj.Spec.Tier = tier
	return b
}

// Units sets spec.units.
func (b *InstanceBuilder) Units(units int32) *InstanceBuilder {
	b.obj.Spec.Units = units
	return b
}

// Mode sets spec.serviceMode.
func (b *InstanceBuilder) Mode(mode signalrv1alpha1.ServiceMode) *InstanceBuilder {
	b.obj.Spec.ServiceMode = mode
	return b
}

// Stopped sets spec.state to Stopped.
func (b *InstanceBuilder) Stopped() *InstanceBuilder {
	b.obj.Spec.State = signalrv1alpha1.StateStopped
	return b
}

// Replicas sets spec.edge.minReplicas.
func (b *InstanceBuilder) Replicas(replicas int32) *InstanceBuilder {
	b.obj.Spec.Edge.MinReplicas = replicas
	return b
}

// Autoscale sets spec.autoscale with its defaults.
func (b *InstanceBuilder) Autoscale(maxUnits int32) *InstanceBuilder {
	b.obj.Spec.Autoscale = &signalrv1alpha1.AutoscaleSpec{MaxUnits: maxUnits}
	Default(b.obj)
	return b
}

// Exposure sets spec.exposure, and in it the defaults of what is left out.
func (b *InstanceBuilder) Exposure(exposure signalrv1alpha1.ExposureSpec) *InstanceBuilder {
	b.obj.Spec.Exposure = exposure
	Default(b.obj)
	return b
}

// With changes anything else. Defaults of what it adds are filled in.
func (b *InstanceBuilder) With(change func(*signalrv1alpha1.SignalRInstance)) *InstanceBuilder {
	change(b.obj)
	Default(b.obj)
	return b
}

// Obj returns the instance.
func (b *InstanceBuilder) Obj() *signalrv1alpha1.SignalRInstance { return b.obj.DeepCopy() }

// Default fills in what the schema fills in: every field that has a default and its zero value. The status that a new
// object has is not among them.
func Default(in *signalrv1alpha1.SignalRInstance) {
	s := &in.Spec
	fill(&s.Tier, signalrv1alpha1.TierStandard)
	fill(&s.Units, 1)
	fill(&s.ServiceMode, signalrv1alpha1.ServiceModeDefault)
	fill(&s.State, signalrv1alpha1.StateRunning)
	fill(&s.Auth.AccessKeys.Mode, signalrv1alpha1.AccessKeysEnabled)
	if s.Auth.AccessKeys.Rotation.OverlapSeconds == nil {
		s.Auth.AccessKeys.Rotation.OverlapSeconds = new(int32(86400))
	}
	if len(s.CORS.AllowedOrigins) == 0 {
		s.CORS.AllowedOrigins = []string{"*"}
	}
	fill(&s.Limits.MaxMessageBytes, 1<<20)
	fill(&s.Edge.UnitsPerPod, 10)
	fill(&s.Edge.MinReplicas, 1)
	fill(&s.Edge.DrainSeconds, 60)
	fill(&s.Edge.UpgradePolicy, signalrv1alpha1.UpgradePolicyManual)
	fill(&s.Monitoring.Mode, signalrv1alpha1.MonitoringAuto)
	fill(&s.NetworkPolicy.Mode, signalrv1alpha1.NetworkPolicyManaged)
	fill(&s.DeletionPolicy, signalrv1alpha1.DeletionPolicyDelete)
	defaultAutoscale(s.Autoscale)
	defaultExposure(&s.Exposure)
	defaultBackplane(&s.Backplane)
}

func defaultAutoscale(a *signalrv1alpha1.AutoscaleSpec) {
	if a == nil {
		return
	}
	if len(a.Metrics) == 0 {
		a.Metrics = []signalrv1alpha1.AutoscaleMetric{{Type: signalrv1alpha1.MetricConnectionQuotaUtilization}}
	}
	for i := range a.Metrics {
		fill(&a.Metrics[i].TargetPercent, 70)
	}
	if a.Behavior == nil {
		a.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(900))},
		}
	}
	for i := range a.Schedules {
		fill(&a.Schedules[i].TimeZone, "UTC")
	}
}

func defaultExposure(e *signalrv1alpha1.ExposureSpec) {
	fill(&e.Type, signalrv1alpha1.ExposureNone)
	if e.TLS != nil {
		fill(&e.TLS.Termination, signalrv1alpha1.TLSTerminationProxy)
		if e.TLS.IssuerRef != nil {
			fill(&e.TLS.IssuerRef.Kind, signalrv1alpha1.IssuerKindIssuer)
		}
	}
	if e.Gateway != nil {
		for i := range e.Gateway.ParentRefs {
			fill(&e.Gateway.ParentRefs[i].Group, "gateway.networking.k8s.io")
			fill(&e.Gateway.ParentRefs[i].Kind, "Gateway")
		}
	}
	if e.LoadBalancer != nil {
		fill(&e.LoadBalancer.ExternalTrafficPolicy, signalrv1alpha1.ExternalTrafficPolicyLocal)
	}
}

func defaultBackplane(b *signalrv1alpha1.BackplaneSpec) {
	fill(&b.Mode, signalrv1alpha1.BackplaneAuto)
	if b.Managed != nil {
		fill(&b.Managed.Storage.Type, signalrv1alpha1.StorageEphemeral)
		if b.Managed.Storage.Size.IsZero() {
			b.Managed.Storage.Size = resource.MustParse("1Gi")
		}
	}
}

// fill sets a field that has its zero value.
func fill[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}
