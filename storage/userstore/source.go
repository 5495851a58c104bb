package userstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A KeySource keeps keys in a keychain of the system. Package keyring has one.
// Implementations are safe for concurrent use. Errors contain no key.
//
// Open waits for each method for a minute at most: a keychain may ask the user
// for a password.
type KeySource interface {
	// Available returns nil if keys can be kept here, and otherwise an error that
	// says why not: there is no keychain, or nobody could unlock it. It asks
	// nobody for a password.
	Available(ctx context.Context) error

	// Key returns the key that was kept under a name. If the keychain has none,
	// the error wraps fs.ErrNotExist.
	Key(ctx context.Context, name string) ([]byte, error)

	// Keep keeps a key under a name, in place of another one.
	Keep(ctx context.Context, name string, key []byte) error

	// Forget deletes the key under a name.
	Forget(ctx context.Context, name string) error
}

// Why a store has no key. The text says what to do. Nothing was changed.
var (
	// ErrKeychain means that the keychain gives no key now: it is locked, it
	// cannot be reached from here, or it does not answer.
	ErrKeychain = errors.New("userstore: the keychain gives no key now")

	// ErrKey means that the key which sealed the records is lost, that another key
	// is in its place, or that others may have read it.
	ErrKey = errors.New("userstore: the key of the store cannot be used")
)

// patience bounds one call of a keychain, which may ask the user for a
// password.
const patience = time.Minute

var errLate = fmt.Errorf("it has not answered within %v", patience)

// ask calls the keychain, and waits no longer than patience, whatever the
// keychain does.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		value, err := call(ctx)
		done <- result{value, err}
	}()
	var none T
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			return none, context.Cause(ctx)
		}
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// without makes a call of a method that returns no value.
func without(call func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) }
}

// keychainFailed returns the error for a failure of the keychain.
func keychainFailed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the keychain has no such key: the folder is of another user or machine, "+
			"or the key was deleted: bring the key back, or delete the folder and log in again", ErrKey)
	}
	return fmt.Errorf("%w: %w: unlock it, or run the program where the keychain can be reached", ErrKeychain, err)
}
