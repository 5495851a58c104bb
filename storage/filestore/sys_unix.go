//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
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

// matchOwner gives a file that root has just created to the owner and the group
// of dir. Otherwise a program that runs as that owner could not read what root
// wrote.
func matchOwner(file, dir *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	has, err := owner(file)
	if err != nil {
		return err
	}
	want, err := owner(dir)
	if err != nil || has == want { // some file systems have one owner for all files, and refuse chown
		return err
	}
	return file.Chown(want.uid, want.gid)
}

type ownership struct{ uid, gid int }

func owner(file *os.File) (ownership, error) {
	info, err := file.Stat()
	if err != nil {
		return ownership{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ownership{}, errors.ErrUnsupported
	}
	return ownership{int(stat.Uid), int(stat.Gid)}, nil
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
	}
	return ""
}
