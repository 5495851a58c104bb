package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// algorithm is how a key signs.
type algorithm struct {
	hash  crypto.Hash    // of ECDSA
	curve elliptic.Curve // of ECDSA; nil for the others
}

// algorithms are those of RFC 7518 and RFC 8037 with a public key.
var algorithms = map[string]algorithm{
	"ES256": {crypto.SHA256, elliptic.P256()}, "ES384": {crypto.SHA384, elliptic.P384()}, "ES512": {crypto.SHA512, elliptic.P521()},
	"EdDSA": {}, "RS256": {}, "RS384": {}, "RS512": {}, "PS256": {}, "PS384": {}, "PS512": {},
}

// fits returns the algorithm of a key: alg, or what suits the key if alg is
// empty. It refuses a key that does not sign with alg.
func fits(public crypto.PublicKey, alg string) (string, error) {
	list, err := algorithmsOf(public)
	switch {
	case err != nil:
		return "", fmt.Errorf("jose: DPoP: %w", err)
	case alg == "":
		return string(list[0]), nil
	case !slices.Contains(list, jose.SignatureAlgorithm(alg)):
		return "", fmt.Errorf("jose: DPoP: algorithm %.20q does not fit the key: use one of %v", alg, list)
	}
	return alg, nil
}

// generate makes a key for an algorithm, and returns it as a text too.
func generate(alg string) (crypto.Signer, string, error) {
	var key crypto.Signer
	var err error
	switch known := algorithms[alg]; {
	case known.curve != nil:
		key, err = ecdsa.GenerateKey(known.curve, rand.Reader)
	case alg == "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, minRSA)
	}
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, base64.RawURLEncoding.EncodeToString(der), err
}

// parse is the inverse of generate.
func parse(text string) (crypto.Signer, error) {
	der, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key does not sign")
	}
	return signer, nil
}

// signer returns a function that appends to b the signature of input, in the
// form that JOSE demands.
//
// The signatures are go-jose's, except for the form of ECDSA: its conversion
// costs more allocations than the rest of a proof. See [appendECDSA].
func signer(key crypto.Signer, alg string) func(b, input []byte) ([]byte, error) {
	known := algorithms[alg]
	if known.curve == nil {
		opaque := cryptosigner.Opaque(key)
		return func(b, input []byte) ([]byte, error) {
			sig, err := opaque.SignPayload(input, jose.SignatureAlgorithm(alg))
			return append(b, sig...), err
		}
	}
	size := (known.curve.Params().BitSize + 7) / 8
	return func(b, input []byte) ([]byte, error) {
		h := known.hash.New()
		h.Write(input)
		der, err := key.Sign(rand.Reader, h.Sum(nil), known.hash)
		if err != nil {
			return nil, err
		}
		return appendECDSA(b, der, size)
	}
}

// appendECDSA appends an ECDSA signature as two numbers of size bytes each (RFC
// 7518 section 3.4). A crypto.Signer returns it in ASN.1.
func appendECDSA(b, der []byte, size int) ([]byte, error) {
	var sig struct{ R, S asn1.RawValue }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("jose: the key made a signature that is not in ASN.1")
	}
	for _, n := range [...][]byte{sig.R.Bytes, sig.S.Bytes} {
		for len(n) > size && n[0] == 0 {
			n = n[1:]
		}
		if len(n) > size {
			return nil, errors.New("jose: the key made a signature for another curve")
		}
		for range size - len(n) {
			b = append(b, 0)
		}
		b = append(b, n...)
	}
	return b, nil
}
