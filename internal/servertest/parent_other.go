//go:build !linux

package servertest

import (
	"os/exec"
	"syscall"
)

// diesWithUs does nothing here: a server outlives a test process that is
// killed.
func diesWithUs(*exec.Cmd, syscall.Signal) {}
