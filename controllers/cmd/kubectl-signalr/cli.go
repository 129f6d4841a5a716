package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// cli is what all commands share. Tests put a fake cluster into it.
type cli struct {
	streams genericiooptions.IOStreams
	config  *genericclioptions.ConfigFlags
	// connect returns a client and the namespace that the flags and the kubeconfig name.
	connect func() (client.Client, string, error)
	// edges asks the edges of an instance for their numbers.
	edges func(ctx context.Context, c client.Client, of *signalrv1alpha1.SignalRInstance) ([]edgeNumbers, error)
	now   func() time.Time
	// poll is the time between two looks at what is waited for.
	poll time.Duration
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-signalr",
		Short: "Make, look at and change SignalRInstances",
		Long: "Make, look at and change SignalRInstances: self-hosted services that stock SignalR clients and app servers\n" +
			"take for Azure SignalR Service. Flags have the names that `az signalr` gives them.",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl signalr"},
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(c.streams.In)
	root.SetOut(c.streams.Out)
	root.SetErr(c.streams.ErrOut)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	if c.config != nil {
		c.config.AddFlags(root.PersistentFlags())
	}
	root.AddCommand(
		newCreate(c), newList(c), newStatus(c),
		newKeys(c), newConnectionString(c), newRotate(c),
		newScale(c), newStart(c), newStop(c), newRestart(c), newUpgrade(c),
		newOpen(c), newAzImport(c),
	)
	root.AddCommand(newElsewhere()...)
	return root
}

// newScheme returns the scheme of what the commands read and write.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), signalrv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	return scheme, nil
}

func (c *cli) connectCluster() (client.Client, string, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, "", err
	}
	config, err := c.config.ToRESTConfig()
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1 // a person is no flood, and a limiter near its limit would fail what waits with a bound
	config.WarningHandler = rest.NewWarningWriter(c.streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	namespace, _, err := c.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the namespace: %w", err)
	}
	cluster, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, "", fmt.Errorf("connect to the cluster: %w", err)
	}
	return cluster, namespace, nil
}

// target names the one instance that a command is about, the way kubectl does (an argument) or az does (--name).
type target struct {
	name, group string
}

// addTarget gives a command an argument NAME and the flags that az names instances with.
func (c *cli) addTarget(cmd *cobra.Command, t *target) {
	cmd.Use += " NAME"
	cmd.Flags().StringVar(&t.name, "name", "", "Name of the instance, in place of the argument")
	addGroup(cmd, &t.group)
	cmd.ValidArgsFunction = c.completeName
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return fmt.Errorf("one instance at a time, not %q: values of a list are separated by commas", args)
		case len(args) == 1 && t.name != "" && t.name != args[0]:
			return fmt.Errorf("the argument names %s and --name %s: which one? Values of a list are separated by commas",
				args[0], t.name)
		case len(args) == 1:
			t.name = args[0]
		case t.name == "" && cmd.Flags().Changed("namespace"):
			return fmt.Errorf("which instance? %s (-n is --namespace here, as in kubectl)", cmd.UseLine())
		case t.name == "":
			return fmt.Errorf("which instance? %s", cmd.UseLine())
		}
		return nil
	}
}

// addGroup accepts the resource group of az, which has no meaning here.
func addGroup(cmd *cobra.Command, group *string) {
	cmd.Flags().StringVarP(group, "resource-group", "g", "", "Accepted for az's sake and ignored: see --namespace")
}

// note tells of a flag of az's that does nothing here.
func (c *cli) note(flag, value, instead string) {
	if value != "" {
		fmt.Fprintf(c.streams.ErrOut, "note: --%s is ignored; %s\n", flag, instead)
	}
}

func (c *cli) noteGroup(group string) {
	c.note("resource-group", group, "instances live in namespaces, see --namespace")
}

// find returns a client and the instance that a command is about.
func (c *cli) find(ctx context.Context, t target) (client.Client, *signalrv1alpha1.SignalRInstance, error) {
	c.noteGroup(t.group)
	cluster, namespace, err := c.connect()
	if err != nil {
		return nil, nil, err
	}
	found := &signalrv1alpha1.SignalRInstance{}
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: t.name}, found); err != nil {
		return nil, nil, explain(err, "get", namespace, t.name)
	}
	return cluster, found, nil
}

