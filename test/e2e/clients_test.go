package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// clients is the process of client.mjs: a number of stock JavaScript clients.
type clients struct {
	in   io.WriteCloser
	out  chan []byte // one line each, closed when the process ends
	next int
}

// clientReport is what became of the connections.
type clientReport struct {
	Connected    int `json:"connected"`
	Reconnecting int `json:"reconnecting"`
	Reconnected  int `json:"reconnected"`
	Closed       int `json:"closed"`
	// LostOverSeconds is the time from the first to the last connection that was lost.
	LostOverSeconds float64  `json:"lostOverSeconds"`
	Errors          []string `json:"errors"`
}

func startClients() *clients {
	GinkgoHelper()
	cmd := exec.CommandContext(background, "node", "client.mjs")
	in, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	out, err := cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	cmd.Stderr = GinkgoWriter
	Expect(cmd.Start()).To(Succeed())
	c := &clients{in: in, out: make(chan []byte)}
	go func() {
		defer close(c.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.out <- append([]byte(nil), lines.Bytes()...)
		}
		_ = cmd.Wait()
	}()
	return c
}

// do sends a command with its arguments and returns the answer. One command at a time.
func (c *clients) do(ctx context.Context, command string, args map[string]any) (clientReport, error) {
	c.next++
	line := map[string]any{"id": c.next, "command": command}
	maps.Copy(line, args)
	text, err := json.Marshal(line)
	if err != nil {
		return clientReport{}, err
	}
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		return clientReport{}, fmt.Errorf("%s: %w", command, err)
	}
	var answer struct {
		clientReport
		ID    int    `json:"id"`
		Error string `json:"error"`
	}
	for answer.ID != c.next { // an answer that nobody waited for any longer is passed over
		select {
		case <-ctx.Done():
			return clientReport{}, fmt.Errorf("%s: %w", command, ctx.Err())
		case text, ok := <-c.out:
			if !ok {
				return clientReport{}, fmt.Errorf("%s: node has ended", command)
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				return clientReport{}, fmt.Errorf("%s: %w", command, err)
			}
		}
	}
	if answer.Error != "" {
		return clientReport{}, fmt.Errorf("%s: %s", command, answer.Error)
	}
	return answer.clientReport, nil
}

// talk lets every client call the hub and hear one broadcast.
func (c *clients) talk(ctx context.Context, text string) {
	GinkgoHelper()
	_, err := c.do(ctx, "talk", map[string]any{"text": text})
	Expect(err).NotTo(HaveOccurred())
}

func (c *clients) report(ctx context.Context) clientReport {
	GinkgoHelper()
	r, err := c.do(ctx, "report", nil)
	Expect(err).NotTo(HaveOccurred())
	return r
}

// nobodyClosed: every client is still on the connection it made first.
func (c *clients) nobodyClosed(ctx context.Context) {
	GinkgoHelper()
	Expect(c.report(ctx)).To(Equal(clientReport{Connected: clientCount, Errors: []string{}}))
}
