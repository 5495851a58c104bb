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

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Options adjusts a Login. The zero value is the safe default.
type Options struct {
	// AuthorizePath, LogoutPath and DisconnectPath are the public paths of those
	// routes. Empty means "authorize", "logout" and "disconnect" in the folder of
	// the redirect URL's path. The callback is always at the redirect URL's path.
	AuthorizePath  string
	LogoutPath     string
	DisconnectPath string

	// BackChannelLogoutPath is the public path at which the authorization server
	// reports logouts: see [Login.BackChannelLogout]. Register its URL there. It
	// needs a client that verifies ID tokens. Empty means that there is none.
	BackChannelLogoutPath string

	// LogoutAtServer makes Logout also lead the browser to the authorization
	// server (Provider.EndSessionURL), so that the next login asks who the user
	// is. Register the URL of Logout there as the post_logout_redirect_uri: the
	// server sends the browser back to it, and from there it goes to AfterLogout.
	// False means that a logout ends the session of this app only.
	LogoutAtServer bool

	// PathPrefix is the beginning of the public paths that a proxy removes before a
	// request reaches this program, such as "/app". All other paths here include
	// it, as they are public ones. Mount registers the routes without it. A prefix
	// that http.StripPrefix removes in this program does not belong here.
	//
	// Empty means that no proxy removes a prefix, or that it names the prefix in
	// the header X-Forwarded-Prefix. The header counts only if the path of the
	// redirect URL begins with its value. In that case use [Login.Handler]: Mount
	// cannot know what the proxy will remove.
	PathPrefix string

	// AfterLogin is where a login ends that did not start at a page. AfterLogout is
	// where a logout ends. Home is where the link of an error page leads. They are
	// local paths. Empty means "/", behind PathPrefix.
	AfterLogin  string
	AfterLogout string
	Home        string

	// AppName is the name of the app on error pages. Empty means none.
	AppName string

	// Params are further parameters of the authorization request, such as
	// "audience" or "prompt". A parameter "response_mode" other than "query"
	// and "form_post" is refused, because the callback reads nothing else. Nil
	// means none.
	Params url.Values

	// RedirectURLs are further redirect URLs of the client, beside that of its
	// registration. A login uses one of them if [BeginOptions] name it. Their
	// callbacks are routes like the first one. Nil means that there is one URL.
	RedirectURLs []string

	// OnBegin decides what one login asks for: it is called with each request to
	// Authorize that is not refused. The request itself chooses nothing, because
	// everybody can write a link with any query. Nil, or a nil result, means what
	// the client and Params say.
	OnBegin func(r *http.Request) *BeginOptions

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
	// ID token says so if the client verifies ID tokens (oauth.Options.IDTokens),
	// and that otherwise the provider is asked at its IdentityURL. Where there are
	// ID tokens, Identify is called after the ID token was verified. It refuses
	// the user with ErrRefused, as OnLogin does.
	Identify func(ctx context.Context, tok *oauth2.Token) (provider.Identity, error)

	// OnLogin is called when the user is known, before anything is stored. It can
	// create or update the record of the user in the app. It refuses the user with
	// ErrRefused, alone or wrapped. Then the tokens are revoked.
	//
	// After any other error it is called again for the same login: at once, when
	// the user tries again, and in the background for an hour. If the login still
	// fails, the error is ErrLoginFailed. If OnLogin panics, the tokens are revoked
	// and the panic goes on; in the background the login ends.
	//
	// The ctx has a deadline, and the values of the request, but not in the
	// background. Nil means that every user may log in.
	OnLogin func(ctx context.Context, user provider.Identity) error

	// OnEvent is called with each thing that happens to a login or a session. It
	// must return soon, because the request waits for it. The ctx is that of the
	// request. It is called concurrently with itself. Nil means that nothing is
	// reported.
	OnEvent func(ctx context.Context, e tokensource.Event)

	// Connections makes connections of the logins, for users that the app has
	// already. It is for package connect: its type is internal. Nil means that
	// users log in with this Login.
	Connections connecting.Hooks

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
	for name, path := range map[string]*string{"AfterLogin": &o.AfterLogin, "AfterLogout": &o.AfterLogout, "Home": &o.Home} {
		if *path == "" {
			*path = strings.TrimSuffix(o.PathPrefix, "/") + "/"
		}
		if !localPath(*path) {
			return o, fmt.Errorf("middleware: Options.%s %q is not a local path: write it like /home", name, *path)
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
	switch {
	case o.LogoutAtServer && client.Provider().EndSessionURL == "":
		return o, errors.New("middleware: Options.LogoutAtServer: the provider has no EndSessionURL")
	case o.BackChannelLogoutPath != "" && client.IDTokens() == nil:
		return o, errors.New("middleware: Options.BackChannelLogoutPath: the client cannot verify logout tokens: set oauth.Options.IDTokens")
	}
	if o.IdleTimeout != 0 && o.IdleTimeout < minIdleTimeout {
		return o, fmt.Errorf("middleware: Options.IdleTimeout %v: use at least %v, or zero for no such limit", o.IdleTimeout, minIdleTimeout)
	}
	if o.Identify == nil && client.IDTokens() == nil {
		if p := client.Provider(); p.IdentityURL == "" && !p.IdentityInToken {
			return o, errors.New("middleware: the provider has no IdentityURL: set Options.Identify, which says who the user is, or oauth.Options.IDTokens")
		}
	}
	o.Params = cloneParams(o.Params)
	o.RedirectURLs = slices.Clone(o.RedirectURLs)
	return o, nil
}

func cloneParams(params url.Values) url.Values {
	c := maps.Clone(params)
	for name, values := range c {
		c[name] = slices.Clone(values)
	}
	return c
}
