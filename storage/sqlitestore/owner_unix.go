//go:build unix

package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// errOwner says that the file belongs to a user who is not trusted.
var errOwner = errors.New("Options.InsecureOtherOwner accepts it")

// checkOwner returns an error if a file belongs to another user than that of
// the process, and not to root. Its owner could read and change the records.
func checkOwner(file fs.FileInfo) error {
	stat, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.ErrUnsupported
	}
	if user := os.Geteuid(); stat.Uid != 0 && int64(stat.Uid) != int64(user) {
		return fmt.Errorf("the file belongs to user %d, and this process is user %d: "+
			"run it as user %d, or give the file to user %d: %w", stat.Uid, user, stat.Uid, user, errOwner)
	}
	return nil
}
