package keyring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"github.com/zalando/go-keyring"

	"github.com/authtrip/authtrip/storage/userstore"
)

// account is the user name of all entries. Their service is the name of the
// key, which the user sees in the keychain: it begins with the name of the
// program.
const account = "authtrip"

// A Keychain is the keychain of the system. [New] makes one. It is safe for
// concurrent use.
type Keychain struct{}

var _ userstore.KeySource = (*Keychain)(nil)

// New returns the keychain of the system. Nothing is asked yet.
func New() *Keychain { return new(Keychain) }

// Available implements userstore.KeySource. It starts no program that the
// session does not have, and shows no window.
func (k *Keychain) Available(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return systemAvailable(ctx)
}

// Key implements userstore.KeySource.
func (k *Keychain) Key(ctx context.Context, name string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	text, err := keyring.Get(name, account)
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, fmt.Errorf("keyring: no entry %q: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, failed(err)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		// The error of the decoder would show a byte of the key.
		return nil, fmt.Errorf("keyring: the entry %q holds no key", name)
	}
	return key, nil
}

// Keep implements userstore.KeySource.
func (k *Keychain) Keep(ctx context.Context, name string, key []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed(keyring.Set(name, account, base64.StdEncoding.EncodeToString(key)))
}

// Forget implements userstore.KeySource.
func (k *Keychain) Forget(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := keyring.Delete(name, account)
	if errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return failed(err)
}

// failed returns the error of the keychain.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("keyring: %w", err)
}
