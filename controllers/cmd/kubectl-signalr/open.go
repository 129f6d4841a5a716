package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// opening holds the flags of open.
type opening struct {
	target
	port      uint16
	addresses []string
	admin     bool
}

func newOpen(c *cli) *cobra.Command {
	var f opening
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Forward a port of this machine to an edge, until interrupted",
		Long: "Forward a port of this machine to one edge of the instance, until interrupted: for app servers and clients\n" +
			"on a laptop. With a key of the instance in it, the connection string that it prints is theirs.",
		Example: "  kubectl signalr open chat\n  kubectl signalr open chat --admin   # metrics, health and status",
	}
	c.addTarget(cmd, &f.target)
	cmd.Flags().Uint16Var(&f.port, "port", clientPort, "Port of this machine, 0 for any free one")
	cmd.Flags().StringSliceVar(&f.addresses, "address", []string{"127.0.0.1"}, "Addresses of this machine to listen on")
	cmd.Flags().BoolVar(&f.admin, "admin", false, "Forward to the admin port: metrics, health and status")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.admin && !cmd.Flags().Changed("port") {
			f.port = adminPort
		}
		return c.open(cmd.Context(), f)
	}
	return cmd
}

func (c *cli) open(ctx context.Context, f opening) error {
	cluster, instance, err := c.find(ctx, f.target)
	if err != nil {
		return err
	}
	if instance.Spec.State == signalrv1alpha1.StateStopped {
		return fmt.Errorf("signalrinstance/%s is stopped: kubectl signalr start %s", instance.Name, instance.Name)
	}
	pods, err := readyEdges(ctx, cluster, instance)
	if err != nil {
		return fmt.Errorf("signalrinstance/%s has nothing to forward to: %w", instance.Name, err)
	}
	remote := uint16(clientPort)
	if f.admin {
		remote = adminPort
	}
	err = c.forward(ctx, forwarding{
		namespace: instance.Namespace, pod: pods[0].Name, local: f.port, remote: remote, addresses: f.addresses,
	}, func(during context.Context, local uint16) error {
		scheme := "http"
		tls := instance.Spec.Exposure.TLS
		if tls != nil && tls.Termination == signalrv1alpha1.TLSTerminationEdge && !f.admin {
			scheme = "https"
		}
		url := scheme + "://" + net.JoinHostPort(f.addresses[0], strconv.Itoa(int(local)))
		fmt.Fprintf(c.streams.Out, "%s is %s, through pod %s; interrupt to end\n", url, instance.Name, pods[0].Name)
		if !f.admin {
			// Tokens are for the host of Endpoint, whichever way they come.
			fmt.Fprintf(c.streams.Out, "Endpoint=%s;ServerEndpoint=%s;ClientEndpoint=%s;AccessKey=<key>;Version=1.0;\n",
				instance.Status.Endpoints.Internal, url, url)
		}
		<-during.Done()
		return nil
	})
	if ctx.Err() == nil {
		return err
	}
	return nil // interrupted, as asked
}
