package servertest

import (
	"os/exec"
	"syscall"
)

// diesWithUs makes the kernel send a signal to cmd when the thread that starts
// cmd ends, as it does when this process is killed.
func diesWithUs(cmd *exec.Cmd, how syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = how
}
