package seal

import "context"

// Live is an AEAD whose keys can be replaced while the program runs. It calls
// the function for each value, and uses the ring that it returns. The function
// must be safe for concurrent use and return at once, such as the Load method
// of an atomic.Pointer[Keys] that is stored again when the keys have changed. A
// nil ring has no key, see [Keys].
type Live func() *Keys

var _ Rotator = Live(nil)

// Seal implements [AEAD].
func (l Live) Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	return l.keys().Seal(ctx, plaintext, associatedData)
}

// Open implements [AEAD].
func (l Live) Open(ctx context.Context, sealed, associatedData []byte) ([]byte, error) {
	return l.keys().Open(ctx, sealed, associatedData)
}

// Current implements [Rotator].
func (l Live) Current(sealed []byte) bool { return l.keys().Current(sealed) }

func (l Live) keys() *Keys {
	if l == nil {
		return nil
	}
	return l()
}
