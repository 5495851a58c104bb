package tokensource

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/flight"
)

// An OAuth2Source is an oauth2.TokenSource as a [Source]. [FromOAuth2] makes
// one; the zero OAuth2Source cannot be used. It is safe for concurrent use.
type OAuth2Source struct {
	token func() (*oauth2.Token, error) // in a closure, so that nothing prints what source holds
}

// FromOAuth2 makes a Source of what other libraries supply. An
// oauth2.TokenSource has no context: if the caller's context ends, a call that
// hangs goes on in the background. It cannot learn that a token was rejected,
// so the result is no [Renewer].
func FromOAuth2(source oauth2.TokenSource) (*OAuth2Source, error) {
	if source == nil {
		return nil, errors.New("tokensource: nil oauth2.TokenSource")
	}
	return &OAuth2Source{source.Token}, nil
}

// errNoToken is the error for a source of another library that breaks its
// contract.
var errNoToken = errors.New("tokensource: the oauth2.TokenSource returned neither a token nor an error")

// Token returns the token or the error of the source, or the cause of ctx if
// ctx ends first.
func (s *OAuth2Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if ctx.Done() == nil {
		return s.ask()
	}
	type result struct {
		token *oauth2.Token
		err   error
	}
	ch := make(chan result, 1)
	go func() {
		tok, err := s.ask()
		ch <- result{tok, err}
	}()
	select {
	case r := <-ch:
		return r.token, r.err
	case <-ctx.Done():
		return nil, flight.GaveUp(ctx)
	}
}

// ask returns a token or an error, never neither (G19).
func (s *OAuth2Source) ask() (*oauth2.Token, error) {
	tok, err := s.token()
	if tok == nil && err == nil {
		return nil, errNoToken
	}
	return tok, err
}

// ToOAuth2 makes an oauth2.TokenSource for libraries that need one. Each call
// of its Token asks source with ctx. So ctx must not end while the result is
// in use. Do not wrap the result with oauth2.ReuseTokenSource, which would
// hide renewals.
//
// An oauth2.TokenSource is never told that an API has rejected a token. A token
// that was revoked is used until it expires: at X, for up to two hours in which
// every call gets 401. A program that can choose uses package transport, which
// renews such a token. Otherwise it calls [Renewer.Renew] itself after a 401.
//
// After an answer of the authorization server, an error of the source is an
// *oauth2.RetrieveError for errors.As, as libraries expect it.
func ToOAuth2(ctx context.Context, source Source) oauth2.TokenSource {
	return oauth2Source{func() (*oauth2.Token, error) {
		if source == nil {
			return nil, errors.New("tokensource: ToOAuth2 was given a nil Source")
		}
		return source.Token(ctx)
	}}
}

// oauth2Source is a [Source] as an oauth2.TokenSource.
type oauth2Source struct {
	token func() (*oauth2.Token, error)
}

func (s oauth2Source) Token() (*oauth2.Token, error) { return s.token() }
