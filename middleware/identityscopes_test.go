package middleware_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// grantsWith returns a Keeper whose client asks for these scopes.
func grantsWith(t *testing.T, scopes ...string) *grant.Keeper {
	t.Helper()
	x, app := xapi.New(t, nil), oauthtest.ConfidentialApp()
	client, err := oauth.New(x.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "https://app.example/callback", Scopes: scopes,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: x.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grants.Close() })
	return grants
}

// TestNewRefusesScopesWithoutIdentity has scopes of X with which GET
// /2/users/me answers 403.
func TestNewRefusesScopesWithoutIdentity(t *testing.T) {
	tests := []struct{ scopes, missing string }{
		{"tweet.read users.read offline.access", ""},
		{"users.read offline.access tweet.write tweet.read", ""},
		{"users.read offline.access", "tweet.read"},
		{"tweet.read offline.access", "users.read"},
		{"ads.read ads.write offline.access", "users.read and tweet.read"},
		{"users.email offline.access", "users.read and tweet.read"},
	}
	for _, tt := range tests {
		grants := grantsWith(t, strings.Fields(tt.scopes)...)
		_, err := middleware.New(grants, newKeys(t), nil)
		switch {
		case tt.missing == "" && err != nil:
			t.Errorf("New with %s = %v, want nil", tt.scopes, err)
		case tt.missing != "" && (err == nil || !strings.Contains(err.Error(), "without the scopes "+tt.missing+" the provider")):
			t.Errorf("New with %s = %v, want an error that names %s", tt.scopes, err, tt.missing)
		}
	}
}

// TestIdentifyNeedsNoScopes: an app that knows in another way who the user is
// may ask for any scopes.
func TestIdentifyNeedsNoScopes(t *testing.T) {
	_, err := middleware.New(grantsWith(t, "ads.read", "offline.access"), newKeys(t), &middleware.Options{
		Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: "7"}, nil
		},
	})
	if err != nil {
		t.Errorf("New with Identify = %v, want nil", err)
	}
}

// TestALoginWithOtherScopesNeedsIdentityToo: the scopes of one login are
// checked as those of the client are.
func TestALoginWithOtherScopesNeedsIdentityToo(t *testing.T) {
	var errs seen
	scopes := []string{"ads.read", "offline.access"}
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError, OnBegin: func(*http.Request) *middleware.BeginOptions {
		return &middleware.BeginOptions{Scopes: scopes}
	}}})
	b := newBrowser(t, w.mux)
	b.get("/authorize")
	errs.want(t, "a login for ads.read alone", tokensource.ErrClient)
	if n := len(w.fake.Requests()); n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
	scopes = []string{"ads.read", "users.read", "tweet.read", "offline.access"}
	if to := b.get("/authorize").location(); !strings.Contains(to, "ads.read") {
		t.Errorf("a login with the scopes of identity led to %.80q, want X", to)
	}
}
