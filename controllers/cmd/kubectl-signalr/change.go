package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers/azimport"
)

// changing describes a command that changes the spec of one instance.
type changing struct {
	use, short, long, example string
	// flags adds the command's own flags, may be nil.
	flags func(cmd *cobra.Command)
	// change alters the instance and returns what was done, in words that follow its name.
	change func(instance *signalrv1alpha1.SignalRInstance) (done string, err error)
}

func newChange(c *cli, what changing) *cobra.Command {
	var t target
	cmd := &cobra.Command{Use: what.use, Short: what.short, Long: what.long, Example: what.example}
	c.addTarget(cmd, &t)
	if what.flags != nil {
		what.flags(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, before, err := c.find(cmd.Context(), t)
		if err != nil {
			return err
		}
		after := before.DeepCopy()
		done, err := what.change(after)
		if err != nil {
			return err
		}
		return c.change(cmd.Context(), cluster, before, after, done)
	}
	return cmd
}

func newScale(c *cli) *cobra.Command {
	var units int32
	var sku string
	return newChange(c, changing{
		use:   "scale",
		short: "Change the number of units, or the size class",
		long: "Change the number of units, or the size class. Fewer units cut nobody: new clients are refused until the\n" +
			"live ones fit. With an autoscaler this is the floor.",
		example: "  kubectl signalr scale chat --unit-count 10\n" +
			"  kubectl signalr scale chat --sku Premium_P1 --unit-count 200",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Int32Var(&units, "unit-count", 0, "Units")
			cmd.Flags().StringVar(&sku, "sku", "", "Size class: Free_F1, Standard_S1, Premium_P1 or Premium_P2")
			offer(cmd, "sku", sizes...)
			cmd.MarkFlagsOneRequired("unit-count", "sku")
			cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
				if !cmd.Flags().Changed("unit-count") {
					return nil
				}
				return checkUnits(units)
			}
		},
		change: func(instance *signalrv1alpha1.SignalRInstance) (string, error) {
			if sku != "" {
				tier, err := azimport.Tier(sku)
				if err != nil {
					return "", fmt.Errorf("--sku: %w", err)
				}
				instance.Spec.Tier = tier
			}
			if units != 0 {
				instance.Spec.Units = units
			}
			return fmt.Sprintf("scaled to %s, %d units", instance.Spec.Tier, instance.Spec.Units), nil
		},
	})
}

// checkUnits refuses what would be taken for the default; the API server knows how many a tier may have.
func checkUnits(units int32) error {
	if units == 0 {
		return errors.New("--unit-count: an instance has one unit at least; kubectl signalr stop takes its pods away")
	}
	return nil
}

func newStart(c *cli) *cobra.Command {
	return newChange(c, changing{
		use:   "start",
		short: "Start a stopped instance",
		change: func(instance *signalrv1alpha1.SignalRInstance) (string, error) {
			instance.Spec.State = signalrv1alpha1.StateRunning
			return "started", nil
		},
	})
}

func newStop(c *cli) *cobra.Command {
	return newChange(c, changing{
		use:   "stop",
		short: "Stop an instance: no pods; keys and addresses stay",
		long: "Stop an instance. Its edges close their clients over the drain time and go; keys, Services and addresses\n" +
			"stay.",
		change: func(instance *signalrv1alpha1.SignalRInstance) (string, error) {
			instance.Spec.State = signalrv1alpha1.StateStopped
			return "stopped", nil
		},
	})
}

func newRestart(c *cli) *cobra.Command {
	return newChange(c, changing{
		use:   "restart",
		short: "Replace the edges one at a time, drained",
		change: func(instance *signalrv1alpha1.SignalRInstance) (string, error) {
			metav1.SetMetaDataAnnotation(&instance.ObjectMeta, signalrv1alpha1.RestartedAtAnnotation,
				c.now().UTC().Format(time.RFC3339))
			return "restarting, one edge at a time", nil
		},
	})
}

func newUpgrade(c *cli) *cobra.Command {
	var image string
	return newChange(c, changing{
		use:   "upgrade",
		short: "Replace the edges by newer ones, drained",
		long: "Replace the edges by those of the operator that runs, one at a time, drained: the answer to the condition\n" +
			"UpdateAvailable. With --image, to that image, which they then keep.",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&image, "image", "", "Image of the edges; the operator's by default")
		},
		change: func(instance *signalrv1alpha1.SignalRInstance) (string, error) {
			if pinned := instance.Spec.Edge.Image; image == "" && pinned != "" {
				return "", fmt.Errorf("signalrinstance/%s is pinned to %s by spec.edge.image: name another with --image, or "+
					"take the field out", instance.Name, pinned)
			}
			instance.Spec.Edge.Image = image
			metav1.SetMetaDataAnnotation(&instance.ObjectMeta, signalrv1alpha1.UpgradedAtAnnotation,
				c.now().UTC().Format(time.RFC3339))
			return "upgrading, one edge at a time", nil
		},
	})
}
