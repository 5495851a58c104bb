package seal

import (
	"context"
	"errors"
	"fmt"
)

// Errors of opening a sealed value.
var (
	// ErrUnsealed means that a value cannot be opened, now or later. Repeating
	// the call does not help. [ErrUnknownKey] and [ErrTampered] match it.
	ErrUnsealed = errors.New("seal: value cannot be opened")

	// ErrUnknownKey means that a value was sealed with a key that is not in
	// the ring. Either that key was removed too early, or the value comes from
	// another program.
	ErrUnknownKey = fmt.Errorf("%w: it was sealed with a key that is not in the ring", ErrUnsealed)

	// ErrTampered means that a value was changed after it was sealed, that it
	// was sealed for another place, or that it is not a sealed value at all.
	ErrTampered = fmt.Errorf("%w: it was changed, or sealed for another place, or never sealed", ErrUnsealed)
)

// AEAD seals values: authenticated encryption with associated data
// ([RFC 5116]). Implementations are safe for concurrent use and keep none of
// the slices.
//
// [RFC 5116]: https://www.rfc-editor.org/rfc/rfc5116
type AEAD interface {
	// Seal encrypts plaintext and binds it to associatedData, which is not
	// part of the result. The result is at most 4 KiB longer than plaintext.
	Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)

	// Open returns the plaintext of sealed. An error that wraps [ErrUnsealed]
	// means that this value can never be opened. Any other error means that
	// the AEAD cannot answer now.
	Open(ctx context.Context, sealed, associatedData []byte) ([]byte, error)
}

// Rotator is an AEAD that knows whether a value is sealed with its current
// key. It is optional: without it, storage.Reseal seals every record again.
type Rotator interface {
	AEAD

	// Current reports whether sealed was sealed with the key that Seal uses
	// now.
	Current(sealed []byte) bool
}