// explain says in words what the API server meant.
func explain(err error, operation, namespace, name string) error {
	switch {
	case meta.IsNoMatchError(err):
		return errors.New("this cluster knows no SignalRInstances: is the operator installed?")
	case name == "":
		return fmt.Errorf("%s signalrinstances: %w", operation, err)
	case apierrors.IsNotFound(err) && operation != "create": // then it is the namespace that is not there
		return fmt.Errorf("no SignalRInstance %s in namespace %s", name, namespace)
	default:
		return fmt.Errorf("%s signalrinstance/%s: %w", operation, name, err)
	}
}

// change patches an instance with what differs from before, and says what was done.
func (c *cli) change(ctx context.Context, cluster client.Client, before, after *signalrv1alpha1.SignalRInstance,
	done string,
) error {
	if err := cluster.Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return explain(err, "change", after.Namespace, after.Name)
	}
	fmt.Fprintf(c.streams.Out, "signalrinstance/%s %s\n", after.Name, done)
	if isPaused(after) {
		fmt.Fprintf(c.streams.ErrOut, "note: signalrinstance/%s is paused: nothing happens while it has the annotation %s\n",
			after.Name, signalrv1alpha1.PausedAnnotation)
	}
	return nil
}

// isPaused tells whether the operator leaves an instance as it is.
func isPaused(of *signalrv1alpha1.SignalRInstance) bool {
	return of.Annotations[signalrv1alpha1.PausedAnnotation] == "true"
}

// waiting is how a command that starts something waits for its end.
type waiting struct {
	no      bool
	timeout time.Duration
}

func addWaiting(cmd *cobra.Command, w *waiting) {
	cmd.Flags().BoolVar(&w.no, "no-wait", false, "Return at once, do not wait for the operator")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 2*time.Minute, "How long to wait")
}

// await reads the instance again and again until the operator has seen its latest spec and the condition is True.
func (c *cli) await(ctx context.Context, cluster client.Client, of *signalrv1alpha1.SignalRInstance, condition string,
	w waiting,
) error {
	if w.no {
		return nil
	}
	if isPaused(of) {
		return fmt.Errorf("signalrinstance/%s is paused: there is nothing to wait for", of.Name)
	}
	generation := of.Generation
	last := "the operator has not looked at it yet"
	err := wait.PollUntilContextTimeout(ctx, c.poll, w.timeout, true, func(ctx context.Context) (bool, error) {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(of), of); err != nil {
			return false, explain(err, "get", of.Namespace, of.Name)
		}
		found := meta.FindStatusCondition(of.Status.Conditions, condition)
		if found == nil || found.ObservedGeneration < generation {
			return false, nil
		}
		why := found
		if stalled := meta.FindStatusCondition(of.Status.Conditions, signalrv1alpha1.ConditionStalled); stalled != nil {
			why = stalled // the cause, where the other may be a consequence
		}
		last = why.Reason
		if why.Message != "" {
			last += ": " + why.Message
		}
		return found.Status == metav1.ConditionTrue, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("signalrinstance/%s is not %s after %s (%s); it may still come: kubectl signalr status %s",
			of.Name, condition, w.timeout, last, of.Name)
	}
	return err
}

// keySecret reads the Secret that users of an instance read. Nothing but keys and connection-string calls it.
func (c *cli) keySecret(ctx context.Context, t target) (*corev1.Secret, error) {
	cluster, of, err := c.find(ctx, t)
	if err != nil {
		return nil, err
	}
	name := of.Name + "-keys"
	switch ref := of.Spec.Auth.AccessKeys.ExistingSecretRef; {
	case ref != nil:
		name = ref.Name
	case of.Status.KeysSecretName != "":
		name = of.Status.KeysSecretName
	}
	secret := &corev1.Secret{}
	switch err := cluster.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no Secret %s yet: kubectl signalr status %s says why", name, of.Name)
	case err != nil:
		return nil, fmt.Errorf("read the Secret %s: %w", name, err)
	}
	return secret, nil
}
