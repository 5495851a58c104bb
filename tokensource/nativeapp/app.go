package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Why a login ended without a grant.
var (
	// ErrDenied means that the user, or the authorization server for the user,
	// refused.
	ErrDenied = errors.New("nativeapp: access was denied")

	// ErrExpired means that the user did not finish the login in time.
	ErrExpired = errors.New("nativeapp: the login was not finished in time")

	// ErrNoBrowser means that no browser could be opened. The user can open the
	// URL in another way, see [Options].
	ErrNoBrowser = errors.New("nativeapp: no browser could be opened")

	// ErrResponse means that the answer of the authorization server to the login
	// cannot be used: it is an error, it is not well formed, or another issuer
	// sent it ([RFC 9207]). No code was sent anywhere. It comes with
	// tokensource.ErrClient if the server does not accept the client.
	//
	// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
	ErrResponse = errors.New("nativeapp: the answer to the login cannot be used")
)

// defaultTimeout is how long a login may take that the user does in a browser.
const defaultTimeout = 10 * time.Minute

// An App logs users in. [New] makes one; the zero App cannot be used. It is
// safe for concurrent use.
type App struct {
	grants  *grant.Keeper
	client  *oauth.Client
	options Options
}

// Options adjusts an [App]. The zero value is the safe default.
type Options struct {
	// Identify returns the user whom a token was issued for. An error refuses the
	// login, and the tokens are revoked. Nil means that the ID token says it,
	// if the client verifies ID tokens (oauth.Options.IDTokens), and otherwise
	// IdentityURL of the provider.
	Identify func(ctx context.Context, tok *oauth2.Token) (provider.Identity, error)

	// Subject is the name under which the grant is stored, for a program with one
	// account at a provider that does not say who the user is. Nobody is asked
	// then. A login as another user replaces the grant. Empty means that the
	// subject is the user's.
	Subject string

	// Open opens the URL of a login for the user. If it fails, the login fails
	// with the same error. Nil means [OpenBrowser]. A program that has shown the
	// URL to the user returns nil:
	//
	//	Open: func(ctx context.Context, url string) error {
	//		if nativeapp.OpenBrowser(ctx, url) != nil {
	//			fmt.Println("Open this page to log in:", url)
	//		}
	//		return nil
	//	},
	//
	// Open must return before the user has logged in, because the login waits for
	// it. The URL is for the user only: with it, another person could finish the
	// login.
	Open func(ctx context.Context, url string) error

	// AnyPort uses a free port in place of the one in the redirect URL of the
	// client. The server must allow that ([RFC 8252] section 7.3). A provider
	// with AnyLoopbackPort sets it.
	//
	// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
	AnyPort bool

	// Timeout is how long [App.Loopback] waits for the user. Zero means 10
	// minutes. A device code has a lifetime of its own.
	Timeout time.Duration
}

// LoginOptions say what one login asks for. The zero value asks for what the
// client says.
type LoginOptions struct {
	// Scopes replace the scopes of the client. They are a complete list. Nil
	// means those of the client.
	Scopes []string

	// Params are further parameters of the request, such as "login_hint".
	Params url.Values
}

// New returns an App whose logins become grants of k. The client of k needs a
// redirect URL on a loopback address for [App.Loopback], and its provider a
// DeviceAuthorizationURL for [App.Device]. Nil options mean all defaults.
func New(k *grant.Keeper, o *Options) (*App, error) {
	if k == nil {
		return nil, errors.New("nativeapp: nil Keeper: make one with grant.New")
	}
	if o == nil {
		o = new(Options)
	}
	a := &App{grants: k, client: k.Client(), options: *o}
	p := a.client.Provider()
	switch {
	case o.Timeout < 0:
		return nil, fmt.Errorf("nativeapp: Options.Timeout %v is negative: zero means %v", o.Timeout, defaultTimeout)
	case o.Subject != "" && o.Identify != nil:
		return nil, errors.New("nativeapp: set Options.Subject or Options.Identify, and not both")
	case o.Subject != "" && !ascii.Text(o.Subject):
		return nil, errors.New("nativeapp: Options.Subject has a space at an end, a line break, or characters beyond ASCII")
	case a.asks() && p.IdentityURL == "" && !p.IdentityInToken && a.client.IDTokens() == nil:
		return nil, fmt.Errorf("nativeapp: provider %s does not say who the user is: set Options.Subject or Options.Identify", p.Name)
	}
	if a.options.Timeout == 0 {
		a.options.Timeout = defaultTimeout
	}
	return a, a.checkScopes(a.client.Scopes())
}

// asks reports whether the authorization server is asked who the user is.
func (a *App) asks() bool { return a.options.Subject == "" && a.options.Identify == nil }

// checkScopes refuses scopes with which the provider would not say who the user
// is. Such a login would fail each time, after the user has consented.
func (a *App) checkScopes(scopes []string) error {
	if !a.asks() || a.client.IDTokens() != nil || len(scopes) == 0 {
		return nil
	}
	var missing []string
	for _, scope := range a.client.Provider().IdentityScopes {
		if !slices.Contains(scopes, scope) {
			missing = append(missing, scope)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("nativeapp: without the scopes %s the provider does not say who the user is: "+
		"ask for them, or set Options.Identify or Options.Subject", strings.Join(missing, " and "))
}
