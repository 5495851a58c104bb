//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// tryLock takes the lock of file. It reports false if another process or
// another open file has it. The system releases the lock when the process dies.
func tryLock(file *os.File) (bool, error) {
	err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func unlock(file *os.File) error { return flock(file, syscall.LOCK_UN) }

func flock(file *os.File, how int) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for {
			failed = syscall.Flock(int(fd), how)
			if !errors.Is(failed, syscall.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("flock", failed)
}

// syncDir makes the renames in a directory durable. Some file systems do not
// support the call: their renames are durable at once, or never.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// nonBlocking makes opening a pipe return at once.
const nonBlocking = syscall.O_NONBLOCK

// checkOwner returns an error if a directory belongs to another user than that
// of the process, and not to root. Its owner could exchange the files in it. A
// process of root must not leave files there that the owner cannot read, or
// give files away.
func checkOwner(dir fs.FileInfo) error {
	stat, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.ErrUnsupported
	}
	if user := os.Geteuid(); stat.Uid != 0 && int64(stat.Uid) != int64(user) {
		return fmt.Errorf("the directory belongs to user %d, and this process is user %d: "+
			"run it as user %d, or give the directory to user %d: %w", stat.Uid, user, stat.Uid, user, errOwner)
	}
	return nil
}

// adviceFor returns an advice for an error that only this kind of system has.
func adviceFor(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space on the disk; the old value is kept"
	case errors.Is(err, syscall.EROFS):
		return "the disk is mounted read-only: use a directory on another"
	case errors.Is(err, syscall.ENOTDIR):
		return "not a directory: name one, or a new name"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files"
	case errors.Is(err, syscall.ESTALE):
		return "the file server has another directory in its place: open the store again"
	}
	return ""
}
