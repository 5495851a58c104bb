package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Credential is what a confidential client authenticates with ([RFC 6749]
// section 2.3). [Secret], [SecretFunc], [AssertionFile], [AssertionFunc],
// [MutualTLS] and [Authentication] make one. The zero Credential is that of a
// public client, which has none.
//
// The secret is in a closure. So no verb of package fmt, no encoder and no
// logger shows it, also not when they print a struct that contains the
// Credential.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
type Credential struct {
	fixed func() string                         // of Secret
	ask   func(context.Context) (string, error) // of SecretFunc
	by    func() Authenticator                  // of Authentication
}

// Secret returns the Credential of a client whose secret does not change. An
// empty secret gives the zero Credential. The provider's ClientAuth decides how
// the secret is sent.
func Secret(secret string) Credential {
	if secret == "" {
		return Credential{}
	}
	return Credential{fixed: func() string { return secret }}
}

// SecretFunc returns the Credential of a client whose secret may change, for
// example because it is in a file that is replaced. The Client calls f for
// each request, under the context of the request and concurrently with itself.
// So f must be fast: it should keep what it has read.
//
// If the server refuses the client, f is called once more. If it then returns
// another secret, the request is sent again, unless it contains a credential
// that can be used once only, such as a code or a refresh token. Those are
// sent with the new secret at the next attempt.
//
// An error of f, an empty secret, or one with bytes that no secret has, makes
// the request fail with tokensource.ErrTemporary. Nothing is sent then. A nil f
// gives the zero Credential.
func SecretFunc(f func(ctx context.Context) (string, error)) Credential {
	return Credential{ask: f}
}

// Authentication returns the Credential of a client that a authenticates, by a
// method that this package does not have. The provider's ClientAuth has no
// effect on it. A nil Authenticator gives the zero Credential. [New] refuses
// the Credential of a nil pointer in the interface.
//
// A signed assertion, as jose.PrivateKeyJWT makes it, and [MutualTLS] are
// better than a secret where the server takes them, since nothing in a request
// can be used again ([RFC 9700] section 2.5).
//
// [RFC 9700]: https://www.rfc-editor.org/rfc/rfc9700
func Authentication(a Authenticator) Credential {
	if a == nil {
		return Credential{}
	}
	return Credential{by: func() Authenticator { return a }}
}

// IsZero reports whether c is the Credential of a public client.
func (c Credential) IsZero() bool {
	return c.fixed == nil && c.ask == nil && c.by == nil
}

// check refuses a secret that cannot be right, and an Authenticator that would
// panic.
func (c Credential) check(p *provider.Provider) error {
	switch {
	case c.fixed != nil:
		return checkSecret(c.fixed())
	case c.by == nil:
		return nil
	case isnil.Value(c.by()):
		return errors.New("the Authenticator is a nil pointer: make one, or leave Credential out for a public client")
	}
	switch by := c.by().(type) {
	case interface{ check() error }:
		return by.check()
	case interface {
		Check(p *provider.Provider) error
	}:
		return by.Check(p)
	}
	return nil
}

// method returns how a client with c authenticates at p, by the names of RFC
// 7591 section 2, and the algorithm with which it signs. An empty name means
// that the Authenticator does not say.
func (c Credential) method(p *provider.Provider) (name, alg string) {
	switch {
	case c.by != nil:
		if m, ok := c.by().(interface{ Method() (name, alg string) }); ok {
			return m.Method()
		}
		return "", ""
	case c.IsZero():
		return "none", ""
	case p.ClientAuth == provider.Post:
		return "client_secret_post", ""
	}
	return "client_secret_basic", ""
}

func checkSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("the client secret is empty")
	case !ascii.Text(secret):
		return errors.New("the client secret has a space at an end, a line break or another character that no secret has: trim what was read from a file")
	}
	return nil
}

// current returns the secret to send now. It is empty if there is none.
func (c Credential) current(ctx context.Context) (string, error) {
	if c.fixed != nil {
		return c.fixed(), nil
	}
	if c.ask == nil {
		return "", nil
	}
	secret, err := c.ask(ctx)
	if err == nil {
		err = checkSecret(secret)
	}
	if err != nil {
		return "", fmt.Errorf("SecretFunc: %w", err)
	}
	return secret, nil
}

// changed returns the secret to send after the server refused old. It reports
// whether there is one that differs from old.
func (c Credential) changed(ctx context.Context, old string) (string, bool) {
	if c.ask == nil {
		return "", false
	}
	secret, err := c.current(ctx)
	return secret, err == nil && secret != old
}
