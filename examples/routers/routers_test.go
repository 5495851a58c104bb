package routers_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/authtrip/authtrip/examples/routers"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestRouters goes from the page through the login and back, and out again, in
// each router.
func TestRouters(t *testing.T) {
	for name, mount := range map[string]func(*middleware.Login, http.Handler) http.Handler{
		"net/http": routers.NetHTTP, "http.StripPrefix": routers.StripPrefix, "chi": routers.Chi, "the root of chi": routers.ChiRoot,
		"echo": routers.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			fake := xapi.New(t, nil)
			var app http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			login := newLogin(t, fake, server.URL+"/auth/callback")
			app = mount(login, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, _ := login.Subject(r)
				_, _ = io.WriteString(w, "the page of "+user)
			}))

			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			browser := &http.Client{Jar: jar, Transport: hosts{"x.com": fake.Transport()}}
			visit := func(method, path string) (string, int) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Accept", "text/html")
				resp, err := browser.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return string(body), resp.StatusCode
			}
			want := "the page of " + oauthtest.DefaultUser().ID
			if body, status := visit(http.MethodGet, "/private?x=1"); body != want {
				t.Errorf("page = %d %q, want %q", status, body, want)
			}
			if _, status := visit(http.MethodGet, "/auth/logout"); status != http.StatusMethodNotAllowed {
				t.Errorf("GET /auth/logout = %d, want the page with the button", status)
			}
			if n := fake.TokenCalls("authorization_code"); n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
			visit(http.MethodPost, "/auth/logout")
			visit(http.MethodGet, "/private")
			if n := fake.TokenCalls("authorization_code"); n != 2 {
				t.Errorf("%d logins after the logout, want 2", n)
			}
		})
	}
}

func newLogin(t *testing.T, fake *xapi.Server, redirectURL string) *middleware.Login {
	t.Helper()
	registered := oauthtest.ConfidentialApp()
	registered.RedirectURLs = []string{redirectURL}
	if err := fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()), RedirectURL: redirectURL,
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
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
	login, err := middleware.New(keeper, keys, nil)
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
