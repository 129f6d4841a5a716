package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

// elsewhere are the commands of az's that are not here, with what does the same.
var elsewhere = map[string]string{
	"cors":               "it is spec.cors.allowedOrigins: kubectl edit signalrinstance NAME",
	"custom-certificate": "it is spec.exposure.tls: kubectl edit signalrinstance NAME",
	"custom-domain":      "it is spec.exposure.hostName: kubectl edit signalrinstance NAME",
	"delete":             "kubectl delete signalrinstance NAME",
	"identity":           "edges have no identity of their own yet",
	"key":                "kubectl signalr keys NAME lists them, kubectl signalr rotate NAME --key-type replaces one",
	"network-rule":       "see spec.networkPolicy and spec.exposure.loadBalancer.sourceRanges",
	"replica":            "make an instance in the other cluster, and give app servers both endpoints",
	"update": "kubectl signalr scale NAME changes the size, kubectl edit signalrinstance NAME everything; " +
		"see kubectl explain signalrinstance.spec",
	"upstream": "upstreams are not built yet",
}

// newElsewhere returns commands that only say where to look, for whoever knows az.
func newElsewhere() []*cobra.Command {
	var commands []*cobra.Command
	for _, name := range slices.Sorted(maps.Keys(elsewhere)) {
		commands = append(commands, &cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("there is no kubectl signalr %s: %s", name, elsewhere[name])
			},
		})
	}
	return commands
}
