//go:build linux

package fleet_test

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kill kills the process and waits for its end. The test fails if it has ended
// before, or otherwise.
func (w *worker) kill() {
	w.t.Helper()
	w.signal(syscall.SIGKILL)
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Error("the process has not ended")
		return
	}
	if s, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		w.t.Errorf("the process has ended with %v, want killed", w.cmd.ProcessState)
	}
}

// stop stops the process. It returns when all threads of the process have
// stopped.
func (w *worker) stop() {
	w.t.Helper()
	w.signal(syscall.SIGSTOP)
	// WNOWAIT leaves the state for os/exec, which waits for the end.
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = unix.Waitid(unix.P_PID, w.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
	}
	if err != nil {
		w.t.Errorf("waitid: %v", err)
	}
}

// resume continues a stopped process.
func (w *worker) resume() {
	w.t.Helper()
	w.signal(syscall.SIGCONT)
}

func (w *worker) signal(s syscall.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Errorf("%v: %v", s, err)
	}
}
