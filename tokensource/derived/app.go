package derived

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// AppCredentials are what an app authenticates with for itself, without a
// user. At X they are the API key and the API key secret, and not the OAuth
// 2.0 client ID and its secret.
type AppCredentials struct {
	ID         string           // required
	Credential oauth.Credential // required: oauth.Secret, oauth.SecretFunc or oauth.Authentication
	Scopes     []string         // what to ask for; empty means that the server chooses
}

// An AppSource supplies an app's own access token ([RFC 6749] section 4.4). It
// is a tokensource.Renewer and a tokensource.Scoper. [NewAppSource] makes one;
// the zero AppSource cannot be used. It is safe for concurrent use.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
type AppSource struct {
	state func() *appState // in a closure, so that nothing prints the token
}

type appState struct {
	client  *oauth.Client
	token   atomic.Pointer[oauth2.Token]
	flight  singleflight.Group
	breaker pacing.Breaker
}

var (
	_ tokensource.Renewer = (*AppSource)(nil)
	_ tokensource.Scoper  = (*AppSource)(nil)
)

// unusedRedirect is for the one required field of a Registration that this
// grant does not use.
const unusedRedirect = "https://unused.invalid/"

// NewAppSource returns the source of an app's own token at p. The options are
// those of oauth.New; nil means all defaults.
func NewAppSource(p *provider.Provider, a AppCredentials, o *oauth.Options) (*AppSource, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if a.ID == "" || !ascii.Visible(a.ID) {
		return nil, errors.New("derived: AppCredentials need an ID without spaces or line breaks: at X, the API key")
	}
	if a.Credential.IsZero() {
		return nil, errors.New("derived: AppCredentials need a Credential: at X, oauth.Secret of the API key secret")
	}
	p = p.Clone()
	p.CheckClient, p.Scopes, p.ClientIDInBody = nil, nil, false // facts about the client that users authorize
	client, err := oauth.New(p, oauth.Registration{
		ClientID: a.ID, Credential: a.Credential, RedirectURL: unusedRedirect, Scopes: a.Scopes,
	}, o)
	if err != nil {
		return nil, err
	}
	state := &appState{client: client}
	return &AppSource{func() *appState { return state }}, nil
}

// Token returns the app's token. A token that will soon expire is still served
// while a new one is fetched. It returns a [*tokensource.Error]: ErrClient if
// the credentials were refused, ErrTemporary otherwise.
func (s *AppSource) Token(ctx context.Context) (*oauth2.Token, error) {
	state := s.state()
	tok := state.token.Load()
	if tok == nil {
		return state.fetch(ctx)
	}
	switch left := time.Until(tok.Expiry); {
	case tok.Expiry.IsZero() || left > early(tok):
		return tok, nil
	case left <= 0:
		return state.fetch(ctx)
	}
	state.begin(ctx)
	return tok, nil
}

// early returns how long before its expiry a token is replaced: a minute, or a
// tenth of its lifetime if that is less.
func early(tok *oauth2.Token) time.Duration {
	return min(time.Minute, time.Duration(tok.ExpiresIn)*time.Second/10)
}

// Renew returns a token other than rejected. It asks the server only if
// rejected is still the current token. If the server returns the same token
// again, as X does until the token is invalidated, the error is
// tokensource.ErrJustRenewed.
func (s *AppSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil {
		return nil, errors.New("derived: Renew needs the token that was rejected")
	}
	state := s.state()
	if tok := state.token.Load(); tok != nil && tok.AccessToken != rejected.AccessToken {
		return tok, nil
	}
	tok, err := state.fetch(ctx)
	if err == nil && tok.AccessToken == rejected.AccessToken {
		return nil, tokensource.ErrJustRenewed
	}
	return tok, err
}

// fetch waits for a new token.
func (s *appState) fetch(ctx context.Context) (*oauth2.Token, error) {
	return flight.Wait[*oauth2.Token](ctx, s.begin(ctx))
}

// begin asks for a token, or joins a request that is under way. It does not
// wait. The request continues when ctx ends, because other callers share it.
func (s *appState) begin(ctx context.Context) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		if err := s.breaker.Allow(time.Now()); err != nil {
			return nil, err
		}
		tok, err := s.client.ClientCredentials(context.WithoutCancel(ctx))
		s.breaker.Report(err, "", time.Now(), jitter())
		if err != nil {
			return nil, err
		}
		s.token.Store(tok)
		return tok, nil
	})
}

// APIOrigins returns the origins of the provider's API.
func (s *AppSource) APIOrigins(*oauth2.Token) []string {
	return slices.Clone(s.state().client.Provider().APIOrigins)
}

// Endpoints returns the authorization server's own endpoints.
func (s *AppSource) Endpoints() []string { return s.state().client.Provider().Endpoints() }
