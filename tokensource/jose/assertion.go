package jose

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// AssertionOptions says how [PrivateKeyJWT] signs. The zero value is right for
// most servers.
type AssertionOptions struct {
	// Algorithm is ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384,
	// RS512 or EdDSA. Empty means ES256, ES384 or ES512 by the curve of the
	// key, PS256 for an RSA key, and EdDSA for an Ed25519 key.
	Algorithm string

	// KeyID is the kid by which the server finds the public key. Empty means
	// the [Thumbprint] of the key, which is also its kid in a [KeySet].
	KeyID string

	// Certificate names the key by x5t#S256, in place of kid, for servers where
	// a certificate is registered, such as Microsoft Entra. Nil means none.
	Certificate *x509.Certificate

	// Type is the typ of the assertion. Empty means
	// "client-authentication+jwt". Some servers know only "JWT".
	Type string
}

const (
	assertionLife = time.Minute
	assertionTyp  = "client-authentication+jwt"

	// An offset between the clocks below the first value is none: a Date header
	// has whole seconds. One above the second value is not believed.
	leastOffset, mostOffset = 5 * time.Second, 15 * time.Minute
)

// PrivateKeyJWT returns the Credential of a client that signs an assertion for
// each request ([RFC 7523] section 3, private_key_jwt of [OpenID Connect]
// section 9). The key is a private key, or a crypto.Signer whose key stays in a
// TPM or a KMS. Nil options mean all defaults.
//
// The assertion is for the issuer of the provider alone, or for
// Provider.AssertionAudience. A provider with neither is refused by oauth.New:
// an audience must not come from an answer of a server. The assertion is valid
// for a minute and has a jti of its own, also if a request is sent again.
//
// If the server refuses the client and its clock differs from ours by up to 15
// minutes, later assertions follow the clock of the server.
//
// It returns an error for an RSA key below 2048 bits, for a curve that JOSE
// does not have, and for an algorithm that does not fit the key.
//
// [OpenID Connect]: https://openid.net/specs/openid-connect-core-1_0.html
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
func PrivateKeyJWT(key crypto.Signer, o *AssertionOptions) (oauth.Credential, error) {
	a, err := newAssertion(key, o)
	if err != nil {
		return oauth.Credential{}, fmt.Errorf("jose: %w", err)
	}
	return oauth.Authentication(authenticator{func() *assertions { return a }}), nil
}

// PrivateKeyJWTFunc is PrivateKeyJWT for a key that may change. The function f
// is called for each request, under the context of the request and concurrently
// with itself. So it must be fast: it should keep what it has opened. An error
// of f, or a key that PrivateKeyJWT would refuse, makes the request fail with
// tokensource.ErrTemporary, and nothing is sent.
//
// Options.Algorithm is required, and KeyID and Certificate are not allowed: the
// kid is the thumbprint of the key.
func PrivateKeyJWTFunc(f func(ctx context.Context) (crypto.Signer, error), o *AssertionOptions) (oauth.Credential, error) {
	switch {
	case f == nil:
		return oauth.Credential{}, errors.New("jose: the function that returns the key is nil")
	case o == nil || o.Algorithm == "":
		return oauth.Credential{}, errors.New("jose: Algorithm is missing: name the algorithm that all keys sign with")
	case o.KeyID != "" || o.Certificate != nil:
		return oauth.Credential{}, errors.New("jose: KeyID and Certificate belong to one key: leave them out")
	}
	options := *o
	a := &assertions{algorithm: o.Algorithm, prepare: func(ctx context.Context) (*signing, error) {
		key, err := f(ctx)
		if err != nil {
			return nil, err
		}
		return options.signing(key)
	}}
	return oauth.Authentication(authenticator{func() *assertions { return a }}), nil
}

// authenticator hides the key from every printer.
type authenticator struct {
	assertions func() *assertions
}

// assertions makes the assertions of one client.
type assertions struct {
	algorithm string
	prepare   func(context.Context) (*signing, error)
	offset    atomic.Int64 // from our clock to the server's, in nanoseconds
}

func newAssertion(key crypto.Signer, o *AssertionOptions) (*assertions, error) {
	if o == nil {
		o = new(AssertionOptions)
	}
	s, err := o.signing(key)
	if err != nil {
		return nil, err
	}
	return &assertions{algorithm: s.algorithm, prepare: func(context.Context) (*signing, error) { return s, nil }}, nil
}

// signing prepares key as o says.
func (o *AssertionOptions) signing(key crypto.Signer) (*signing, error) {
	if _, err := newSigning(key, o.Algorithm, nil); err != nil {
		return nil, err
	}
	headers := map[jose.HeaderKey]any{jose.HeaderType: assertionTyp}
	if o.Type != "" {
		headers[jose.HeaderType] = o.Type
	}
	switch {
	case o.Certificate != nil && o.KeyID != "":
		return nil, errors.New("KeyID and Certificate both name the key: leave one out")
	case o.Certificate != nil && !samePublic(o.Certificate.PublicKey, key.Public()):
		return nil, errors.New("the Certificate is of another key")
	case o.Certificate != nil:
		sum := sha256.Sum256(o.Certificate.Raw)
		headers["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
	case o.KeyID != "":
		headers["kid"] = o.KeyID
	default:
		name, err := Thumbprint(key.Public())
		if err != nil {
			return nil, err
		}
		headers["kid"] = name
	}
	return newSigning(key, o.Algorithm, headers)
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// Authenticate adds a new assertion.
func (a authenticator) Authenticate(ctx context.Context, r *oauth.TokenRequest) error {
	made := a.assertions()
	s, err := made.prepare(ctx)
	if err != nil {
		return err
	}
	now := time.Now().Add(time.Duration(made.offset.Load()))
	text, err := s.sign(map[string]any{
		"iss": r.ClientID, "sub": r.ClientID, "aud": r.Audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return fmt.Errorf("the assertion could not be signed: %w", err)
	}
	r.Form().Set("client_id", r.ClientID)
	r.Form().Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r.Form().Set("client_assertion", text)
	return nil
}

// Check refuses a provider for which no assertion can be made.
func (authenticator) Check(p *provider.Provider) error {
	if p.Issuer == "" && p.AssertionAudience == "" {
		return errors.New("an assertion must be for somebody: set Issuer in the Provider, or AssertionAudience")
	}
	return nil
}

// Method returns the name of the method, and the algorithm.
func (a authenticator) Method() (name, alg string) {
	return "private_key_jwt", a.assertions().algorithm
}

// Observe learns the clock of a server that refuses the client.
func (a authenticator) Observe(_ *oauth.TokenRequest, header http.Header, code string) (again bool) {
	at, err := http.ParseTime(header.Get("Date"))
	if code != "invalid_client" || err != nil {
		return false
	}
	made, offset := a.assertions(), time.Until(at)
	if offset.Abs() < leastOffset {
		offset = 0
	}
	before := time.Duration(made.offset.Load())
	if offset.Abs() > mostOffset || (offset-before).Abs() < leastOffset {
		return false
	}
	made.offset.Store(int64(offset))
	return true
}
