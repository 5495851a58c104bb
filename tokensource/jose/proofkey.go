package jose

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource"
)

// proofKey is the key of one grant. What it holds is in closures, so that
// nothing prints it.
type proofKey struct {
	thumbprint, alg string

	header  string // of each proof, in base64url
	stored  func() string
	sign    func(b, input []byte) ([]byte, error)
	servers *servers
}

// key prepares a key. The header of a proof names the public key, so it is the
// same in all proofs of a key: go-jose makes it once, with a proof that is not
// sent.
func (d *DPoP) key(key crypto.Signer, alg string, stored func(thumbprint string) string) (tokensource.ProofKey, error) {
	if alg == "" {
		return nil, errDamaged
	}
	if _, err := fits(key.Public(), alg); err != nil {
		return nil, err
	}
	thumbprint, err := Thumbprint(key.Public())
	if err != nil {
		return nil, err
	}
	sign := signer(key, alg)
	header, err := headerOf(&headerSigner{key.Public(), sign}, alg)
	if err != nil {
		return nil, err
	}
	text := stored(thumbprint)
	return &proofKey{
		thumbprint: thumbprint, alg: alg, header: header, servers: d.servers, sign: sign, stored: func() string { return text },
	}, nil
}

// headerOf returns the header of the proofs of a key (RFC 9449 section 4.2).
func headerOf(key jose.OpaqueSigner, alg string) (string, error) {
	o := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		return "", fmt.Errorf("jose: no proof can be made: %w", err)
	}
	jws, err := signer.Sign([]byte("{}"))
	if err != nil {
		return "", fmt.Errorf("jose: no proof can be made: %w", err)
	}
	proof, err := jws.CompactSerialize()
	header, _, _ := strings.Cut(proof, ".")
	return header, err
}

// headerSigner is a key for go-jose.
type headerSigner struct {
	public crypto.PublicKey
	sign   func(b, input []byte) ([]byte, error)
}

func (s *headerSigner) Public() *jose.JSONWebKey { return &jose.JSONWebKey{Key: s.public} }

func (s *headerSigner) Algs() []jose.SignatureAlgorithm {
	var list []jose.SignatureAlgorithm
	for alg := range algorithms {
		list = append(list, jose.SignatureAlgorithm(alg))
	}
	return list
}

func (s *headerSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.sign(nil, payload)
}

func (k *proofKey) Thumbprint() string { return k.thumbprint }

func (k *proofKey) Stored() string { return k.stored() }

// Method says how the key signs, for the FAPI 2.0 profile of package oauth.
func (k *proofKey) Method() (name, alg string) { return "dpop", k.alg }

// Observe learns the nonce of a server, and how far its clock is from ours.
func (k *proofKey) Observe(target string, resource bool, header http.Header, code string) bool {
	return k.servers.observe(serverOf(target, resource), header, code)
}

// scratch is what one proof needs for a moment.
type scratch struct {
	id   [16]byte // 128 bits of randomness; RFC 9449 section 4.2 demands 96
	ath  [sha256.Size]byte
	text []byte // the claims
	jws  []byte
	sig  []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Prove returns a new proof (RFC 9449 section 4.2).
func (k *proofKey) Prove(_ context.Context, method, target, access string) (string, error) {
	known := k.servers.get(serverOf(target, access != ""))
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	rand.Read(s.id[:]) // never fails (crypto/rand)

	b := append(s.text[:0], `{"jti":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, s.id[:])
	b = appendText(append(b, `","htm":`...), method)
	b = appendText(append(b, `,"htu":`...), target)
	b = strconv.AppendInt(append(b, `,"iat":`...), time.Now().Add(known.ahead).Unix(), 10)
	if access != "" {
		s.ath = sha256.Sum256([]byte(access))
		b = base64.RawURLEncoding.AppendEncode(append(b, `,"ath":"`...), s.ath[:])
		b = append(b, '"')
	}
	if known.nonce != "" {
		b = appendText(append(b, `,"nonce":`...), known.nonce)
	}
	s.text = append(b, '}')

	b = append(append(s.jws[:0], k.header...), '.')
	s.jws = base64.RawURLEncoding.AppendEncode(b, s.text)
	sig, err := k.sign(s.sig[:0], s.jws)
	if err != nil {
		return "", errNotSigned(err)
	}
	s.sig = sig
	s.jws = base64.RawURLEncoding.AppendEncode(append(s.jws, '.'), sig)
	return string(s.jws), nil
}

// errNotSigned is the failure of a key.
func errNotSigned(err error) error {
	if errors.Is(err, tokensource.ErrKeyLost) {
		return err
	}
	return fmt.Errorf("jose: the key did not sign: %w", err)
}

// appendText appends a JSON text. Nearly always, nothing in it needs an escape.
func appendText(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		c := s[i]
		plain = plain && c >= ' ' && c <= '~' && c != '"' && c != '\\'
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	text, _ := json.Marshal(s) // a string can always be written
	return append(b, text...)
}
