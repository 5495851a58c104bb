package readme_test

import (
	"context"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// oneUser is a session library in which one user is always logged in.
type oneUser struct{}

func (oneUser) GetString(context.Context, string) string { return "17" }

func mayConnect(_ context.Context, account, _ string) bool { return account == "17" }

// ownUsers returns the connections of an app with users of its own.
func ownUsers(sessions oneUser) (*connect.Accounts, error) {
	currentUser := func(r *http.Request) (string, error) {
		return sessions.GetString(r.Context(), "user"), nil // "" if nobody is logged in
	}
	accounts, err := connect.New(currentUser, &connect.Options{
		OnConnect: func(ctx context.Context, account string, c connect.Connection) error {
			if !mayConnect(ctx, account, c.Provider) {
				return middleware.ErrRefused // nothing is connected
			}
			return nil
		},
	})
	return accounts, err
}

// connectable mounts the routes of two providers.
func connectable(mux *http.ServeMux, accounts *connect.Accounts, xGrants, googleGrants *grant.Keeper, keys *seal.Keys) error {
	x, err := accounts.Add(xGrants, keys, nil)
	if err != nil {
		return err
	}
	google, err := accounts.Add(googleGrants, keys, nil)
	if err != nil {
		return err
	}
	x.Mount(mux)      // /x/connect, /x/callback, /x/disconnect
	google.Mount(mux) // /google/connect, /google/callback, /google/disconnect
	return nil
}

// listOf shows the connections of a user.
func listOf(accounts *connect.Accounts, page *template.Template, user string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		list, err := accounts.Connections(r.Context(), user)
		if err != nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		_ = page.Execute(w, list)
	}
}

// actFor calls the API for one account.
func actFor(ctx context.Context, accounts *connect.Accounts, client *http.Client, user, id string) (*http.Response, error) {
	c, err := accounts.Connection(ctx, user, id)
	if err != nil {
		return nil, err // connect.ErrNoConnection: not this user's, or disconnected
	}
	ctx = c.Context(ctx) // it names the account
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.x.com/2/users/me", nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// row is a row of a table in which an app has kept tokens by itself.
type row struct {
	User, IDAtX, NameAtX, Access, Refresh string
	Expires                               time.Time
}

// takeOver takes over a table of tokens.
func takeOver(ctx context.Context, x *connect.Provider, table []row) error {
	for _, row := range table {
		user := provider.Identity{Subject: row.IDAtX, Name: row.NameAtX}
		tok := &oauth2.Token{AccessToken: row.Access, RefreshToken: row.Refresh, Expiry: row.Expires}
		if _, err := x.Adopt(ctx, row.User, user, tok); err != nil {
			return err
		}
	}
	return nil
}

func TestATableOfTokensIsTakenOver(t *testing.T) {
	fake, grants := keeperAt(t, "x", storage.NewMemory(), []string{"tweet.read", "users.read", "offline.access"})
	accounts, err := ownUsers(oneUser{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := accounts.Add(grants, newKeys(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	access, refresh, err := fake.IssueToken("2244994945", oauthtest.ConfidentialApp().ClientID, "users.read", "offline.access")
	if err != nil {
		t.Fatal(err)
	}
	table := []row{{User: "17", IDAtX: "2244994945", NameAtX: "Ann", Access: access, Refresh: refresh}}
	if err := takeOver(t.Context(), x, table); err != nil {
		t.Fatal(err)
	}
	list, err := accounts.Connections(t.Context(), "17")
	if err != nil || len(list) != 1 || list[0].User.Name != "Ann" || list[0].Dead != "" {
		t.Errorf("Connections(17) = %v, %v, want Ann's account", list, err)
	}
}

// TestConnectedAccounts does what the page says: it connects an account at X,
// shows it with the page's own template, acts for it and disconnects it.
func TestConnectedAccounts(t *testing.T) {
	store, keys, mux := storage.NewMemory(), newKeys(t), http.NewServeMux()
	x, xGrants := keeperAt(t, "x", store, []string{"tweet.read", "users.read", "offline.access"})
	_, googleGrants := keeperAt(t, "google", store, []string{"openid", "email"})
	accounts, err := ownUsers(oneUser{})
	if err != nil {
		t.Fatal(err)
	}
	if err := connectable(mux, accounts, xGrants, googleGrants, keys); err != nil {
		t.Fatal(err)
	}
	mux.Handle("GET /accounts", listOf(accounts, templateOfThePage(t), "17"))

	var cookies []*http.Cookie
	visit := func(method, target string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), method, "https://app.example"+target, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		cookies = append(cookies, w.Result().Cookies()...)
		return w.Result()
	}
	asked := visit("POST", "/x/connect?return_to=/accounts")
	back, err := x.Authorize(t.Context(), "", asked.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	callback, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	if resp := visit("GET", callback.RequestURI()); resp.Header.Get("Location") != "/accounts" {
		t.Fatalf("the callback = %d to %q, want /accounts", resp.StatusCode, resp.Header.Get("Location"))
	}
	shown, err := io.ReadAll(visit("GET", "/accounts").Body)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`value="([^"]+)"`).FindStringSubmatch(string(shown))
	if id == nil || !strings.Contains(string(shown), " at x, since ") {
		t.Fatalf("the page = %s, want one connection", shown)
	}
	authenticated, err := transport.New(xGrants, &transport.Options{Base: x.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := actFor(t.Context(), accounts, &http.Client{Transport: authenticated}, "17", id[1])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the API = %d, want 200", resp.StatusCode)
	}
	visit("POST", "/x/disconnect?connection="+id[1])
	if list, err := accounts.Connections(t.Context(), "17"); err != nil || len(list) != 0 {
		t.Errorf("Connections after the disconnect = %v, %v, want none", list, err)
	}
}

// templateOfThePage returns the template that stands on the page.
func templateOfThePage(t *testing.T) *template.Template {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "connecting-accounts.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```html\n")
	page, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the page has no template")
	}
	parsed, err := template.New("page").Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// keeperAt returns a fake of a server, and a Keeper for an app there.
func keeperAt(t *testing.T, name string, store storage.Store, scopes []string) (*oauthtest.Server, *grant.Keeper) {
	t.Helper()
	p, err := provider.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{"https://app.example/" + name + "/callback"}
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p, Apps: []oauthtest.App{app}})
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: scopes,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grants.Close() })
	return fake, grants
}
