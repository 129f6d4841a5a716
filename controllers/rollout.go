package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// upgradesAtOnce is how many instances with the upgrade policy Automatic are rolled at the same time.
const upgradesAtOnce = 5

// templateAnnotation is on the edge Deployment: the hash of its pod template as the operator built it that applied it.
// While it is what this program would build, the template is applied again and again, so that a change by somebody else
// is undone. When it is not, a newer operator would build another one: the one that runs stays until it is asked for.
const templateAnnotation = signalrv1alpha1.GroupName + "/template"

// startConfigAnnotation is on edge pods: the hash of the part of their configuration that is read only at their start.
const startConfigAnnotation = signalrv1alpha1.GroupName + "/start-config"

// imageAnnotation is on the edge Deployment: the image that it was given. It is believed before the status, whose write
// may have failed, and before the template, which anybody may have changed.
const imageAnnotation = signalrv1alpha1.GroupName + "/image"

// sizeAnnotation is on the edge Deployment: for how many units its pods are sized, and how many the instance had for a
// pod then, as 40/10.
const sizeAnnotation = signalrv1alpha1.GroupName + "/sized-for"

// rollout is which image and which pod template the edges have from now on.
type rollout struct {
	image    string
	revision string
	sizedFor int64
	// template is the template that stays although this program would build another one; nil: the built one is applied.
	template *corev1.PodTemplateSpec
	// annotations are put on the Deployment beside the revision.
	annotations map[string]string
	// update says what an upgrade would bring, empty when there is nothing.
	update string
	events []event
}

// planRollout decides about image and template. in has everything but them. A change of the instance's own (image,
// spec, restart) applies a new template; a newer operator does only when asked, or when the instance leaves it to us.
func (r *Reconciler) planRollout(ctx context.Context, o *observed, in resources.Input) (rollout, error) {
	live, spec := o.deployment, &o.instance.Spec.Edge
	out := rollout{image: cmp.Or(spec.Image, recordedImage(o), r.EdgeImage), annotations: map[string]string{}}
	asked := o.instance.Annotations[signalrv1alpha1.UpgradedAtAnnotation]
	if asked != "" {
		out.annotations[signalrv1alpha1.UpgradedAtAnnotation] = asked
	}
	if live == nil {
		err := out.make(in, &appsv1.Deployment{}, r.buildEdges)
		return out, err
	}
	upgrade := asked != "" && live.Annotations[signalrv1alpha1.UpgradedAtAnnotation] != asked
	if err := out.make(in, live, r.buildEdges); err != nil {
		return out, err
	}
	if err := r.keep(ctx, o, &out); err != nil {
		return out, err
	}
	to := cmp.Or(spec.Image, r.EdgeImage)
	newer := out.image != to || out.template != nil
	if newer && !upgrade {
		admitted, err := r.admitUpgrade(ctx, o)
		if err != nil {
			return out, err
		}
		upgrade = admitted
	}
	switch {
	case newer && upgrade:
		from := out.image
		out.image, out.template = to, nil
		if err := out.make(in, live, r.buildEdges); err != nil {
			return out, err
		}
		out.events = append(out.events, normal(eventUpgrading, "Upgrade",
			"the edges are upgraded from image %s to %s, one at a time", from, out.image))
	case newer && spec.Image != "": // the edge is the user's choice, and its pods are newer only when asked for
	case newer && out.image != to:
		out.update = fmt.Sprintf("the operator carries the edge image %s; a new value of the annotation %s upgrades to it",
			r.EdgeImage, signalrv1alpha1.UpgradedAtAnnotation)
	case newer:
		out.update = fmt.Sprintf("the operator builds the edges' pods in a newer way; a new value of the annotation %s "+
			"upgrades to it", signalrv1alpha1.UpgradedAtAnnotation)
	case !o.workload.rolling():
		r.upgrades.leave(o.key())
	}
	if old := live.Annotations[resources.RevisionAnnotation]; old != out.revision && len(out.events) == 0 {
		out.events = append(out.events, normal(eventRollingOut, "RollOut", "the edges are replaced, one at a time"))
	}
	return out, nil
}

// make fills in the template that this program builds, and what it is made from.
func (out *rollout) make(
	in resources.Input, live *appsv1.Deployment, builder func(resources.Input) *appsv1.Deployment,
) error {
	in.Image = out.image
	in.SizedFor = sizedFor(in, live)
	out.revision, out.sizedFor, out.annotations[imageAnnotation] = resources.Revision(in), in.SizedFor, out.image
	out.annotations[sizeAnnotation] = size(in, resources.PodUnits(in))
	return out.build(in, builder)
}

