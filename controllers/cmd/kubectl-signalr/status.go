package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// edgeNumbers is what one edge said when it was asked, or why it could not be.
type edgeNumbers struct {
	pod    string
	status config.Status
	err    error
}

func newStatus(c *cli) *cobra.Command {
	var t target
	var rounded bool
	cmd := &cobra.Command{
		Use:     "status",
		Aliases: []string{"show"},
		Short:   "Show how an instance is, with exact numbers",
		Long: "Show how an instance is. The numbers of the object's status are rounded and up to a minute old; this asks\n" +
			"the edges themselves, through forwarded ports, which takes the right to read Secrets and to forward ports.\n" +
			"Without it the rounded numbers are shown.",
	}
	c.addTarget(cmd, &t)
	cmd.Flags().BoolVar(&rounded, "rounded", false, "Show the rounded numbers, do not ask the edges")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, instance, err := c.find(cmd.Context(), t)
		if err != nil {
			return err
		}
		return c.status(cmd.Context(), cluster, instance, rounded)
	}
	return cmd
}

func (c *cli) status(ctx context.Context, cluster client.Client, of *signalrv1alpha1.SignalRInstance,
	rounded bool,
) error {
	var numbers []edgeNumbers
	if !rounded && of.Spec.State != signalrv1alpha1.StateStopped {
		var err error
		if numbers, err = c.edges(ctx, cluster, of); err != nil {
			fmt.Fprintf(c.streams.ErrOut, "note: rounded numbers, because the edges cannot be asked: %v\n", err)
		}
	}
	c.describe(of)
	usage := rounding(of)
	if len(numbers) > 0 {
		usage = exactly(of, numbers)
	}
	fmt.Fprintf(c.streams.Out, "\nUsage (%s)\n", usage.how)
	if len(usage.rows) > 0 {
		if err := printTable(c.streams.Out, []string{"  WHAT", "NOW", "LIMIT"}, usage.rows); err != nil {
			return err
		}
	}
	if err := c.printHubs(numbers); err != nil {
		return err
	}
	return c.printConditions(of)
}

// describe prints what the instance is.
func (c *cli) describe(of *signalrv1alpha1.SignalRInstance) {
	tab := printers.GetNewTabWriter(c.streams.Out)
	defer tab.Flush() //nolint:errcheck // a terminal that cannot be written to has nobody to tell
	line := func(what, format string, args ...any) {
		fmt.Fprintf(tab, "%s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	line("Name:", "%s/%s", of.Namespace, of.Name)
	line("Size:", "%s, units: %d in force, %d declared", of.Spec.Tier, of.Status.Units.Effective, of.Spec.Units)
	line("Mode:", "%s, %s", of.Spec.ServiceMode, of.Spec.State)
	line("Endpoint:", "%s", or(of.Status.Endpoint))
	line("Keys:", "Secret %s%s", or(of.Status.KeysSecretName), fingerprints(of.Status.Keys))
	line("Edges:", "%d of %d ready, %d up to date, %s",
		of.Status.Edge.Ready, of.Status.Edge.Replicas, of.Status.Edge.Updated, or(of.Status.Edge.Image))
	line("Backplane:", "%s", or(string(of.Status.Backplane.Mode)))
}

func fingerprints(keys []signalrv1alpha1.KeyStatus) string {
	var w strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&w, ", %s %s", k.Name, or(k.Fingerprint))
	}
	return w.String()
}

// usageTable is how much is used, and how exactly that is known.
type usageTable struct {
	how  string
	rows [][]string
}

func usageRows(connections, servers, messages, load int64, quota signalrv1alpha1.QuotaStatus) [][]string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return [][]string{
		{"  client connections", number(connections), limit(quota.Connections)},
		{"  app server connections", number(servers), ""},
		{"  messages today (UTC)", number(messages), limit(quota.MessagesPerDay)},
		{"  load of the busiest edge", number(load) + "%", ""},
	}
}

func limit(n int64) string {
	switch {
	case n < 0:
		return "none"
	case n == 0:
		return none
	default:
		return strconv.FormatInt(n, 10)
	}
}

