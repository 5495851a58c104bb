package grant

import (
	"context"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/tokensource"
)

// Source is a Keeper narrowed to one subject: for a bot, a service account, a command line tool. It ignores the
// subject of the context, and is safe for concurrent use.
type Source struct {
	keeper  *Keeper
	subject string
	place   atomic.Pointer[entry] // where the cache keeps the subject; an emptied place is looked up anew
}

var (
	_ tokensource.Renewer = (*Source)(nil)
	_ tokensource.Scoper  = (*Source)(nil)
)

// Source returns the tokens of one subject.
func (k *Keeper) Source(subject string) *Source {
	return &Source{keeper: k, subject: subject}
}

// Token returns a valid access token of the subject; see Keeper.Token.
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if c := s.keeper.cache.fresh(s.place.Load()); c != nil {
		return c.token, nil
	}
	tok, err := s.keeper.token(ctx, s.subject)
	s.place.Store(s.keeper.cache.find(s.subject))
	return tok, err
}

// authorization returns what Token does, and the value of the Authorization
// header that carries the token.
func (s *Source) authorization(ctx context.Context) (*oauth2.Token, string, error) {
	if c := s.keeper.cache.fresh(s.place.Load()); c != nil {
		return c.token, c.auth, nil
	}
	return withHeader(s.Token(ctx))
}

// Renew returns a token of the subject other than rejected; see tokensource.Renewer.
func (s *Source) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	return s.keeper.renewRejected(ctx, s.subject, rejected)
}

// APIOrigins returns the origins of the provider's API.
func (s *Source) APIOrigins(tok *oauth2.Token) []string { return s.keeper.APIOrigins(tok) }

// Endpoints returns the authorization server's own endpoints.
func (s *Source) Endpoints() []string { return s.keeper.Endpoints() }

// ReadyFor returns the header values that the Keeper stores beside the tokens.
// It is for package transport: its result type is internal.
func (s *Source) ReadyFor(src any) bearer.Ready {
	if src != any(s) {
		return nil
	}
	return sourceReady{s}
}

type sourceReady struct{ s *Source }

func (r sourceReady) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	return r.s.authorization(ctx)
}
