package atproto

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// App is the app that users log in to.
type App struct {
	// Registration is the app as all authorization servers know it. ClientID is
	// the URL of the app's client ID metadata document: https, without a port.
	// Scopes contain "atproto". The RedirectURL of a web app has the host of the
	// ClientID. [Development] makes a Registration for development. Leave
	// Credential zero and set ClientKeys.
	Registration oauth.Registration

	// Metadata are what the document at ClientID says beside what the AT Protocol
	// demands, such as Name. Redirect URLs, scopes, keys and the way in which the
	// app authenticates are filled in. Nil means nothing more.
	Metadata *registration.Metadata

	// ClientKeys make the app a confidential client, whose logins live longer.
	// Nil means a public client.
	ClientKeys *jose.ClientKeys

	// Store keeps the grants of all servers.
	Store storage.Store

	// Proofs makes the keys of the grants: a jose.DPoP.
	Proofs tokensource.Proofs

	// Grants adjusts the Keeper of each server. Nil means all defaults.
	Grants *grant.Options

	// Keys seal the cookies of [Logins].
	Keys seal.AEAD

	// LoginPage is the local path of the page of [Logins] with the form in which
	// a user types a handle. The form sends "identifier", and "return_to" if
	// there is one, to "authorize" beside the callback. A form that sends
	// "server", such as bsky.social, begins a login without a handle.
	LoginPage string

	// Server is where a login begins for which nobody typed anything, such as
	// "bsky.social". Empty means that the user is led to LoginPage.
	Server string

	// OnError answers a request to [Logins] that leads to no server. The error is
	// one of those of [identity.Resolver.Resolve], or middleware.ErrFlowNotFound.
	// Nil means a short text.
	OnError func(w http.ResponseWriter, r *http.Request, err error)

	// Options are for the login of [Logins] at each server. Leave Identify,
	// OnBegin and RedirectURLs nil: the answer of the server says who the user
	// is. NewLogins sets the paths. Nil means all defaults.
	Options *middleware.Options
}

// localhost is the client ID of apps under development, without parameters.
const localhost = "http://localhost"

// Development returns the Registration of an app under development, which is
// published nowhere. Its client ID names the redirect URL and the scopes
// ([localhost client]). A server need not accept it. The redirect URL is http
// at 127.0.0.1 or [::1]. Its port counts for nothing at the server.
//
// Open the app at the address in the redirect URL: for a browser, localhost is
// another site.
//
// [localhost client]: https://atproto.com/specs/oauth#localhost-client-development
func Development(redirectURL string, scopes ...string) oauth.Registration {
	query := url.Values{"redirect_uri": {redirectURL}, "scope": {strings.Join(scopes, " ")}}
	return oauth.Registration{ClientID: localhost + "?" + query.Encode(), RedirectURL: redirectURL, Scopes: scopes}
}

// published reports whether the client ID is that of a published document.
func published(clientID string) bool {
	return !strings.HasPrefix(clientID, localhost+"?") && clientID != localhost
}

// check refuses an App that no server accepts ([clients]). A native app has no
// web server.
//
// [clients]: https://atproto.com/specs/oauth#clients
func (a *App) check(native bool) error {
	r := a.Registration
	to, err := url.Parse(r.RedirectURL)
	switch {
	case a.Store == nil || a.Proofs == nil:
		return errors.New("atproto: the App needs Store and Proofs")
	case !slices.Contains(r.Scopes, "atproto"):
		return errors.New(`atproto: App.Registration.Scopes must contain "atproto"`)
	case !r.Credential.IsZero():
		return errors.New("atproto: App.Registration.Credential: set App.ClientKeys in place of it")
	case err != nil || to.Host == "":
		return fmt.Errorf("atproto: App.Registration.RedirectURL %q is no URL with a host", r.RedirectURL)
	case !published(r.ClientID) && a.ClientKeys != nil:
		return errors.New("atproto: App.ClientKeys: a client of localhost has no keys")
	case !published(r.ClientID):
		return checkLoopback(to)
	}
	if err := registration.CheckClientID(r.ClientID); err != nil {
		return fmt.Errorf("atproto: App.Registration.ClientID: %w", err)
	}
	id, err := url.Parse(r.ClientID)
	switch {
	case err != nil || id.Port() != "":
		return errors.New("atproto: App.Registration.ClientID must have no port")
	case native:
		return checkLoopback(to)
	case to.Scheme != "https" || !strings.EqualFold(strings.TrimSuffix(to.Host, ":443"), id.Host):
		return errors.New("atproto: App.Registration.RedirectURL must have the https origin of the ClientID")
	}
	return nil
}

// checkLoopback refuses what is no redirect URL on this machine. The name
// localhost is none ([RFC 8252] section 8.3).
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
func checkLoopback(u *url.URL) error {
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "http" || ip == nil || !ip.IsLoopback() {
		return errors.New("atproto: App.Registration.RedirectURL must be http at 127.0.0.1 or [::1] for this app")
	}
	return nil
}

// registration returns the app as the servers know it, and what makes the keys
// of its grants.
func (a *App) registration() (oauth.Registration, tokensource.Proofs) {
	r := a.Registration
	r.Scopes = slices.Clone(r.Scopes)
	if a.ClientKeys == nil {
		return r, a.Proofs
	}
	r.Credential = a.ClientKeys.Credential()
	return r, a.ClientKeys.Proofs(a.Proofs)
}

// document returns the handler of the document at the client ID.
func (a *App) document() (http.Handler, error) {
	var m registration.Metadata
	if a.Metadata != nil {
		m = *a.Metadata
	}
	m.RedirectURLs, m.Scopes = []string{a.Registration.RedirectURL}, a.Registration.Scopes
	m.ApplicationType = cmp.Or(m.ApplicationType, "web")
	m.GrantTypes, m.DPoPBound = []string{"authorization_code", "refresh_token"}, true
	m.TokenAuthMethod, m.TokenAuthAlgorithm, m.Keys, m.KeysURL = "none", "", nil, ""
	if a.ClientKeys != nil {
		m.TokenAuthMethod, m.TokenAuthAlgorithm, m.Keys = "private_key_jwt", a.ClientKeys.Algorithm(), a.ClientKeys
	}
	return m.Handler(a.Registration.ClientID)
}