// rounding returns the numbers of the object's status.
func rounding(of *signalrv1alpha1.SignalRInstance) usageTable {
	u := of.Status.Usage
	if u == nil {
		return usageTable{how: "no edge was asked yet"}
	}
	how := "rounded"
	if u.Time != nil {
		how += ", of " + u.Time.UTC().Format("15:04:05") + " UTC"
	}
	return usageTable{
		how:  how,
		rows: usageRows(u.Connections, u.Servers, u.MessagesToday, u.ServerLoadPercent, of.Status.Quota),
	}
}

// exactly adds up what the edges said.
func exactly(of *signalrv1alpha1.SignalRInstance, numbers []edgeNumbers) usageTable {
	var connections, servers, messages, load int64
	asked := 0
	for _, n := range numbers {
		if n.err != nil {
			continue
		}
		asked++
		connections += n.status.Connections.Client
		servers += n.status.Connections.Server
		messages += n.status.Messages.Today
		if !n.status.Draining { // who replaces it carries the same
			messages += n.status.Messages.Carried
		}
		load = max(load, int64(n.status.Load.Percent))
	}
	return usageTable{
		how:  fmt.Sprintf("exact, from %d of %d edges", asked, len(numbers)),
		rows: usageRows(connections, servers, messages, load, of.Status.Quota),
	}
}

// printHubs prints the edges that were asked, and the hubs over all of them.
func (c *cli) printHubs(numbers []edgeNumbers) error {
	if len(numbers) == 0 {
		return nil
	}
	edges := make([][]string, 0, len(numbers))
	hubs := map[string]*config.StatusHub{}
	for _, n := range numbers {
		if n.err != nil {
			edges = append(edges, []string{"  " + n.pod, "", "", "", n.err.Error()})
			continue
		}
		edges = append(edges, []string{
			"  " + n.pod, strconv.FormatInt(n.status.Connections.Client, 10),
			strconv.FormatInt(n.status.Connections.Server, 10), n.status.Version, state(n.status),
		})
		for _, h := range n.status.Hubs {
			sum := hubs[h.Name]
			if sum == nil {
				sum = &config.StatusHub{Name: h.Name}
				hubs[h.Name] = sum
			}
			sum.Clients += h.Clients
			sum.Servers += h.Servers
		}
	}
	fmt.Fprintln(c.streams.Out)
	if err := printTable(c.streams.Out, []string{"  EDGE", "CLIENTS", "SERVERS", "VERSION", "STATE"}, edges); err != nil {
		return err
	}
	return c.printHubTable(hubs)
}

func (c *cli) printHubTable(hubs map[string]*config.StatusHub) error {
	if len(hubs) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(hubs))
	for _, h := range hubs {
		rows = append(rows, []string{"  " + h.Name, strconv.FormatInt(h.Clients, 10), strconv.Itoa(h.Servers)})
	}
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	fmt.Fprintln(c.streams.Out)
	return printTable(c.streams.Out, []string{"  HUB", "CLIENTS", "SERVERS"}, rows)
}

func state(s config.Status) string {
	switch {
	case s.Config.Error != "":
		return "config: " + s.Config.Error
	case s.Draining:
		return "draining"
	case s.Ready:
		return "ready"
	default:
		return "not ready"
	}
}

func (c *cli) printConditions(of *signalrv1alpha1.SignalRInstance) error {
	rows := make([][]string, 0, len(of.Status.Conditions))
	for _, condition := range of.Status.Conditions {
		status := string(condition.Status)
		if status != string(metav1.ConditionUnknown) && condition.ObservedGeneration != 0 &&
			condition.ObservedGeneration < of.Generation {
			status = string(metav1.ConditionUnknown) + " (was " + status + ")"
		}
		rows = append(rows, []string{
			"  " + condition.Type, status, condition.Reason, age(c.now(), condition.LastTransitionTime.Time), condition.Message,
		})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(c.streams.Out)
	return printTable(c.streams.Out, []string{"  CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"}, rows)
}
