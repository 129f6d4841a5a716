package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/autoscale"
	"github.com/signalr-operator/signalr-operator/controllers/resources"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// decision is what should be, and what there is to say about it.
type decision struct {
	keys       keysPlan
	keysSecret string
	loadedAll  bool
	// keysWritten tells that the edges' Secret holds them, keysShown that users can read them too.
	keysWritten, keysShown bool
	// deployed tells that the edges' Deployment is as decided.
	deployed bool

	use     use
	scaling autoscale.Decision
	units   signalrv1alpha1.UnitsStatus
	quota   signalrv1alpha1.QuotaStatus

	// wanted is the number of edges to get to, replicas the number for now: a scale-in marks its pods first.
	wanted, replicas int32
	marks            map[string]bool

	backplane            signalrv1alpha1.BackplaneMode
	unsupportedBackplane string
	// unknownBackplane tells that several edges are asked for, and no edge has said yet whether it can be one of them.
	unknownBackplane bool
	// unsupported names the field that asks for what the running edges cannot do.
	unsupported string
	// serveOn is the service mode that edges keep which serve it, and cannot serve the one that the spec asks for: they
	// would be of no use to anybody.
	serveOn signalrv1alpha1.ServiceMode

	rollout rollout
	update  string
	input   resources.Input
	// edgeConfig is the edges' configuration and edgeHash its hash; nil while there are no keys.
	edgeConfig *config.Config
	edgeHash   string

	endpointPending string
	// certificatePending says why there is no certificate yet for edges that end TLS: they start with it.
	certificatePending string
	// problems are what a person has to mend, beside what applying will meet.
	problems []error
	// events are told with the status that shows them; keyEvents and edgeEvents when the Secret or the Deployment was
	// written that they are about, and done are those to be told in any case.
	events, keyEvents, edgeEvents, done []event
	// next is when to look again at the latest, the zero time when the usual poll will do.
	next time.Time
}

// decide says what should be. It reads nothing that is not in o but the list of instances, for upgrades by policy, and
// the instance once more before a key is replaced; and it changes nothing but the memory of the instance.
func (r *Reconciler) decide(ctx context.Context, o *observed) (*decision, error) {
	d := &decision{keysSecret: resources.KeysSecretName(o.instance.Name)}
	if ref := o.instance.Spec.Auth.AccessKeys.ExistingSecretRef; ref != nil {
		d.keysSecret = ref.Name
	}
	if err := r.decideKeys(ctx, o, d); err != nil {
		return nil, err
	}
	d.learnCapabilities(o)
	d.decideUnits(o)
	d.decideEdges(o)
	d.input = r.inputFor(o, d)
	var err error
	if d.rollout, err = r.planRollout(ctx, o, d.input); err != nil {
		return nil, err
	}
	d.input.Image, d.input.Revision, d.input.Template = d.rollout.image, d.rollout.revision, d.rollout.template
	d.input.SizedFor = d.rollout.sizedFor
	if err := d.decideCertificates(o); err != nil {
		return nil, err
	}
	d.update = d.rollout.update
	d.edgeEvents = append(d.edgeEvents, d.rollout.events...)
	d.decideConfig(o)
	d.awaitEdges(o)
	d.decideEndpoint(o)
	for _, err := range []error{
		imageTrouble(o), replicaTrouble(o.deployment), certificateTrouble(o), d.scheduleTrouble(),
	} {
		if err != nil {
			d.problems = append(d.problems, err)
		}
	}
	return d, nil
}

func certificateTrouble(o *observed) error {
	if !o.certificateMissing {
		return nil
	}
	return stalled(signalrv1alpha1.ReasonInvalidReference,
		"spec.exposure.tls.secretName: Secret %s is not there, and edges that end TLS wait for it",
		o.instance.Spec.Exposure.TLS.SecretName)
}

func (d *decision) scheduleTrouble() error {
	if d.scaling.Err == nil {
		return nil
	}
	return stalled(signalrv1alpha1.ReasonInvalidReference, "%s", d.scaling.Err)
}

// again notes that something is due at a time.
func (d *decision) again(at time.Time) {
	if !at.IsZero() && (d.next.IsZero() || at.Before(d.next)) {
		d.next = at
	}
}

