package userstore

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
)

// keyFile is the name of the file that says where the key is.
const keyFile = "key"

// The values of note.Kept.
const (
	inFile     = "file"
	inKeychain = "keychain"
)

const noteFormat = 1

// note is what the file says. It holds the key itself if there is no keychain,
// so nothing may print it.
type note struct {
	Format int    `json:"format"`
	Kept   string `json:"kept"`
	Name   string `json:"name,omitempty"` // in the keychain
	Check  string `json:"check"`          // a hash of the key
	Key    []byte `json:"key,omitempty"`  // in the file
	Why    string `json:"why,omitempty"`  // there is a keychain, and the key is not in it
}

// where says where the key is.
func (n *note) where(file string) string {
	switch {
	case n.Kept == inKeychain:
		return "in the keychain"
	case n.Why != "":
		return fmt.Sprintf("in the file %s, because the keychain was not available: %s", file, n.Why)
	}
	return "in the file " + file
}

// checkOf returns a hash that says which key it is, and nothing else about it.
func checkOf(key []byte) (string, error) {
	sum, err := hkdf.Key(sha256.New, key, nil, "authtrip userstore key check", 16)
	return hex.EncodeToString(sum), err
}

// holder finds or makes the key of one folder.
type holder struct {
	dir      *filestore.Store
	path     string
	program  string
	keychain KeySource // or nil
}

func (h *holder) file() string { return filepath.Join(h.path, keyFile) }

// note returns what the file says, and makes the file if this is a new folder.
// A folder with records and without the file is not new.
func (h *holder) note(ctx context.Context) (*note, error) {
	n, err := h.read()
	if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	used, err := h.used(ctx)
	if err != nil {
		return nil, err
	}
	if !used {
		return h.create(ctx)
	}
	// Another process may have made the file since, and written records.
	n, err = h.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing, and the folder has records: bring the file back, or delete the folder and log in again", ErrKey, h.file())
	}
	return n, err
}

// used reports whether the folder has records.
func (h *holder) used(ctx context.Context) (bool, error) {
	for _, err := range h.dir.Keys(ctx) {
		return err == nil, err
	}
	return false, nil
}

// unfinished is how long a file may be incomplete that another process is
// writing, where the file system cannot create complete files.
const unfinished = 2 * time.Second

// read reads the file.
func (h *holder) read() (*note, error) {
	for deadline := time.Now().Add(unfinished); ; {
		text, err := h.bytes()
		if err != nil {
			return nil, err
		}
		n := new(note)
		decoder := json.NewDecoder(bytes.NewReader(text))
		err = decoder.Decode(n)
		switch {
		case err == nil && n.Format == noteFormat && (n.Kept == inFile || n.Kept == inKeychain):
			return n, nil
		case err == nil && n.Format > noteFormat:
			return nil, fmt.Errorf("%w: a later version of the program wrote %s: use that version", ErrKey, h.file())
		case err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || time.Now().After(deadline):
			// The error of the decoder could show a part of the key.
			return nil, fmt.Errorf("%w: %s is damaged: bring it back, or delete the folder and log in again", ErrKey, h.file())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// maxNote bounds the file.
const maxNote = 4 << 10

func (h *holder) bytes() ([]byte, error) {
	// A pipe would let Open wait for ever.
	if info, err := os.Stat(h.file()); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file: bring the file back, or delete the folder and log in again", ErrKey, h.file())
	}
	file, err := os.Open(h.file())
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: others may read %s: if nobody has, make its mode 0600, and otherwise delete the folder and log in again", ErrKey, h.file())
	}
	return io.ReadAll(io.LimitReader(file, maxNote))
}

// create makes a key and the file. If another process makes the file first,
// its key is the one.
func (h *holder) create(ctx context.Context) (*note, error) {
	key := seal.NewKey()
	check, err := checkOf(key)
	if err != nil {
		return nil, err
	}
	n := &note{Format: noteFormat, Kept: inFile, Check: check, Key: key}
	if h.keychain != nil {
		if _, err := ask(ctx, without(h.keychain.Available)); err != nil {
			n.Why = plain(err)
		} else if n, err = h.intoKeychain(ctx, h.keychain, key, check); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	err = h.write(n)
	if err == nil {
		return n, nil
	}
	if n.Kept == inKeychain {
		_ = forget(ctx, h.keychain, n.Name) // nobody will look for it
	}
	if errors.Is(err, fs.ErrExist) {
		return h.read()
	}
	return nil, fmt.Errorf("userstore: %w", err)
}

// intoKeychain keeps the key in the keychain, and reads it back. The name is a
// new one each time, so that two processes do not replace the keys of each
// other.
func (h *holder) intoKeychain(ctx context.Context, keychain KeySource, key []byte, check string) (*note, error) {
	name := h.program + " " + rand.Text()[:16]
	if _, err := ask(ctx, without(func(ctx context.Context) error { return keychain.Keep(ctx, name, bytes.Clone(key)) })); err != nil {
		return nil, keychainFailed(err)
	}
	n := &note{Format: noteFormat, Kept: inKeychain, Name: name, Check: check}
	_, err := h.key(ctx, keychain, n)
	if errors.Is(err, ErrKey) {
		return nil, fmt.Errorf("%w: it does not return what was kept in it", ErrKeychain)
	}
	return n, err
}

// find returns what the file says, and the key. If the key is not where the
// file says, another process may have moved it.
func (h *holder) find(ctx context.Context) (*note, []byte, error) {
	n, err := h.note(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, err := h.key(ctx, h.keychain, n)
	if errors.Is(err, ErrKey) {
		if moved, e := h.read(); e == nil && (moved.Kept != n.Kept || moved.Name != n.Name) {
			n = moved
			key, err = h.key(ctx, h.keychain, n)
		}
	}
	return n, key, err
}

// key returns the key that a note means.
func (h *holder) key(ctx context.Context, keychain KeySource, n *note) ([]byte, error) {
	key := n.Key
	if n.Kept == inKeychain {
		if keychain == nil {
			return nil, fmt.Errorf("%w: the key of %s is in a keychain, and the program uses none now: set Options.Keys, or delete the folder and log in again", ErrKeychain, h.path)
		}
		var err error
		key, err = ask(ctx, func(ctx context.Context) ([]byte, error) { return keychain.Key(ctx, n.Name) })
		if err != nil {
			return nil, fmt.Errorf("%w (the folder is %s)", keychainFailed(err), h.path)
		}
	}
	check, err := checkOf(key)
	if err != nil {
		return nil, err
	}
	if check != n.Check {
		return nil, fmt.Errorf("%w: the key for %s is another one than that which sealed the records: bring that key back, or delete the folder and log in again", ErrKey, h.path)
	}
	return key, nil
}

// plain returns the text of an error for one line.
func plain(err error) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, err.Error())
	return text[:min(len(text), 200)]
}
