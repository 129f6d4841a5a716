package main

import (
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// completer is the name under which kubectl looks for what completes the plugin's words: a link to the program.
const completer = "kubectl_complete-signalr"

// completeName offers the instances of the namespace as the argument NAME.
func (c *cli) completeName(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cluster, namespace, err := c.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list signalrv1alpha1.SignalRInstanceList
	if err := cluster.List(cmd.Context(), &list, client.InNamespace(namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// offer completes a flag by its few values.
func offer(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("the flag was added a line above: " + err.Error())
	}
}

// Values that are offered.
var (
	sizes    = []string{"Free_F1", "Standard_S1", "Premium_P1", "Premium_P2"}
	modes    = []string{"Default", "Serverless", "Classic"}
	keyTypes = []string{string(primary), string(secondary)}
)
