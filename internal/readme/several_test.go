package readme_test

import (
	"errors"
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

// tenant is one of many, with a client of its own.
type tenant struct {
	grants  *grant.Keeper
	handler http.Handler
}

func openTenant(
	p *provider.Provider, r oauth.Registration, store storage.Store, keys seal.AEAD,
	with *grant.Keeper, page http.Handler,
) (*tenant, error) {
	client, err := oauth.New(p, r, nil)
	if err != nil {
		return nil, err
	}
	grants, err := grant.New(client, store, &grant.Options{With: with}) // nil for the first tenant
	if err != nil {
		return nil, err
	}
	login, err := middleware.New(grants, keys, nil)
	if err != nil {
		return nil, errors.Join(err, grants.Close())
	}
	mux := http.NewServeMux()
	login.Mount(mux)
	mux.Handle("GET /me", login.Require(page))
	return &tenant{grants, mux}, nil
}

// tenants are those that are known, by their hosts.
type tenants map[string]*tenant

func (ts *tenants) of(host string) *tenant { return (*ts)[host] }

func (ts *tenants) serve(w http.ResponseWriter, r *http.Request) {
	t := ts.of(r.Host) // with a folder for each tenant: r.PathValue("tenant")
	if t == nil {
		http.NotFound(w, r)
		return
	}
	t.handler.ServeHTTP(w, r)
}

// TestTenants sends requests to two tenants of the page, and to none.
func TestTenants(t *testing.T) {
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	ts, store, with := tenants{}, storage.NewMemory(), (*grant.Keeper)(nil)
	for _, host := range []string{"acme.app.example", "umbrella.app.example"} {
		one, err := openTenant(provider.X(), oauth.Registration{
			ClientID: "client-of-" + host, RedirectURL: "https://" + host + "/callback", Scopes: []string{"users.read", "tweet.read", "offline.access"},
		}, store, keys, with, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = one.grants.Close() }()
		ts[host], with = one, one.grants
	}
	for host, want := range map[string]string{"acme.app.example": "client-of-acme", "umbrella.app.example": "client-of-umbrella", "evil.example": ""} {
		r := httptest.NewRequest(http.MethodGet, "https://"+host+"/authorize", nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		ts.serve(w, r)
		if to := w.Header().Get("Location"); (w.Code == http.StatusSeeOther) != (want != "") || !strings.Contains(to, want) {
			t.Errorf("GET https://%s/authorize = %d %q, want a redirect with %q", host, w.Code, to, want)
		}
	}
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
