package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// try runs a program and returns its standard output; the error holds what it said on standard error.
func try(ctx context.Context, input, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// must is try for what has to succeed.
func must(ctx context.Context, input, program string, args ...string) string {
	GinkgoHelper()
	out, err := try(ctx, input, program, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return must(ctx, "", "kubectl", slices.Concat([]string{"--namespace", namespace}, args)...)
}

func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	must(ctx, manifest, "kubectl", "--namespace", namespace, "apply", "--filename", "-")
}

// field reads one field of an object by its JSON path; empty when the object has none.
func field(ctx context.Context, object, path string) (string, error) {
	return try(ctx, "", "kubectl", "--namespace", namespace, "get", object, "--output", "jsonpath={"+path+"}")
}

// edges returns the names of the instance's edge pods that nobody has deleted, sorted.
func edges(ctx context.Context) ([]string, error) {
	const names = `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`
	out, err := try(ctx, "", "kubectl", "--namespace", namespace, "get", "pods", "--output", names,
		"--selector", "app.kubernetes.io/instance="+instance+",app.kubernetes.io/component=edge")
	return strings.Fields(out), err
}

// inventory lists every object of the cluster as kind, namespace and name, but for those that come and go by themselves
// and those that the API server derives from others.
func inventory(ctx context.Context) ([]string, error) {
	passing := []string{
		"events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses",
		"apiservices.apiregistration.k8s.io",
	}
	kinds, err := try(ctx, "", "kubectl", "api-resources", "--verbs=list", "--output=name")
	if err != nil {
		return nil, err
	}
	var list []string
	for kind := range strings.FieldsSeq(kinds) {
		if !slices.Contains(passing, kind) && !strings.HasSuffix(kind, ".metrics.k8s.io") {
			list = append(list, kind)
		}
	}
	out, err := try(ctx, "", "kubectl", "get", strings.Join(list, ","), "--all-namespaces", "--no-headers",
		"--output=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name")
	if err != nil {
		return nil, err
	}
	var objects []string
	for line := range strings.Lines(out) {
		objects = append(objects, strings.Join(strings.Fields(line), " "))
	}
	return objects, nil
}

// diagnose prints what helps to understand a failure; nothing of it holds a key.
func diagnose(ctx context.Context) {
	for _, args := range [][]string{
		{"get", "signalrinstances", "--all-namespaces", "--output=yaml"},
		{"get", "pods", "--all-namespaces", "--output=wide"},
		{"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		{"logs", "--namespace", systemNamespace, "--tail=80", "--selector=app.kubernetes.io/name=signalr-operator"},
		{"logs", "--namespace", namespace, "--tail=40", "--selector=app.kubernetes.io/component=edge"},
		{"logs", "--namespace", namespace, "--tail=40", "--selector=app=echo"},
	} {
		out, err := try(ctx, "", "kubectl", args...)
		fmt.Fprintf(GinkgoWriter, "\n$ kubectl %s\n%s\n", strings.Join(args, " "), out)
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(GinkgoWriter, err)
		}
	}
}
