package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// upstream is where users log in and whose API is called: the fake, or the real
// X.
type upstream struct {
	provider     *provider.Provider
	registration oauth.Registration
	base         http.RoundTripper
	welcome      string // what to print at the start
	fake         *fake  // nil if it is the real X
}

// chooseUpstream, for an app at origin, returns the real X if the environment
// has a client ID for it, and otherwise starts the fake.
func chooseUpstream(ctx context.Context, origin, dir string, t *timeline) (*upstream, error) {
	redirectURL := origin + "/callback"
	up := &upstream{registration: oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")),
		RedirectURL: redirectURL,
		Scopes:      []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}}
	if up.registration.ClientID != "" {
		up.provider, up.base = provider.X(), http.DefaultTransport
		up.welcome = "This uses the real X. Register this callback URL for your app in X's developer console: " + redirectURL + "\n"
		return up, nil
	}
	f, err := startFake(ctx, redirectURL, filepath.Join(dir, "fake.json"), t)
	if err != nil {
		return nil, err
	}
	// Only the consent page has an address of its own, for the browser. The app
	// reaches the fake in memory, under the addresses of the real X: the storage
	// key of a grant contains the token endpoint, and must survive a restart.
	up.fake, up.provider, up.base = f, provider.X(), f.Transport()
	up.provider.AuthorizationURL, up.provider.InsecureLoopback = f.url+xapi.PathAuthorize, true
	up.registration.ClientID, up.registration.Credential = f.app.ClientID, oauth.Secret(f.app.Secret())
	up.welcome = "This uses a fake of X at " + f.url + ": no account, no network. Set X_CLIENT_ID to use the real one.\n"
	return up, nil
}

func (u *upstream) stop() error {
	if u.fake == nil {
		return nil
	}
	return u.fake.stop()
}

// originOf returns scheme and host of a URL.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
