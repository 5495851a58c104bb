package atproto

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Native are the logins of a program without a web server, such as a command
// line tool: the browser of the user comes back to this machine ([nativeapp]).
// [NewNative] makes it. It is safe for concurrent use. Close it at the end.
//
// The AT Protocol knows such redirect URLs for apps under development only
// ([Development]). With a published client ID it demands a scheme of the app or
// an https URL, which the operating system hands to the app. Some servers take
// a loopback address of a native app all the same.
type Native struct {
	accounts *accounts
	options  nativeapp.Options
}

// NewNative returns the logins of an app, which needs Registration, Store and
// Proofs. The redirect URL is on a loopback address, and a free port is used in
// place of its own. Nil options mean all defaults. Leave Identify and Subject
// out: the answer of the server says who the user is.
func NewNative(r *identity.Resolver, app *App, o *nativeapp.Options) (*Native, error) {
	if r == nil || app == nil {
		return nil, errors.New("atproto: NewNative needs a Resolver and an App")
	}
	if err := app.check(true); err != nil {
		return nil, err
	}
	if app.ClientKeys != nil {
		return nil, errors.New("atproto: App.ClientKeys: a program that users run cannot keep a key of the app")
	}
	n := &Native{accounts: newAccounts(r, app)}
	if o != nil {
		n.options = *o
	}
	if n.options.Identify != nil || n.options.Subject != "" {
		return nil, errors.New("atproto: nativeapp.Options must leave Identify and Subject out")
	}
	n.options.AnyPort = true
	return n, nil
}

// Login logs a user in by the browser on this machine. The argument is a
// handle, a DID, or the https URL of a server, such as "https://bsky.social",
// for a user who types the handle there. The grant is stored when Login
// returns.
//
// The errors are those of [identity.Resolver.Resolve] and of
// nativeapp.App.Loopback, and [identity.ErrUser] if another user logged in.
func (n *Native) Login(ctx context.Context, identifier string) (*identity.Account, error) {
	var want identity.Account
	var hint string
	if strings.Contains(identifier, "://") && !strings.HasPrefix(strings.TrimSpace(identifier), "at://") {
		issuer, err := n.accounts.resolver.Issuer(ctx, identifier)
		if err != nil {
			return nil, err
		}
		want.Issuer = issuer
	} else {
		a, err := n.accounts.resolver.Resolve(ctx, identifier)
		if err != nil {
			return nil, err
		}
		want, hint = *a, hintOf(identifier, a)
	}
	return n.login(ctx, want, hint)
}

func (n *Native) login(ctx context.Context, want identity.Account, hint string) (*identity.Account, error) {
	s, err := n.accounts.server(ctx, want.Issuer)
	if err != nil {
		return nil, err
	}
	var user *identity.Account
	o := n.options
	o.Identify = func(ctx context.Context, tok *oauth2.Token) (_ provider.Identity, err error) {
		if user, err = n.accounts.identify(ctx, s.issuer, want.DID, tok); err != nil {
			return provider.Identity{}, err
		}
		return named(user), nil
	}
	app, err := nativeapp.New(s.keeper, &o)
	if err != nil {
		return nil, err
	}
	var asks nativeapp.LoginOptions
	if hint != "" {
		asks.Params = url.Values{"login_hint": {hint}}
	}
	if _, err := app.Loopback(ctx, &asks); err != nil {
		return nil, err
	}
	return user, nil
}

// Source returns the tokens of an account that has logged in. See
// [Logins.Source].
func (n *Native) Source(ctx context.Context, did string) (tokensource.Renewer, *identity.Account, error) {
	return n.accounts.source(ctx, did)
}

// Logout ends the grant of an account at its Issuer: the tokens are revoked and
// deleted. See grant.Keeper.Logout.
func (n *Native) Logout(ctx context.Context, a *identity.Account) error {
	s, err := n.accounts.server(ctx, a.Issuer)
	if err != nil {
		return err
	}
	return s.keeper.Logout(ctx, a.DID)
}

// Close stops all keepers. It may be called twice.
func (n *Native) Close() error { return n.accounts.close() }
