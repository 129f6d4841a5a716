package v1alpha1

// Annotations and labels that the operator reads. Those it writes for its own use are in package controllers.
const (
	// PausedAnnotation, with the value "true" on a SignalRInstance, makes the operator leave everything as it is and
	// set the condition Paused. The edges serve on.
	PausedAnnotation = GroupName + "/paused"
	// RestartedAtAnnotation on a SignalRInstance rolls its edges, drained, whenever it gets a new value. The value means
	// nothing; the time is a good one.
	RestartedAtAnnotation = GroupName + "/restarted-at"
	// UpgradedAtAnnotation on a SignalRInstance asks for an upgrade whenever it gets a new value: its edges are rolled,
	// drained, to the image and the pod template of the operator that runs. The value means nothing; the time is a good
	// one. It is how to say yes to the condition UpdateAvailable under the upgrade policy Manual.
	UpgradedAtAnnotation = GroupName + "/upgraded-at"
	// AdoptAnnotation, with the value "true" on a SignalRInstance, lets the operator take over objects that bear the
	// names of its children and belong to nobody.
	AdoptAnnotation = GroupName + "/adopt"
	// WatchLabel, with the value "true" on a Secret of the user's, makes a change of that Secret reach the edges
	// promptly. Without it the Secret is read again every minute.
	WatchLabel = GroupName + "/watch"
)
