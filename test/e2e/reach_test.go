package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// forwards holds the address of each port-forward of the suite, by target and port.
var forwards = map[string]string{}

// address returns the base address at which the suite reaches a port of a service or pod ("service/chat", "pod/x") once
// somebody answers there: a new endpoint takes a moment to get around.
func address(ctx context.Context, target string, port int) string {
	GinkgoHelper()
	at := directly(ctx, target, port)
	Eventually(func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", at)
		if err == nil {
			c.Close()
		}
		return err
	}).WithContext(ctx).Should(Succeed())
	return "http://" + at
}

func directly(ctx context.Context, target string, port int) string {
	GinkgoHelper()
	if !given.direct {
		return forwarded(ctx, target, port)
	}
	kind, name, _ := strings.Cut(target, "/")
	if kind == "service" {
		return fmt.Sprintf("%s.%s.svc:%d", name, namespace, port)
	}
	ip, err := field(ctx, target, ".status.podIP")
	Expect(err).NotTo(HaveOccurred())
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// forwarded keeps a port-forward running: kubectl ends it when its pod goes, as it does when edges are replaced.
func forwarded(ctx context.Context, target string, port int) string {
	GinkgoHelper()
	key := fmt.Sprintf("%s:%d", target, port)
	if at, ok := forwards[key]; ok {
		return at
	}
	// A port that stays the same over the forward's restarts: clients hold on to it.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	local := l.Addr().(*net.TCPAddr).Port
	Expect(l.Close()).To(Succeed())
	forwards[key] = fmt.Sprintf("127.0.0.1:%d", local)
	go func() {
		for background.Err() == nil {
			cmd := exec.CommandContext(background, "kubectl", "--namespace", namespace, "port-forward", target,
				fmt.Sprintf("%d:%d", local, port))
			out, err := cmd.StdoutPipe()
			if err != nil || cmd.Start() != nil {
				return
			}
			for lines := bufio.NewScanner(out); lines.Scan(); {
			}
			_ = cmd.Wait()
		}
	}()
	return forwards[key]
}

// web asks the service and the edges. It keeps no connection: each request meets the edge that is there now.
var web = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// metrics reads an edge's series that have no label or the given ones, by name as written in the exposition.
func metrics(ctx context.Context, pod string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address(ctx, "pod/"+pod, 8889)+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := web.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	series := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); ok && err == nil {
			series[name] = number
		}
	}
	return series, lines.Err()
}