func (r *Reconciler) decideKeys(ctx context.Context, o *observed, d *decision) (err error) {
	d.keys, err = planKeys(keysInput{
		now: o.now.Time, spec: &o.instance.Spec.Auth.AccessKeys, config: o.config,
		edge: o.edgeKeys(), own: o.ownKeys(), user: o.userSecret.secret, remembered: o.memory.keys,
		created: o.instance.Status.ObservedGeneration == 0,
		loaded:  o.current != nil && o.loaded(o.current), random: r.Random,
	})
	if err != nil {
		return err
	}
	if len(d.keys.rotated) > 0 {
		if err := r.confirm(ctx, o.instance); err != nil {
			return err
		}
	}
	d.loadedAll = o.loaded(&d.keys.state)
	d.keyEvents = keyEvents(&d.keys, d.keysSecret)
	d.again(d.keys.next)
	if d.keys.scheduleProblem != "" {
		d.problems = append(d.problems, stalled(signalrv1alpha1.ReasonInvalidReference, "%s", d.keys.scheduleProblem))
	}
	if d.keys.invalidReference || d.keys.problem != "" && !d.keys.state.valid() {
		d.problems = append(d.problems, stalled(signalrv1alpha1.ReasonInvalidReference, "%s", d.keys.problem))
	}
	return nil
}

// confirm asks the API server itself whether an instance is as it was read. A cache may begin with what was so a while
// ago, and an old nonce is a changed one: a key that is in use would be refused at once.
func (r *Reconciler) confirm(ctx context.Context, instance *signalrv1alpha1.SignalRInstance) error {
	live := &metav1.PartialObjectMetadata{}
	live.SetGroupVersionKind(signalrv1alpha1.SchemeGroupVersion.WithKind(signalrv1alpha1.Kind))
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(instance), live)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("read the instance: %w", err)
	case err != nil || live.ResourceVersion != instance.ResourceVersion:
		return waitFor(conflictRetry, "the instance was changed by somebody else at the same time")
	}
	return nil
}

// learnCapabilities remembers what all edges that answer can do. While none does, what is known stays.
func (d *decision) learnCapabilities(o *observed) {
	var common []string
	understood, n := 0, 0
	for _, e := range o.edges {
		if !e.known || e.pod.DeletionTimestamp != nil {
			continue
		}
		if n == 0 {
			common, understood = slices.Clone(e.status.Capabilities), e.status.ConfigVersion
		}
		common = slices.DeleteFunc(common, func(c string) bool { return !slices.Contains(e.status.Capabilities, c) })
		understood = min(understood, e.status.ConfigVersion)
		n++
	}
	switch {
	case n > 0:
		o.memory.capabilities, o.memory.configVersion = common, understood
	case o.memory.capabilities == nil:
		o.memory.capabilities = o.proven()
	}
	mode := o.instance.Spec.ServiceMode
	switch can := o.memory.capabilities; {
	case !slices.ContainsFunc(can, isMode): // nothing is known
	case !slices.Contains(can, modeCapability(mode)):
		if o.config != nil && slices.Contains(can, modeCapability(signalrv1alpha1.ServiceMode(o.config.ServiceMode))) {
			d.serveOn = signalrv1alpha1.ServiceMode(o.config.ServiceMode)
		}
		d.unsupported = fmt.Sprintf("spec.serviceMode: the running edge cannot serve %s: it says so of none but %s", mode,
			modesOf(can))
	case n > 0 && understood < resources.OldestConfigVersion:
		d.unsupported = "spec.edge.image: the running edge understands only configurations older than this operator writes"
	}
}

// proven returns what edges that cannot be asked can do all the same, after a restart: what they were seen to do, and
// what they were seen not to do.
func (o *observed) proven() []string {
	var can []string
	st := &o.instance.Status
	if o.workload.desired > 1 || st.Backplane.Mode == signalrv1alpha1.BackplaneManaged ||
		st.Backplane.Mode == signalrv1alpha1.BackplaneExternal {
		can = append(can, resources.CapabilityBackplane)
	}
	ready := meta.FindStatusCondition(st.Conditions, signalrv1alpha1.ConditionReady)
	if o.config != nil && string(o.config.ServiceMode) != string(o.instance.Spec.ServiceMode) && ready != nil &&
		ready.Reason == signalrv1alpha1.ReasonUnsupportedByEdge {
		can = append(can, modeCapability(signalrv1alpha1.ServiceMode(o.config.ServiceMode)))
	}
	return can
}

// modePrefix begins the capability to serve in a service mode.
const modePrefix = "mode/"

func modeCapability(mode signalrv1alpha1.ServiceMode) string { return modePrefix + string(mode) }

func isMode(capability string) bool { return strings.HasPrefix(capability, modePrefix) }

// modesOf names the service modes among capabilities.
func modesOf(capabilities []string) string {
	var modes []string
	for _, c := range capabilities {
		if mode, ok := strings.CutPrefix(c, modePrefix); ok {
			modes = append(modes, mode)
		}
	}
	if len(modes) == 0 {
		return "no mode"
	}
	return strings.Join(modes, ", ")
}

