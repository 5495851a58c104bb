package tokensource

import (
	"context"
	"sync/atomic"

	"golang.org/x/oauth2"
)

// SubjectSource is a Grants narrowed to one subject: for a bot, a service account, a command line tool. It ignores the
// subject of the context, and is safe for concurrent use.
type SubjectSource struct {
	grants  *Grants
	subject string
	place   atomic.Pointer[entry] // where the cache keeps the subject; an emptied place is looked up anew
}

var (
	_ Renewer  = (*SubjectSource)(nil)
	_ Originer = (*SubjectSource)(nil)
)

// Source returns the tokens of one subject.
func (g *Grants) Source(subject string) *SubjectSource {
	return &SubjectSource{grants: g, subject: subject}
}

// Token returns a valid access token of the subject; see Grants.Token.
func (s *SubjectSource) Token(ctx context.Context) (*oauth2.Token, error) {
	if c := s.grants.cache.fresh(s.place.Load()); c != nil {
		return c.token, nil
	}
	tok, err := s.grants.token(ctx, s.subject)
	s.place.Store(s.grants.cache.find(s.subject))
	return tok, err
}

// Authorization returns what Token does, and the value of the Authorization header that carries it; see
// Grants.Authorization.
func (s *SubjectSource) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	if c := s.grants.cache.fresh(s.place.Load()); c != nil {
		return c.token, c.auth, nil
	}
	return authorization(s.Token(ctx))
}

// Renew returns a token of the subject other than rejected; see Renewer.
func (s *SubjectSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	return s.grants.renewRejected(ctx, s.subject, rejected)
}

// APIOrigins returns the origins of the provider's API.
func (s *SubjectSource) APIOrigins() []string { return s.grants.APIOrigins() }
