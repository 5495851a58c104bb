package seal

import (
	"context"
	"errors"
	"fmt"
)

// Keys is a ring of keys. The first key seals, and every key opens. The
// cipher is AES-256-GCM with random 96-bit nonces ([NIST SP 800-38D]). The
// package comment says how to replace a key.
//
// A key may seal 2^32 values. After that, the risk that a nonce repeats is no
// longer negligible. At a thousand writes a second that is fifty days: replace
// the key in time.
//
// A Keys is safe for concurrent use. The zero Keys has no key: Seal returns an
// error, and Open returns [ErrUnknownKey].
//
// [NIST SP 800-38D]: https://doi.org/10.6028/NIST.SP.800-38D
type Keys struct {
	ring func() []ringKey // a closure, so that nothing prints the keys
}

var _ Rotator = (*Keys)(nil)

// NewKeys returns a ring of keys of 32 random bytes each. Primary is the key
// that seals. The older keys only open. NewKeys copies the keys. It returns an
// error if a key has another length, is all zero, or is given twice.
func NewKeys(primary []byte, older ...[]byte) (*Keys, error) {
	ring := make([]ringKey, 0, 1+len(older))
	for i, key := range append([][]byte{primary}, older...) {
		k, err := newRingKey(key)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d: %w", i+1, err)
		}
		for j := range ring {
			if ring[j].id == k.id {
				return nil, fmt.Errorf("seal: key %d is key %d again: remove it", i+1, j+1)
			}
		}
		ring = append(ring, k)
	}
	return &Keys{func() []ringKey { return ring }}, nil
}

// Seal implements [AEAD]. The result is 37 bytes longer than plaintext.
func (k *Keys) Seal(_ context.Context, plaintext, associatedData []byte) ([]byte, error) {
	ring := k.keys()
	if len(ring) == 0 {
		return nil, errors.New("seal: Keys without a key: make it with NewKeys or ParseKeys")
	}
	return ring[0].seal(plaintext, associatedData), nil
}

// Open implements [AEAD]. Its errors are [ErrUnknownKey] and [ErrTampered].
func (k *Keys) Open(_ context.Context, sealed, associatedData []byte) ([]byte, error) {
	id, box, ok := split(sealed)
	if !ok {
		return nil, ErrTampered
	}
	for _, key := range k.keys() {
		if key.id == id {
			return key.open(box, associatedData)
		}
	}
	return nil, ErrUnknownKey
}

// Current implements [Rotator]. It reports whether sealed names the first key.
func (k *Keys) Current(sealed []byte) bool {
	ring := k.keys()
	id, _, ok := split(sealed)
	return ok && len(ring) > 0 && ring[0].id == id
}

func (k *Keys) keys() []ringKey {
	if k == nil || k.ring == nil {
		return nil
	}
	return k.ring()
}
