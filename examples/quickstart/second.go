package main

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// second is a second provider, Google, played by a fake of its own. Users who
// are logged in with X connect accounts there.
type second struct {
	provider *provider.Provider
	saved    *saved
	pages    *http.Server
	grants   *grant.Keeper
	accounts *connect.Accounts
	routes   *connect.Provider
	api      *http.Client // acts for the account that a request's context names
}

// startSecond makes accounts at Google connectable. The user of the app is the
// one who is logged in with X.
func (a *app) startSecond(ctx context.Context, dir string, store storage.Store, keys seal.AEAD) error {
	s := new(second)
	var err error
	if s.provider, err = provider.Get("google"); err != nil {
		return err
	}
	registered := oauthtest.ConfidentialApp()
	registered.Name, registered.RedirectURLs = "authtrip quickstart", []string{a.origin + "/google/callback"}
	s.saved = &saved{file: filepath.Join(dir, "google.json")}
	fake, err := oauthtest.NewServer(&oauthtest.Options{
		Provider: s.provider, Apps: []oauthtest.App{registered}, OnRequest: s.saved.keep, RecordLimit: -1,
		Users: []oauthtest.User{{ID: "1001", Name: "Work account", Username: "work"}, {ID: "1002", Name: "Private account", Username: "private"}},
	})
	if err != nil {
		return err
	}
	fake.Set(func(k *oauthtest.Knobs) { k.Authorize.Ask = true })
	s.saved.server = fake
	if err := s.saved.restore(); err != nil {
		return err
	}
	if err := s.serve(ctx, a.timeline, fake); err != nil {
		return err
	}
	a.second = s
	return s.assemble(a, fake, registered, store, keys)
}

// serve gives the consent page an address for the browser.
func (s *second) serve(ctx context.Context, t *timeline, fake *oauthtest.Server) error {
	listener, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	page, err := url.Parse(s.provider.AuthorizationURL)
	if err != nil {
		return err
	}
	s.provider.AuthorizationURL, s.provider.InsecureLoopback = "http://"+listener.Addr().String()+page.Path, true
	s.pages = newServer(t.watch(authServer, fake))
	go s.pages.Serve(listener) //nolint:errcheck // it ends with http.ErrServerClosed, by stop
	return nil
}

// assemble puts the parts of authtrip together.
func (s *second) assemble(a *app, fake *oauthtest.Server, registered oauthtest.App, store storage.Store, keys seal.AEAD) error {
	visible := &wire{base: fake.Transport(), timeline: a.timeline, provider: s.provider}
	client, err := oauth.New(s.provider, oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: registered.RedirectURLs[0],
		Scopes: []string{"openid", "profile"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: visible}})
	if err != nil {
		return err
	}
	if s.grants, err = grant.New(client, store, nil); err != nil {
		return err
	}
	currentUser := func(r *http.Request) (string, error) {
		user, _ := a.login.Subject(r)
		return user, nil
	}
	if s.accounts, err = connect.New(currentUser, nil); err != nil {
		return err
	}
	s.routes, err = s.accounts.Add(s.grants, keys, &middleware.Options{
		AppName: "authtrip quickstart", AfterLogin: "/?at=google", AfterLogout: "/?at=google", OnError: explain,
	})
	if err != nil {
		return err
	}
	rt, err := transport.New(s.grants, &transport.Options{Base: visible})
	s.api = &http.Client{Transport: rt}
	return err
}

// ask asks Google who a connected account is.
func (a *app) ask(ctx context.Context, r *http.Request) (result, error) {
	user, _ := a.login.Subject(r)
	c, err := a.second.accounts.Connection(ctx, user, r.PostFormValue("connection"))
	if err != nil {
		return result{}, err
	}
	at := a.second.provider.IdentityURL
	status, body, err := send(c.Context(ctx), a.second.api, http.MethodGet, at, nil)
	if err != nil {
		return result{}, err
	}
	return answered("Google", status, body), nil
}

// stop ends what startSecond has begun.
func (s *second) stop() error {
	var err error
	if s.grants != nil {
		err = s.grants.Close()
	}
	closing(&err, func() error { return shutdown(s.pages) })
	closing(&err, s.saved.save)
	return err
}
