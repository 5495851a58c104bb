package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/authtrip/authtrip/internal/isnil"
)

// minRSA is the length of the shortest RSA key, in bits (RFC 7518 section 3.3).
const minRSA = 2048

// algorithmsOf returns the algorithms that a public key can be used with. The
// first one is the default.
func algorithmsOf(public crypto.PublicKey) ([]jose.SignatureAlgorithm, error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch {
		case key == nil || key.Curve == nil:
		case key.Curve == elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}, nil
		case key.Curve == elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}, nil
		case key.Curve == elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}, nil
		}
		return nil, errors.New("an ECDSA key must be on the curve P-256, P-384 or P-521")
	case *rsa.PublicKey:
		if key == nil || key.N == nil || key.N.BitLen() < minRSA {
			return nil, fmt.Errorf("an RSA key must have at least %d bits", minRSA)
		}
		return []jose.SignatureAlgorithm{jose.PS256, jose.PS384, jose.PS512, jose.RS256, jose.RS384, jose.RS512}, nil
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, nil
	}
	return nil, fmt.Errorf("a %T signs nothing that JOSE has: use a key for ECDSA, RSA or Ed25519", public)
}

// signing is a key that is ready to sign.
type signing struct {
	signer    jose.Signer
	algorithm string
}

// newSigning prepares key to sign with an algorithm, and headers. An empty
// algorithm means the first one that fits the key.
func newSigning(key crypto.Signer, algorithm string, headers map[jose.HeaderKey]any) (*signing, error) {
	if isnil.Value(key) {
		return nil, errors.New("the key is nil")
	}
	fit, err := algorithmsOf(key.Public())
	if err != nil {
		return nil, err
	}
	if algorithm == "" {
		algorithm = string(fit[0])
	}
	if !slices.Contains(fit, jose.SignatureAlgorithm(algorithm)) {
		return nil, fmt.Errorf("algorithm %q does not fit the key: use one of %v", algorithm, fit)
	}
	var private any = key
	switch key.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
	default:
		private = cryptosigner.Opaque(key)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: private}, &jose.SignerOptions{ExtraHeaders: headers})
	if err != nil {
		return nil, fmt.Errorf("the key cannot be used with %s", algorithm)
	}
	return &signing{signer, algorithm}, nil
}

// sign returns claims as a signed JWT.
func (s *signing) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := s.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
