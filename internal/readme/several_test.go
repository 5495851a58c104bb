package readme_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

func newLogin(
	p *provider.Provider, r oauth.Registration, store storage.Store, keys seal.AEAD,
) (*middleware.Login, *grant.Keeper, error) {
	client, err := oauth.New(p, r, nil)
	if err != nil {
		return nil, nil, err
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return nil, nil, err
	}
	login, err := middleware.New(grants, keys, nil)
	return login, grants, err
}

func mountBoth(mux *http.ServeMux, xLogin, gitHubLogin *middleware.Login, page http.Handler) {
	xLogin.Mount(mux)
	gitHubLogin.Mount(mux)
	mux.Handle("GET /both", xLogin.Require(gitHubLogin.Require(page))) // needs both
}

func clientOfBoth(xGrants, gitHubGrants *grant.Keeper) (*http.Client, error) {
	toX, err := transport.New(xGrants, nil)
	if err != nil {
		return nil, err
	}
	toBoth, err := transport.New(gitHubGrants, &transport.Options{Base: toX})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: toBoth}, nil
}

// TestSeveralProviders mounts the two logins of the page and begins each.
func TestSeveralProviders(t *testing.T) {
	gitHub, err := provider.Get("github")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemory()
	xLogin, xGrants, err := newLogin(provider.X(), oauth.Registration{
		ClientID: "x-client", RedirectURL: "https://app.example/x/callback", Scopes: []string{"users.read", "tweet.read", "offline.access"},
	}, store, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = xGrants.Close() }()
	gitHubLogin, gitHubGrants, err := newLogin(gitHub, oauth.Registration{
		ClientID: "github-client", Credential: oauth.Secret("a secret"), RedirectURL: "https://app.example/github/callback",
		Scopes: []string{"read:user", "offline_access"},
	}, store, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gitHubGrants.Close() }()
	if _, err := clientOfBoth(xGrants, gitHubGrants); err != nil {
		t.Error(err)
	}
	mux := http.NewServeMux()
	mountBoth(mux, xLogin, gitHubLogin, http.NotFoundHandler())
	for path, want := range map[string]string{"/x/authorize": "https://x.com/", "/github/authorize": "https://github.com/"} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example"+path, nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(to, want) {
			t.Errorf("GET %s = %d %q, want a redirect to %s", path, w.Code, to, want)
		}
	}
}
