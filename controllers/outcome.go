package controllers

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// terminalError ends a reconcile until a person acts: it becomes the condition Stalled with its reason. It is looked at
// again at the usual poll, or when something watched changes, never with growing speed.
type terminalError struct {
	// reason is a reason of the condition Stalled.
	reason string
	// message says what is wrong and what to do; no addresses, generated names, tokens or counters.
	message string
}

func (e *terminalError) Error() string { return e.reason + ": " + e.message }

// waitError ends a reconcile for a known time: something outside has to happen first, and nobody has to act.
type waitError struct {
	// message says what is awaited.
	message string
	// after is when to look again.
	after time.Duration
}

func (e *waitError) Error() string { return e.message }

// maxMessage is how long the message of a terminal error may be, in bytes: the API server refuses longer notes of
// events, and what it says of a child may go on and on.
const maxMessage = 1000

func stalled(reason, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-len("…")], "") + "…"
	}
	return &terminalError{reason: reason, message: message}
}

func waitFor(after time.Duration, format string, args ...any) error {
	return &waitError{message: fmt.Sprintf(format, args...), after: after}
}

// conflictRetry is the time after which a write that met a newer object is tried again: the cache needs a moment to
// learn of it, and a backoff that grows would only make rotation and status late.
const conflictRetry = 250 * time.Millisecond

// classify turns an error of the API server into one that says what to do about it; others stay as they are and are
// retried with backoff. what names the child for people: "Service chat".
func classify(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return waitFor(conflictRetry, "%s was changed by somebody else at the same time", what)
	case isRefusal(err.Error()):
		return stalled(signalrv1alpha1.ReasonQuotaForbidden,
			"%s is refused by a ResourceQuota or an admission policy of the namespace: %s", what, refusal(err.Error()))
	case apierrors.IsInvalid(err):
		return stalled(signalrv1alpha1.ReasonInvalidReference, "%s is refused: %s", what, causes(err))
	case isTooMany(err):
		seconds, _ := apierrors.SuggestsClientDelay(err)
		return waitFor(max(time.Duration(seconds)*time.Second, time.Second), "the API server asks to come back later")
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// isRefusal tells the refusal of a ResourceQuota or an admission policy, which somebody in the namespace can mend, by
// what it says: a quota answers 403, as RBAC does, which is the operator's own fault and is retried; a policy answers
// 422 and a webhook 400 unless they choose otherwise.
func isRefusal(message string) bool {
	return slices.ContainsFunc([]string{
		"exceeded quota", "failed quota", "violates PodSecurity", "denied request", "denied the request",
	}, func(sign string) bool { return strings.Contains(message, sign) })
}

// refusal returns what a ResourceQuota or an admission policy says, without the object, which is named already, and
// without the numbers of a quota, which move.
func refusal(message string) string {
	if _, why, ok := strings.Cut(message, " is forbidden: "); ok {
		message = why
	}
	message, _, _ = strings.Cut(message, ", requested: ")
	return strings.Join(strings.Fields(message), " ") // some webhooks lay out a page
}

// withoutPods returns a message without the names of the pods of a Deployment, of which the next has another one.
func withoutPods(message, deployment string) string {
	return regexp.MustCompile(regexp.QuoteMeta(deployment)+`(-[a-z0-9]+){1,2}`).ReplaceAllString(message, deployment+"-…")
}

// causes returns the fields that the API server finds fault with. Its own text has the object's whole name in it.
func causes(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return "the API server finds it invalid"
	}
	var out []string
	for _, c := range status.Status().Details.Causes {
		out = append(out, c.Field+": "+c.Message)
	}
	return strings.Join(out, "; ")
}

func isTooMany(err error) bool {
	if apierrors.IsTooManyRequests(err) {
		return true
	}
	_, delay := apierrors.SuggestsClientDelay(err)
	return delay
}

// unexpected returns the errors in err that are neither terminal nor waiting, joined: those are retried with backoff.
func unexpected(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, unexpected(e))
		}
		return errors.Join(out...)
	}
	if asTerminal(err) == nil && asWait(err) == nil {
		return err
	}
	return nil
}

// asTerminal returns the terminal error in err, or nil.
func asTerminal(err error) *terminalError {
	t, _ := errors.AsType[*terminalError](err)
	return t
}

// asWait returns the waiting error in err, or nil.
func asWait(err error) *waitError {
	w, _ := errors.AsType[*waitError](err)
	return w
}
