package readme_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestTheFirstGrantOfABot logs in as its page says. The bot then calls the API.
func TestTheFirstGrantOfABot(t *testing.T) {
	nativeapptest.Isolate(t)
	x := xapi.New(t, nil)
	x.Set(func(k *xapi.Knobs) { k.Authorize.AnyLoopbackPort = true })
	server := httptest.NewServer(x)
	defer server.Close()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(x.Provider(server.URL), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "http://127.0.0.1:8080/callback",
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemory()
	grants, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	logins, err := nativeapp.New(grants, &nativeapp.Options{AnyPort: true, Open: nativeapptest.Browser(nil), Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := logins.Login(t.Context(), nil); err != nil {
		t.Fatal(err)
	}

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
