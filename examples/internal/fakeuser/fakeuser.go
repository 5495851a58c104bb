// Package fakeuser is a user of the fake of X, for the tests of the examples.
package fakeuser

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Authorize lets the user of the fake authorize an app without a browser. It
// returns the keeper of the grant, which the caller closes, and the user's
// subject.
func Authorize(ctx context.Context, fake *xapi.Server) (grants *grant.Keeper, subject string, err error) {
	client, err := newClient(fake, oauthtest.ConfidentialApp())
	if err != nil {
		return nil, "", err
	}
	const verifier = "a-code-verifier-is-43-or-more-characters-long"
	page, err := client.Authorize(ctx, "state", verifier, nil)
	if err != nil {
		return nil, "", err
	}
	callback, err := fake.Authorize(ctx, "", page)
	if err != nil {
		return nil, "", err
	}
	answer, err := url.Parse(callback)
	if err != nil {
		return nil, "", err
	}
	tok, err := client.Exchange(ctx, answer.Query().Get("code"), verifier)
	if err != nil {
		return nil, "", err
	}
	user, err := client.Identity(ctx, tok)
	if err != nil {
		return nil, "", err
	}
	if grants, err = grant.New(client, storage.NewMemory(), nil); err != nil {
		return nil, "", err
	}
	_, err = grants.Save(ctx, user.Subject, tok)
	return grants, user.Subject, err
}

func newClient(fake *xapi.Server, app oauthtest.App) (*oauth.Client, error) {
	return oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
}

// Journey goes from a page through the login and back, out again, and in again,
// as a browser does. The function mount returns the app: /private shows page to
// users who are logged in, and the routes of the login are in /auth.
func Journey(t *testing.T, o *middleware.Options, mount func(login *middleware.Login, page http.Handler) http.Handler) {
	t.Helper()
	fake := xapi.New(t, nil)
	var app http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	login := newLogin(t, fake, server.URL+"/auth/callback", o)
	app = mount(login, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := login.Subject(r)
		_, _ = io.WriteString(w, "the page of "+user)
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: hosts{"x.com": fake.Transport()}}

	want := "the page of " + oauthtest.DefaultUser().ID
	if body, status := visit(t, browser, http.MethodGet, server.URL+"/private?x=1"); body != want {
		t.Errorf("page = %d %q, want %q", status, body, want)
	}
	if _, status := visit(t, browser, http.MethodGet, server.URL+"/auth/logout"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /auth/logout = %d, want the page with the button", status)
	}
	visit(t, browser, http.MethodGet, server.URL+"/private")
	if n := fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	visit(t, browser, http.MethodPost, server.URL+"/auth/logout")
	visit(t, browser, http.MethodGet, server.URL+"/private")
	if n := fake.TokenCalls("authorization_code"); n != 2 {
		t.Errorf("%d logins after the logout, want 2", n)
	}
}

func visit(t *testing.T, browser *http.Client, method, address string) (body string, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.StatusCode
}

func newLogin(t *testing.T, fake *xapi.Server, redirectURL string, o *middleware.Options) *middleware.Login {
	t.Helper()
	registered := oauthtest.ConfidentialApp()
	registered.RedirectURLs = []string{redirectURL}
	if err := fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	client, err := newClient(fake, registered)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := middleware.New(keeper, keys, o)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// hosts sends the requests to some hosts elsewhere.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if rt, ok := h[r.URL.Hostname()]; ok {
		return rt.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}
