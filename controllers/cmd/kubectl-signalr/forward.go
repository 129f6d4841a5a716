package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// forwarding names what is forwarded where.
type forwarding struct {
	namespace, pod string
	// local is the port on this machine, 0 for any free one; remote is the pod's.
	local, remote uint16
	// addresses are those to listen on; 127.0.0.1 without any.
	addresses []string
}

// forward forwards a port while during runs, and returns when both have ended. When the connection to the pod breaks,
// the context of during ends.
func (c *cli) forward(ctx context.Context, f forwarding, during func(ctx context.Context, local uint16) error) error {
	dialer, err := c.dialer(f)
	if err != nil {
		return err
	}
	if len(f.addresses) == 0 {
		f.addresses = []string{"127.0.0.1"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan struct{})
	ports := []string{fmt.Sprintf("%d:%d", f.local, f.remote)}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, f.addresses, ports, ready,
		io.Discard, io.Discard)
	if err != nil {
		return fmt.Errorf("forward a port of %s: %w", f.pod, err)
	}
	ended := make(chan error, 1) // one result
	go func() {
		ended <- forwarder.ForwardPorts()
		cancel()
	}()
	select {
	case err := <-ended:
		return brokenOff(f.pod, err)
	case <-ready:
	}
	forwarded, err := forwarder.GetPorts()
	if err == nil {
		err = during(ctx, forwarded[0].Local)
	}
	cancel()
	if broken := <-ended; broken != nil && err == nil {
		return brokenOff(f.pod, broken)
	}
	return err
}

func brokenOff(pod string, err error) error {
	if err == nil {
		err = errors.New("the connection ended")
	}
	return fmt.Errorf("forward a port of %s: %w", pod, err)
}

// dialer returns what reaches a pod: over WebSockets, or over SPDY where the API server or a proxy is too old for that.
func (c *cli) dialer(f forwarding) (httpstream.Dialer, error) {
	rest, err := c.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	set, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	address := set.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(f.namespace).Name(f.pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(rest)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, rest)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
