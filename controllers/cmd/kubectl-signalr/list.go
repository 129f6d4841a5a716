package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

func newList(c *cli) *cobra.Command {
	var all bool
	var output, group string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List instances",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "List the instances of all namespaces")
	cmd.Flags().StringVarP(&output, "output", "o", "", "Format: table, json, yaml or name (default table)")
	offer(cmd, "output", "table", "json", "yaml", "name")
	addGroup(cmd, &group)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c.noteGroup(group)
		cluster, namespace, err := c.connect()
		if err != nil {
			return err
		}
		var options []client.ListOption
		if !all {
			options = append(options, client.InNamespace(namespace))
		}
		var list signalrv1alpha1.SignalRInstanceList
		if err := cluster.List(cmd.Context(), &list, options...); err != nil {
			return explain(err, "list", namespace, "")
		}
		return c.printList(list.Items, output, all, namespace)
	}
	return cmd
}

func (c *cli) printList(items []signalrv1alpha1.SignalRInstance, output string, all bool, namespace string) error {
	switch output {
	case "", "table":
	case "name":
		for i := range items {
			fmt.Fprintf(c.streams.Out, "signalrinstance/%s\n", items[i].Name)
		}
		return nil
	case "json", "yaml":
		for i := range items {
			items[i].SetGroupVersionKind(signalrv1alpha1.SchemeGroupVersion.WithKind(signalrv1alpha1.Kind))
			items[i].ManagedFields = nil
		}
		return printObject(c.streams.Out, output, map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	default:
		return fmt.Errorf("--output: %q is not one of table, json, yaml, name", output)
	}
	if len(items) == 0 {
		where := "namespace " + namespace
		if all {
			where = "the cluster"
		}
		fmt.Fprintf(c.streams.ErrOut, "no SignalRInstances in %s\n", where)
		return nil
	}
	head := []string{"NAME", "TIER", "MODE", "UNITS", "EDGES", "READY", "ENDPOINT", "AGE"}
	if all {
		head = append([]string{"NAMESPACE"}, head...)
	}
	rows := make([][]string, 0, len(items))
	for i := range items {
		row := c.row(&items[i])
		if all {
			row = append([]string{items[i].Namespace}, row...)
		}
		rows = append(rows, row)
	}
	return printTable(c.streams.Out, head, rows)
}

func (c *cli) row(i *signalrv1alpha1.SignalRInstance) []string {
	ready := string(metav1.ConditionUnknown)
	if found := meta.FindStatusCondition(i.Status.Conditions, signalrv1alpha1.ConditionReady); found != nil {
		ready = string(found.Status)
	}
	return []string{
		i.Name, string(i.Spec.Tier), string(i.Spec.ServiceMode),
		strconv.Itoa(int(i.Status.Units.Effective)), fmt.Sprintf("%d/%d", i.Status.Edge.Ready, i.Status.Edge.Replicas),
		ready, or(i.Status.Endpoint), age(c.now(), i.CreationTimestamp.Time),
	}
}
