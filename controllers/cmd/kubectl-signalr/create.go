package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/azimport"
)

// creation holds the flags of create.
type creation struct {
	target
	waiting
	sku, mode, location, action string
	logs                        string
	origins, tags               []string
	units                       int32
	dryRun                      bool
}

func newCreate(c *cli) *cobra.Command {
	var f creation
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an instance and wait until it serves",
		Example: `  # one unit, 1,000 connections
  kubectl signalr create chat

  # what "az signalr create" takes
  kubectl signalr create --name chat --sku Standard_S1 --unit-count 10 --service-mode Default \
    --allowed-origins https://www.example.com

  # the object instead of the deed
  kubectl signalr create chat --sku Premium_P1 --unit-count 50 --dry-run`,
	}
	c.addTarget(cmd, &f.target)
	addWaiting(cmd, &f.waiting)
	flags := cmd.Flags()
	flags.StringVar(&f.sku, "sku", "Standard_S1", "Size class: Free_F1, Standard_S1, Premium_P1 or Premium_P2")
	flags.Int32Var(&f.units, "unit-count", 1, "Units: 1,000 connections and 1,000,000 messages a day each")
	flags.StringVar(&f.mode, "service-mode", "Default", "Who answers clients: Default, Serverless or Classic")
	flags.StringSliceVarP(&f.origins, "allowed-origins", "a", nil,
		"Origins that browsers may connect from; all by default")
	flags.StringSliceVar(&f.tags, "tags", nil, "Annotations of the instance, name=value")
	flags.StringVarP(&f.location, "location", "l", "", "Accepted for az's sake and ignored: the cluster is the place")
	flags.StringVar(&f.action, "default-action", "", "Accepted for az's sake and ignored: NetworkPolicies guard instances")
	flags.StringVar(&f.logs, "enable-message-logs", "", "Accepted for az's sake and ignored: edges log no message")
	flags.BoolVar(&f.dryRun, "dry-run", false, "Print the object and make nothing")
	offer(cmd, "sku", sizes...)
	offer(cmd, "service-mode", modes...)
	cmd.ValidArgsFunction = cobra.NoFileCompletions // a new name
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.create(cmd, &f) }
	return cmd
}

func (c *cli) create(cmd *cobra.Command, f *creation) error {
	instance, err := f.instance()
	if err != nil {
		return err
	}
	c.noteGroup(f.group)
	c.note("location", f.location, "an instance is where its cluster is")
	c.note("enable-message-logs", f.logs, "edges log to their pods' standard output, and no messages")
	c.note("default-action", f.action, "see spec.networkPolicy and spec.exposure.loadBalancer.sourceRanges")
	if f.dryRun {
		return printObject(c.streams.Out, "yaml", manifest(instance))
	}
	cluster, namespace, err := c.connect()
	if err != nil {
		return err
	}
	instance.Namespace = namespace
	if err := cluster.Create(cmd.Context(), instance); err != nil {
		return explain(err, "create", namespace, instance.Name)
	}
	fmt.Fprintf(c.streams.Out, "signalrinstance/%s created\n", instance.Name)
	if err := c.await(cmd.Context(), cluster, instance, signalrv1alpha1.ConditionReady, f.waiting); err != nil || f.no {
		return err
	}
	fmt.Fprintf(c.streams.Out, "signalrinstance/%s is ready at %s\n", instance.Name, instance.Status.Endpoint)
	return nil
}

// instance returns what the flags ask for, without what is default anyway.
func (f *creation) instance() (*signalrv1alpha1.SignalRInstance, error) {
	tier, err := azimport.Tier(f.sku)
	if err != nil {
		return nil, fmt.Errorf("--sku: %w", err)
	}
	if err := checkUnits(f.units); err != nil {
		return nil, err
	}
	mode, err := azimport.ServiceMode(f.mode)
	if err != nil {
		return nil, fmt.Errorf("--service-mode: %w", err)
	}
	annotations, err := tagsOf(f.tags)
	if err != nil {
		return nil, err
	}
	return &signalrv1alpha1.SignalRInstance{
		TypeMeta:   metav1.TypeMeta{APIVersion: signalrv1alpha1.SchemeGroupVersion.String(), Kind: signalrv1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: f.name, Annotations: annotations},
		Spec: signalrv1alpha1.SignalRInstanceSpec{
			Tier:        tier,
			Units:       f.units,
			ServiceMode: mode,
			CORS:        signalrv1alpha1.CORSSpec{AllowedOrigins: f.origins},
		},
	}, nil
}

// tagsOf reads name=value pairs.
func tagsOf(tags []string) (map[string]string, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	annotations := map[string]string{}
	for _, tag := range tags {
		name, value, ok := strings.Cut(tag, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--tags: %q is not name=value", tag)
		}
		annotations[azimport.TagAnnotation(name)] = value
	}
	return annotations, nil
}