// keep lets the live template stay while the instance asks for what it was made from, and this program would make it
// differently.
func (r *Reconciler) keep(ctx context.Context, o *observed, out *rollout) (err error) {
	live := o.deployment
	was, made := live.Annotations[templateAnnotation], live.Annotations[resources.RevisionAnnotation]
	if made != out.revision || was == "" || was == out.annotations[templateAnnotation] {
		o.memory.template = keptTemplate{}
		return nil
	}
	out.annotations[templateAnnotation] = was
	out.template, err = r.liveTemplate(ctx, o)
	return err
}

// keptTemplate is the pod template of a Deployment in one generation.
type keptTemplate struct {
	uid        types.UID
	generation int64
	template   *corev1.PodTemplateSpec
}

// liveTemplate returns the pod template of the live Deployment. It is the largest part of all that an instance has, and
// seldom needed: the cache does not hold it.
func (r *Reconciler) liveTemplate(ctx context.Context, o *observed) (*corev1.PodTemplateSpec, error) {
	known := &o.memory.template
	if known.uid != o.deployment.UID || known.generation != o.deployment.Generation {
		var d appsv1.Deployment
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(o.deployment), &d); err != nil {
			return nil, fmt.Errorf("read the template of %s: %w", describe(deploymentGVK.Kind, o.deployment.Name), err)
		}
		*known = keptTemplate{uid: d.UID, generation: d.Generation, template: d.Spec.Template.DeepCopy()}
	}
	return known.template.DeepCopy(), nil
}

// sizedFor returns for how many units the pods that run are sized, if nothing else about them is to change, else 0:
// fewer units are no reason to replace the only edge, and units come and go all day.
func sizedFor(in resources.Input, live *appsv1.Deployment) int64 {
	_, err := fmt.Sscanf(live.Annotations[sizeAnnotation], "%d/", &in.SizedFor)
	if err != nil || live.Status.Replicas == 0 || live.Annotations[sizeAnnotation] != size(in, in.SizedFor) ||
		live.Annotations[resources.RevisionAnnotation] != resources.Revision(in) {
		return 0
	}
	return in.SizedFor
}

// size returns what sizeAnnotation says of pods sized for units.
func size(in resources.Input, units int64) string {
	return fmt.Sprintf("%d/%d", units, in.Instance.Spec.Edge.UnitsPerPod)
}

// rolls tells whether applying the decision replaces the pods of the live Deployment.
func (d *decision) rolls(live *appsv1.Deployment) bool {
	return live != nil && (live.Annotations[resources.RevisionAnnotation] != d.rollout.revision ||
		live.Annotations[templateAnnotation] != d.rollout.annotations[templateAnnotation])
}

// build notes the hash of the template that this program builds.
func (out *rollout) build(in resources.Input, builder func(resources.Input) *appsv1.Deployment) error {
	b, err := json.Marshal(edgeDeployment(in, builder).Spec.Template)
	if err != nil {
		return fmt.Errorf("encode pod template: %w", err)
	}
	sum := sha256.Sum256(b)
	out.annotations[templateAnnotation] = hex.EncodeToString(sum[:8])
	return nil
}

// edgeDeployment returns the Deployment that builder builds, its pods marked with what of their configuration they take
// over only when they start. A template that stays is left alone.
func edgeDeployment(in resources.Input, builder func(resources.Input) *appsv1.Deployment) *appsv1.Deployment {
	d := builder(in)
	if in.Template == nil {
		if d.Spec.Template.Annotations == nil {
			d.Spec.Template.Annotations = map[string]string{}
		}
		d.Spec.Template.Annotations[startConfigAnnotation] = loadedMark(
			resources.KeepRunning(resources.EdgeConfig(in), config.Default()).Hash())
	}
	return d
}

// recordedImage returns the image that the edges were given, empty when they were given none yet.
func recordedImage(o *observed) string {
	if o.deployment != nil {
		if image := o.deployment.Annotations[imageAnnotation]; image != "" {
			return image
		}
	}
	return o.instance.Status.Edge.Image
}

// upgrades holds which instances are being upgraded by their own policy. Its methods may be called by several
// goroutines.
type upgrades struct {
	mu sync.Mutex
	// active is guarded by mu.
	active map[types.NamespacedName]bool
}

