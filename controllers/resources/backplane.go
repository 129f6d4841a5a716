package resources

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// Ports of a backplane node, those that NATS uses everywhere.
const (
	backplaneClientPort  = 4222
	backplaneRoutePort   = 6222
	backplaneMonitorPort = 8222
)

const (
	// backplaneReplicas is the number of nodes: the least that goes on when one is lost.
	backplaneReplicas = 3
	// backplaneGraceSeconds is the time a node has to hand its leaderships over.
	backplaneGraceSeconds = 60
	backplaneFile         = "backplane.yaml"
	backplaneDir          = "/etc/signalr"
	backplaneData         = "/data"
	backplaneVolume       = "data"
)

// Entries of the backplane's Secret beside its configuration.
const (
	caEntry   = "ca.crt"
	certEntry = "tls.crt"
	keyEntry  = "tls.key"
)

// BackplaneSecret returns the configuration and the certificates of the managed backplane, nil when there is none.
func BackplaneSecret(in Input) *corev1.Secret {
	if !in.managed() {
		return nil
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: in.meta(BackplaneName(in.Instance.Name), ComponentBackplane),
		Type:       corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			backplaneFile: []byte(backplaneConfig(in)),
			caEntry:       in.Backplane.CA, certEntry: in.Backplane.Certificate, keyEntry: in.Backplane.Key,
		},
	}
}

// backplaneConfig returns the file that a node reads: where it listens, whom it finds and what it may store.
func backplaneConfig(in Input) string {
	var b strings.Builder
	fmt.Fprintf(&b, "configVersion: 1\nlisten:\n  client: :%d\n  route: :%d\n  monitor: :%d\n",
		backplaneClientPort, backplaneRoutePort, backplaneMonitorPort)
	fmt.Fprintf(&b, "tls:\n  caFile: %[1]s/%[2]s\n  certFile: %[1]s/%[3]s\n  keyFile: %[1]s/%[4]s\n",
		backplaneDir, caEntry, certEntry, keyEntry)
	size := backplaneSize(in)
	fmt.Fprintf(&b, "storage:\n  directory: %s\n  maxBytes: %d\nroutes:\n", backplaneData, size.Value())
	for i := range backplaneReplicas {
		fmt.Fprintf(&b, "  - tls://%s-%d.%s.%s.svc:%d\n", BackplaneName(in.Instance.Name), i,
			BackplaneNodesName(in.Instance.Name), in.Instance.Namespace, backplaneRoutePort)
	}
	return b.String()
}

// storage returns how the managed backplane stores, with the defaults of the schema.
func storage(in Input) signalrv1alpha1.BackplaneStorage {
	if m := in.spec().Backplane.Managed; m != nil {
		return m.Storage
	}
	return signalrv1alpha1.BackplaneStorage{}
}

func backplaneSize(in Input) resource.Quantity {
	if size := storage(in).Size; !size.IsZero() {
		return size.DeepCopy()
	}
	return resource.MustParse("1Gi")
}

// BackplaneStatefulSet returns the nodes of the managed backplane, nil when there is none. Volumes go with the instance
// and stay when it is stopped. The nodes stop after the edges, which need them until their last client has gone.
func BackplaneStatefulSet(in Input) *appsv1.StatefulSet {
	if !in.managed() {
		return nil
	}
	name, replicas := in.Instance.Name, int32(backplaneReplicas)
	if in.spec().State == signalrv1alpha1.StateStopped && !in.Draining {
		replicas = 0
	}
	pod := in.podSpec(EdgeName(name), in.backplaneContainer())
	pod.TerminationGracePeriodSeconds = new(int64(backplaneGraceSeconds))
	pod.TopologySpreadConstraints = in.spread(ComponentBackplane, appsv1.ControllerRevisionHashLabelKey)
	pod.Volumes = []corev1.Volume{secretVolume("config", BackplaneName(name), backplaneFile, caEntry, certEntry, keyEntry)}
	s := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: in.meta(BackplaneName(name), ComponentBackplane),
		Spec: appsv1.StatefulSetSpec{
			Replicas:            new(replicas),
			ServiceName:         BackplaneNodesName(name),
			PodManagementPolicy: appsv1.ParallelPodManagement, // they wait for each other, and so must not start in turn
			Selector:            &metav1.LabelSelector{MatchLabels: SelectorLabels(name, ComponentBackplane)},
			MinReadySeconds:     10,
			UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: allLabels(name, ComponentBackplane)},
				Spec:       pod,
			},
		},
	}
	if storage(in).Type == signalrv1alpha1.StoragePersistent {
		s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{backplaneClaim(in)}
		return s
	}
	s.Spec.Template.Spec.Volumes = append(s.Spec.Template.Spec.Volumes, ephemeral(in))
	return s
}

