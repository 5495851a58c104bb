package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/authtrip/authtrip/storage/seal"
)

// loadKeys returns the keys that seal the store and the cookies, and makes them
// at the first start. A demo may keep them beside what they seal, for its
// user's eyes only; a service gets them from its secret manager
// (seal.ParseKeys).
func loadKeys(file string) (*seal.Keys, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(base64.StdEncoding.EncodeToString(seal.NewKey()) + "\n")
		err = writeFile(file, text)
	}
	if err != nil {
		return nil, err
	}
	keys, err := seal.ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// writeFile replaces a file as a whole, readable by its owner only: a crash
// leaves the old one or the new one.
func writeFile(file string, text []byte) error {
	next := file + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}
