package fleet_test

import "syscall"

// diesWithUs has a process killed when this one ends, however that happens: a stopped process would not notice.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
