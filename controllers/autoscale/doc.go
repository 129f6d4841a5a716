// Package autoscale decides how many units an instance has, as a pure function: what was asked, what the edges say,
// what was decided before and the time go in, a decision and the history for the next one come out.
//
// It thinks as the HorizontalPodAutoscaler does (autoscaling/v2: target, tolerance, stabilisation windows, policies),
// but in units, because a unit is a quota and a pod is a place to serve from. It reads no cluster, keeps no state and
// has no clock: package controllers reads the edges, keeps the History in memory and writes the decision to the
// status. A lost History costs a scale-in its window, nothing else.
//
// Rules, in the order in which they apply:
//
//  1. The floor is spec.units, or the largest of the active schedules. The bound is maxUnits. Both hold always.
//  2. Blind (an edge that should answer does not, or there is none): units stay as they are within floor and bound.
//  3. Each metric asks for units, or for those in force while it is within the tolerance; the largest counts. While one
//     of them is unknown nothing scales in.
//  4. Nothing scales in below what a schedule asks for within the next window (the flap guard).
//  5. Stabilisation windows: out to the least that was asked for in the window, in to the most.
//  6. Policies bound how fast units come and go.
//
// Concurrency: functions of values. Nothing that is passed in is changed, and nothing that is returned is shared.
package autoscale
