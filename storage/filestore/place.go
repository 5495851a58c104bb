package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// place is the directory of a store: its path, and the directory that was
// there when the store was opened.
type place struct {
	dir  string
	root *os.Root
	self *os.File    // to sync the directory
	info fs.FileInfo // of self
}

// errGone says that the path of the store no longer names the directory that is
// open. Another process that opens the path does not see what is written here.
var errGone = fmt.Errorf("the directory is gone, or another one is in its place: open the store again: %w", fs.ErrNotExist)

// errOwner says that the directory belongs to a user who is not trusted.
var errOwner = errors.New("Options.InsecureOtherOwner accepts it")

// check returns an error unless the path of the store still names its
// directory. The directory may have been renamed or deleted, a link in the path
// may lead elsewhere, or another file system may be mounted there.
func (p *place) check() error {
	there, err := os.Stat(p.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if !os.SameFile(there, p.info) {
		return errGone
	}
	return nil
}

// names reports whether a name in the directory belongs to the open file that
// info describes.
func (p *place) names(name string, info fs.FileInfo) bool {
	there, err := p.root.Lstat(name)
	return err == nil && os.SameFile(there, info)
}
