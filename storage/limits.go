package storage

import (
	"context"
	"errors"
	"fmt"
)

const (
	// MaxKey is the length of the longest key, in bytes.
	MaxKey = 128

	// MaxValue is the length of the longest value, in bytes.
	MaxValue = 1 << 20

	// MaxSealed is the length of the longest value that a store below Sealed keeps: a value of MaxValue still fits when it
	// is sealed.
	MaxSealed = MaxValue + 4<<10
)

var (
	// ErrBadKey means that a key is not 1 to 128 bytes of [A-Za-z0-9._-].
	ErrBadKey = errors.New("storage: bad key")

	// ErrTooLarge means that a value is longer than MaxValue.
	ErrTooLarge = errors.New("storage: value too large")
)

// CheckKey returns an error that wraps ErrBadKey unless key is one that a Store takes. A store calls it before anything
// else. The error does not show the key: what is no key may be a secret that was passed by mistake.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: %d bytes long, not 1 to %d: hash what is longer", ErrBadKey, len(key), MaxKey)
	}
	for i := range len(key) {
		if !keyByte(key[i]) {
			return fmt.Errorf("%w: byte %d is not one of [A-Za-z0-9._-]: encode or hash it", ErrBadKey, i)
		}
	}
	return nil
}

func keyByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-'
}

// CheckValue returns an error that wraps ErrTooLarge if value is too long for a Store that keeps bytes: one that may
// stand below Sealed. Such a store takes 4 KiB more than MaxValue, so that a value of MaxValue fits when it is sealed.
func CheckValue(value []byte) error {
	return checkLength(value, MaxSealed)
}

func checkLength(value []byte, most int) error {
	if len(value) > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(value), most)
	}
	return nil
}

// ended returns nil, or the error of a method whose ctx has ended.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("storage: %w", context.Cause(ctx))
}

// CheckCall returns why a method of a Store cannot answer a call with this ctx and key: an error of CheckKey, or one that
// wraps context.Cause(ctx) if ctx has ended. It returns nil if the method may go on.
func CheckCall(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return ended(ctx)
}

// YieldKeys yields keys until ctx ends, with an error that wraps its cause, or until yield returns false. A store whose
// Keys reads all keys first ends with it.
func YieldKeys(ctx context.Context, keys []string, yield func(string, error) bool) {
	for _, key := range keys {
		if err := ended(ctx); err != nil {
			yield("", err)
			return
		}
		if !yield(key, nil) {
			return
		}
	}
}
