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

	// MaxSealed is the length of the longest value that a backend keeps. It
	// exceeds MaxValue by the 4 KiB that sealing may add.
	MaxSealed = MaxValue + 4<<10
)

var (
	// ErrBadKey means that a key is not 1 to 128 bytes of [A-Za-z0-9._-].
	ErrBadKey = errors.New("storage: bad key")

	// ErrTooLarge means that a value is too long.
	ErrTooLarge = errors.New("storage: value too large")
)

// CheckCall returns the error of a Store's method for ctx and key: that of
// [CheckKey], or one that wraps context.Cause(ctx) if ctx has ended. It
// returns nil if the method may proceed.
func CheckCall(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return ended(ctx)
}

// CheckKey returns an error that wraps [ErrBadKey] unless a Store accepts key.
// A store calls it before anything else.
//
// The error does not contain the key. A string that is not a key may be a
// secret that the caller passed by mistake.
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

// CheckValue returns an error that wraps [ErrTooLarge] if value is longer than
// [MaxSealed]. A backend calls it in Put. The store that [Sealed] returns
// accepts at most [MaxValue], so a backend can always keep the sealed value.
func CheckValue(value []byte) error {
	return checkLength(value, MaxSealed)
}

func checkLength(value []byte, most int) error {
	if len(value) > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(value), most)
	}
	return nil
}

// ended returns the error of a method whose ctx has ended, otherwise nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("storage: %w", context.Cause(ctx))
}

// YieldKeys calls yield with each of keys, until yield returns false. If ctx
// ends, it yields an error that wraps context.Cause(ctx) and returns. It is
// for a [Lister] that reads all keys before it yields the first.
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
