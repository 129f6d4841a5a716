package resources

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// maxAudiences is the most host names that an edge's configuration takes.
const maxAudiences = 64

// InternalEndpoint returns the URL of the instance for the cluster it is in.
func InternalEndpoint(in Input) string {
	return scheme(in.edgeTLS()) + "://" + ServiceName(in.Instance.Name) + "." + in.Instance.Namespace + ".svc"
}

// PublicEndpoint returns the URL for clients outside of the cluster, empty while there is none: the host name of the
// spec, else the address that a load balancer was given.
func PublicEndpoint(in Input) string {
	host := PublicHost(in)
	if host == "" {
		return ""
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	e := in.spec().Exposure
	url := scheme(e.TLS != nil) + "://" + host
	if e.Type != signalrv1alpha1.ExposureNodePort {
		return url
	}
	port := in.NodePort
	if e.NodePort != nil && e.NodePort.Port != 0 {
		port = e.NodePort.Port
	}
	if port == 0 { // not given yet, and without it nobody gets anywhere
		return ""
	}
	return url + ":" + strconv.Itoa(int(port))
}

// PublicHost returns the host of PublicEndpoint.
func PublicHost(in Input) string {
	e := in.spec().Exposure
	switch {
	case e.HostName != "":
		return e.HostName
	case e.Type == signalrv1alpha1.ExposureLoadBalancer:
		return in.PublicAddress
	default:
		return ""
	}
}

// Endpoint returns the URL that a client should use: the public one, or the internal one while there is none.
func Endpoint(in Input) string {
	if public := PublicEndpoint(in); public != "" {
		return public
	}
	return InternalEndpoint(in)
}

func scheme(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// publicHosts returns the host names of the spec, the endpoint's first.
func publicHosts(in Input) []string {
	e := in.spec().Exposure
	if e.HostName == "" {
		return nil
	}
	return append([]string{e.HostName}, e.AdditionalHostNames...)
}

// audienceHosts returns the hosts that a token may be for, or nil for any. With a host name of its own an instance
// knows all its names: that, those in the cluster, those it had, and the loopback names of a forwarded port. Without
// one, whatever leads to it is good.
func audienceHosts(in Input) []string {
	hosts := publicHosts(in)
	if len(hosts) == 0 {
		return nil
	}
	service := ServiceName(in.Instance.Name)
	hosts = append(hosts,
		service, service+"."+in.Instance.Namespace, service+"."+in.Instance.Namespace+".svc",
		service+"."+in.Instance.Namespace+".svc.cluster.local", "localhost", "127.0.0.1")
	if in.PublicAddress != "" {
		hosts = append(hosts, in.PublicAddress)
	}
	for _, h := range in.FormerHosts {
		if !slices.Contains(hosts, h) && len(hosts) < maxAudiences {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// ConnectionString returns the connection string of a key. Endpoint is for app servers, in the cluster. ClientEndpoint,
// where app servers send clients, is the public address, and absent while there is none.
func ConnectionString(in Input, key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Endpoint=%s;AccessKey=%s;Version=1.0;", InternalEndpoint(in), key)
	if public := PublicEndpoint(in); public != "" {
		fmt.Fprintf(&b, "ClientEndpoint=%s;", public)
	}
	return b.String()
}
