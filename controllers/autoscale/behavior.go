package autoscale

import (
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Defaults of autoscaling/v2, but for the window of a scale-in: closing sockets is dear, and a crowd that left may come
// back within a quarter of an hour.
const (
	defaultUpWindow   = 0
	defaultDownWindow = 900 * time.Second
	defaultTolerance  = 0.1
)

// rules is one direction of a HorizontalPodAutoscalerBehavior with its defaults filled in.
type rules struct {
	window    time.Duration
	choice    autoscalingv2.ScalingPolicySelect
	policies  []autoscalingv2.HPAScalingPolicy
	tolerance float64
}

func upRules(b *autoscalingv2.HorizontalPodAutoscalerBehavior) rules {
	r := rules{
		window: defaultUpWindow,
		policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
		},
	}
	if b == nil {
		return r.with(nil)
	}
	return r.with(b.ScaleUp)
}

func downRules(b *autoscalingv2.HorizontalPodAutoscalerBehavior) rules {
	r := rules{
		window: defaultDownWindow,
		policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
		},
	}
	if b == nil {
		return r.with(nil)
	}
	return r.with(b.ScaleDown)
}

// with returns the rules with what s sets.
func (r rules) with(s *autoscalingv2.HPAScalingRules) rules {
	r.choice, r.tolerance = autoscalingv2.MaxChangePolicySelect, defaultTolerance
	if s == nil {
		return r
	}
	if s.StabilizationWindowSeconds != nil {
		r.window = time.Duration(*s.StabilizationWindowSeconds) * time.Second
	}
	if s.SelectPolicy != nil {
		r.choice = *s.SelectPolicy
	}
	if len(s.Policies) > 0 {
		r.policies = s.Policies
	}
	if s.Tolerance != nil {
		r.tolerance = s.Tolerance.AsApproximateFloat64()
	}
	return r
}

// period is the longest that a policy looks back.
func (r rules) period() time.Duration {
	var longest int32
	for _, p := range r.policies {
		longest = max(longest, p.PeriodSeconds)
	}
	return time.Duration(longest) * time.Second
}

// highest returns the most units that a scale-out may reach now.
func (r rules) highest(h History, current int32, now time.Time) int32 {
	if r.choice == autoscalingv2.DisabledPolicySelect {
		return current
	}
	limit, least := int64(0), r.choice == autoscalingv2.MinChangePolicySelect
	for i, p := range r.policies {
		from := h.before(current, now, p.PeriodSeconds)
		to := from + int64(p.Value)
		if p.Type == autoscalingv2.PercentScalingPolicy {
			to = divideUp(from*(100+int64(p.Value)), 100) // up, or a small number of units would never grow
		}
		if i == 0 || least && to < limit || !least && to > limit {
			limit = to
		}
	}
	return int32(min(limit, math.MaxInt32))
}

// lowest returns the fewest units that a scale-in may reach now.
func (r rules) lowest(h History, current int32, now time.Time) int32 {
	if r.choice == autoscalingv2.DisabledPolicySelect {
		return current
	}
	limit, least := int64(0), r.choice == autoscalingv2.MinChangePolicySelect
	for i, p := range r.policies {
		from := h.before(current, now, p.PeriodSeconds)
		to := from - int64(p.Value)
		if p.Type == autoscalingv2.PercentScalingPolicy {
			to = from * max(100-int64(p.Value), 0) / 100 // down, or a small number of units would never shrink
		}
		if i == 0 || least && to > limit || !least && to < limit {
			limit = to
		}
	}
	return int32(max(limit, 0))
}

func divideUp(a, b int64) int64 { return (a + b - 1) / b }
