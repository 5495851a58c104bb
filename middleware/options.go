package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Options adjusts a Login. The zero value is the safe default.
type Options struct {
	// AuthorizePath and LogoutPath are the public paths of those routes. Empty
	// means "authorize" and "logout" in the folder of the redirect URL's path. The
	// callback is always at the redirect URL's path.
	AuthorizePath  string
	LogoutPath     string
	DisconnectPath string

	// AfterLogin is where a login ends that did not start at a page. AfterLogout is
	// where a logout ends. Both are local paths. Empty means "/".
	AfterLogin  string
	AfterLogout string

	// Params are further parameters of the authorization request, such as
	// "resource" (RFC 8707) or "prompt".
	Params url.Values

	// FlowLifetime is how long a user may take at the authorization server. Zero
	// means 10 minutes, which is also the most that is allowed.
	FlowLifetime time.Duration

	// SessionLifetime is how long after a login a session ends, whether it is used
	// or not. Zero means 7 days. 400 days are the most: browsers keep no cookie
	// longer.
	SessionLifetime time.Duration

	// IdleTimeout is how long after its last use a session ends. If several
	// processes serve one session, it may end up to a tenth of this time earlier.
	// Zero means never. Otherwise one minute is the least.
	IdleTimeout time.Duration

	// Sessions keeps the session value. Nil means a sealed cookie. Give the app's
	// own session library (scs, gorilla/sessions) if it has one.
	Sessions Sessions

	// Identify says who the user is that tok was issued for. Nil means that the
	// provider is asked at its IdentityURL.
	Identify func(ctx context.Context, tok *oauth2.Token) (provider.Identity, error)

	// OnLogin is called when the user is known, before anything is stored. It can
	// create or update the record of the user in the app. It refuses the user with
	// ErrRefused, alone or wrapped. After any other error the login has failed
	// (ErrLoginFailed). After any error the token is revoked. The ctx has the
	// values of the request of the callback, and a deadline. Nil means that every
	// user may log in.
	OnLogin func(ctx context.Context, user provider.Identity) error

	// OnError answers a request that failed. The err is an *Error. Match its kind
	// with errors.Is, and call ErrorPage for each kind that keeps the default page.
	// Headers that forbid caching are already set. Nil means ErrorPage.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

const (
	maxFlowLifetime    = 10 * time.Minute
	defaultSessionLife = 7 * 24 * time.Hour
	maxSessionLife     = 400 * 24 * time.Hour
	minIdleTimeout     = time.Minute
)

// resolve returns a copy of o with every default filled in, or an error that
// says what to do.
func (o Options) resolve(client *oauth.Client) (Options, error) {
	if o.AfterLogin == "" {
		o.AfterLogin = "/"
	}
	if o.AfterLogout == "" {
		o.AfterLogout = "/"
	}
	for name, path := range map[string]string{"AfterLogin": o.AfterLogin, "AfterLogout": o.AfterLogout} {
		if !localPath(path) {
			return o, fmt.Errorf("middleware: Options.%s %q is not a local path: write it like /home", name, path)
		}
	}
	switch {
	case o.FlowLifetime < 0 || o.FlowLifetime > maxFlowLifetime:
		return o, fmt.Errorf("middleware: Options.FlowLifetime %v: use up to %v, or zero for that", o.FlowLifetime, maxFlowLifetime)
	case o.FlowLifetime == 0:
		o.FlowLifetime = maxFlowLifetime
	}
	switch {
	case o.SessionLifetime < 0:
		return o, fmt.Errorf("middleware: Options.SessionLifetime %v is negative: zero means %v", o.SessionLifetime, defaultSessionLife)
	case o.SessionLifetime > maxSessionLife:
		return o, fmt.Errorf("middleware: Options.SessionLifetime %v: use up to 400 days, as browsers keep no cookie longer", o.SessionLifetime)
	case o.SessionLifetime == 0:
		o.SessionLifetime = defaultSessionLife
	}
	if o.IdleTimeout != 0 && o.IdleTimeout < minIdleTimeout {
		return o, fmt.Errorf("middleware: Options.IdleTimeout %v: use at least %v, or zero for no such limit", o.IdleTimeout, minIdleTimeout)
	}
	if o.Identify == nil {
		if client.Provider().IdentityURL == "" {
			return o, errors.New("middleware: the provider has no IdentityURL: set Options.Identify, which says who the user is")
		}
		o.Identify = client.Identity
	}
	o.Params = cloneParams(o.Params)
	if _, err := o.authorizationURL(client, newFlow(client.RedirectURL(), "/", o.FlowLifetime)); err != nil {
		return o, fmt.Errorf("middleware: no authorization request can be made: %w", err)
	}
	return o, nil
}

// authorizationURL returns the URL of the authorization request of one flow.
func (o Options) authorizationURL(client *oauth.Client, f flow) (string, error) {
	return client.AuthorizationURL(f.state.Reveal(), f.verifier.Reveal(), cloneParams(o.Params))
}

func cloneParams(params url.Values) url.Values {
	c := maps.Clone(params)
	for name, values := range c {
		c[name] = slices.Clone(values)
	}
	return c
}

// site is where the app is, as its users' browsers see it. All of it comes from
// the configuration, nothing from a Host header (RFC 9700 section 4.13).
type site struct {
	origin                                  string // scheme and host of the redirect URL
	host                                    string
	secure                                  bool // https
	authorize, callback, logout, disconnect string
}

func newSite(redirectURL string, o *Options) (site, error) {
	u, err := url.Parse(redirectURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return site{}, errors.New("middleware: the client's RedirectURL is no web address: register one like https://app.example/auth/callback")
	}
	if u.Scheme == "http" && !provider.Loopback(u.Hostname()) {
		return site{}, errors.New("middleware: the client's RedirectURL is http on a public host: use https, cookies and code would travel in clear")
	}
	folder := u.Path[:strings.LastIndex(strings.TrimSuffix(u.Path, "/"), "/")+1]
	s := site{
		origin: u.Scheme + "://" + u.Host, host: u.Host, secure: u.Scheme == "https",
		callback: u.Path, authorize: o.AuthorizePath, logout: o.LogoutPath, disconnect: o.DisconnectPath,
	}
	if s.authorize == "" {
		s.authorize = folder + "authorize"
	}
	if s.logout == "" {
		s.logout = folder + "logout"
	}
	if s.disconnect == "" {
		s.disconnect = folder + "disconnect"
	}
	return s, s.check(u.EscapedPath())
}

// check refuses paths that routers would read in different ways, and paths that
// collide.
func (s site) check(escapedCallback string) error {
	if s.callback == "" || s.callback == "/" {
		return errors.New("middleware: the client's RedirectURL needs a path of its own, such as /auth/callback")
	}
	if s.callback != escapedCallback {
		return errors.New("middleware: the path of the client's RedirectURL has escaped characters: register a plain one")
	}
	for _, p := range []struct{ name, path string }{
		{"the path of the client's RedirectURL", s.callback},
		{"Options.AuthorizePath", s.authorize},
		{"Options.LogoutPath", s.logout},
	} {
		if !localPath(p.path) || p.path == "/" || strings.ContainsAny(p.path, "{}*?#%:") {
			return fmt.Errorf("middleware: %s %q cannot be a route: write it like /auth/login", p.name, p.path)
		}
	}
	if s.authorize == s.callback || s.authorize == s.logout || s.callback == s.logout {
		return fmt.Errorf("middleware: authorize (%s), callback (%s) and logout (%s) need three paths: set Options.AuthorizePath and LogoutPath",
			s.authorize, s.callback, s.logout)
	}
	return nil
}
