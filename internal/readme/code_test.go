package readme_test

import (
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// wrap is the README's first example.
func wrap(httpClient *http.Client, client *oauth.Client, store storage.Store) (*grant.Keeper, error) {
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return nil, err
	}
	base := httpClient.Transport
	httpClient.Transport, err = transport.New(grants.Source("2244994945"), &transport.Options{Base: base})
	return grants, err
}

// mount is the README's second example: everything that an existing server
// needs.
func mount(mux *http.ServeMux, page *template.Template) error {
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")), // empty for a public client
		RedirectURL: "https://app.example/callback",
		Scopes:      []string{"tweet.read", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		return err
	}
	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS")) // base64 of 32 random bytes; several while you rotate
	if err != nil {
		return err
	}
	files, err := filestore.Open("grants", nil)
	if err != nil {
		return err
	}
	store, err := storage.Sealed(files, keys)
	if err != nil {
		return err
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		return err
	}
	login, err := middleware.New(grants, keys, nil)
	if err != nil {
		return err
	}
	authenticated, err := transport.New(grants, nil)
	if err != nil {
		return err
	}
	api := &http.Client{Transport: authenticated} // one for all users

	login.Mount(mux) // /authorize, /callback, /logout
	mux.Handle("/me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", "https://api.x.com/2/users/me", nil)
		if err != nil {
			http.Error(w, "bug", http.StatusInternalServerError)
			return
		}
		resp, err := api.Do(req) // as the user of this web session
		if errors.Is(err, tokensource.ErrReauthorize) {
			login.Reauthorize(w, r)
			return
		}
		if err != nil {
			http.Error(w, "X cannot be reached", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_ = page.Execute(w, resp.Status)
	})))
	return nil
}

// generic is the README's example of a server that is not X.
func generic() *provider.Provider {
	acme := &provider.Provider{
		Name:             "acme",
		AuthorizationURL: "https://login.acme.example/authorize",
		TokenURL:         "https://login.acme.example/token",
		RevocationURL:    "https://login.acme.example/revoke",
		APIOrigins:       []string{"https://api.acme.example"},
	}
	return acme
}

// decide is the README's example of errors.
func decide(err error) string {
	var advice string
	switch {
	case errors.Is(err, tokensource.ErrReauthorize): // ErrNoGrant too
		advice = "send the user through the login"
	case errors.Is(err, tokensource.ErrTemporary):
		advice = "try again later"
		if e, ok := errors.AsType[*tokensource.Error](err); ok {
			advice += ", in " + e.RetryAfter.String()
		}
	case errors.Is(err, tokensource.ErrClient):
		advice = "fix the deployment: " + err.Error()
	}
	return advice
}

// kit is the README's example of the test kit.
func TestMyAppSurvivesARevokedToken(t *testing.T) {
	x := xapi.New(t, nil)
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(x.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: x.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: x.Transport()}
	grants, err := wrap(httpClient, client, storage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	logIn(t, x, client, grants)

	x.ExpireAccess("2244994945") // the next call meets a 401
	resp, err := httpClient.Get("https://api.x.com/2/users/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n := x.TokenCalls("refresh_token"); resp.StatusCode != 200 || n != 1 {
		t.Errorf("status %d after %d refreshes, want 200 after 1", resp.StatusCode, n)
	}
}

func logIn(t *testing.T, x *xapi.Server, client *oauth.Client, grants *grant.Keeper) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	authorize, err := client.AuthorizationURL("state-of-this-test", verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := x.Authorize(t.Context(), "", authorize)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := client.Exchange(t.Context(), u.Query().Get("code"), verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grants.Save(t.Context(), "2244994945", tok); err != nil {
		t.Fatal(err)
	}
}

func TestTheMountedServerSendsABrowserToX(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("X_CLIENT_ID", "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ")
	t.Setenv("X_CLIENT_SECRET", "a-secret")
	t.Setenv("APP_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	mux := http.NewServeMux()
	if err := mount(mux, template.Must(template.New("").Parse("{{.}}"))); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/me", nil)
	r.Header.Set("Accept", "text/html")
	mux.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); w.Code/100 != 3 || !strings.HasPrefix(to, "/authorize?") {
		t.Fatalf("GET /me = %d to %q, want a redirect to /authorize", w.Code, to)
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.Header().Get("Location"), nil)
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, "https://x.com/i/oauth2/authorize?") {
		t.Errorf("GET /authorize = %d to %.60q, want a redirect to X", w.Code, to)
	}
}

func TestTheOtherExamples(t *testing.T) {
	if err := generic().Validate(); err != nil {
		t.Error(err)
	}
	for err, want := range map[error]string{
		tokensource.ErrNoGrant: "send the user through the login",
		&tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: time.Second}: "try again later, in 1s",
	} {
		if got := decide(err); got != want {
			t.Errorf("decide(%v) = %q, want %q", err, got, want)
		}
	}
}