func newUpgrades() *upgrades { return &upgrades{active: map[types.NamespacedName]bool{}} }

// leave notes that an instance is not being upgraded any more.
func (u *upgrades) leave(key types.NamespacedName) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.active, key)
}

// admitUpgrade tells whether an instance may be upgraded now: if that is its policy, and fewer than upgradesAtOnce
// others are under way, those included that an operator before this one has begun.
func (r *Reconciler) admitUpgrade(ctx context.Context, o *observed) (bool, error) {
	if e := o.instance.Spec.Edge; e.UpgradePolicy != signalrv1alpha1.UpgradePolicyAutomatic || e.Image != "" {
		r.upgrades.leave(o.key())
		return false, nil
	}
	var all signalrv1alpha1.SignalRInstanceList
	if err := r.List(ctx, &all); err != nil {
		return false, fmt.Errorf("list instances: %w", err)
	}
	r.upgrades.mu.Lock()
	defer r.upgrades.mu.Unlock()
	key := o.key()
	busy := map[types.NamespacedName]bool{}
	for k := range r.upgrades.active {
		busy[k] = true
	}
	for i := range all.Items {
		if in := &all.Items[i]; r.beingUpgraded(in) && lookedAfter(in) {
			busy[client.ObjectKeyFromObject(in)] = true
		}
	}
	delete(busy, key)
	if len(busy) >= upgradesAtOnce {
		return false, nil
	}
	r.upgrades.active[key] = true
	return true, nil
}

// lookedAfter tells whether the status of an instance will change when an upgrade is through.
func lookedAfter(in *signalrv1alpha1.SignalRInstance) bool {
	return in.DeletionTimestamp.IsZero() && in.Annotations[signalrv1alpha1.PausedAnnotation] != "true"
}

// beingUpgraded tells whether the status of an instance shows an upgrade under way, one that has got stuck included.
func (r *Reconciler) beingUpgraded(in *signalrv1alpha1.SignalRInstance) bool {
	c := meta.FindStatusCondition(in.Status.Conditions, signalrv1alpha1.ConditionReconciling)
	edges := in.Status.Edge
	return in.Spec.Edge.UpgradePolicy == signalrv1alpha1.UpgradePolicyAutomatic && in.Spec.Edge.Image == "" &&
		edges.Image == r.EdgeImage &&
		(edges.Updated < edges.Replicas || c != nil && c.Reason == signalrv1alpha1.ReasonRollingOut)
}

// imageTrouble returns why the image of the edges cannot be pulled, as a kubelet has told. While there is trouble,
// another try that fails is no end of it: kubelets change between the two for ever.
func imageTrouble(o *observed) error {
	signs := pullTroubles
	was := meta.FindStatusCondition(o.instance.Status.Conditions, signalrv1alpha1.ConditionStalled)
	if was != nil && was.Reason == signalrv1alpha1.ReasonImagePull {
		signs = append(slices.Clone(signs), "ErrImagePull")
	}
	for _, e := range o.edges {
		for _, c := range e.pod.Status.ContainerStatuses {
			if c.State.Waiting != nil && slices.Contains(signs, c.State.Waiting.Reason) {
				return stalled(signalrv1alpha1.ReasonImagePull,
					"the image %s cannot be pulled: see spec.edge.image and spec.edge.pod.imagePullSecrets", c.Image)
			}
		}
	}
	return nil
}

// pullTroubles are what a kubelet says of an image that it cannot get. ErrImagePull comes first and may pass.
var pullTroubles = []string{"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}

// replicaTrouble returns why the Deployment's pods are refused, if they are.
func replicaTrouble(d *appsv1.Deployment) error {
	if d == nil {
		return nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type != appsv1.DeploymentReplicaFailure || c.Status != corev1.ConditionTrue ||
			!strings.Contains(c.Message, " is forbidden: ") && !isRefusal(c.Message) { // anything else may pass
			continue
		}
		why := withoutPods(refusal(c.Message), d.Name)
		if strings.Contains(why, "no PriorityClass") {
			return stalled(signalrv1alpha1.ReasonInvalidReference, "spec.edge.pod.priorityClassName: %s", why)
		}
		return stalled(signalrv1alpha1.ReasonQuotaForbidden,
			"edge pods are refused by a ResourceQuota or an admission policy of the namespace: %s", why)
	}
	return nil
}
