package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	signalrv1alpha1 "github.com/signalr-operator/signalr-operator/api/v1alpha1"
	"github.com/signalr-operator/signalr-operator/controllers"
	"github.com/signalr-operator/signalr-operator/edge/config"
)

// Ports of an edge's pod, see design.md section 10.
const (
	clientPort = 8888
	adminPort  = 8889
)

const (
	// configKey is the edges' configuration in the Secret NAME-edge.
	configKey = "edge.yaml"
	// atOnce bounds the edges that are asked at the same time: each is a connection through the API server.
	atOnce = 8
)

// readyEdges returns the running edge pods of an instance, those that are ready first.
func readyEdges(ctx context.Context, cluster client.Client, of *signalrv1alpha1.SignalRInstance) ([]corev1.Pod, error) {
	if of.Status.Selector == "" {
		return nil, errors.New("the operator has not made edges yet")
	}
	selector, err := labels.Parse(of.Status.Selector)
	if err != nil {
		return nil, fmt.Errorf("read status.selector: %w", err)
	}
	var list corev1.PodList
	if err := cluster.List(ctx, &list, client.InNamespace(of.Namespace),
		client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var ready, others []corev1.Pod
	for _, pod := range list.Items {
		switch {
		case pod.Status.Phase != corev1.PodRunning:
		case isReady(&pod):
			ready = append(ready, pod)
		default:
			others = append(others, pod)
		}
	}
	if len(ready)+len(others) == 0 {
		return nil, errors.New("no edge pod is running")
	}
	return append(ready, others...), nil
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp.IsZero()
		}
	}
	return false
}

// forwardedEdges asks each edge of an instance for its status, through ports forwarded by the API server.
func (c *cli) forwardedEdges(ctx context.Context, cluster client.Client, of *signalrv1alpha1.SignalRInstance,
) ([]edgeNumbers, error) {
	pods, err := readyEdges(ctx, cluster, of)
	if err != nil {
		return nil, err
	}
	token, err := adminToken(ctx, cluster, of)
	if err != nil {
		return nil, err
	}
	numbers := make([]edgeNumbers, len(pods))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range pods {
		numbers[i].pod = pods[i].Name
		group.Go(func() error { // an edge that cannot be asked is said in its row
			numbers[i].status, numbers[i].err = c.askEdge(ctx, of.Namespace, pods[i].Name, token)
			return nil
		})
	}
	return numbers, group.Wait()
}

// adminToken reads the token of /status from the Secret that is the edges' alone.
func adminToken(ctx context.Context, cluster client.Client, of *signalrv1alpha1.SignalRInstance,
) (config.Secret, error) {
	var secret corev1.Secret
	name := of.Name + "-edge"
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: name}, &secret); err != nil {
		return "", fmt.Errorf("read the Secret %s: %w", name, err)
	}
	parsed, err := config.Parse(secret.Data[configKey])
	if err != nil {
		return "", fmt.Errorf("the Secret %s holds no configuration that this program understands", name)
	}
	return parsed.Auth.AdminToken, nil
}

func (c *cli) askEdge(ctx context.Context, namespace, pod string, token config.Secret) (config.Status, error) {
	var status config.Status
	err := c.forward(ctx, forwarding{namespace: namespace, pod: pod, remote: adminPort},
		func(ctx context.Context, local uint16) error {
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(local)))
			var err error
			status, err = controllers.NewHTTPEdgeReader(nil).
				ReadStatus(ctx, controllers.Edge{Address: address, Token: token})
			return err
		})
	return status, err
}
