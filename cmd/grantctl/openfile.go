package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authtrip/authtrip/storage/filestore"
)

// openFile opens a filestore.Store. It takes no other directory for one, since
// it would leave files of its own in there.
func openFile(_ context.Context, _, dir string, m mode) (backend, error) {
	if dir == "" {
		return nil, usageError("file: needs a directory, as in file:DIR")
	}
	content, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(content) == 0:
		if m != mayCreate {
			return nil, fmt.Errorf("%s: %w", printable(dir), errNoStore)
		}
		return filestore.Open(dir, nil)
	case err != nil:
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "lock-00")); err != nil {
		return nil, fmt.Errorf("%s is no store: name the directory that was given to filestore.Open", printable(dir))
	}
	return filestore.Open(dir, nil)
}
