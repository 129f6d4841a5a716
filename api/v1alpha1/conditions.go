package v1alpha1

// Condition types. Names follow kstatus, so that `kubectl wait`, Argo CD and Flux understand them. Ready is always
// there. Reconciling, Stalled, ScalingLimited, UpdateAvailable and Paused are there only while they are True.
const (
	// ConditionReady is the summary: at least one edge serves, keys are loaded and the endpoint is usable. That there are
	// fewer edges than asked for is Reconciling, so a scale-up pages nobody.
	//
	// Reasons when True: Serving, Stopped. When False: EdgesNotReady, KeysInvalid, EndpointPending,
	// BackplaneNotConnected, UnsupportedByEdge. When Unknown: Pending.
	ConditionReady = "Ready"
	// ConditionReconciling is True while a change is under way.
	//
	// Reasons when True: RollingOut, Scaling, Draining.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when nothing goes on until a person does something.
	//
	// Reasons when True: NameConflict, InvalidReference, QuotaForbidden, ImagePull.
	ConditionStalled = "Stalled"
	// ConditionKeysReady is True when the key Secret is valid and every edge that runs has loaded it.
	//
	// Reasons when True: Loaded. When False: Rotating, RotationQueued, SecretInvalid.
	ConditionKeysReady = "KeysReady"
	// ConditionBackplaneReady is True when every edge is connected to the backplane, or none needs to be.
	//
	// Reasons when True: Connected, NotNeeded. When False: Connecting, Lost, UnsupportedByEdge. When Unknown:
	// MetricsUnavailable.
	ConditionBackplaneReady = "BackplaneReady"
	// ConditionScalingActive is True while the autoscaler works; it is absent without spec.autoscale.
	//
	// Reasons when True: ScalingEnabled. When False: MetricsUnavailable, Stopped.
	ConditionScalingActive = "ScalingActive"
	// ConditionScalingLimited is True while the load asks for more or fewer units than there may be.
	//
	// Reasons when True: AtMaxUnits, AtFloor.
	ConditionScalingLimited = "ScalingLimited"
	// ConditionServersConnected is True when some app server is connected; in service mode Default only. It explains most
	// "clients cannot connect" and never affects Ready.
	//
	// Reasons when True: Connected. When False: NoServer. When Unknown: MetricsUnavailable.
	ConditionServersConnected = "ServersConnected"
	// ConditionQuotaHealthy is True under 80 percent of connections and messages, with 5 points of hysteresis. It never
	// affects Ready.
	//
	// Reasons when True: WithinQuota. When False: ConnectionQuotaHigh, ConnectionQuotaFull, MessageQuotaHigh,
	// MessageQuotaFull. When Unknown: MetricsUnavailable.
	ConditionQuotaHealthy = "QuotaHealthy"
	// ConditionUpdateAvailable is True when the operator carries a newer edge than the one that runs.
	//
	// Reasons when True: NewerEdge.
	ConditionUpdateAvailable = "UpdateAvailable"
	// ConditionPaused is True while the annotation signalr-operator.io/paused is "true".
	//
	// Reasons when True: Annotation.
	ConditionPaused = "Paused"
)

// Reasons of ConditionReady.
const (
	// ReasonServing says that at least one edge serves.
	ReasonServing = "Serving"
	// ReasonStopped says that spec.state is Stopped: there is nothing to serve, as asked.
	ReasonStopped = "Stopped"
	// ReasonPending says that no operator has looked at the instance yet; it is the default of a new object.
	ReasonPending = "Pending"
	// ReasonEdgesNotReady says that no edge pod is ready.
	ReasonEdgesNotReady = "EdgesNotReady"
	// ReasonKeysInvalid says that there are no good keys, neither in the Secret nor in force.
	ReasonKeysInvalid = "KeysInvalid"
	// ReasonEndpointPending says that the endpoint has no address yet: load balancer, Gateway or certificate.
	ReasonEndpointPending = "EndpointPending"
	// ReasonBackplaneNotConnected says that edges which need each other are not connected.
	ReasonBackplaneNotConnected = "BackplaneNotConnected"
	// ReasonUnsupportedByEdge says that the spec asks for what the running edge cannot do; the message names the field.
	ReasonUnsupportedByEdge = "UnsupportedByEdge"
)

