package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// tenants serves requests by the tenant that they are for. Each tenant has a
// client of its own, and all have one store, one set of keys and one engine.
type tenants struct {
	x     *xapi.Server // the fake; a real program has none
	store storage.Store
	keys  *seal.Keys
	known map[string]oauth.Registration // by the name of the tenant, as in a table

	mu   sync.Mutex // guards the rest
	with *grant.Keeper
	open map[string]*tenant
}

// tenant is made when its first request comes.
type tenant struct {
	grants  *grant.Keeper
	handler http.Handler
}

// serve answers r for the tenant with this name. The name only chooses among
// tenants that are known: a Host header can be forged.
func (ts *tenants) serve(w http.ResponseWriter, r *http.Request, name string) {
	t, err := ts.get(name)
	switch {
	case err != nil:
		http.Error(w, "this tenant is not set up correctly", http.StatusInternalServerError)
	case t == nil:
		http.NotFound(w, r)
	default:
		t.handler.ServeHTTP(w, r)
	}
}

// get returns a tenant, or nil if it is not known.
func (ts *tenants) get(name string) (*tenant, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	registration, ok := ts.known[name]
	if t := ts.open[name]; t != nil || !ok {
		return t, nil
	}
	t, err := ts.make(name, registration)
	if err == nil {
		ts.open[name] = t
	}
	return t, err
}

// make makes a tenant. It sends nothing and reads nothing.
func (ts *tenants) make(name string, registration oauth.Registration) (*tenant, error) {
	client, err := oauth.New(ts.x.Provider(""), registration, &oauth.Options{HTTPClient: &http.Client{Transport: ts.x.Transport()}})
	if err != nil {
		return nil, err
	}
	grants, err := grant.New(client, ts.store, &grant.Options{With: ts.with}) // nil for the first tenant
	if err != nil {
		return nil, err
	}
	ts.with = grants
	login, err := middleware.New(grants, ts.keys, nil)
	if err != nil {
		return nil, err
	}
	api, err := transport.New(grants, &transport.Options{Base: ts.x.Transport()})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	login.Mount(mux)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { me(w, r, &http.Client{Transport: api}, name) })
	mux.Handle("GET "+ts.folder(client)+"me", login.Require(page))
	return &tenant{grants, mux}, nil
}

// folder is where the pages of a tenant are: beside its redirect URL.
func (ts *tenants) folder(client *oauth.Client) string {
	u, err := url.Parse(client.RedirectURL())
	if err != nil {
		return "/" // cannot happen: oauth.New has parsed it
	}
	return u.Path[:strings.LastIndex(u.Path, "/")+1]
}

// forget ends a tenant in this process. Its grants stay in the store.
func (ts *tenants) forget(name string) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.open[name]
	if t == nil {
		return nil
	}
	delete(ts.open, name)
	return t.grants.Close()
}

// me is a page of the app.
func me(w http.ResponseWriter, r *http.Request, api *http.Client, name string) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://api.x.com/2/users/me", nil)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	resp, err := api.Do(req)
	if err != nil {
		http.Error(w, "X cannot be reached", http.StatusBadGateway)
		return
	}
	_ = resp.Body.Close()
	fmt.Fprintln(w, "a user of", name, "asks X:", resp.StatusCode)
}

// Each tenant has a host. The redirect URL of the tenant says which.
func Example_tenantsByHost() {
	ts := newTenants(map[string]string{
		"acme.app.example":     "https://acme.app.example/callback",
		"umbrella.app.example": "https://umbrella.app.example/callback",
	})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ts.serve(w, r, r.Host) })

	browse := browserOf(ts, app)
	browse("https://acme.app.example/me")
	browse("https://umbrella.app.example/me")
	browse("https://evil.example/me")
	fmt.Println(ts.forget("acme.app.example"), ts.forget("umbrella.app.example"))
	// Output:
	// 200 a user of acme.app.example asks X: 200
	// 200 a user of umbrella.app.example asks X: 200
	// 404 404 page not found
	// <nil> <nil>
}

// Each tenant has a folder of one host. A cookie of one tenant means nothing to
// the others.
func Example_tenantsByPath() {
	ts := newTenants(map[string]string{
		"acme":     "https://app.example/t/acme/callback",
		"umbrella": "https://app.example/t/umbrella/callback",
	})
	app := http.NewServeMux()
	app.HandleFunc("/t/{tenant}/", func(w http.ResponseWriter, r *http.Request) { ts.serve(w, r, r.PathValue("tenant")) })

	browse := browserOf(ts, app)
	browse("https://app.example/t/acme/me")
	browse("https://app.example/t/umbrella/me")
	browse("https://app.example/t/nobody/me")
	fmt.Println(ts.forget("acme"), ts.forget("umbrella"))
	// Output:
	// 200 a user of acme asks X: 200
	// 200 a user of umbrella asks X: 200
	// 404 404 page not found
	// <nil> <nil>
}

// newTenants registers a client for each tenant at a fake of X.
func newTenants(redirectURLs map[string]string) *tenants {
	x, _ := xapi.NewServer(nil)
	keys, _ := seal.NewKeys(seal.NewKey())
	ts := &tenants{x: x, store: storage.NewMemory(), keys: keys, known: map[string]oauth.Registration{}, open: map[string]*tenant{}}
	for name, redirectURL := range redirectURLs {
		client := oauthtest.ConfidentialApp()
		client.ClientID, client.RedirectURLs = "client-of-"+name, []string{redirectURL}
		_ = x.Register(client)
		ts.known[name] = oauth.Registration{
			ClientID: client.ClientID, Credential: oauth.Secret(client.Secret()), RedirectURL: redirectURL,
			Scopes: []string{"tweet.read", "users.read", "offline.access"},
		}
	}
	return ts
}

// browserOf returns a browser for the app, whose user consents at X at once.
func browserOf(ts *tenants, app http.Handler) func(page string) {
	jar, _ := cookiejar.New(nil)
	inMemory := hosts{"x.com": ts.x.Transport()}
	for _, host := range []string{"app.example", "acme.app.example", "umbrella.app.example", "evil.example"} {
		inMemory[host] = served{app}
	}
	browser := &http.Client{Jar: jar, Transport: inMemory}
	return func(page string) {
		req, _ := http.NewRequest(http.MethodGet, page, nil)
		req.Header.Set("Accept", "text/html")
		resp, err := browser.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		fmt.Print(resp.StatusCode, " ", string(body))
	}
}

// served answers requests by a handler in this process.
type served struct{ http.Handler }

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil)
	in.Header = r.Header
	s.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
