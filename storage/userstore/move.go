package userstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/authtrip/authtrip/internal/isnil"
)

// MoveKey moves the key of the store into a keychain, for a machine that has
// got one since the store was made. Nil moves it into the file, for a machine
// that is about to lose its keychain, or for runs without a desktop. The
// records stay as they are, and processes that have the store open go on. Where
// the key is already, nothing happens.
//
// If the keychain is not available or fails, the error is [ErrKeychain], and
// nothing has changed. The program must open the store with Options.Keys from
// then on. A key that was in a file may be in a backup of that file: for a new
// key, delete the folder and log in again.
func (f *Folder) MoveKey(ctx context.Context, to KeySource) error {
	if isnil.Value(to) {
		to = nil
	}
	where, err := f.moves(ctx, to)
	if where != "" {
		f.where.Store(&where)
	}
	return err
}

// move moves the key, and says where it is then. The place is empty if it has
// not changed.
//
// The key is at both places until the file names the new one. If two processes
// move it at once, the file is that of the later one, and what each of them
// takes away is only what the file named before.
func (h *holder) move(ctx context.Context, key []byte, to KeySource) (where string, err error) {
	was, err := h.read()
	if err != nil {
		return "", err
	}
	check, err := checkOf(key)
	switch {
	case err != nil:
		return "", err
	case was.Check != check:
		return "", fmt.Errorf("%w: another store is in the folder %s now: open it again", ErrKey, h.path)
	case to == nil && was.Kept == inFile, to != nil && was.Kept == inKeychain:
		return "", nil
	}
	next := &note{Format: noteFormat, Kept: inFile, Check: check, Key: key}
	if to != nil {
		if _, err := ask(ctx, without(to.Available)); err != nil {
			return "", fmt.Errorf("%w: %w: the key stays where it is", ErrKeychain, err)
		}
		if next, err = h.intoKeychain(ctx, to, key, check); err != nil {
			return "", err
		}
	}
	if err := h.replace(next); err != nil {
		if to != nil {
			_ = forget(ctx, to, next.Name) // nobody will look for it
		}
		return "", fmt.Errorf("userstore: %w", err)
	}
	if to != nil {
		h.sweep()
	}
	if was.Kept == inKeychain {
		if err := forget(ctx, h.keychain, was.Name); err != nil {
			return next.where(h.file()), fmt.Errorf("userstore: the key is in the file now, and could not be deleted from the keychain, where its name is %q: %w", was.Name, err)
		}
	}
	return next.where(h.file()), nil
}

// forget deletes a key from a keychain.
func forget(ctx context.Context, keychain KeySource, name string) error {
	_, err := ask(ctx, without(func(ctx context.Context) error { return keychain.Forget(ctx, name) }))
	return err
}

// sweep deletes what processes have left that died while they wrote the file:
// the key may be in it.
func (h *holder) sweep() {
	files, _ := os.ReadDir(h.path) // what cannot be read stays, as after every crash
	for _, file := range files {
		if strings.HasPrefix(file.Name(), keyFile+"-") {
			_ = os.Remove(filepath.Join(h.path, file.Name()))
		}
	}
}
