package conformance

import (
	"os/exec"
	"syscall"
)

// dieWithTest has the kernel end a child when the test program is killed, so that no process outlives a run.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
