package atproto

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Logins are the logins of one app at the authorization servers of all its
// users. [NewLogins] makes them. They are safe for concurrent use. Close them
// at the end.
//
// Each server has a client, a keeper and sessions of its own. So what one
// server says never reaches the users of another one.
type Logins struct {
	accounts *accounts
	site     site
	document http.Handler // nil for an app under development
}

// NewLogins returns the logins of an app. It refuses settings that cannot work.
func NewLogins(r *identity.Resolver, app *App) (*Logins, error) {
	if r == nil || app == nil {
		return nil, errors.New("atproto: NewLogins needs a Resolver and an App")
	}
	if err := app.check(false); err != nil {
		return nil, err
	}
	switch {
	case app.Keys == nil:
		return nil, errors.New("atproto: NewLogins needs Keys of the App")
	case len(app.LoginPage) < 2 || app.LoginPage[0] != '/' || app.LoginPage[1] == '/':
		return nil, errors.New("atproto: App.LoginPage must be a path of this site")
	case app.Options != nil && (app.Options.Identify != nil || app.Options.OnBegin != nil || app.Options.RedirectURLs != nil):
		return nil, errors.New("atproto: App.Options must leave Identify, OnBegin and RedirectURLs nil")
	}
	s, err := newSite(app.Registration.RedirectURL)
	if err != nil {
		return nil, err
	}
	l := &Logins{accounts: newAccounts(r, app), site: s}
	l.accounts.complete = l.addLogin
	if published(app.Registration.ClientID) {
		if l.document, err = app.document(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Close stops all keepers. It may be called twice.
func (l *Logins) Close() error { return l.accounts.close() }

// Source returns the tokens of an account that has logged in, for package
// transport, and the account, which it resolves first. The API origin is the
// server of the account. The errors are those of [identity.Resolver.Resolve].
//
// Before the result hands out a token that it has not handed out before, and
// every ten minutes, it checks that the account still belongs to the
// authorization server (see [identity.Resolver.Verify]). After a move the error
// is tokensource.ErrReauthorize. Keep the result: it is safe for concurrent
// use.
func (l *Logins) Source(ctx context.Context, did string) (tokensource.Renewer, *identity.Account, error) {
	return l.accounts.source(ctx, did)
}

// addLogin makes the login at a server.
func (l *Logins) addLogin(s *server) error {
	var o middleware.Options
	if l.accounts.app.Options != nil {
		o = *l.accounts.app.Options
	}
	o.OnBegin = begin
	o.Identify = func(ctx context.Context, tok *oauth2.Token) (provider.Identity, error) {
		user, err := l.accounts.identify(ctx, s.issuer, "", tok)
		switch {
		case errors.Is(err, identity.ErrUser) || errors.Is(err, identity.ErrServer):
			return provider.Identity{}, fmt.Errorf("%w: %w", middleware.ErrRefused, err)
		case err != nil:
			return provider.Identity{}, err
		}
		return named(user), nil
	}
	o.AuthorizePath, o.LogoutPath, o.DisconnectPath = l.site.authorize, l.site.logout, l.site.disconnect
	var err error
	s.login, err = middleware.New(s.keeper, l.accounts.app.Keys, &o)
	return err
}

// asked is what a login asks for: the account, and the name that the user
// typed. Both are empty for a login without a handle.
type asked struct{ did, typed string }

type askedKey struct{}

// begin binds a login to the account that was asked for, and passes on what the
// user typed.
func begin(r *http.Request) *middleware.BeginOptions {
	a, _ := r.Context().Value(askedKey{}).(asked)
	o := &middleware.BeginOptions{Subject: a.did}
	if a.typed != "" {
		o.Params = url.Values{"login_hint": {a.typed}}
	}
	return o
}
