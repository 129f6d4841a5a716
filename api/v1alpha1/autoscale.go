package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// MetricType names what the autoscaler looks at.
//
// +kubebuilder:validation:Enum=ConnectionQuotaUtilization;MessageRate;ServerLoad
type MetricType string

// The metrics.
const (
	// MetricConnectionQuotaUtilization is client connections in percent of the connection quota.
	MetricConnectionQuotaUtilization MetricType = "ConnectionQuotaUtilization"
	// MetricMessageRate is messages per second in percent of what the units are rated for.
	MetricMessageRate MetricType = "MessageRate"
	// MetricServerLoad is the load of the edges in percent.
	MetricServerLoad MetricType = "ServerLoad"
)

// CronExpression is a time that comes again: minute, hour, day of month, month and day of week, as in a CronJob.
//
// +kubebuilder:validation:MaxLength=120
// +kubebuilder:validation:XValidation:rule=`self.size() == 0 || self.matches(r'^([*?]|[0-5]?[0-9](-[0-5]?[0-9])?)(/[1-9][0-9]?)?(,([*?]|[0-5]?[0-9](-[0-5]?[0-9])?)(/[1-9][0-9]?)?)* +([*?]|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?(,([*?]|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?)* +([*?]|(0?[1-9]|[12][0-9]|3[01])(-(0?[1-9]|[12][0-9]|3[01]))?)(/[1-9][0-9]?)?(,([*?]|(0?[1-9]|[12][0-9]|3[01])(-(0?[1-9]|[12][0-9]|3[01]))?)(/[1-9][0-9]?)?)* +([*?]|(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(-(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)))?)(/[1-9][0-9]?)?(,([*?]|(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(-(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)))?)(/[1-9][0-9]?)?)* +([*?]|([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat))(-([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat)))?)(/[1-9][0-9]?)?(,([*?]|([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat))(-([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat)))?)(/[1-9][0-9]?)?)*$')`,message="must be a cron expression of five fields: minute 0-59, hour 0-23, day of month 1-31, month 1-12 or jan-dec, day of week 0-6 or sun-sat, as \"0 8 * * 1-5\""
type CronExpression string

// AutoscaleSpec lets the operator add units: units in force = what the load asks for, at least spec.units (or a
// schedule's floor), at most maxUnits.
//
// +kubebuilder:validation:XValidation:rule="!has(self.schedules) || self.schedules.all(s, s.units <= self.maxUnits)",message="must have units of at most spec.autoscale.maxUnits",fieldPath=".schedules"
type AutoscaleSpec struct {
	// maxUnits is the most units that the operator goes to: at least spec.units, at most 100 in tier Standard and 1,000
	// in Premium. Required.
	//
	// Example: `maxUnits: 10`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +required
	MaxUnits int32 `json:"maxUnits"`

	// metrics are what the operator looks at, each type once; of several the one that asks for most units decides.
	// Default: ConnectionQuotaUtilization with a target of 70 percent.
	//
	// Example: `metrics: [{type: ConnectionQuotaUtilization, targetPercent: 60}, {type: ServerLoad, targetPercent: 70}]`
	// +kubebuilder:default={{type: ConnectionQuotaUtilization, targetPercent: 70}}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +listType=map
	// +listMapKey=type
	// +optional
	Metrics []AutoscaleMetric `json:"metrics,omitempty"`

	// behavior bounds how fast units come and go: the behavior of an autoscaling/v2 HorizontalPodAutoscaler, where a
	// policy of type Pods counts units. What is left out of it has the defaults of the HorizontalPodAutoscaler, but
	// scaleDown.stabilizationWindowSeconds, which is 900.
	//
	// Example: `behavior: {scaleDown: {policies: [{type: Pods, value: 1, periodSeconds: 300}]}}`
	// +kubebuilder:default={scaleDown: {stabilizationWindowSeconds: 900}}
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`

	// schedules raise the floor at known times, up to 20. Of several that are active the largest counts.
	//
	// Example: `schedules: [{name: market, start: "0 8 * * 1-5", end: "0 18 * * 1-5", timeZone: Europe/Berlin, units: 5}]`
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Schedules []AutoscaleSchedule `json:"schedules,omitempty"`
}

// AutoscaleMetric is a metric with its target.
type AutoscaleMetric struct {
	// type is what is looked at: ConnectionQuotaUtilization (client connections in percent of the quota), MessageRate
	// (messages per second in percent of what the units are rated for) or ServerLoad (load of the edges in percent).
	// Required.
	//
	// Example: `type: ServerLoad`
	// +required
	Type MetricType `json:"type"`

	// targetPercent is the utilisation that the operator aims at, 1 to 100. Default: 70.
	//
	// Example: `targetPercent: 60`
	// +kubebuilder:default=70
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	TargetPercent int32 `json:"targetPercent,omitempty"`
}

// AutoscaleSchedule raises the floor from start to end.
//
// +kubebuilder:validation:XValidation:rule="self.start.size() > 0",message="must be a cron expression of five fields, as \"0 8 * * 1-5\"",fieldPath=".start",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.end.size() > 0",message="must be a cron expression of five fields, as \"0 18 * * 1-5\"",fieldPath=".end",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.start.size() == 0 || self.start != self.end",message="must differ from start",fieldPath=".end"
type AutoscaleSchedule struct {
	// name tells schedules apart in status and events: 1 to 63 lower-case letters, digits and '-'. Required.
	//
	// Example: `name: market`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
	// +required
	Name string `json:"name"`

	// start is when the floor rises, a cron expression of five fields. Required.
	//
	// Example: `start: "0 8 * * 1-5"`
	// +required
	Start CronExpression `json:"start"`

	// end is when it falls again, a cron expression of five fields. Where it meets the next start, the start counts.
	// Required.
	//
	// Example: `end: "0 18 * * 1-5"`
	// +required
	End CronExpression `json:"end"`

	// timeZone is the time zone of start and end, a name of the IANA database. Default: UTC.
	//
	// Example: `timeZone: Europe/Berlin`
	// +kubebuilder:default=UTC
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="timestamp('2000-01-01T00:00:00Z').getHours(self) >= 0",message="must be a name that the API server's time zone database has"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}$') && self != 'Local'",message="must be a name of the IANA time zone database, as UTC or Europe/Berlin"
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// units is the floor while the schedule is active, 1 to maxUnits. Required.
	//
	// Example: `units: 5`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +required
	Units int32 `json:"units"`
}
