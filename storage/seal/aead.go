package seal

import (
	"context"
	"errors"
	"fmt"
)

// Errors of opening a sealed value.
var (
	// ErrUnsealed means that a value cannot be opened now or later: asking again does not help. ErrUnknownKey and
	// ErrTampered match it. An AEAD returns any other error when it cannot be asked now.
	ErrUnsealed = errors.New("seal: value cannot be opened")

	// ErrUnknownKey means that a value was sealed with a key that is not in the ring: it was retired too early, or the
	// value comes from elsewhere.
	ErrUnknownKey = fmt.Errorf("%w: it was sealed with a key that is not in the ring", ErrUnsealed)

	// ErrTampered means that a value was changed after it was sealed, or was sealed for another place, or is not a
	// sealed value at all.
	ErrTampered = fmt.Errorf("%w: it was changed, or sealed for another place, or never sealed", ErrUnsealed)
)

// AEAD seals values: authenticated encryption with associated data. Keys implements it; so can a key management service,
// which is why there is a context. Implementations are safe for concurrent use and keep none of the slices.
type AEAD interface {
	// Seal encrypts plaintext and binds it to associatedData, which is not part of the result. The result is at most
	// 4 KiB longer than plaintext.
	Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)

	// Open returns what was sealed. An error that wraps ErrUnsealed means that it never will.
	Open(ctx context.Context, sealed, associatedData []byte) ([]byte, error)
}

// Rotator is an AEAD that knows which values it would now seal otherwise. Optional: without it, Reseal rewrites
// everything.
type Rotator interface {
	AEAD

	// Current reports whether sealed was sealed with the key that Seal uses now.
	Current(sealed []byte) bool
}
