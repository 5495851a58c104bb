// Package journey goes through a login as a browser does, for the tests of the
// examples.
package journey

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Test goes from a page through the login and back, out again, and in again,
// as a browser does. The function mount returns the app: /private shows page to
// users who are logged in, and the routes of the login are in /auth.
func Test(t *testing.T, o *middleware.Options, mount func(login *middleware.Login, page http.Handler) http.Handler) {
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
	client, err := fakeuser.Client(fake, registered)
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
