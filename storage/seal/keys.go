package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// A sealed value: one byte of format, the id of the key, then nonce, ciphertext and tag.
const (
	keySize      = 32
	keyIDSize    = 8
	sealedFormat = 1
	sealedPrefix = 1 + keyIDSize
)

// Keys is a key ring: the first key seals, all of them open (AES-256-GCM, NIST SP 800-38D, with random 96-bit nonces). To
// replace a key, give every process the new one, behind the old one; then put it first; call Reseal once every process has
// it there; and then leave out the old one.
//
// A key may seal 2^32 values; beyond, the risk that a nonce repeats is no longer negligible. At a thousand writes a
// second that is fifty days: replace the key in time.
//
// Keys is safe for concurrent use, and prints as REDACTED.
type Keys struct {
	// Behind a pointer, so that fmt shows an address inside a struct that it prints without Format.
	ring *[]ringKey
}

type ringKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// NewKeys returns a ring of keys of 32 random bytes each. Primary seals and opens; older ones only open. It copies the
// keys, and refuses those that are of another length, all zero, or given twice.
func NewKeys(primary []byte, older ...[]byte) (*Keys, error) {
	ring := make([]ringKey, 0, 1+len(older))
	for i, key := range append([][]byte{primary}, older...) {
		k, err := newRingKey(key)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d: %w", i+1, err)
		}
		for j := range ring {
			if ring[j].id == k.id {
				return nil, fmt.Errorf("seal: key %d is key %d again: leave it out", i+1, j+1)
			}
		}
		ring = append(ring, k)
	}
	return &Keys{&ring}, nil
}

// NewKey returns 32 random bytes: a key for NewKeys.
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}

func newRingKey(key []byte) (ringKey, error) {
	if len(key) != keySize {
		return ringKey{}, fmt.Errorf("%d bytes long, not %d: make one with NewKey, or `openssl rand -base64 32`", len(key), keySize)
	}
	if [keySize]byte(key) == [keySize]byte{} {
		return ringKey{}, errors.New("all zero: make one with NewKey, or `openssl rand -base64 32`")
	}
	id, err := hkdf.Key(sha256.New, key, nil, "authtrip storage key id", keyIDSize)
	if err != nil {
		return ringKey{}, err
	}
	// The id is public, so the key that encrypts is one of its own.
	secret, err := hkdf.Key(sha256.New, key, nil, "authtrip storage aes-256-gcm", keySize)
	if err != nil {
		return ringKey{}, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return ringKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return ringKey{[keyIDSize]byte(id), aead}, err
}

// Seal implements AEAD. The result is 37 bytes longer than plaintext.
func (k *Keys) Seal(_ context.Context, plaintext, associatedData []byte) ([]byte, error) {
	ring := k.keys()
	if len(ring) == 0 {
		return nil, errors.New("seal: Keys without a key: make it with NewKeys or ParseKeys")
	}
	first := &ring[0]
	out := make([]byte, 0, sealedPrefix+len(plaintext)+first.aead.Overhead())
	out = append(out, sealedFormat)
	out = append(out, first.id[:]...)
	return first.aead.Seal(out, nil, plaintext, associatedData), nil
}

// Open implements AEAD. It returns ErrUnknownKey or ErrTampered.
func (k *Keys) Open(_ context.Context, sealed, associatedData []byte) ([]byte, error) {
	if len(sealed) < sealedPrefix || sealed[0] != sealedFormat {
		return nil, ErrTampered
	}
	id := [keyIDSize]byte(sealed[1:sealedPrefix])
	for _, key := range k.keys() {
		if key.id != id {
			continue
		}
		plaintext, err := key.aead.Open(nil, nil, sealed[sealedPrefix:], associatedData)
		if err != nil {
			return nil, ErrTampered
		}
		return plaintext, nil
	}
	return nil, ErrUnknownKey
}

// Current implements Rotator: it reports whether sealed names the first key.
func (k *Keys) Current(sealed []byte) bool {
	ring := k.keys()
	return len(ring) > 0 && len(sealed) >= sealedPrefix && sealed[0] == sealedFormat &&
		ring[0].id == [keyIDSize]byte(sealed[1:sealedPrefix])
}

func (k *Keys) keys() []ringKey {
	if k == nil || k.ring == nil {
		return nil
	}
	return *k.ring
}

// String returns "REDACTED".
func (k *Keys) String() string { return "REDACTED" }

// Format prints REDACTED for every verb.
func (k *Keys) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, k.String()) // fmt.State keeps no error to report
}

// LogValue returns "REDACTED".
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON returns "REDACTED", as a JSON string.
func (k *Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + k.String() + `"`), nil }
