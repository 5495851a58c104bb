package readme_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// botClient is the client of a bot. Its redirect URL is on the machine of the
// person who logs in.
func botClient() (*oauth.Client, error) {
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")), // empty for a public client
		RedirectURL: "http://127.0.0.1:8080/callback",
		Scopes:      []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, nil)
	return client, err
}

// firstGrant lets a person log in once for a bot.
func firstGrant(mux *http.ServeMux, grants *grant.Keeper, keys *seal.Keys) error {
	login, err := middleware.New(grants, keys, &middleware.Options{
		OnLogin: func(_ context.Context, user provider.Identity) error {
			fmt.Println("the subject of the bot is", user.Subject)
			return nil
		},
	})
	if err != nil {
		return err
	}
	login.Mount(mux) // open http://127.0.0.1:8080/authorize, logged in as the bot's account
	return nil
}

// TestTheFirstGrantOfABot logs in as its page says. The bot then calls the API.
func TestTheFirstGrantOfABot(t *testing.T) {
	t.Setenv("X_CLIENT_ID", oauthtest.PublicApp().ClientID)
	t.Setenv("X_CLIENT_SECRET", "")
	if _, err := botClient(); err != nil {
		t.Fatal(err)
	}
	x, mux := xapi.New(t, nil), http.NewServeMux()
	live, server := httptest.NewServer(mux), httptest.NewServer(x)
	defer live.Close()
	defer server.Close()
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{live.URL + "/callback"}
	if err := x.Register(app); err != nil {
		t.Fatal(err)
	}
	client, err := oauth.New(x.Provider(server.URL), oauth.Registration{
		ClientID: app.ClientID, RedirectURL: live.URL + "/callback",
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, keys := storage.NewMemory(), newKeys(t)
	grants, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	if err := firstGrant(mux, grants, keys); err != nil {
		t.Fatal(err)
	}
	open(t, live.URL+"/authorize")

	botHTTP := &http.Client{}
	bot, err := wrap(botHTTP, client, store)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bot.Close() }()
	if status, err := get(t, botHTTP, server.URL+xapi.PathMe); status != http.StatusOK || err != nil {
		t.Errorf("the bot's call = %d, %v, want 200", status, err)
	}
	if _, err := bot.Source("another").Token(t.Context()); !errors.Is(err, tokensource.ErrNoGrant) {
		t.Errorf("a bot without a grant gets %v, want ErrNoGrant", err)
	}
}

// open visits a page as a browser does, and follows it to its end.
func open(t *testing.T, page string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := (&http.Client{Jar: jar}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Request.URL.Path != "/" {
		t.Fatalf("the login ended at %s with %d", resp.Request.URL.Path, resp.StatusCode)
	}
}

func get(t *testing.T, client *http.Client, url string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func newKeys(t *testing.T) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTheMountedServerSendsABrowserToX(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("X_CLIENT_ID", "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ")
	t.Setenv("X_CLIENT_SECRET", "a-secret")
	t.Setenv("APP_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /", "GET /{page}", "POST /"} { // routes that the server has already
		mux.Handle(pattern, http.NotFoundHandler())
	}
	if err := mount(mux); err != nil {
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
