package service

import "github.com/signalr-operator/signalr-operator/edge/protocol/msgpack"

// The keys of pings (section 4.4). A ping without any is a keep-alive.
const (
	// PingClientsInHub carries the number of clients of the app server's process; rides in the SDK's keep-alive.
	PingClientsInHub = "#clientInHub"
	// PingClients carries the number of clients of this server connection; rides in the SDK's keep-alive.
	PingClients = "#client"
	// PingStatus is a question from the app server (value "1"), answered by the service: "1" if the hub has clients
	// here, else "0".
	PingStatus = "status"
	// PingClientCount, PingServerCount and PingCapacity may ride with the status answer, numbers as text.
	PingClientCount = "clientcount"
	// PingServerCount is described at PingClientCount.
	PingServerCount = "servercount"
	// PingCapacity is described at PingClientCount.
	PingCapacity = "capacity"
	// PingServers is a question from the app server (empty value), answered by "{growing number}:{id1};{id2}", the
	// sorted ids of the hub's app servers. The colon is required.
	PingServers = "servers"
	// PingShutdown announces a server's or a connection's end (PingFin, PingFinMigrate, PingFinWait) and is
	// answered by PingFinAck.
	PingShutdown = "shutdown"
	// PingOffline tells app servers that the edge instance named by the value is gone, with all its clients.
	PingOffline = "offline"
	// PingTarget asks the app server for one on-demand connection to the edge instance named by the value.
	PingTarget = "target"
	// PingEcho is sent back by the app server unchanged.
	PingEcho = "echo"
	// PingMessagingLog switches the SDK's tracing ids on ("1") or off ("0").
	PingMessagingLog = "d-m"
)

// The values of PingShutdown.
const (
	PingFin        = "fin:0" // no new clients; clients that cannot move may be dropped
	PingFinMigrate = "fin:1" // no new clients; move mine elsewhere
	PingFinWait    = "fin:2" // no new clients; leave mine until they close
	PingFinAck     = "finack"
)

// Ping is a keep-alive, a question or an announcement. It has no extension map.
//
//	[3, key str, value str, key str, value str, ...]
type Ping struct {
	// Pairs are the strings behind the type, keys and values in turn; an odd last one means nothing.
	Pairs []string
}

// Type returns [TypePing].
func (*Ping) Type() Type { return TypePing }

// Get returns the value of the first pair with the key.
func (m *Ping) Get(key string) (string, bool) {
	for i := 0; i+1 < len(m.Pairs); i += 2 {
		if m.Pairs[i] == key {
			return m.Pairs[i+1], true
		}
	}
	return "", false
}

func (m *Ping) appendBody(dst []byte) []byte {
	dst = appendHead(dst, 1+len(m.Pairs), TypePing)
	for _, s := range m.Pairs {
		dst = msgpack.AppendString(dst, s)
	}
	return dst
}

func (m *Ping) decode(d *decoder) {
	if n := min(d.left, prealloc); n > 0 {
		m.Pairs = make([]string, 0, n)
	}
	for d.more() {
		m.Pairs = append(m.Pairs, d.str("pair"))
	}
}
