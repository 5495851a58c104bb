package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// A sealed value is one byte of format, the ID of the key, the nonce, the
// ciphertext and the tag.
const (
	keySize      = 32
	keyIDSize    = 8
	sealedFormat = 1
	sealedPrefix = 1 + keyIDSize
)

type keyID [keyIDSize]byte

// ringKey is one key of a ring.
type ringKey struct {
	id   keyID
	aead cipher.AEAD
}

// NewKey returns 32 random bytes: a key for [NewKeys].
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}

// newRingKey derives an ID and an encryption key from key ([RFC 5869]). The ID
// stands in every sealed value, so it must not depend on the encryption key.
//
// [RFC 5869]: https://www.rfc-editor.org/rfc/rfc5869
func newRingKey(key []byte) (ringKey, error) {
	if err := checkKey(key); err != nil {
		return ringKey{}, err
	}
	id, err := hkdf.Key(sha256.New, key, nil, "authtrip seal key id", keyIDSize)
	if err != nil {
		return ringKey{}, err
	}
	secret, err := hkdf.Key(sha256.New, key, nil, "authtrip seal aes-256-gcm", keySize)
	if err != nil {
		return ringKey{}, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return ringKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return ringKey{keyID(id), aead}, err
}

func checkKey(key []byte) error {
	const advice = "make one with NewKey, or `openssl rand -base64 32`"
	if len(key) != keySize {
		return fmt.Errorf("%d bytes long, not %d: %s", len(key), keySize, advice)
	}
	if [keySize]byte(key) == [keySize]byte{} {
		return errors.New("all zero: " + advice)
	}
	return nil
}

// seal returns the sealed value of plaintext.
func (k *ringKey) seal(plaintext, associatedData []byte) []byte {
	out := make([]byte, 0, sealedPrefix+len(plaintext)+k.aead.Overhead())
	out = append(out, sealedFormat)
	out = append(out, k.id[:]...)
	return k.aead.Seal(out, nil, plaintext, associatedData)
}

// open returns the plaintext of box, which is a sealed value without format
// and ID.
func (k *ringKey) open(box, associatedData []byte) ([]byte, error) {
	plaintext, err := k.aead.Open(nil, nil, box, associatedData)
	if err != nil {
		return nil, ErrTampered
	}
	return plaintext, nil
}

// split returns the parts of a sealed value: the ID of the key, and the nonce
// with the ciphertext and the tag. It reports false if sealed does not have
// that form.
func split(sealed []byte) (id keyID, box []byte, ok bool) {
	if len(sealed) < sealedPrefix || sealed[0] != sealedFormat {
		return keyID{}, nil, false
	}
	return keyID(sealed[1:sealedPrefix]), sealed[sealedPrefix:], true
}
