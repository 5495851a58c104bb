package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
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

// ErrAccount means that it is not clear whose tokens are meant: the account
// that Options.Account names does not exist, or there are several accounts and
// none of them is the default.
var ErrAccount = errors.New("nativeapp: no account is chosen")

// defaultTimeout is how long a login may take that the user does in a browser.
const defaultTimeout = 10 * time.Minute

// An App logs users in, and is the logins of a program: who is logged in, the
// client that acts for this user, and the logout. [Open] and [New] make one;
// the zero App cannot be used. It is safe for concurrent use.
type App struct {
	*program
	grants  *grant.Keeper
	client  *oauth.Client
	options Options
	api     func() (*http.Client, error) // made once
	chosen  *atomic.Pointer[account]     // whose requests the client sends; nil as long as that was not asked
}

// Options adjusts an [App]. The zero value is the safe default.
type Options struct {
	// Name is what the texts for the user call the program, on the terminal and in
	// the browser, such as "Notes". Characters that cannot be shown are left out.
	// Empty means the name that [Open] got, and with [New] "the program".
	Name string

	// Account is the name of the account that the App is for, such as the value
	// of a flag "account". A login as another user is added under this name.
	// Empty means the default account, which is the first one that was logged in
	// until [App.SetDefault] names another.
	Account string

	// TokenVariable is the environment variable with an access token that the
	// program uses as it is, such as in a CI run. Nothing is refreshed or stored
	// then, and no file or keychain is touched. It has no effect if Account is
	// set. Empty means the name of the program in capitals and "_TOKEN", such as
	// NOTES_TOKEN. "-" means no variable. New reads no variable, and refuses this
	// option.
	TokenVariable string

	// Dir and Keys are where Open keeps the logins: see userstore.Options. Keys is
	// the keychain of the system for the key that seals them, such as that of
	// package keyring. Nil means a file of mode 0600. [App.Status] says which one
	// it is. New refuses both.
	Dir  string
	Keys userstore.KeySource

	// Grants are further options of the Keeper that Open makes. New refuses them.
	// Nil means all defaults.
	Grants *grant.Options

	// Transport are the options of the client that [App.Client] returns. Nil means
	// those of package transport.
	Transport *transport.Options

	// In and Out are where [App.Login] reads what the user enters, and shows what
	// the user has to do. Nil means os.Stdin and os.Stderr. While Login waits for
	// an address that the user pastes, a browser on this machine may finish the
	// login. A read of In is under way then, and cannot be ended: the next line of
	// In is lost for the program.
	In  io.Reader
	Out io.Writer

	// Identify returns the user whom a token was issued for. An error refuses the
	// login, and the tokens are revoked. Nil means that the ID token says it,
	// if the client verifies ID tokens (oauth.Options.IDTokens), and otherwise
	// IdentityURL of the provider.
	Identify func(ctx context.Context, tok *oauth2.Token) (provider.Identity, error)

	// Subject is the name under which the grant is stored, for a program with one
	// account at a provider that does not say who the user is. Nobody is asked
	// then. A login as another user replaces the grant. Empty means that the
	// subject is the user's. With it, Account must be empty.
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
	// Open may take as long as the login. Its context ends with the login. The URL
	// is for the user only: with it, another person could finish the login.
	Open func(ctx context.Context, url string) error

	// AnyPort uses a free port in place of the one in the redirect URL of the
	// client. The server must allow that ([RFC 8252] section 7.3). A provider
	// with AnyLoopbackPort sets it.
	//
	// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
	AnyPort bool

	// Timeout is how long a login waits for the user. Zero means 10 minutes. A
	// device code has a lifetime of its own.
	Timeout time.Duration
}

// LoginOptions say what one login asks for. The zero value asks for what the
// client says.
type LoginOptions struct {
	// NoBrowser makes [App.Login] use no browser on this machine.
	NoBrowser bool

	// Scopes replace the scopes of the client. They are a complete list. Nil
	// means those of the client.
	Scopes []string

	// Params are further parameters of the request, such as "login_hint". Nil
	// means none.
	Params url.Values
}

// New returns an App whose logins become grants of k. The client of k needs a
// redirect URL on a loopback address for [App.Loopback], and its provider a
// DeviceAuthorizationURL for [App.Device]. Nil options mean all defaults.
//
// Several Apps of one Keeper may differ in Options.Account.
func New(k *grant.Keeper, o *Options) (*App, error) {
	if k == nil {
		return nil, errors.New("nativeapp: nil Keeper: make one with grant.New")
	}
	if o == nil {
		o = new(Options)
	}
	if o.Dir != "" || !isnil.Value(o.Keys) || o.Grants != nil || o.TokenVariable != "" {
		return nil, errors.New("nativeapp: Options.Dir, Keys, Grants and TokenVariable are for Open: New uses the store of the Keeper")
	}
	return newApp(k, o, new(program))
}

func newApp(k *grant.Keeper, o *Options, from *program) (*App, error) {
	a := &App{program: from, grants: k, client: k.Client(), options: *o, chosen: new(atomic.Pointer[account])}
	a.api = sync.OnceValues(a.newClient)
	if err := a.check(); err != nil {
		return nil, err
	}
	if a.options.Timeout == 0 {
		a.options.Timeout = defaultTimeout
	}
	if a.options.In == nil {
		a.options.In = os.Stdin
	}
	if a.options.Out == nil {
		a.options.Out = os.Stderr
	}
	return a, nil
}

// check refuses settings that cannot work.
func (a *App) check() error {
	o, p := &a.options, a.client.Provider()
	switch {
	case o.Timeout < 0:
		return fmt.Errorf("nativeapp: Options.Timeout %v is negative: zero means %v", o.Timeout, defaultTimeout)
	case o.Subject != "" && o.Identify != nil:
		return errors.New("nativeapp: set Options.Subject or Options.Identify, and not both")
	case o.Subject != "" && o.Account != "":
		return errors.New("nativeapp: Options.Subject is for a program with one account: leave Options.Account empty")
	case o.Account != "" && cleanName(o.Account) != o.Account:
		return errors.New("nativeapp: Options.Account has characters that cannot be shown, a space at an end, or is too long")
	case o.Subject != "" && !ascii.Text(o.Subject):
		return errors.New("nativeapp: Options.Subject has a space at an end, a line break, or characters beyond ASCII")
	case a.asks() && p.IdentityURL == "" && !p.IdentityInToken && a.client.IDTokens() == nil:
		return fmt.Errorf("nativeapp: provider %s does not say who the user is: set Options.Subject or Options.Identify", p.Name)
	}
	return a.checkScopes(a.client.Scopes())
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
