package derived

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// A Source supplies tokens that the program asks for whenever it needs one. It
// is a tokensource.Renewer, a tokensource.Scoper and a
// tokensource.RequestAuthorizer. The functions of this package make one; the
// zero Source cannot be used. It is safe for concurrent use.
type Source struct {
	about.Server
	proving.Authorizer
	state func() *state // in a closure, so that nothing prints the tokens
}

var (
	_ tokensource.Renewer           = (*Source)(nil)
	_ tokensource.Scoper            = (*Source)(nil)
	_ tokensource.Describer         = (*Source)(nil)
	_ tokensource.RequestAuthorizer = (*Source)(nil)
	_ bearer.Readier                = (*Source)(nil)
)

// newSource returns a source whose tokens grant asks for. The parent and the
// actor are nil for tokens that need no other token.
func newSource(client *oauth.Client, parent, actor tokensource.Source, grant ask) *Source {
	st := newState(client, parent, actor, grant)
	s := &Source{Server: about.Of(client.Provider()), state: func() *state { return st }}
	s.Authorizer = proving.For(s.Token)
	return s
}

// Token returns the token, for the subject that ctx names if the source has
// another source below it. A token that will soon expire is still served while
// a new one is fetched. It returns a [*tokensource.Error], or what the source
// below it returns: ErrClient if the credentials or the assertion were refused,
// ErrReauthorize if the token of a user was refused, ErrTemporary otherwise.
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	h, err := s.state().current(ctx)
	if err != nil {
		return nil, err
	}
	return h.token, nil
}

// Renew returns a token other than rejected. It asks the server only if
// rejected is still the current token. The source below, if there is one and it
// is a tokensource.Renewer, renews its token first, once. If the server returns
// the same token again, as X does until the token is invalidated, the error is
// tokensource.ErrJustRenewed.
//
// If the API rejects what a renewal has brought, the next renewal has to wait:
// 10 seconds at first, and up to 10 minutes if renewals go on to be of no help
// (G9). Until then the error is tokensource.ErrJustRenewed too.
func (s *Source) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil {
		return nil, errors.New("derived: Renew needs the token that was rejected")
	}
	h, err := s.state().renew(ctx, rejected.AccessToken)
	switch {
	case err != nil:
		return nil, err
	case h.token.AccessToken == rejected.AccessToken:
		return nil, tokensource.ErrJustRenewed
	}
	return h.token, nil
}
