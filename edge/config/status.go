package config

import "time"

// Status is what an edge says of itself on its admin port at /status (design.md section 10). Whoever operates edges
// reads it, so it stands beside the configuration. Limits are Unlimited (-1) where there is none.
type Status struct {
	// Node is the instance id, Version the build's, ConfigVersion the newest configuration the edge understands.
	Node          string `json:"node"`
	Version       string `json:"version"`
	ConfigVersion int    `json:"configVersion"`
	// Capabilities are what this edge can do, for example mode/Default.
	Capabilities []string `json:"capabilities"`
	// Ready is what /readyz says; Draining is set from the first SIGTERM on.
	Ready    bool `json:"ready"`
	Draining bool `json:"draining"`
	// Config says which configuration is in force, and what was wrong with the newest one.
	Config StatusConfig `json:"config"`
	// Keys are the access keys in force.
	Keys []StatusKey `json:"keys"`
	// Connections, Messages and Load are the usage.
	Connections StatusConnections `json:"connections"`
	Messages    StatusMessages    `json:"messages"`
	Load        StatusLoad        `json:"load"`
	// Hubs are the hubs that have clients or servers, ordered by name.
	Hubs []StatusHub `json:"hubs"`
}

// StatusConfig says which configuration is in force.
type StatusConfig struct {
	// Hash is that of the configuration in force.
	Hash string `json:"hash"`
	// Error says why a newer file was refused, or which of its fields need a restart; empty when all is in force.
	Error string `json:"error"`
}

// StatusKey names an access key without showing it.
type StatusKey struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
}

// StatusConnections are the live connections of this edge, and its limit for clients.
type StatusConnections struct {
	Client int64 `json:"client"`
	Server int64 `json:"server"`
	Limit  int64 `json:"limit"`
}

// StatusMessages are the billable messages of the present UTC day.
type StatusMessages struct {
	// Today is what this edge counted itself, Carried what its configuration told it of edges that are gone. Both count
	// against Limit.
	Today    int64     `json:"today"`
	Carried  int64     `json:"carried,omitempty"`
	Limit    int64     `json:"limit"`
	ResetsAt time.Time `json:"resetsAt"`
}

// StatusLoad is how busy the process is: percent of the processors that it may use, over the last seconds.
type StatusLoad struct {
	Percent int `json:"percent"`
}

// StatusHub is a hub's connections on this edge.
type StatusHub struct {
	Name    string `json:"name"`
	Clients int64  `json:"clients"`
	Servers int    `json:"servers"`
}
