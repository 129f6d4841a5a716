//go:build unix && !linux

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process into a process group of its own, which a terminal's Ctrl-C does not reach.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
