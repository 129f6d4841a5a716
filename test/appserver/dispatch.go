package appserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/signalr-operator/signalr-operator/edge/protocol/hub"
	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// invocation is one call of a client on its way to a method.
type invocation struct {
	id     string // empty: no answer is wanted
	target string
	stream bool
	method method
	args   Args
	argErr error
}

// invoke takes an Invocation or StreamInvocation: streaming calls and those with uploads start at once, the others run
// one at a time (the framework's MaximumParallelInvocationsPerClient of 1).
func (c *client) invoke(m hub.Message) {
	call := invocation{
		id: m.InvocationID, target: m.Target, stream: m.Type == hub.TypeStreamInvocation,
		method: c.h.hub.methods[strings.ToLower(m.Target)],
	}
	// The message is a view of memory that is used again, so arguments are copied here.
	var values []RawValue
	values, call.argErr = splitArguments(c.protocol, bytes.Clone(m.Arguments))
	call.args = Args{values: values}
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		cancel()
		return
	}
	for _, id := range m.StreamIDs {
		u := newUpload(id)
		call.args.uploads = append(call.args.uploads, u)
		c.uploads[id] = u
	}
	if call.id != "" {
		c.calls[call.id] = cancel
	}
	work := func() {
		defer cancel()
		c.run(ctx, call)
	}
	atOnce := call.stream || call.method.uploads
	if atOnce && !c.ready {
		c.early = append(c.early, work)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	if atOnce {
		c.h.srv.goTask(work)
	} else {
		c.enqueue(work)
	}
}

// run executes one call and answers it.
func (c *client) run(ctx context.Context, call invocation) {
	defer c.forget(call)
	var result any
	var errText string
	switch {
	case call.method.call == nil && call.method.stream == nil:
		errText = fmt.Sprintf("Unknown hub method '%s'", call.target)
	case call.argErr != nil:
		errText = c.bindingError(call, call.argErr)
	case call.stream && call.method.stream == nil:
		errText = fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.",
			call.target)
	case !call.stream && call.method.stream != nil:
		errText = fmt.Sprintf("The client attempted to invoke the streaming '%s' method with a non-streaming invocation.",
			call.target)
	case call.stream:
		errText = c.runStream(ctx, call)
	default:
		result, errText = c.runCall(ctx, call)
	}
	if call.id == "" {
		return
	}
	frame, err := completionFrame(c.protocol, call.id, errText, result)
	if err != nil {
		c.fail(err.Error())
		return
	}
	_ = c.write(c.ctx, frame, service.DataInvocation) // a dead client needs no answer
}

func (c *client) runCall(ctx context.Context, call invocation) (any, string) {
	result, err := call.method.call(c.context(ctx), call.args)
	if err == nil {
		return result, ""
	}
	if errors.Is(err, ErrArgument) {
		return nil, c.bindingError(call, err)
	}
	base := fmt.Sprintf("An unexpected error occurred invoking '%s' on the server.", call.target)
	return nil, errorText(base, err, c.h.srv.opts.DetailedErrors)
}

func (c *client) runStream(ctx context.Context, call invocation) string {
	var mu sync.Mutex // a method may send from several goroutines; items are written whole
	send := func(item any) error {
		mu.Lock()
		defer mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		frame, err := streamItemFrame(c.protocol, call.id, item)
		if err != nil {
			return err
		}
		return c.write(ctx, frame, service.DataInvocation)
	}
	err := call.method.stream(c.context(ctx), call.args, send)
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return "" // a cancelled stream is not an error
	}
	if errors.Is(err, ErrArgument) {
		return c.bindingError(call, err)
	}
	return errorText("An error occurred on the server while streaming results.", err, c.h.srv.opts.DetailedErrors)
}

func (c *client) bindingError(call invocation, err error) string {
	base := fmt.Sprintf("Failed to invoke '%s' due to an error on the server.", call.target)
	if c.h.srv.opts.DetailedErrors {
		base += " InvalidDataException: " + err.Error()
	}
	return base
}

func (c *client) forget(call invocation) {
	c.mu.Lock()
	if call.id != "" {
		delete(c.calls, call.id)
	}
	for _, u := range call.args.uploads {
		delete(c.uploads, u.id)
	}
	c.mu.Unlock()
}

// Upload is a stream of items from the client to a running method.
type Upload struct {
	id string

	mu sync.Mutex
	// wake is closed and replaced when something comes; guarded by mu, like the fields below.
	wake  chan struct{}
	items []RawValue
	done  bool
	err   error
}

func newUpload(id string) *Upload { return &Upload{id: id, wake: make(chan struct{})} }

func (u *Upload) push(v RawValue) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return
	}
	u.items = append(u.items, v)
	u.signalLocked()
}

func (u *Upload) finish(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return
	}
	u.done, u.err = true, err
	u.signalLocked()
}

func (u *Upload) signalLocked() {
	close(u.wake)
	u.wake = make(chan struct{})
}

// Next returns the next item; ok is false at the end of the stream, err tells when the end was an error of the client,
// the client's going, or ctx.
func (u *Upload) Next(ctx context.Context) (item RawValue, ok bool, err error) {
	for {
		u.mu.Lock()
		if len(u.items) > 0 {
			item = u.items[0]
			u.items = u.items[1:]
			u.mu.Unlock()
			return item, true, nil
		}
		done, err, wake := u.done, u.err, u.wake
		u.mu.Unlock()
		if done {
			return RawValue{}, false, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return RawValue{}, false, ctx.Err()
		}
	}
}
