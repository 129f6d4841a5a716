package appserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/protocol/service"
)

// ErrAckTimeout says that an acknowledged operation got no answer in time, or the statuses Timeout or
// InternalServerError, which the SDK shows as timeouts too (5.5).
var ErrAckTimeout = errors.New("no acknowledgement in time")

// ErrNotOneClient says that Invoke was called on a sender that does not address exactly one client.
var ErrNotOneClient = errors.New("invoke needs a single client")

// AckError is an acknowledgement with a status that is neither Ok nor NotFound nor a timeout.
type AckError struct {
	// Status is the status as sent.
	Status service.AckStatus
	// Message is the service's text; it may be empty.
	Message string
}

// Error names status and text.
func (e *AckError) Error() string {
	return fmt.Sprintf("acknowledgement status %d: %s", e.Status, e.Message)
}

// ask sends the message that build makes for a fresh ack id and waits for its Ack on the same connection. The ack is Ok
// or NotFound when err is nil.
func (h *HubServer) ask(ctx context.Context, scope *client, build func(ackID int32) service.Message) (
	*service.Ack, error,
) {
	answer, err := h.startAsk(ctx, scope, build)
	if err != nil {
		return nil, err
	}
	return answer(ctx)
}

// startAsk sends and returns what waits for the Ack; that must be called, once.
func (h *HubServer) startAsk(ctx context.Context, scope *client, build func(ackID int32) service.Message) (
	func(context.Context) (*service.Ack, error), error,
) {
	id := int32(h.srv.ackID.Add(1))
	c, err := h.route(scope, "")
	if err != nil {
		return nil, err
	}
	p := &pendingAck{conn: c, done: make(chan ackResult, 1)}
	h.mu.Lock()
	h.acks[id] = p
	h.mu.Unlock()
	if err := c.sendWait(ctx, build(id)); err != nil {
		h.forgetAck(id)
		return nil, err
	}
	return func(ctx context.Context) (*service.Ack, error) {
		defer h.forgetAck(id)
		t := time.NewTimer(h.srv.opts.AckTimeout)
		defer t.Stop()
		select {
		case r := <-p.done:
			return r.ack, errors.Join(r.err, ackError(r.ack))
		case <-t.C:
			return nil, ErrAckTimeout
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, nil
}

func (h *HubServer) forgetAck(id int32) {
	h.mu.Lock()
	delete(h.acks, id)
	h.mu.Unlock()
}

func ackError(a *service.Ack) error {
	if a == nil {
		return nil
	}
	switch a.Status {
	case service.AckOK, service.AckNotFound:
		return nil
	case service.AckTimeout, service.AckInternalServerError:
		return ErrAckTimeout
	case service.AckForbidden:
	}
	return &AckError{Status: a.Status, Message: a.Message}
}

func (h *HubServer) receiveAck(m *service.Ack) {
	ack := *m
	ack.Payload = bytes.Clone(m.Payload)
	h.mu.Lock()
	p := h.acks[m.AckID]
	delete(h.acks, m.AckID)
	h.mu.Unlock()
	if p != nil {
		p.done <- ackResult{ack: &ack}
	}
}
