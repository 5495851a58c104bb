//go:build !windows

package main

import (
	"errors"
	"os"
	"syscall"
)

// lockFile opens a file that nobody else has open this way. The system releases
// it when the process ends, however it ends.
func lockFile(name string) (file *os.File, taken bool, err error) {
	file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, errors.Is(err, syscall.EWOULDBLOCK), err
	}
	return file, false, nil
}
