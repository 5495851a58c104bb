//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package filestore

import (
	"errors"
	"os"
)

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func unlock(*os.File) error { return errors.ErrUnsupported }

func syncDir(*os.File) error { return nil }

func matchOwner(_, _ *os.File) error { return nil }

func adviceFor(error) string { return "" }
