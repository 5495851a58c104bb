package derived

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/proving"
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
	proving.Authorizer
	state func() *appState // in a closure, so that nothing prints the token
}

type appState struct {
	client  *oauth.Client
	begun   time.Time // with a monotonic clock, from which trials count
	held    atomic.Pointer[held]
	bound   atomic.Pointer[oauth.Client] // with the key of this source; nil before the first request
	flight  singleflight.Group
	breaker pacing.Breaker
	trials  *pacing.Trials // renewals that did not help
}

// held is an answer of the server. Two answers may have the same token.
type held struct {
	token   *oauth2.Token
	header  string        // the value of the Authorization header
	name    string        // of the answer; a number
	renewed bool          // it came in place of a rejected token
	at      time.Duration // when it came, by the monotonic clock
}

var (
	_ tokensource.Renewer   = (*AppSource)(nil)
	_ tokensource.Scoper    = (*AppSource)(nil)
	_ tokensource.Describer = (*AppSource)(nil)
	_ bearer.Readier        = (*AppSource)(nil)

	_ tokensource.RequestAuthorizer = (*AppSource)(nil)
)

// renewSpacing is the shortest pause between two renewals (G9).
const renewSpacing = 10 * time.Second

// unusedRedirect is for the one required field of a Registration that this
// grant does not use.
const unusedRedirect = "https://unused.invalid/"

// NewAppSource returns the source of an app's own token at p. The options are
// those of oauth.New; nil means all defaults.
func NewAppSource(p *provider.Provider, a AppCredentials, o *oauth.Options) (*AppSource, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if a.ID == "" || !ascii.Text(a.ID) {
		return nil, errors.New("derived: AppCredentials need an ID without line breaks, and without spaces at its ends: at X, the API key")
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
	state := &appState{client: client, begun: time.Now(), trials: pacing.NewTrials(renewSpacing)}
	s := &AppSource{state: func() *appState { return state }}
	s.Authorizer = proving.For(s.Token)
	return s, nil
}

// Token returns the app's token. A token that will soon expire is still served
// while a new one is fetched. It returns a [*tokensource.Error]: ErrClient if
// the credentials were refused, ErrTemporary otherwise.
func (s *AppSource) Token(ctx context.Context) (*oauth2.Token, error) {
	h, err := s.state().current(ctx)
	if err != nil {
		return nil, err
	}
	return h.token, nil
}

// current returns a token that has not expired.
func (s *appState) current(ctx context.Context) (*held, error) {
	h := s.held.Load()
	if h == nil {
		return s.fetch(ctx)
	}
	switch left := time.Until(h.token.Expiry); {
	case h.token.Expiry.IsZero() || left > early(h.token):
		return h, nil
	case left <= 0:
		return s.fetch(ctx)
	}
	s.begin(ctx, "")
	return h, nil
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
//
// If the API rejects what a renewal has brought, the next renewal has to wait:
// 10 seconds at first, and up to 10 minutes if renewals go on to be of no help
// (G9). Until then the error is tokensource.ErrJustRenewed too.
func (s *AppSource) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil {
		return nil, errors.New("derived: Renew needs the token that was rejected")
	}
	state := s.state()
	h := state.held.Load()
	if h != nil && h.token.AccessToken != rejected.AccessToken {
		return h.token, nil
	}
	if h != nil && !state.mayRenew(h) {
		return nil, tokensource.ErrJustRenewed
	}
	next, err := flight.Wait[*held](ctx, state.begin(ctx, rejected.AccessToken))
	switch {
	case err != nil:
		return nil, err
	case next.token.AccessToken == rejected.AccessToken:
		return nil, tokensource.ErrJustRenewed
	}
	return next.token, nil
}

// mayRenew records that the token of h was rejected. It reports whether another
// renewal may begin.
func (s *appState) mayRenew(h *held) bool {
	now := time.Since(s.begun)
	s.trials.Reject("", h.name, now)
	return !h.renewed || now-h.at >= s.trials.Spacing("", h.name)
}

// fetch waits for a new token.
func (s *appState) fetch(ctx context.Context) (*held, error) {
	return flight.Wait[*held](ctx, s.begin(ctx, ""))
}

// begin asks for a token, or joins a request that is under way. It does not
// wait. The request continues when ctx ends, because other callers share it.
// The token is to replace one that was rejected, or rejected is empty.
func (s *appState) begin(ctx context.Context, rejected string) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		old := s.held.Load()
		if rejected != "" && old != nil && old.token.AccessToken != rejected {
			return old, nil // another caller has renewed it meanwhile
		}
		if err := s.breaker.Allow(time.Now()); err != nil {
			return nil, err
		}
		tok, err := s.ask(context.WithoutCancel(ctx))
		s.breaker.Report(err, "", time.Now(), jitter())
		if err != nil {
			return nil, err
		}
		h := &held{token: tok, name: "1", renewed: rejected != "", at: time.Since(s.begun)}
		h.header, _ = bearer.Value(tok) // the transport says why a token cannot be sent
		if old != nil {
			h.name = following(old.name)
		}
		if h.renewed {
			s.trials.Renewing("")
		}
		s.held.Store(h)
		return h, nil
	})
}

// ask asks for a token. All tokens of a source are bound to one key, if the
// client proves possession (DPoP).
func (s *appState) ask(ctx context.Context) (*oauth2.Token, error) {
	proofs := s.client.Proofs()
	if proofs == nil {
		return s.client.ClientCredentials(ctx)
	}
	bound := s.bound.Load()
	if bound == nil {
		key, err := proofs.NewKey(ctx)
		if err != nil {
			return nil, &tokensource.Error{Op: "client_credentials", Kind: tokensource.ErrTemporary, Err: err}
		}
		bound = s.client.WithProver(key)
		s.bound.Store(bound)
	}
	return bound.ClientCredentials(ctx)
}

// following returns the name of the answer after the one named n.
func following(n string) string {
	i, _ := strconv.ParseUint(n, 10, 64)
	return strconv.FormatUint(i+1, 10)
}

// APIOrigins returns the origins of the provider's API.
func (s *AppSource) APIOrigins(*oauth2.Token) []string {
	return slices.Clone(s.state().client.Provider().APIOrigins)
}

// Endpoints returns the authorization server's own endpoints.
func (s *AppSource) Endpoints() []string { return s.state().client.Provider().Endpoints() }

// APIFacts says how the provider's API answers.
func (s *AppSource) APIFacts() tokensource.APIFacts {
	return about.Of(s.state().client.Provider()).APIFacts()
}
