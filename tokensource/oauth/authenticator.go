package oauth

import (
	"context"
	"encoding/base64"
	"net/url"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// An Authenticator authenticates a client in one request to the authorization
// server ([RFC 6749] section 2.3), for example with an assertion ([RFC 7523]).
//
// Authenticate adds parameters to the form of r or headers to it. It is called
// for each request, under the context of the request and concurrently with
// itself. After an error nothing is sent, and the call fails with
// tokensource.ErrTemporary. An Authenticator must not keep r.
//
// An Authenticator may have further methods:
//
//   - Check(p *provider.Provider) error refuses, in [New], a provider where it
//     cannot work.
//   - Method() (name, alg string) returns the name of the method as [RFC 7591]
//     section 2 has it, such as "private_key_jwt", and the algorithm with which
//     it signs, or an empty one. Options.FAPI2 needs it.
//   - Observe(r *TokenRequest, header http.Header, code string) (again bool)
//     sees the headers of each answer to r, and its error code or an empty one.
//     It reports whether the server refused the request only because of the
//     authentication, and would take the next one. A request without a
//     single-use credential is then sent once more.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
type Authenticator interface {
	Authenticate(ctx context.Context, r *TokenRequest) error
}

// authenticator returns the one method by which the client authenticates. A
// second method in the same request is an error ([RFC 6749] section 2.3). The
// secret of the client is a parameter, because it may change.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) authenticator(secret string) Authenticator {
	if by := c.registration.Credential.by; by != nil {
		return by()
	}
	if secret == "" && c.provider.PublicBasic {
		return basic{"", url.QueryEscape}
	}
	if secret == "" {
		return none{}
	}
	switch c.provider.ClientAuth {
	case provider.Post:
		return post{secret}
	case provider.BasicRaw:
		return basic{secret, func(s string) string { return s }}
	default:
		return basic{secret, url.QueryEscape}
	}
}

// authenticatorOf returns how a call is authenticated, which at some servers is
// not as at the token endpoint.
func (c *Client) authenticatorOf(how how, secret string) Authenticator {
	switch how.auth {
	case "basic":
		return basic{secret, url.QueryEscape}
	case "id":
		return none{}
	case "none":
		return nobody{}
	case "secret":
		return secretAlone{secret}
	case "token":
		return bearer{how.token}
	}
	return c.authenticator(secret)
}

// nobody does not say who sends a request.
type nobody struct{}

func (nobody) Authenticate(context.Context, *TokenRequest) error { return nil }

// bearer is the owner of a token.
type bearer struct{ token string }

func (b bearer) Authenticate(_ context.Context, r *TokenRequest) error {
	r.Header().Set("Authorization", "Bearer "+b.token)
	return nil
}

// none names a public client, which has no secret.
type none struct{}

func (none) Authenticate(_ context.Context, r *TokenRequest) error {
	r.Form().Set("client_id", r.ClientID)
	return nil
}

// basic sends client ID and secret in the Authorization header. They are
// encoded first: RFC 6749 section 2.3.1 demands the encoding of forms, and
// some servers do not decode it.
type basic struct {
	secret string
	encode func(string) string
}

func (b basic) Authenticate(_ context.Context, r *TokenRequest) error {
	pair := b.encode(r.ClientID) + ":" + b.encode(b.secret)
	r.Header().Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	return nil
}

// post sends client ID and secret in the body.
type post struct{ secret string }

func (p post) Authenticate(_ context.Context, r *TokenRequest) error {
	r.Form().Set("client_id", r.ClientID)
	r.Form().Set("client_secret", p.secret)
	return nil
}
