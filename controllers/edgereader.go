package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/signalr-operator/signalr-operator/edge/config"
)

const (
	// edgeReadTimeout bounds one reading of one edge. The answer is a few kilobytes from the same cluster: an edge that
	// needs longer is as good as unreachable.
	edgeReadTimeout = 2 * time.Second
	// maxStatusBytes bounds an edge's answer: an instance has thousands of hubs at most.
	maxStatusBytes = 4 << 20
)

// errTokenRefused says that the edge does not know our admin token (yet): its Secret is being refreshed, or the pod is
// not ours.
var errTokenRefused = errors.New("the edge refuses the admin token")

// Edge is one edge process to be asked for its status.
type Edge struct {
	// Address is host:port of its admin address.
	Address string
	// Token is the bearer token of /status.
	Token config.Secret
}

// EdgeReader asks edges for their status.
type EdgeReader interface {
	// ReadStatus returns what the edge says at /status. It gives up when ctx ends; its errors name no address.
	ReadStatus(ctx context.Context, e Edge) (config.Status, error)
}

// HTTPEdgeReader reads /status over plain HTTP, as the admin port speaks it. Several goroutines may use one.
type HTTPEdgeReader struct {
	client *http.Client
}

// NewHTTPEdgeReader returns a reader that connects with dial, or as net does if dial is nil.
func NewHTTPEdgeReader(dial func(ctx context.Context, network, address string) (net.Conn, error)) *HTTPEdgeReader {
	if dial == nil {
		dial = (&net.Dialer{Timeout: edgeReadTimeout}).DialContext
	}
	return &HTTPEdgeReader{client: &http.Client{
		Transport: &http.Transport{
			DialContext: dial,
			// A connection for each reading costs a moment every 15 s; kept ones cost two goroutines and their buffers for
			// each edge in the cluster all the time.
			DisableKeepAlives:  true,
			DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
		},
		// An edge redirects nowhere; what does is no edge, and must not get the token sent on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       edgeReadTimeout,
	}}
}

// ReadStatus asks the edge at e.Address.
func (r *HTTPEdgeReader) ReadStatus(ctx context.Context, e Edge) (config.Status, error) {
	var s config.Status
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Address+"/status", http.NoBody)
	if err != nil {
		return s, errors.New("read edge status: the address is not valid")
	}
	if e.Token != "" {
		req.Header.Set("Authorization", "Bearer "+e.Token.Reveal())
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return s, fmt.Errorf("read edge status: %w", withoutAddress(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return s, errTokenRefused
	default:
		return s, fmt.Errorf("read edge status: HTTP %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatusBytes+1))
	if err != nil {
		return s, fmt.Errorf("read edge status: %w", withoutAddress(err))
	}
	if len(body) > maxStatusBytes {
		return s, fmt.Errorf("read edge status: more than %d bytes", maxStatusBytes)
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, errors.New("read edge status: the answer is not an edge's")
	}
	return s, nil
}

// withoutAddress returns what an error of the network says without the addresses in it, which change with each pod and
// would make each message new.
func withoutAddress(err error) error {
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout():
		return context.DeadlineExceeded
	case errors.As(err, &op):
		return op.Err
	default:
		return errors.New("the connection broke")
	}
}
