// Package middleware logs users in with OAuth 2.0 on the mux that an app has already: /authorize sends the browser to the
// authorization server, /callback takes the answer, /logout revokes the grant, and Require keeps pages for those who are
// logged in.
//
// It keeps no state in the process: what one login needs is in a sealed cookie of its own, and that a login was used is
// written to the store of the grants by compare-and-swap. Any replica can answer any request.
package middleware

import (
	"errors"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Login is the login of one app at one authorization server. It is safe for concurrent use; several of them, for several
// providers, can stand on one mux if their redirect URLs are in folders of their own.
//
// New makes one; the zero Login cannot be used.
type Login struct {
	inner func() *login // in a closure, so that a Login that is printed does not show its keys
}

type login struct {
	grants   *grant.Keeper
	client   *oauth.Client
	keys     seal.AEAD
	options  Options
	sessions Sessions
	site     site
	cookies  cookies
	used     ledger
}

// Mux is what Mount needs of a router. http.ServeMux and chi's routers have this method as it is; see MuxFunc for others.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// MuxFunc makes a Mux of a function, for routers whose Handle returns something, such as gorilla/mux:
//
//	login.Mount(middleware.MuxFunc(func(path string, h http.Handler) { router.Handle(path, h) }))
type MuxFunc func(pattern string, h http.Handler)

// Handle calls f.
func (f MuxFunc) Handle(pattern string, h http.Handler) { f(pattern, h) }

// New returns the login for the client of grants. keys seal the cookies; they have to be the same in every replica and
// may be the ones that seal the store. Nil options mean all defaults. Settings that cannot work are refused here, with an
// error that says what to do.
func New(grants *grant.Keeper, keys seal.AEAD, o *Options) (*Login, error) {
	if grants == nil {
		return nil, errors.New("middleware: nil Keeper: make one with grant.New")
	}
	if k, ok := keys.(*seal.Keys); keys == nil || ok && k == nil {
		return nil, errors.New("middleware: nil keys: build them with seal.NewKeys; cookies are never left unsealed")
	}
	client := grants.Client()
	if o == nil {
		o = new(Options)
	}
	s, err := newSite(client.RedirectURL(), o)
	if err != nil {
		return nil, err
	}
	options, err := o.resolve(client)
	if err != nil {
		return nil, err
	}
	l := &login{
		grants: grants, client: client, keys: keys, options: options, site: s,
		cookies:  newCookies(s.secure, client.Provider().Name, client.ClientID()),
		sessions: options.Sessions,
		used:     ledger{grants.Store()},
	}
	if l.sessions == nil {
		l.sessions = cookieSessions{l.cookies, options.SessionLifetime}
	}
	return &Login{func() *login { return l }}, nil
}

// Mount registers the three routes on mux under their public paths: the redirect URL's path, and beside it authorize and
// logout, or what Options say. Behind http.StripPrefix the mux sees other paths: there, register Authorize, Callback and
// Logout one by one; they never look at their own path.
func (l *Login) Mount(mux Mux) {
	site := l.inner().site
	mux.Handle(site.authorize, l.Authorize())
	mux.Handle(site.callback, l.Callback())
	mux.Handle(site.logout, l.Logout())
}

// workTime bounds what happens at the authorization server and in the store for one request of a browser. It is less
// than the thirty seconds that a code lives at X.
const workTime = 25 * time.Second
