package readme_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestMyWebAppLogsItsUserIn(t *testing.T) {
	x, mux := xapi.New(t, nil), http.NewServeMux()
	client := newClient(t, x, oauthtest.ConfidentialApp())
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	login, err := middleware.New(grants, newKeys(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(mux)
	mux.Handle("GET /me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := login.Session(r)
		_, _ = fmt.Fprintln(w, "Hello,", session.User.Name)
	})))

	browser, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	visit := func(method, page string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), method, page, nil)
		r.Header.Set("Accept", "text/html")
		for _, cookie := range browser.Cookies(r.URL) {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r) // the mux of your app
		browser.SetCookies(r.URL, w.Result().Cookies())
		return w.Result()
	}
	begun := visit("GET", "https://app.example/authorize?return_to=/me")
	callback, err := x.Authorize(t.Context(), "2244994945", begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if to := visit("GET", callback).Header.Get("Location"); to != "/me" {
		t.Fatalf("the login ends at %q, want /me", to)
	}
	page := visit("GET", "https://app.example/me")
	body, err := io.ReadAll(page.Body)
	if err != nil || !strings.HasPrefix(string(body), "Hello,") {
		t.Errorf("/me = %d %s, %v, want a greeting", page.StatusCode, body, err)
	}
	visit("POST", "https://app.example/logout")
	if resp := visit("GET", "https://app.example/me"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("/me after a logout = %d, want a redirect to the login", resp.StatusCode)
	}
}

// fakeX plays X for an app under development.
func fakeX(redirectURL string) (http.Handler, error) {
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{redirectURL}
	x, err := xapi.NewServer(&oauthtest.Options{Apps: []oauthtest.App{app}})
	if err != nil {
		return nil, err
	}
	x.Set(func(k *xapi.Knobs) { k.Authorize.Ask = true }) // show a page at each login
	fmt.Println("X_CLIENT_ID=" + app.ClientID + " X_CLIENT_SECRET=" + app.Secret())
	return x, nil
}

// server returns X, or the fake of it.
func server() (*provider.Provider, error) {
	base := os.Getenv("FAKE_X") // such as http://127.0.0.1:9000
	if base == "" {
		return provider.X(), nil
	}
	x, err := xapi.NewServer(nil) // for its facts: the fake runs elsewhere
	if err != nil {
		return nil, err
	}
	return x.Provider(base), nil
}

// TestTheFakeToDevelopAgainst: the app finds the fake by its address, and the
// page of the fake has a button.
func TestTheFakeToDevelopAgainst(t *testing.T) {
	if x, err := server(); err != nil || x.TokenURL != provider.X().TokenURL {
		t.Errorf("server() = %v, %v, want X", x, err)
	}
	const redirectURL = "http://127.0.0.1:8080/callback"
	printed := capture(t) // the secret of the fake is for the developer, and for no log
	fake, err := fakeX(redirectURL)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := printed(), "X_CLIENT_SECRET="+oauthtest.ConfidentialApp().Secret(); !strings.Contains(got, want) {
		t.Errorf("fakeX() printed %d bytes without the variables of the app", len(got))
	}
	live := httptest.NewServer(fake)
	defer live.Close()
	t.Setenv("FAKE_X", live.URL)
	x, err := server()
	if err != nil {
		t.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(x, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: redirectURL,
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	asks, err := client.Authorize(t.Context(), "state-of-this-test", "a-code-verifier-is-43-or-more-characters-long", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := get(t, live.Client(), asks); status != http.StatusOK || err != nil || !strings.HasPrefix(asks, live.URL) {
		t.Errorf("the page at %.40s = %d, %v, want 200 at the fake", asks, status, err)
	}
}

// capture sends what the process prints into a file until printed is called,
// which returns it, or until the end of the test.
func capture(t *testing.T) (printed func() string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "printed"))
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	restore := func() { os.Stdout = stdout }
	os.Stdout = file
	t.Cleanup(func() {
		restore()
		_ = file.Close() // it was read already
	})
	return func() string {
		restore()
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}
