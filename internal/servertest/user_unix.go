//go:build unix

package servertest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// asServerUser makes cmd run as an ordinary user, because PostgreSQL refuses to
// run as root.
func asServerUser(cmd *exec.Cmd) {
	if uid, gid, ok := serverUser(); ok {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
}

// handOver gives dir to the user of asServerUser.
func handOver(dir string) error {
	uid, gid, ok := serverUser()
	if !ok {
		return nil
	}
	return os.Chown(dir, int(uid), int(gid))
}

// serverUser returns the user that runs the servers, and false if this process
// already belongs to that user.
func serverUser() (uid, gid uint32, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return uint32(uid), uint32(gid), err1 == nil && err2 == nil
		}
	}
	return 0, 0, false
}
