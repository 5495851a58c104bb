//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package filestore

import (
	"errors"
	"io/fs"
	"os"
)

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func unlock(*os.File) error { return errors.ErrUnsupported }

func syncDir(*os.File) error { return nil }

const nonBlocking = 0

func checkOwner(fs.FileInfo) error { return nil }

func adviceFor(error) string { return "" }
