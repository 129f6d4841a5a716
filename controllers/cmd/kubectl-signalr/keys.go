package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
)

// keyType says which of the two access keys is meant.
type keyType string

const (
	primary   keyType = "primary"
	secondary keyType = "secondary"
)

func (k *keyType) String() string { return string(*k) }

// Set takes the name of a key, in whatever case, as az does.
func (k *keyType) Set(text string) error {
	switch name := keyType(strings.ToLower(text)); name {
	case primary, secondary:
		*k = name
		return nil
	default:
		return fmt.Errorf("%q is not one of primary, secondary", text)
	}
}

// Type is how the flag's value is called in the help.
func (k *keyType) Type() string { return "primary|secondary" }

// field returns what a Secret calls the key or connection string.
func (k *keyType) field(what string) string { return string(*k) + what }

// read returns an entry of a key Secret, or an error that names it.
func read(secret *corev1.Secret, field string) (string, error) {
	value := secret.Data[field]
	if len(value) == 0 {
		return "", fmt.Errorf("the Secret %s has no %s", secret.Name, field)
	}
	return string(value), nil
}

func newKeys(c *cli) *cobra.Command {
	var t target
	var only keyType
	var output string
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Print the access keys and connection strings",
		Long:  "Print the access keys and connection strings, as `az signalr key list` does. They are secrets.",
	}
	c.addTarget(cmd, &t)
	cmd.Flags().Var(&only, "key-type", "Print this key alone, and nothing else")
	cmd.Flags().StringVarP(&output, "output", "o", "json", "Format: json or yaml")
	offer(cmd, "key-type", keyTypes...)
	offer(cmd, "output", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		secret, err := c.keySecret(cmd.Context(), t)
		if err != nil {
			return err
		}
		if only != "" {
			return c.printSecret(secret, only.field("Key"))
		}
		shown := map[string]string{}
		for _, k := range []keyType{primary, secondary} {
			for _, field := range []string{k.field("Key"), k.field("ConnectionString")} {
				if value, has := secret.Data[field]; has { // a user's Secret may have the keys alone
					shown[field] = string(value)
				}
			}
		}
		return printObject(c.streams.Out, output, shown)
	}
	return cmd
}

func (c *cli) printSecret(secret *corev1.Secret, field string) error {
	value, err := read(secret, field)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.streams.Out, value)
	return err
}

func newConnectionString(c *cli) *cobra.Command {
	var t target
	which := primary
	cmd := &cobra.Command{
		Use:   "connection-string",
		Short: "Print the connection string for app servers",
		Long: "Print the connection string for app servers: one line, a secret. Pods better take it from the Secret\n" +
			"NAME-keys, where a new key reaches them.",
		Example: "  export Azure__SignalR__ConnectionString=$(kubectl signalr connection-string chat)",
	}
	c.addTarget(cmd, &t)
	cmd.Flags().Var(&which, "key-type", "The key in it")
	offer(cmd, "key-type", keyTypes...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		secret, err := c.keySecret(cmd.Context(), t)
		if err != nil {
			return err
		}
		return c.printSecret(secret, which.field("ConnectionString"))
	}
	return cmd
}

func newRotate(c *cli) *cobra.Command {
	var t target
	var w waiting
	var which keyType
	cmd := &cobra.Command{
		Use:     "rotate",
		Aliases: []string{"renew"},
		Short:   "Replace one access key",
		Long: "Replace one access key, as `az signalr key renew` does. The old key is refused as soon as the edges have\n" +
			"loaded the new one; live connections stay.",
		Example: "  kubectl signalr rotate chat --key-type secondary",
	}
	c.addTarget(cmd, &t)
	addWaiting(cmd, &w)
	cmd.Flags().Var(&which, "key-type", "The key to replace (required)")
	offer(cmd, "key-type", keyTypes...)
	if err := cmd.MarkFlagRequired("key-type"); err != nil {
		panic("the flag was added a line above: " + err.Error())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, before, err := c.find(cmd.Context(), t)
		if err != nil {
			return err
		}
		if ref := before.Spec.Auth.AccessKeys.ExistingSecretRef; ref != nil {
			return fmt.Errorf("the keys of %s are those of the Secret %s, which the operator never writes: "+
				"change them there", before.Name, ref.Name)
		}
		after := before.DeepCopy()
		nonce := c.now().UTC().Format(time.RFC3339Nano)
		if which == primary {
			after.Spec.Auth.AccessKeys.Rotation.PrimaryNonce = nonce
		} else {
			after.Spec.Auth.AccessKeys.Rotation.SecondaryNonce = nonce
		}
		if err := c.change(cmd.Context(), cluster, before, after, which.String()+" key is being replaced"); err != nil {
			return err
		}
		err = c.await(cmd.Context(), cluster, after, signalrv1alpha1.ConditionKeysReady, w)
		if err != nil || w.no {
			return err
		}
		fmt.Fprintf(c.streams.Out, "signalrinstance/%s %s key replaced; read it with: kubectl signalr keys %s\n",
			after.Name, which, after.Name)
		return nil
	}
	return cmd
}
