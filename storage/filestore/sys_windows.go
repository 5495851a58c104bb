package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll") // always loaded from the system's own directory
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

const (
	lockFailImmediately = 1
	lockExclusive       = 2

	errorWriteProtect   = syscall.Errno(19)
	errorHandleDiskFull = syscall.Errno(39)
	errorLockViolation  = syscall.Errno(33)
	errorDiskFull       = syscall.Errno(112)
)

// tryLock takes the lock of file. It reports false if another process or
// another open file has it. The system releases the lock when the process dies.
func tryLock(file *os.File) (bool, error) {
	err := control(file, "LockFileEx", func(fd uintptr) (uintptr, error) {
		ok, _, err := lockFileEx.Call(fd, lockExclusive|lockFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(new(syscall.Overlapped))))
		return ok, err
	})
	if errors.Is(err, errorLockViolation) || errors.Is(err, syscall.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func unlock(file *os.File) error {
	return control(file, "UnlockFileEx", func(fd uintptr) (uintptr, error) {
		ok, _, err := unlockFileEx.Call(fd, 0, 1, 0, uintptr(unsafe.Pointer(new(syscall.Overlapped))))
		return ok, err
	})
}

// control makes a system call that returns zero if it fails.
func control(file *os.File, name string, call func(fd uintptr) (uintptr, error)) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		if ok, err := call(fd); ok == 0 {
			failed = os.NewSyscallError(name, err)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// syncDir does nothing. Windows has no call that makes a rename durable, and
// journals it soon.
func syncDir(*os.File) error { return nil }

// nonBlocking is not needed: a name in a directory is never a pipe.
const nonBlocking = 0

// checkOwner does nothing. On Windows a file inherits the rights of its
// directory.
func checkOwner(fs.FileInfo) error { return nil }

// adviceFor returns an advice for an error that only this kind of system has.
func adviceFor(err error) string {
	switch {
	case errors.Is(err, errorDiskFull), errors.Is(err, errorHandleDiskFull):
		return "free some space on the disk; the old value is kept"
	case errors.Is(err, errorWriteProtect):
		return "the disk is write-protected: use a directory on another"
	case errors.Is(err, syscall.ENOTDIR):
		return "not a directory: name one, or a new name"
	}
	return ""
}
