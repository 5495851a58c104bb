package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// own makes the data folder this process's own until release. The store could
// be shared; what the fake remembers cannot.
func own(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, taken, err := lockFile(filepath.Join(dir, "lock"))
	if taken {
		return nil, fmt.Errorf("%s is in use by another quickstart: end that one, or choose another folder with -data", dir)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
