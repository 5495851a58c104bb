package tokensource

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/redact"
)

// OAuth2Source is an oauth2.TokenSource seen as a Source.
type OAuth2Source struct{ source oauth2.TokenSource }

// FromOAuth2 makes a Source of what other libraries supply. An oauth2.TokenSource takes no context: a call that hangs in
// it is left behind when the caller's context ends. It cannot be told that a token was rejected, so it is no Renewer.
func FromOAuth2(source oauth2.TokenSource) (*OAuth2Source, error) {
	if source == nil {
		return nil, errors.New("tokensource: nil oauth2.TokenSource")
	}
	return &OAuth2Source{source}, nil
}

// Token returns the source's token, or the context's cause if that comes first.
func (s *OAuth2Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if ctx.Done() == nil {
		return s.source.Token()
	}
	type result struct {
		token *oauth2.Token
		err   error
	}
	ch := make(chan result, 1)
	go func() {
		tok, err := s.source.Token()
		ch <- result{tok, err}
	}()
	select {
	case r := <-ch:
		return r.token, r.err
	case <-ctx.Done():
		return nil, flight.GaveUp(ctx)
	}
}

// Format prints no token, whatever the verb.
func (s *OAuth2Source) Format(f fmt.State, _ rune) { redact.Write(f, "OAuth2Source{}") }

// ToOAuth2 makes an oauth2.TokenSource for libraries that ask for one. Every call of its Token asks source with ctx: keep
// ctx alive for as long as the result is used, and do not wrap it with oauth2.ReuseTokenSource, which would hide renewals.
func ToOAuth2(ctx context.Context, source Source) oauth2.TokenSource {
	return oauth2Source{func() (*oauth2.Token, error) {
		if source == nil {
			return nil, errors.New("tokensource: ToOAuth2 was given a nil Source")
		}
		return source.Token(ctx)
	}}
}

type oauth2Source struct {
	token func() (*oauth2.Token, error)
}

func (s oauth2Source) Token() (*oauth2.Token, error) { return s.token() }

func (s oauth2Source) Format(f fmt.State, _ rune) {
	redact.Write(f, "oauth2.TokenSource of a tokensource.Source")
}
