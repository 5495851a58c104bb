package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// upstream is a server at which users have accounts: here a fake. For a real
// one, take provider.Get(name), the registration of your app, and the transport
// http.DefaultTransport.
type upstream struct {
	provider     *provider.Provider
	registration oauth.Registration
	base         http.RoundTripper
	stop         func() error
}

// startFake plays a server of the catalogue, at which two people have accounts.
// Its page, on which a person gives access, is on loopback. The app reaches the
// rest in memory, under the addresses of the real server.
func startFake(ctx context.Context, name, redirectURL string, scopes []string) (*upstream, error) {
	p, err := provider.Get(name)
	if err != nil {
		return nil, err
	}
	app := oauthtest.ConfidentialApp()
	app.Name, app.RedirectURLs = "Connected accounts", []string{redirectURL}
	server, err := oauthtest.NewServer(&oauthtest.Options{
		Provider: p, Apps: []oauthtest.App{app},
		Users: []oauthtest.User{
			{ID: "1001", Name: "Ann at " + name, Username: "ann"},
			{ID: "1002", Name: "Bob at " + name, Username: "bob"},
		},
	})
	if err != nil {
		return nil, err
	}
	server.Set(func(k *oauthtest.Knobs) { k.Authorize.Ask = true })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // it ends by stop
	asked, err := url.Parse(p.AuthorizationURL)
	if err != nil {
		return nil, err
	}
	p.AuthorizationURL, p.InsecureLoopback = "http://"+listener.Addr().String()+asked.Path, true
	return &upstream{
		provider: p, base: server.Transport(), stop: web.Close,
		registration: oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: redirectURL, Scopes: scopes,
		},
	}, nil
}

// through returns the transport below that of this server: requests for its
// hosts reach the fake, and others go on to next.
func (u *upstream) through(next http.RoundTripper) http.RoundTripper {
	hosts := map[string]bool{}
	for _, raw := range append([]string{u.provider.TokenURL, u.provider.IdentityURL}, u.provider.APIOrigins...) {
		if at, err := url.Parse(raw); err == nil {
			hosts[at.Host] = true
		}
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return fork{hosts, u.base, next}
}

// fork sends the requests for some hosts to one transport, and others to
// another one.
type fork struct {
	hosts       map[string]bool
	here, other http.RoundTripper
}

func (f fork) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.hosts[r.URL.Host] {
		return f.here.RoundTrip(r)
	}
	return f.other.RoundTrip(r)
}
