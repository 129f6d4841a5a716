package resources

import (
	"math"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// nonRoot is the user and group of every process: that of distroless images, any but 0 would do.
const nonRoot = 65532

// edgeContainer is the name of the container in edge pods.
const edgeContainer = "edge"

// What a pod asks for: a floor, and more for each unit (1,000 connections) that it is sized for. Idle connections take
// next to nothing; the rest is for queues of slow readers, TLS and a burst of reconnects. There is no limit of CPU: to
// be throttled would hold up every connection at once.
const (
	baseCPU, unitCPU                 = 50, 10             // milli-CPU
	baseMemory, unitMemory           = 48 << 20, 16 << 20 // bytes, requested
	baseMemoryLimit, unitMemoryLimit = 128 << 20, 64 << 20
)

// EdgePodTemplate returns the template of the edges' pods. See Revision for when it is applied.
func EdgePodTemplate(in Input) corev1.PodTemplateSpec {
	pod := in.spec().Edge.Pod
	t := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      over(pod.Labels, allLabels(in.Instance.Name, ComponentEdge)),
			Annotations: over(nil, pod.Annotations),
		},
		Spec: in.podSpec(EdgeName(in.Instance.Name), in.edgeContainer()),
	}
	if at := in.Instance.Annotations[signalrv1alpha1.RestartedAtAnnotation]; at != "" {
		t.Annotations = over(t.Annotations, map[string]string{signalrv1alpha1.RestartedAtAnnotation: at})
	}
	t.Spec.TerminationGracePeriodSeconds = new(int64(in.spec().Edge.DrainSeconds) + graceSeconds)
	t.Spec.Volumes = []corev1.Volume{secretVolume("config", EdgeSecretName(in.Instance.Name), ConfigFile)}
	if in.edgeTLS() {
		t.Spec.Volumes = append(t.Spec.Volumes, secretVolume("tls", tlsSecretName(in), "tls.crt", "tls.key"))
	}
	t.Spec.NodeSelector = over(nil, pod.NodeSelector)
	t.Spec.Tolerations = append([]corev1.Toleration(nil), pod.Tolerations...)
	t.Spec.Affinity = pod.Affinity.DeepCopy()
	t.Spec.PriorityClassName = pod.PriorityClassName
	t.Spec.TopologySpreadConstraints = in.spread(ComponentEdge, "pod-template-hash")
	if len(pod.TopologySpreadConstraints) > 0 {
		t.Spec.TopologySpreadConstraints = nil
		for _, c := range pod.TopologySpreadConstraints {
			t.Spec.TopologySpreadConstraints = append(t.Spec.TopologySpreadConstraints, *c.DeepCopy())
		}
	}
	return t
}

// podSpec returns what pods of every component have in common. It passes the restricted profile of the Pod Security
// Standards.
func (in Input) podSpec(account string, container corev1.Container) corev1.PodSpec {
	container.SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	return corev1.PodSpec{
		ServiceAccountName:           account,
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		ImagePullSecrets:             localReferences(in.spec().Edge.Pod.ImagePullSecrets),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true),
			RunAsUser:    new(int64(nonRoot)), RunAsGroup: new(int64(nonRoot)), FSGroup: new(int64(nonRoot)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{container},
	}
}

func (in Input) edgeContainer() corev1.Container {
	pod := in.spec().Edge.Pod
	c := corev1.Container{
		Name:    edgeContainer,
		Image:   in.Image,
		Command: []string{"/signalr-edge"},
		Args:    []string{"serve", "--config", configDir + "/" + configFile},
		Ports: []corev1.ContainerPort{
			{Name: clientPortName, ContainerPort: ClientPort, Protocol: corev1.ProtocolTCP},
			{Name: adminPortName, ContainerPort: AdminPort, Protocol: corev1.ProtocolTCP},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: configDir, ReadOnly: true}},
		// Ready within a second of starting; unready within the readiness delay of a drain; and never killed because it is
		// busy.
		StartupProbe:   probe("/healthz", adminPortName, 1, 2, 60),
		ReadinessProbe: probe("/readyz", adminPortName, 2, 2, 2),
		LivenessProbe:  probe("/healthz", adminPortName, 10, 5, 6),
		Resources:      edgeResources(in),
	}
	if in.edgeTLS() {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "tls", MountPath: tlsDir, ReadOnly: true})
	}
	for _, e := range pod.Env {
		c.Env = append(c.Env, *e.DeepCopy())
	}
	c.Env = withMemoryLimit(c.Env, c.Resources)
	return c
}

// edgeResources returns what the spec says, else what the pod is sized for.
func edgeResources(in Input) corev1.ResourceRequirements {
	if r := in.spec().Edge.Pod.Resources; !resourcesEmpty(r) {
		return *r.DeepCopy()
	}
	units := PodUnits(in)
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(baseCPU+unitCPU*units, resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(baseMemory+unitMemory*units, resource.BinarySI),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceMemory: *resource.NewQuantity(baseMemoryLimit+unitMemoryLimit*units, resource.BinarySI),
		},
	}
}

func resourcesEmpty(r corev1.ResourceRequirements) bool {
	return len(r.Requests) == 0 && len(r.Limits) == 0 && len(r.Claims) == 0
}

// withMemoryLimit tells the Go runtime to collect garbage before the kernel kills: at nine tenths of the limit of
// memory. Who sets GOMEMLIMIT, or no limit, is left alone.
func withMemoryLimit(env []corev1.EnvVar, r corev1.ResourceRequirements) []corev1.EnvVar {
	const name = "GOMEMLIMIT"
	limit, ok := r.Limits[corev1.ResourceMemory]
	if !ok || slices.ContainsFunc(env, func(e corev1.EnvVar) bool { return e.Name == name }) {
		return env
	}
	bytes := min(limit.Value(), math.MaxInt64/9) * 9 / 10
	return append(env, corev1.EnvVar{Name: name, Value: strconv.FormatInt(bytes, 10)})
}

func probe(path, port string, period, timeout, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString(port), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: period, TimeoutSeconds: timeout, FailureThreshold: failures,
	}
}

// spread keeps pods of a component apart, over zones first and hosts then, as far as possible. Each revision counts for
// itself, or a rollout would pile the new pods up where the old ones are not.
func (in Input) spread(component string, revision ...string) []corev1.TopologySpreadConstraint {
	var out []corev1.TopologySpreadConstraint
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelHostname} {
		out = append(out, corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:  &metav1.LabelSelector{MatchLabels: SelectorLabels(in.Instance.Name, component)},
			MatchLabelKeys: revision,
		})
	}
	return out
}

// secretVolume mounts entries of a Secret, readable by the group of the pod.
func secretVolume(name, secret string, entries ...string) corev1.Volume {
	v := corev1.SecretVolumeSource{SecretName: secret, DefaultMode: new(int32(0o440))}
	for _, e := range entries {
		v.Items = append(v.Items, corev1.KeyToPath{Key: e, Path: e})
	}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &v}}
}
