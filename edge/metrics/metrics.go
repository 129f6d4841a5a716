// Package metrics is every series of the edge in one place, registered at zero so that a series exists before its
// first event. Label sets are closed and small: no user, no connection.
//
// It is not a place for logic: the rooms of the edge count, this package only names.
//
// Concurrency: Prometheus collectors are safe for concurrent use; the struct is read-only after New.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signalr-operator/signalr-operator/edge/reason"
)

// Label and endpoint values of the series.
const (
	EndpointClient = "client"
	EndpointServer = "server"
	DirectionIn    = "in"
	DirectionOut   = "out"
)

const (
	nameConnections       = "signalr_edge_connections"
	nameOpened            = "signalr_edge_connections_opened_total"
	nameClosed            = "signalr_edge_connections_closed_total"
	nameRefused           = "signalr_edge_requests_refused_total"
	nameMessages          = "signalr_edge_messages_total"
	nameDeliveries        = "signalr_edge_deliveries_total"
	nameBytes             = "signalr_edge_bytes_total"
	nameDropped           = "signalr_edge_messages_dropped_total"
	nameQuotaConnections  = "signalr_edge_quota_connections"
	nameQuotaMessages     = "signalr_edge_quota_messages_per_day"
	nameMessagesToday     = "signalr_edge_messages_today"
	nameNegotiations      = "signalr_edge_negotiations_total"
	nameAuthFailures      = "signalr_edge_auth_failures_total"
	nameServerMessages    = "signalr_edge_server_messages_total"
	nameMigrations        = "signalr_edge_migrations_total"
	nameClientInvocations = "signalr_edge_client_invocations_total"
	nameReloads           = "signalr_edge_config_reloads_total"
	nameDraining          = "signalr_edge_draining"
	nameBuild             = "signalr_edge_build_info"
)

// Metrics holds the series. Vectors that sit on a hot path are resolved once, here or by their user.
type Metrics struct {
	Registry *prometheus.Registry

	ClientConnections, ServerConnections prometheus.Gauge
	ClientsOpened, ServersOpened         prometheus.Counter
	MessagesIn, MessagesOut              prometheus.Counter
	Deliveries                           prometheus.Counter
	BytesIn, BytesOut                    prometheus.Counter
	ServerMessagesIn, ServerMessagesOut  prometheus.Counter
	ServerBytesIn, ServerBytesOut        prometheus.Counter
	QuotaConnections, QuotaMessages      prometheus.Gauge
	MessagesToday                        prometheus.Gauge
	Negotiations                         prometheus.Counter
	AuthFailures                         *prometheus.CounterVec
	Migrations                           prometheus.Counter
	ClientInvocations                    prometheus.Counter
	Reloads                              *prometheus.CounterVec
	Draining                             prometheus.Gauge

	byReason [256]prometheus.Counter
}

// New registers every series in a registry of its own, at zero. version is the build's.
func New(version string) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry()}
	f := factory{m.Registry}

	conns := f.gaugeVec(nameConnections, "Live connections.", "endpoint")
	m.ClientConnections = conns.WithLabelValues(EndpointClient)
	m.ServerConnections = conns.WithLabelValues(EndpointServer)
	opened := f.counterVec(nameOpened, "Connections that were opened.", "endpoint")
	m.ClientsOpened = opened.WithLabelValues(EndpointClient)
	m.ServersOpened = opened.WithLabelValues(EndpointServer)
	messages := f.counterVec(nameMessages, "Billable messages: each started 2,048 bytes of a hub message counts one.",
		"direction")
	m.MessagesIn = messages.WithLabelValues(DirectionIn)
	m.MessagesOut = messages.WithLabelValues(DirectionOut)
	m.Deliveries = f.counter(nameDeliveries, "Hub messages handed to client connections, one per recipient.")
	bytes := f.counterVec(nameBytes, "Bytes on the wire.", "endpoint", "direction")
	m.BytesIn = bytes.WithLabelValues(EndpointClient, DirectionIn)
	m.BytesOut = bytes.WithLabelValues(EndpointClient, DirectionOut)
	m.ServerBytesIn = bytes.WithLabelValues(EndpointServer, DirectionIn)
	m.ServerBytesOut = bytes.WithLabelValues(EndpointServer, DirectionOut)
	server := f.counterVec(nameServerMessages, "Service-protocol messages exchanged with app servers.", "direction")
	m.ServerMessagesIn = server.WithLabelValues(DirectionIn)
	m.ServerMessagesOut = server.WithLabelValues(DirectionOut)
	m.QuotaConnections = f.gauge(nameQuotaConnections, "Connection quota of this node; 0 means none.")
	m.QuotaMessages = f.gauge(nameQuotaMessages, "Message quota per UTC day; 0 means none.")
	m.MessagesToday = f.gauge(nameMessagesToday, "Billable messages since 00:00 UTC.")
	m.Negotiations = f.counter(nameNegotiations, "Negotiate requests that were answered with a connection.")
	m.AuthFailures = f.counterVec(nameAuthFailures, "Tokens that were refused, by what was wrong.", "reason")
	m.Migrations = f.counter(nameMigrations, "Clients that moved from one app server to another.")
	m.ClientInvocations = f.counter(nameClientInvocations, "Client results asked for by app servers.")
	m.Reloads = f.counterVec(nameReloads, "Reloads of the configuration file.", "result")
	m.Reloads.WithLabelValues("ok")
	m.Reloads.WithLabelValues("refused")
	m.Draining = f.gauge(nameDraining, "1 while the edge drains.")
	f.gaugeVec(nameBuild, "Always 1; the label is the build's version.", "version").WithLabelValues(version).Set(1)

	closed := f.counterVec(nameClosed, "Connections that ended, by reason and the vendor's category.",
		"endpoint", "reason", "category")
	refused := f.counterVec(nameRefused, "HTTP requests that were refused.", "reason")
	dropped := f.counterVec(nameDropped, "Messages that were not delivered to a recipient.", "reason")
	for _, row := range reason.All() {
		switch row.Kind {
		case reason.KindClose:
			m.byReason[row.Reason] = closed.WithLabelValues(EndpointClient, row.Name, row.Category)
		case reason.KindServerClose:
			m.byReason[row.Reason] = closed.WithLabelValues(EndpointServer, row.Name, row.Category)
		case reason.KindRefuse:
			m.byReason[row.Reason] = refused.WithLabelValues(row.Name)
		case reason.KindDrop:
			m.byReason[row.Reason] = dropped.WithLabelValues(row.Name)
		}
	}
	return m
}

// Count adds n events of r: closes, refusals and drops alike.
func (m *Metrics) Count(r reason.Reason, n int) {
	if c := m.byReason[r]; c != nil && n > 0 {
		c.Add(float64(n))
	}
}

// Counter returns the series of r, nil for reason.None.
func (m *Metrics) Counter(r reason.Reason) prometheus.Counter { return m.byReason[r] }

type factory struct{ r *prometheus.Registry }

func (f factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	f.r.MustRegister(c)
	return c
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	c := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	f.r.MustRegister(c)
	return c
}

func (f factory) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	f.r.MustRegister(c)
	return c
}

func (f factory) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	c := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	f.r.MustRegister(c)
	return c
}
