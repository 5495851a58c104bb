package everyserver_test

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

const data = "../../tokensource/provider"

// entry is a provider of the catalogue, with the examples of its variables.
type entry struct {
	*provider.Provider
	public bool // there are public clients
}

// everyProvider returns all entries by name.
func everyProvider(t *testing.T) map[string]entry {
	t.Helper()
	catalogue, err := provider.Load(os.DirFS(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(data + "/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Providers []struct {
			Name   string
			Vars   map[string]struct{ Example string }
			Client struct{ Public string }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	list := map[string]entry{}
	for _, e := range file.Providers {
		vars := map[string]string{}
		for name, v := range e.Vars {
			vars[name] = v.Example
		}
		p, err := catalogue.Get(e.Name, vars)
		if err != nil {
			t.Fatal(err)
		}
		list[e.Name] = entry{p, e.Client.Public == "yes"}
	}
	return list
}

// app is an app with a login at one server, and the browser of one user.
type app struct {
	t      *testing.T
	p      *provider.Provider
	fake   *oauthtest.Server
	grants *grant.Keeper
	mux    *http.ServeMux
	api    *http.Client
	jar    http.CookieJar
	user   string // the subject
	refuse bool   // an answer of the app that is an error is expected

	clientID string
	own      string // the origin of the app's own API, for a provider without one
}

func newApp(t *testing.T, p *provider.Provider, registered oauthtest.App) *app {
	t.Helper()
	a := &app{t: t, p: p, clientID: registered.ClientID, fake: oauthtest.New(t, &oauthtest.Options{Provider: p}), mux: http.NewServeMux()}
	registered.RedirectURLs = []string{"https://app.example/callback"}
	if err := a.fake.Register(registered); err != nil {
		t.Fatal(err)
	}
	scopes := slices.Clone(p.IdentityScopes)
	if p.RefreshScope != "" && !slices.Contains(scopes, p.RefreshScope) {
		scopes = append(scopes, p.RefreshScope)
	}
	if len(scopes) == 0 {
		scopes = []string{"read", "write"}
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: registered.ClientID, Credential: oauth.Secret(registered.Secret()),
		RedirectURL: "https://app.example/callback", Scopes: scopes,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: a.fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	a.grants, err = grant.New(client, storage.NewMemory(), &grant.Options{InsecurePlainStore: true, WithoutRefresh: p.RefreshTokens.None})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.grants.Close() })
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	login, err := middleware.New(a.grants, keys, a.options())
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(a.mux)
	a.mux.Handle("/me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.user, _ = login.Subject(r)
	})))
	o := &transport.Options{Base: a.fake.Transport()}
	if len(p.APIOrigins) == 0 && len(p.GrantOrigins) == 0 { // the user's own APIs
		a.own = p.TokenURL[:strings.Index(p.TokenURL[len("https://"):], "/")+len("https://")]
		o.Origins = []string{a.own}
	}
	rt, err := transport.New(a.grants, o)
	if err != nil {
		t.Fatal(err)
	}
	a.api = &http.Client{Transport: rt}
	if a.jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return a
}

// options says who the user is where the server has no way to say so.
func (a *app) options() *middleware.Options {
	o := &middleware.Options{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		if !a.refuse {
			a.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		middleware.ErrorPage(w, r, err)
	}}
	if a.p.IdentityURL == "" && !a.p.IdentityInToken {
		o.Identify = knownUser
	}
	return o
}

// open sends a request of the user's browser to the app.
func (a *app) open(method, target string) *http.Response {
	a.t.Helper()
	u, err := url.Parse("https://app.example" + target)
	if err != nil {
		a.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(a.t.Context(), method, target, nil)
	r.Host = u.Host
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range a.jar.Cookies(u) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, r)
	resp := w.Result()
	resp.Body.Close()
	a.jar.SetCookies(u, resp.Cookies())
	return resp
}

// logIn goes through a login, and returns whether it worked.
func (a *app) logIn() bool {
	a.t.Helper()
	begun := a.open(http.MethodGet, "/authorize?return_to=/me")
	callback, err := a.fake.Authorize(a.t.Context(), "", begun.Header.Get("Location"))
	if err != nil {
		a.t.Errorf("the server refuses the request: %v", err)
		return false
	}
	u, err := url.Parse(callback)
	if err != nil {
		a.t.Fatal(err)
	}
	if done := a.open(http.MethodGet, u.RequestURI()); done.Header.Get("Location") != "/me" {
		a.t.Errorf("the login ends with %d to %q, want /me", done.StatusCode, done.Header.Get("Location"))
		return false
	}
	a.open(http.MethodGet, "/me")
	return a.user != ""
}

// call sends a request to the API, and returns its status.
func (a *app) call() (int, error) {
	a.t.Helper()
	tok, err := a.grants.Token(a.grants.WithSubject(a.t.Context(), a.user))
	if err != nil {
		return 0, err
	}
	origins := a.grants.APIOrigins(tok)
	if a.own != "" {
		origins = []string{a.own}
	}
	if len(origins) == 0 {
		a.t.Fatal("the grant has no API origin")
	}
	req, err := http.NewRequestWithContext(a.grants.WithSubject(a.t.Context(), a.user), http.MethodGet, origins[len(origins)-1]+"/authtrip/test", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := a.api.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && !strings.Contains(string(text), "sha256") {
		return cmp.Or(resp.StatusCode, 1) + 1000, nil // the API answered, and did not accept the token
	}
	return resp.StatusCode, nil
}