// decideUnits says how many units are in force, and what of them is used.
func (d *decision) decideUnits(o *observed) {
	d.use = measure(o.edges)
	var carried config.Carried
	if o.config != nil {
		carried = o.config.Quota.Carried
	}
	d.use.messages = o.memory.messages.add(o.edges, carried, o.instance.Status.Usage, o.now.Time)
	in := autoscale.Input{
		Spec: &o.instance.Spec, Current: o.instance.Status.Units.Effective, Unreachable: o.unreachable(),
		History: o.memory.history, Now: o.now.Time,
	}
	for _, e := range o.edges {
		if e.known {
			in.Edges = append(in.Edges, autoscale.Edge{
				Node: e.status.Node, Connections: e.status.Connections.Client, MessagesToday: e.status.Messages.Today,
				LoadPercent: e.status.Load.Percent,
			})
		}
	}
	d.scaling = autoscale.Decide(in)
	o.memory.history = d.scaling.History
	d.again(d.scaling.NextChange)
	d.units = signalrv1alpha1.UnitsStatus{Desired: d.scaling.Desired, Effective: d.scaling.Effective}
	d.quota.Connections, d.quota.MessagesPerDay = resources.Quota(o.instance.Spec.Tier, d.units.Effective)
	if was := o.instance.Status.Units.Effective; was != 0 && was != d.units.Effective {
		d.events = append(d.events, normal(eventScaled, "Scale", "units in force go from %d to %d", was, d.units.Effective))
	}
}

// decideEdges says how many edges there should be, for now and in the end.
func (d *decision) decideEdges(o *observed) {
	spec, memory := &o.instance.Spec, o.memory
	joins := slices.Contains(memory.capabilities, resources.CapabilityBackplane)
	d.wanted = resources.Replicas(spec, d.units.Effective, d.use.clients, joins)
	d.backplane = resources.BackplaneMode(spec, o.instance.Status.Backplane.Mode, d.wanted, joins)
	if !joins {
		d.backplane = signalrv1alpha1.BackplaneEmbedded
	}
	if !joins && !o.stopped() {
		d.judgeAlone(o)
	}
	w := o.workload
	d.replicas = d.wanted
	switch {
	case !w.exists, d.wanted == 0:
	case d.wanted < w.desired && (o.unreachable() > 0 || w.rolling() || w.leaving()):
		d.replicas = w.desired // blind, or busy: nothing goes in
	default:
		d.replicas, d.marks = scaleIn(w.desired, w.replicas, d.wanted, o.edges)
	}
	if len(d.marks) > 0 {
		d.again(o.now.Add(eagerInterval))
	}
	if w.exists && w.desired != d.replicas {
		switch {
		case w.desired == 0:
			d.edgeEvents = append(d.edgeEvents, normal(eventStarted, "Start", "the edges are started"))
		case d.replicas == 0:
			d.edgeEvents = append(d.edgeEvents, normal(eventStopped, "Stop", "the edges are stopped, drained"))
		default:
			d.edgeEvents = append(d.edgeEvents, normal(eventEdgesScaled, "Scale", "edges go from %d to %d", w.desired,
				d.replicas))
		}
	}
}

// inputFor returns what children are built from, but for image and template.
func (r *Reconciler) inputFor(o *observed, d *decision) resources.Input {
	instance := o.instance
	if d.serveOn != "" {
		instance = instance.DeepCopy()
		instance.Spec.ServiceMode = d.serveOn
	}
	in := resources.Input{
		Instance: instance, Units: d.units.Effective, Replicas: d.replicas, Draining: o.stopped() && len(o.edges) > 0,
		Carried: o.memory.messages.carried(), Capabilities: o.memory.capabilities, ConfigVersion: o.memory.configVersion,
		Kinds: resources.Kinds{
			HTTPRoute: o.installed[httpRouteGVK], Certificate: o.installed[certificateGVK],
			ServiceMonitor: o.installed[serviceMonitorGVK],
		},
		AdminNamespaces: r.AdminNamespaces,
		Keys: resources.KeySet{
			ConnectionTokenKey: d.keys.state.connectionToken, AdminToken: d.keys.state.admin,
			Annotations: d.keys.state.annotations(),
		},
	}
	if d.keys.state.valid() {
		in.Keys.Keys = d.keys.state.keys()
	}
	in.FormerHosts = o.formerHosts()
	if s, ok := o.child(serviceGVK, resources.ServiceName(o.instance.Name)).(*corev1.Service); ok {
		if given := s.Status.LoadBalancer.Ingress; len(given) > 0 {
			in.PublicAddress = cmp.Or(given[0].Hostname, given[0].IP)
		}
		if len(s.Spec.Ports) > 0 {
			in.NodePort = s.Spec.Ports[0].NodePort
		}
	}
	return in
}

// formerHostsAnnotation is on the edges' Secret while the instance has no host name: those that it had.
const formerHostsAnnotation = signalrv1alpha1.GroupName + "/former-hosts"

