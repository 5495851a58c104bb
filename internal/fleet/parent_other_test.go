//go:build unix && !linux

package fleet_test

import "syscall"

// diesWithUs does nothing here: a process ends when its input does, unless it is stopped.
func diesWithUs() *syscall.SysProcAttr { return nil }
