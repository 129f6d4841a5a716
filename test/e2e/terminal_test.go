package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/signalr-operator/signalr-operator/test/pages"
)

const root = "../.."

// person types the commands of the quickstart, in a checkout of the repository. What they export, such as a longer
// PATH, is there for those that follow.
var (
	person     *pages.Shell
	quickstart *pages.Page
)

// sitDown makes the place where everything is typed, and all programs of this process run: helm is found, the namespace
// is the story's without being named, and az says what it says of a service.
func sitDown(t *testing.T) {
	t.Helper()
	checkout, err := filepath.Abs(root)
	Expect(err).NotTo(HaveOccurred())
	folder := t.TempDir()
	Expect(os.Symlink(given.helm, filepath.Join(folder, "helm"))).To(Succeed())
	az := fmt.Sprintf("#!/bin/sh\ncat '%s/controllers/azimport/testdata/az-show.json'\n", checkout)
	Expect(os.WriteFile(filepath.Join(folder, "az"), []byte(az), 0o755)).To(Succeed())
	t.Setenv("PATH", folder+string(filepath.ListSeparator)+os.Getenv("PATH"))

	config, err := exec.CommandContext(t.Context(), "kubectl", "config", "view", "--raw", "--flatten").Output()
	Expect(err).NotTo(HaveOccurred())
	own := filepath.Join(folder, "config")
	Expect(os.WriteFile(own, config, 0o600)).To(Succeed())
	t.Setenv("KUBECONFIG", own)
	out, err := exec.CommandContext(t.Context(), "kubectl", "config", "set-context", "--current",
		"--namespace="+namespace).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))

	person = pages.NewShell(checkout, folder, nil)
	quickstart, err = pages.Read(root+"/docs/quickstart-kubernetes.md",
		strings.NewReplacer("http://chat.default.svc", "http://chat."+namespace+".svc"))
	Expect(err).NotTo(HaveOccurred())
}

// follow types the next commands of the quickstart, which have a text in them.
func follow(ctx context.Context, with string) string {
	GinkgoHelper()
	block, err := quickstart.Next(with)
	Expect(err).NotTo(HaveOccurred())
	out, err := person.Run(ctx, block)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// followBeside is follow in another window: what it returns waits for the end and returns what was printed.
func followBeside(ctx context.Context, with string) func() (string, error) {
	GinkgoHelper()
	block, err := quickstart.Next(with)
	Expect(err).NotTo(HaveOccurred())
	var out string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		out, err = person.Run(ctx, block)
	}()
	return func() (string, error) {
		<-ended
		return out, err
	}
}

// typed types a command that is in no page, and returns what it prints.
func typed(ctx context.Context, command string) string {
	GinkgoHelper()
	out, err := person.Do(ctx, command)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// interruptible is a command that runs until it is interrupted.
type interruptible struct {
	cmd   *exec.Cmd
	lines chan string // what it prints, closed when it ends
}

// followOn begins the next commands of the quickstart, which do not end by themselves.
func followOn(with string) *interruptible {
	GinkgoHelper()
	block, err := quickstart.Next(with)
	Expect(err).NotTo(HaveOccurred())
	Expect(block.Endless).To(BeTrue(), "%s: the page says that it ends by itself", block.At)
	i := &interruptible{cmd: person.Command(background, block.Text), lines: make(chan string)}
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := i.cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	i.cmd.Stderr = GinkgoWriter
	Expect(i.cmd.Start()).To(Succeed())
	go func() {
		defer close(i.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			i.lines <- text.Text()
		}
	}()
	return i
}

// line returns the next line that it prints.
func (i *interruptible) line(ctx context.Context) string {
	GinkgoHelper()
	select {
	case line, ok := <-i.lines:
		Expect(ok).To(BeTrue(), "it has ended")
		return line
	case <-ctx.Done():
		Fail("it prints nothing")
		return ""
	}
}

// interrupt does what Ctrl-C does, after which it must end without an error.
func (i *interruptible) interrupt() {
	GinkgoHelper()
	Expect(syscall.Kill(-i.cmd.Process.Pid, syscall.SIGINT)).To(Succeed())
	for range i.lines { // what it says at the end is nobody's interest
	}
	Expect(i.cmd.Wait()).To(Succeed())
}
