package userstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
)

// Options adjusts a [Folder]. The zero value works everywhere.
type Options struct {
	// Dir is the folder of the store. Nothing else should be in it. Empty means
	// the folder "logins" in the folder with the program's name, in the one that
	// os.UserConfigDir names. On Windows it is in %LocalAppData%, which does not
	// follow the user to other machines, as the keychain does not either.
	Dir string

	// Keys is the keychain for the key. If it is not available when the store is
	// made, the key is in a file. Nil means a file.
	Keys KeySource
}

// A Folder is a sealed store in a folder of the user. [Open] makes one. It is
// safe for concurrent use.
type Folder struct {
	dir    string
	where  *atomic.Pointer[string]
	store  storage.Store
	moves  func(context.Context, KeySource) (string, error) // a closure, which has the key
	closes func() error
}

// Open opens the store of a program. It makes the store and its key if they do
// not exist. The name is that of the program: 1 to 64 letters, digits, dots,
// hyphens and underscores, with a letter or a digit first. Nil options mean all
// defaults. Call [Folder.Close] at the end. The error matches [ErrKeychain] or
// [ErrKey], or is that of filestore.Open.
func Open(ctx context.Context, name string, o *Options) (*Folder, error) {
	if o == nil {
		o = new(Options)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, err := o.folder(name)
	if err != nil {
		return nil, err
	}
	files, err := filestore.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	h := &holder{dir: files, path: dir, program: name}
	if !isnil.Value(o.Keys) {
		h.keychain = o.Keys
	}
	f := &Folder{dir: dir, where: new(atomic.Pointer[string]), closes: files.Close}
	if err := h.fill(ctx, f); err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return f, nil
}

// checkName refuses a name that could be another folder, or none on some
// system.
func checkName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if name == "" || len(name) > 64 || strings.Trim(name, letters+".-_") != "" || !strings.Contains(letters, name[:1]) {
		return fmt.Errorf("userstore: the name %.80q is not 1 to 64 letters, digits, dots, hyphens and underscores, with a letter or a digit first", name)
	}
	return nil
}

// folder returns the absolute path of the folder.
func (o *Options) folder(name string) (string, error) {
	if o.Dir != "" {
		return filepath.Abs(o.Dir)
	}
	base, err := configDir()
	if err != nil {
		return "", fmt.Errorf("userstore: no folder for the settings of the user: set HOME, or Options.Dir: %w", err)
	}
	return filepath.Join(base, name, "logins"), nil
}

func configDir() (string, error) {
	if runtime.GOOS == "windows" {
		return os.UserCacheDir() // %LocalAppData%
	}
	return os.UserConfigDir()
}

// Store returns the sealed store. It is a storage.Lister and a storage.Namer.
func (f *Folder) Store() storage.Store { return f.store }

// Dir returns the path of the folder.
func (f *Folder) Dir() string { return f.dir }

// Key says where the key is, in words for the user, such as "in the keychain".
// If there was a keychain to use and it was not available, it says why.
func (f *Folder) Key() string { return *f.where.Load() }

// Close closes the files. The records stay. It may be called more than once.
func (f *Folder) Close() error { return f.closes() }

// fill opens the store of f with the key.
func (h *holder) fill(ctx context.Context, f *Folder) error {
	note, key, err := h.find(ctx)
	if err != nil {
		return err
	}
	keys, err := seal.NewKeys(key)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrKey, h.file(), err)
	}
	f.store, err = storage.Sealed(h.dir, keys)
	f.where.Store(new(note.where(h.file())))
	f.moves = func(ctx context.Context, to KeySource) (string, error) { return h.move(ctx, key, to) }
	return err
}
