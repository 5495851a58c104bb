package servertest

import (
	"os/exec"
	"syscall"
)

// diesWithUs has cmd get a signal when the thread that starts it ends, as it does when this process is killed.
func diesWithUs(cmd *exec.Cmd, how syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = how
}
