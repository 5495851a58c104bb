// Package oidctest makes ID tokens and logout tokens for tests.
//
// # What it is for
//
// A [Signer] is the part of an authorization server that signs. Give it to
// oauthtest.Options.IDTokens: the fake server then issues ID tokens to apps
// that ask for the scope "openid", and publishes the keys.
//
// # Types
//
// [New] makes a Signer. It has one key for each algorithm that a test names.
// [Signer.Sign] signs any claims, also wrong ones.
//
// # Example
//
//	signer := oidctest.New(t)
//	fake := oauthtest.New(t, &oauthtest.Options{Provider: p, IDTokens: signer})
//
// # Concurrency
//
// A Signer is safe for concurrent use.
//
// # Errors
//
// A Signer that cannot be made ends the test. Sign returns the error of package
// jose.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// LogoutEvent is the name of the event in a logout token ([OpenID Connect
// Back-Channel Logout] section 2.4).
//
// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// A Signer signs tokens with the keys that it publishes. It is safe for
// concurrent use.
type Signer struct {
	mu     sync.Mutex // guards the rest
	alg    jose.SignatureAlgorithm
	key    func() any // private, in a closure, so that nothing prints it
	kid    string
	number int
	public []jose.JSONWebKey
}

// New returns a Signer that signs with ES256.
func New(t testing.TB) *Signer {
	t.Helper()
	s := new(Signer)
	if err := s.Rotate("ES256"); err != nil {
		t.Fatal(err)
	}
	return s
}

// Rotate makes the Signer sign with a new key from now on. The algorithm is
// one of ES256, ES384, ES512, RS256, PS256, EdDSA. The keys before stay
// published until [Signer.Withdraw].
func (s *Signer) Rotate(algorithm string) error {
	private, err := newKey(algorithm)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	s.alg, s.key, s.kid = jose.SignatureAlgorithm(algorithm), func() any { return private }, fmt.Sprintf("key-%d", s.number)
	s.public = append(s.public, jose.JSONWebKey{Key: private.Public(), KeyID: s.kid, Algorithm: algorithm, Use: "sig"})
	return nil
}

func newKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "RS256", "PS256":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("oidctest: no key for the algorithm %q", algorithm)
}

// Withdraw publishes only the key that signs now.
func (s *Signer) Withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.public = s.public[len(s.public)-1:]
}

// JWKS returns the key set that a server publishes.
func (s *Signer) JWKS() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: s.public})
	if err != nil {
		return []byte(`{"keys":[]}`) // cannot happen: the keys are of known types
	}
	return text
}

// IDToken signs the claims of an ID token. If they have no at_hash, the hash of
// the access token is added.
func (s *Signer) IDToken(claims map[string]any, accessToken string) (string, error) {
	if _, ok := claims["at_hash"]; !ok && accessToken != "" {
		claims = maps.Clone(claims)
		claims["at_hash"] = s.hash(accessToken)
	}
	return s.Sign(claims, nil)
}

// hash is the left half of a hash of the size that the algorithm has (OpenID
// Connect Core section 3.1.3.6).
func (s *Signer) hash(accessToken string) string {
	s.mu.Lock()
	alg := string(s.alg)
	s.mu.Unlock()
	h := crypto.SHA512 // also of EdDSA
	switch {
	case strings.HasSuffix(alg, "256"):
		h = crypto.SHA256
	case strings.HasSuffix(alg, "384"):
		h = crypto.SHA384
	}
	sum := h.New()
	sum.Write([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:h.Size()/2])
}

// LogoutToken signs the claims of a logout token ([OpenID Connect Back-Channel
// Logout] section 2.4). The event, the times and a random jti are added where
// the claims lack them. A claim that is nil is left out.
//
// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
func (s *Signer) LogoutToken(claims map[string]any) (string, error) {
	now := time.Now()
	all := map[string]any{
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{LogoutEvent: map[string]any{}},
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return s.Sign(all, map[string]any{"typ": "logout+jwt"})
}

// Sign signs any claims. The header may have further members.
func (s *Signer) Sign(claims, header map[string]any) (string, error) {
	s.mu.Lock()
	alg, key, kid := s.alg, s.key(), s.kid
	s.mu.Unlock()
	o := new(jose.SignerOptions).WithHeader("kid", kid).WithType("JWT")
	for name, value := range header {
		o = o.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}
