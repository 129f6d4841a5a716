package resources

import (
	"math"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// Ports of an edge, design.md section 10.
const (
	ClientPort = 8888
	AdminPort  = 8889
)

// OldestConfigVersion is the oldest configuration that this program still writes: the current one and that before.
const OldestConfigVersion = max(config.CurrentVersion-1, 1)

// Where an edge finds its files.
const (
	configDir  = "/etc/signalr"
	configFile = "edge.yaml"
	tlsDir     = "/etc/signalr-tls"
)

// ConfigFile is the name of the configuration in the edges' Secret.
const ConfigFile = configFile

// Quota of an instance, design.md section 5.
const (
	freeConnections       = 20
	freeMessagesPerDay    = 20_000
	messagesPerDayPerUnit = 1_000_000
)

// Quota returns what units give: client connections at once and messages per UTC day.
func Quota(tier signalrv1alpha1.Tier, units int32) (connections, messagesPerDay int64) {
	if tier == signalrv1alpha1.TierFree {
		return freeConnections, freeMessagesPerDay
	}
	return int64(units) * connectionsPerUnit, int64(units) * messagesPerDayPerUnit
}

// EdgeConfig returns the configuration that all edges of an instance read. The quota is that of one edge: while edges
// lease nothing from each other, each has its share of the instance's.
func EdgeConfig(in Input) *config.Config {
	spec := in.spec()
	c := config.Default()
	c.ConfigVersion = configVersion(in.ConfigVersion)
	c.ServiceMode = config.ServiceMode(spec.ServiceMode)
	c.Tier = config.Tier(spec.Tier)
	c.Units = int(in.Units)
	edges := int64(max(in.Replicas, 1))
	connections, messages := Quota(spec.Tier, in.Units)
	c.Quota = config.Quota{
		Connections: divideUp(connections, edges), MessagesPerDay: divideUp(messages, edges), Carried: in.Carried,
	}
	c.Quota.Carried.Messages = divideUp(in.Carried.Messages, edges)
	c.Auth.Keys = append([]config.Key(nil), in.Keys.Keys...)
	c.Auth.ConnectionTokenKey = in.Keys.ConnectionTokenKey
	c.Auth.AdminToken = in.Keys.AdminToken
	c.Auth.AudienceHosts = audienceHosts(in)
	if origins := spec.CORS.AllowedOrigins; len(origins) > 0 {
		c.CORS.AllowedOrigins = append([]string(nil), origins...)
	}
	c.Limits.MessagePolicy = config.MessagePolicy(spec.EffectiveMessagePolicy())
	if n := int(spec.Limits.MaxMessageBytes); n > 0 {
		c.Limits.MaxMessageBytes = n
	}
	c.Drain.Seconds = int(spec.Edge.DrainSeconds)
	if in.edgeTLS() {
		c.Listen.TLS = &config.TLS{CertFile: tlsDir + "/tls.crt", KeyFile: tlsDir + "/tls.key"}
	}
	return c
}

// configVersion returns the version to write for edges that understand up to a version: theirs or ours, whichever is
// older. All versions so far have the same fields.
func configVersion(understood int) int {
	if understood == 0 {
		understood = math.MaxInt
	}
	return min(max(understood, OldestConfigVersion), config.CurrentVersion)
}

// KeepRunning returns next as running edges can take it over: with the fields of live that need a new process. It is
// for edges whose template stays although this program would make their configuration differently.
func KeepRunning(live, next *config.Config) *config.Config {
	c, l := next.Clone(), live.Clone()
	c.ConfigVersion, c.Node, c.Listen = l.ConfigVersion, l.Node, l.Listen
	c.ServiceMode, c.Timeouts, c.TrustedProxies, c.Drain = l.ServiceMode, l.Timeouts, l.TrustedProxies, l.Drain
	return c
}