// ephemeral returns the volume of a node that keeps its data as long as its pod lives: space on the machine, or, with a
// storage class, a volume of that class which comes and goes with the pod.
func ephemeral(in Input) corev1.Volume {
	v := corev1.Volume{
		Name:         backplaneVolume,
		VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: new(backplaneSize(in))}},
	}
	if storage(in).StorageClassName != "" {
		claim := backplaneClaim(in)
		v.VolumeSource = corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
			VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
				ObjectMeta: metav1.ObjectMeta{Labels: claim.Labels}, Spec: claim.Spec,
			},
		}}
	}
	return v
}

func (in Input) backplaneContainer() corev1.Container {
	c := corev1.Container{
		Name:    ComponentBackplane,
		Image:   in.Image,
		Command: []string{"/signalr-edge"},
		Args:    []string{"backplane", "--config", backplaneDir + "/" + backplaneFile},
		Ports: []corev1.ContainerPort{
			{Name: "client", ContainerPort: backplaneClientPort, Protocol: corev1.ProtocolTCP},
			{Name: "route", ContainerPort: backplaneRoutePort, Protocol: corev1.ProtocolTCP},
			{Name: "monitor", ContainerPort: backplaneMonitorPort, Protocol: corev1.ProtocolTCP},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: backplaneDir, ReadOnly: true},
			{Name: backplaneVolume, MountPath: backplaneData},
		},
		StartupProbe:   probe("/healthz", "monitor", 1, 2, 120),
		ReadinessProbe: probe("/healthz", "monitor", 5, 2, 2),
		LivenessProbe:  probe("/healthz?js-server-only=true", "monitor", 30, 5, 4),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
	}
	if m := in.spec().Backplane.Managed; m != nil && !resourcesEmpty(m.Resources) {
		c.Resources = *m.Resources.DeepCopy()
	}
	c.Env = withMemoryLimit(nil, c.Resources)
	return c
}

func backplaneClaim(in Input) corev1.PersistentVolumeClaim {
	claim := corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Name: backplaneVolume, Labels: SelectorLabels(in.Instance.Name, ComponentBackplane),
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			VolumeMode:  new(corev1.PersistentVolumeFilesystem),
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: backplaneSize(in)},
			},
		},
	}
	if class := storage(in).StorageClassName; class != "" {
		claim.Spec.StorageClassName = new(class)
	}
	return claim
}

// BackplaneService returns the Service by which edges find the managed backplane, nil when there is none.
func BackplaneService(in Input) *corev1.Service {
	if !in.managed() {
		return nil
	}
	return in.backplaneService(BackplaneName(in.Instance.Name), corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Ports: []corev1.ServicePort{tcp("client", backplaneClientPort)},
	})
}

// BackplaneHeadlessService returns the Service by which its nodes find each other, ready or not.
func BackplaneHeadlessService(in Input) *corev1.Service {
	if !in.managed() {
		return nil
	}
	return in.backplaneService(BackplaneNodesName(in.Instance.Name), corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone, PublishNotReadyAddresses: true,
		Ports: []corev1.ServicePort{tcp("client", backplaneClientPort), tcp("route", backplaneRoutePort)},
	})
}

func (in Input) backplaneService(name string, spec corev1.ServiceSpec) *corev1.Service {
	spec.Selector = SelectorLabels(in.Instance.Name, ComponentBackplane)
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: in.meta(name, ComponentBackplane),
		Spec:       spec,
	}
}

func tcp(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{
		Name: name, Port: port, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString(name),
	}
}
