package atproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// maxServers is how many authorization servers are kept in memory. The one that
// was used least recently makes room: everybody can run a server and name it in
// a login.
const maxServers = 256

// App is the app that users log in to.
type App struct {
	// Registration is the app as all authorization servers know it. ClientID is
	// the URL of the app's client ID metadata document, and Scopes begin with
	// "atproto".
	Registration oauth.Registration

	// Store keeps the grants of all servers, and Keys seal the cookies.
	Store storage.Store
	Keys  seal.AEAD

	// Proofs makes the keys of the grants: a jose.DPoP.
	Proofs tokensource.Proofs

	// LoginPage is the local path of the page with the form in which a user
	// types a handle. The form sends "identifier", and "return_to" if there is
	// one, to "authorize" beside the callback.
	LoginPage string

	// Options are for the login at each server. Leave Identify and OnBegin nil:
	// the answer of the server says who the user is. NewLogins sets the paths.
	// Nil means all defaults.
	Options *middleware.Options
}

// Logins are the logins of one app at the authorization servers of all its
// users. [NewLogins] makes them. They are safe for concurrent use. Close them
// at
// the end.
//
// Each server has a client, a keeper and sessions of its own. So what one
// server
// says never reaches the users of another one.
type Logins struct {
	resolver *Resolver
	app      App
	site     site

	mu      sync.Mutex // guards what follows; never held across I/O
	servers map[string]*server
	uses    uint64
	closed  bool
}

// server is one authorization server.
type server struct {
	keeper *grant.Keeper
	login  *middleware.Login
	used   uint64
}

// NewLogins returns the logins of an app. It refuses settings that cannot work.
func NewLogins(r *Resolver, app *App) (*Logins, error) {
	switch {
	case r == nil || app == nil || app.Store == nil || app.Keys == nil || app.Proofs == nil:
		return nil, errors.New("atproto: NewLogins needs a Resolver, and Store, Keys and Proofs of the App")
	case len(app.Registration.Scopes) == 0 || app.Registration.Scopes[0] != "atproto":
		return nil, errors.New(`atproto: App.Registration.Scopes must begin with "atproto"`)
	case len(app.LoginPage) < 2 || app.LoginPage[0] != '/' || app.LoginPage[1] == '/':
		return nil, errors.New("atproto: App.LoginPage must be a path of this site")
	case app.Options != nil && (app.Options.Identify != nil || app.Options.OnBegin != nil):
		return nil, errors.New("atproto: App.Options must leave Identify and OnBegin nil")
	}
	s, err := newSite(app.Registration.RedirectURL)
	if err != nil {
		return nil, err
	}
	l := &Logins{resolver: r, app: *app, site: s, servers: map[string]*server{}}
	l.app.Registration.Scopes = slices.Clone(app.Registration.Scopes)
	return l, nil
}

// Close stops all keepers. It may be called twice.
func (l *Logins) Close() error {
	l.mu.Lock()
	l.closed = true
	all := l.servers
	l.servers = map[string]*server{}
	l.mu.Unlock()
	var errs []error
	for _, s := range all {
		errs = append(errs, s.keeper.Close())
	}
	return errors.Join(errs...)
}

// server returns the authorization server of an issuer. Two callers may build
// it
// at once; one of the results is used.
func (l *Logins) server(ctx context.Context, issuer string) (*server, error) {
	if s, err := l.keep(issuer, nil); s != nil || err != nil {
		return s, err
	}
	built, err := l.build(ctx, issuer)
	if err != nil {
		return nil, err
	}
	s, err := l.keep(issuer, built)
	if s != built {
		_ = built.keeper.Close()
	}
	return s, err
}

// keep returns the server in memory, or puts built there if it is not nil.
func (l *Logins) keep(issuer string, built *server) (*server, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, tokensource.ErrClosed
	}
	s := l.servers[issuer]
	if s == nil && built != nil {
		l.makeRoom()
		s = built
		l.servers[issuer] = s
	}
	if s != nil {
		l.uses++
		s.used = l.uses
	}
	return s, nil
}

// makeRoom removes the server that was used least recently. Its grants stay in
// the store. The caller holds mu.
func (l *Logins) makeRoom() {
	if len(l.servers) < maxServers {
		return
	}
	oldest, at := "", l.uses+1
	for issuer, s := range l.servers {
		if s.used < at {
			oldest, at = issuer, s.used
		}
	}
	gone := l.servers[oldest]
	delete(l.servers, oldest)
	go func() { _ = gone.keeper.Close() }()
}

// build makes the client, the keeper and the login of a server.
func (l *Logins) build(ctx context.Context, issuer string) (*server, error) {
	p, err := l.resolver.Provider(ctx, &Account{Issuer: issuer, Server: issuer})
	if err != nil {
		return nil, err
	}
	client, err := oauth.New(p, l.app.Registration, &oauth.Options{HTTPClient: l.resolver.HTTPClient(), Proofs: l.app.Proofs})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrServer, issuer, err)
	}
	keeper, err := grant.New(client, l.app.Store, nil)
	if err != nil {
		return nil, err
	}
	var o middleware.Options
	if l.app.Options != nil {
		o = *l.app.Options
	}
	o.OnBegin = begin
	admit := o.OnLogin
	o.OnLogin = func(ctx context.Context, user provider.Identity) error {
		if err := l.verify(ctx, issuer, user.Subject); err != nil || admit == nil {
			return err
		}
		return admit(ctx, user)
	}
	o.AuthorizePath, o.LogoutPath, o.DisconnectPath = l.site.authorize, l.site.logout, l.site.disconnect
	login, err := middleware.New(keeper, l.app.Keys, &o)
	if err != nil {
		return nil, errors.Join(err, keeper.Close())
	}
	return &server{keeper: keeper, login: login}, nil
}

// verify refuses the user that the token endpoint named, unless it is the one
// that was asked for, and the account leads back to the server.
func (l *Logins) verify(ctx context.Context, issuer, sub string) error {
	did, _ := ctx.Value(askedKey{}).(string)
	_, err := l.resolver.Verify(ctx, sub, issuer, did)
	if errors.Is(err, ErrUser) {
		return fmt.Errorf("%w: %w", middleware.ErrRefused, err)
	}
	return err
}