// formerHosts returns the host names that the instance has, or had when it had any.
func (o *observed) formerHosts() []string {
	if o.config == nil {
		return nil
	}
	if hosts := o.config.Auth.AudienceHosts; len(hosts) > 0 {
		return hosts
	}
	former := o.edgeSecret.secret.Annotations[formerHostsAnnotation]
	return strings.FieldsFunc(former, func(r rune) bool { return r == ',' })
}

// decideCertificates takes the backplane's certificates from its Secret, or makes new ones when it is time.
func (d *decision) decideCertificates(o *observed) (err error) {
	if d.backplane != signalrv1alpha1.BackplaneManaged {
		return nil
	}
	if s := o.backplaneSecret.secret; s != nil {
		d.input.Backplane = resources.Certificates{
			CA: s.Data["ca.crt"], Certificate: s.Data["tls.crt"], Key: s.Data["tls.key"],
		}
	}
	if d.input.Backplane.Due(o.now.Time) {
		d.input.Backplane, err = resources.NewCertificates(o.instance.Name, o.instance.Namespace, o.now.Time)
	}
	return err
}

// judgeAlone says what one edge that cannot be one of several leaves open of what the spec asks for.
func (d *decision) judgeAlone(o *observed) {
	spec := &o.instance.Spec
	ideal := resources.Replicas(spec, d.units.Effective, d.use.clients, true)
	mode := resources.BackplaneMode(spec, o.instance.Status.Backplane.Mode, ideal, true)
	switch known := o.memory.capabilities != nil; {
	case mode == signalrv1alpha1.BackplaneEmbedded:
	case !known:
		d.unknownBackplane = true
	case spec.Backplane.Mode == signalrv1alpha1.BackplaneManaged, spec.Backplane.Mode == signalrv1alpha1.BackplaneExternal:
		d.unsupportedBackplane = fmt.Sprintf("spec.backplane.mode: the running edge cannot use a backplane of mode %s: "+
			"one edge serves all units", mode)
	case ideal > 1:
		d.unsupportedBackplane = "spec.units, spec.edge.unitsPerPod and spec.edge.minReplicas ask for several edges, and " +
			"the running edge cannot be one of several: one edge serves all units"
	}
}

// decideConfig renders the edges' configuration. Edges whose template stays keep what of it they cannot take over
// without a restart.
func (d *decision) decideConfig(o *observed) {
	if !d.keys.state.valid() {
		return
	}
	c := resources.EdgeConfig(d.input)
	if o.config != nil && d.rollout.template != nil {
		c = resources.KeepRunning(o.config, c)
	}
	if o.config != nil && reflect.DeepEqual(c, o.config) { // as nearly always, and encoding is what a poll costs most
		d.edgeConfig, d.edgeHash = o.config, o.configHash
		return
	}
	d.edgeConfig, d.edgeHash = c, c.Hash()
}

// awaitEdges looks again soon while somebody waits for what edges do next: load a new configuration, as after a
// rotation, or get their first app server. Edges that take longer than eagerFor are left to the usual poll.
func (d *decision) awaitEdges(o *observed) {
	if o.memory.edgeHash != d.edgeHash {
		o.memory.edgeHash, o.memory.edgeHashSince = d.edgeHash, o.now.Time
	}
	due := d.edgeConfig != nil && o.now.Sub(o.memory.edgeHashSince) < eagerFor
	for i := range o.edges {
		e := &o.edges[i]
		switch {
		case due && e.pod.DeletionTimestamp == nil && podReady(e.pod) && e.status.Config.Hash != d.edgeHash:
			d.again(o.now.Add(eagerInterval))
		case o.instance.Spec.ServiceMode == signalrv1alpha1.ServiceModeDefault && e.lonely(o.now.Time):
			d.again(o.now.Add(lonelyInterval))
		}
	}
}

// child returns a live child, nil when it does not exist. What is in its place and not the instance's says nothing.
func (o *observed) child(gvk schema.GroupVersionKind, name string) any {
	live, ok := o.children[childID{gvk.GroupKind(), types.NamespacedName{Namespace: o.instance.Namespace, Name: name}}]
	if !ok || belongs(live, gvk.Kind, o.instance) != ours {
		return nil
	}
	return live
}

// backplaneReady returns how many nodes of the managed backplane are ready.
func (o *observed) backplaneReady() int32 {
	if s, ok := o.child(statefulSetGVK, resources.BackplaneName(o.instance.Name)).(*appsv1.StatefulSet); ok {
		return s.Status.ReadyReplicas
	}
	return 0
}

// loadedMark is what edge pods are annotated with to have their kubelet refresh the mounted configuration at once: a
// digest of the configuration's hash, which itself digests secrets.
func loadedMark(configHash string) string {
	sum := sha256.Sum256([]byte(configHash))
	return hex.EncodeToString(sum[:8])
}
