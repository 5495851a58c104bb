package derived

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// AppCredentials are what an app authenticates with on its own behalf, without a user. At X they are the API key and the
// API key secret, not the OAuth 2.0 client ID and secret.
type AppCredentials struct {
	ID     string
	Secret string   `json:"-"`
	Scopes []string // what to ask for; empty leaves the choice to the server
}

// Format prints the credentials without the secret, whatever the verb.
func (a AppCredentials) Format(f fmt.State, _ rune) { redact.Write(f, a.String()) }

// String returns the credentials without the secret.
func (a AppCredentials) String() string {
	return fmt.Sprintf("AppCredentials{ID: %q, Secret: %q, Scopes: %q}", a.ID, redact.Secret(a.Secret), a.Scopes)
}

// AppSource supplies an app's own access token (RFC 6749 section 4.4): X calls it the app-only bearer token. It is a
// tokensource.Renewer, keeps the token in memory, asks for a new one once for all callers, ahead of the old one's expiry and less often
// while the server fails. It is safe for concurrent use.
type AppSource struct {
	client  *oauth.Client
	token   atomic.Pointer[oauth2.Token]
	flight  singleflight.Group
	breaker pacing.Breaker
}

var (
	_ tokensource.Renewer = (*AppSource)(nil)
	_ tokensource.Scoper  = (*AppSource)(nil)
)

// NewAppSource returns the source of an app's own token at p. Of o it uses what NewClient does; nil means all defaults.
func NewAppSource(p *provider.Provider, a AppCredentials, o *oauth.Options) (*AppSource, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if a.ID == "" || a.Secret == "" || !ascii.Visible(a.ID) || !ascii.Visible(a.Secret) {
		return nil, errors.New("derived: AppCredentials need ID and Secret without spaces or line breaks: at X, the API key and its secret")
	}
	p = p.Clone()
	p.CheckClient, p.Scopes, p.ClientIDInBody = nil, nil, false // facts about the client that users authorize
	client, err := oauth.New(p, oauth.Registration{
		ClientID: a.ID, ClientSecret: a.Secret, RedirectURL: unusedRedirect, Scopes: a.Scopes,
	}, o)
	if err != nil {
		return nil, err
	}
	return &AppSource{client: client}, nil
}

// unusedRedirect fills the one field of a Registration that this grant has no use for.
const unusedRedirect = "https://unused.invalid/"

// Token returns the app's token; one that is about to expire goes on being served while another is fetched. It returns an
// *tokensource.Error: ErrClient if the credentials were refused, ErrTemporary otherwise.
func (s *AppSource) Token(ctx context.Context) (*oauth2.Token, error) {
	tok := s.token.Load()
	if tok == nil {
		return s.fetch(ctx)
	}
	switch left := time.Until(tok.Expiry); {
	case tok.Expiry.IsZero() || left > s.early(tok):
		return tok, nil
	case left <= 0:
		return s.fetch(ctx)
	}
	s.begin(ctx)
	return tok, nil
}

// early is how long before its expiry a token is replaced: a minute, or a tenth of its life if that is less.
func (s *AppSource) early(tok *oauth2.Token) time.Duration {
	return min(time.Minute, time.Duration(tok.ExpiresIn)*time.Second/10)
}

// Renew returns a token other than rejected, asking the server only if rejected is still the current one. A server that
// hands out the same token again, as X does until it is invalidated, makes it ErrJustRenewed.
func (s *AppSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil {
		return nil, errors.New("derived: Renew needs the token that was rejected")
	}
	if tok := s.token.Load(); tok != nil && tok.AccessToken != rejected.AccessToken {
		return tok, nil
	}
	tok, err := s.fetch(ctx)
	if err == nil && tok.AccessToken == rejected.AccessToken {
		return nil, tokensource.ErrJustRenewed
	}
	return tok, err
}

func (s *AppSource) fetch(ctx context.Context) (*oauth2.Token, error) {
	return flight.Wait[*oauth2.Token](ctx, s.begin(ctx))
}

// begin asks for a token, or joins who does. It does not wait, and goes on when ctx ends.
func (s *AppSource) begin(ctx context.Context) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		if err := s.breaker.Allow(time.Now()); err != nil {
			return nil, err
		}
		tok, err := s.client.ClientCredentials(context.WithoutCancel(ctx))
		s.breaker.Report(err, time.Now(), rand.Uint64())
		if err != nil {
			return nil, err
		}
		s.token.Store(tok)
		return tok, nil
	})
}

// APIOrigins returns the origins of the provider's API.
func (s *AppSource) APIOrigins(*oauth2.Token) []string {
	return slices.Clone(s.client.Provider().APIOrigins)
}

// Endpoints returns the authorization server's own endpoints.
func (s *AppSource) Endpoints() []string { return s.client.Provider().Endpoints() }

// Format prints no secret and no token, whatever the verb.
func (s *AppSource) Format(f fmt.State, _ rune) { redact.Write(f, s.String()) }

// String names the provider.
func (s *AppSource) String() string { return "AppSource{" + s.client.Provider().Name + "}" }