// Reasons of ConditionReconciling.
const (
	// ReasonRollingOut says that edges are being replaced, one at a time.
	ReasonRollingOut = "RollingOut"
	// ReasonScaling says that the number of edges is on its way to what was asked for.
	ReasonScaling = "Scaling"
	// ReasonDraining says that edges are closing their clients before they go.
	ReasonDraining = "Draining"
)

// Reasons of ConditionStalled.
const (
	// ReasonNameConflict says that an object bears the name of a child and belongs to somebody else; the annotation
	// signalr-operator.io/adopt takes it over.
	ReasonNameConflict = "NameConflict"
	// ReasonInvalidReference says that the spec names an object that is not there or is not what it should be.
	ReasonInvalidReference = "InvalidReference"
	// ReasonQuotaForbidden says that a ResourceQuota or an admission policy of the namespace refuses a child.
	ReasonQuotaForbidden = "QuotaForbidden"
	// ReasonImagePull says that the image of the edges cannot be pulled.
	ReasonImagePull = "ImagePull"
)

// Reasons of ConditionKeysReady.
const (
	// ReasonLoaded says that every edge has loaded the keys of the Secret.
	ReasonLoaded = "Loaded"
	// ReasonRotating says that a new key is on its way to the edges.
	ReasonRotating = "Rotating"
	// ReasonRotationQueued says that a new key is on its way to the edges and the other key is replaced next.
	ReasonRotationQueued = "RotationQueued"
	// ReasonSecretInvalid says that the Secret is damaged; the last good keys stay in force.
	ReasonSecretInvalid = "SecretInvalid"
)

// Reasons of ConditionBackplaneReady.
const (
	// ReasonConnected says that what should be connected is: edges with the backplane, or an app server with an edge.
	ReasonConnected = "Connected"
	// ReasonNotNeeded says that there is one edge, which needs nobody.
	ReasonNotNeeded = "NotNeeded"
	// ReasonConnecting says that edges are on their way to the backplane.
	ReasonConnecting = "Connecting"
	// ReasonLost says that edges which were connected no longer are.
	ReasonLost = "Lost"
)

// Reasons of ConditionScalingActive and ConditionScalingLimited.
const (
	// ReasonScalingEnabled says that the autoscaler decides on fresh metrics.
	ReasonScalingEnabled = "ScalingEnabled"
	// ReasonMetricsUnavailable says that edges cannot be asked: scaling is frozen where it is, and never goes in.
	ReasonMetricsUnavailable = "MetricsUnavailable"
	// ReasonAtMaxUnits says that the load asks for more than spec.autoscale.maxUnits.
	ReasonAtMaxUnits = "AtMaxUnits"
	// ReasonAtFloor says that the load asks for less than spec.units or the schedule in force.
	ReasonAtFloor = "AtFloor"
)

// Reasons of ConditionServersConnected and ConditionQuotaHealthy.
const (
	// ReasonNoServer says that no app server is connected, so clients of service mode Default find nobody.
	ReasonNoServer = "NoServer"
	// ReasonWithinQuota says that connections and messages are under 80 percent of the quota.
	ReasonWithinQuota = "WithinQuota"
	// ReasonConnectionQuotaHigh says that connections are over 80 percent of the quota.
	ReasonConnectionQuotaHigh = "ConnectionQuotaHigh"
	// ReasonConnectionQuotaFull says that connections are at the quota: new clients are refused with HTTP 429.
	ReasonConnectionQuotaFull = "ConnectionQuotaFull"
	// ReasonMessageQuotaHigh says that the day's messages are over 80 percent of the quota.
	ReasonMessageQuotaHigh = "MessageQuotaHigh"
	// ReasonMessageQuotaFull says that the day's messages are used up.
	ReasonMessageQuotaFull = "MessageQuotaFull"
)

// Reasons of ConditionUpdateAvailable and ConditionPaused.
const (
	// ReasonNewerEdge says that the operator carries a newer edge than the one that runs.
	ReasonNewerEdge = "NewerEdge"
	// ReasonAnnotation says that an annotation of the instance asks for it.
	ReasonAnnotation = "Annotation"
)
