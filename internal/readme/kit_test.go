package readme_test

import (
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

func TestMyAppSurvivesARevokedToken(t *testing.T) {
	x, app := xapi.New(t, nil), oauthtest.ConfidentialApp()
	client := newClient(t, x, app)
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	const user = "2244994945" // this user has authorized the app
	access, refresh, err := x.IssueToken(user, app.ClientID, client.Scopes()...)
	if err != nil {
		t.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh}
	if _, err := grants.Save(t.Context(), user, tok); err != nil {
		t.Fatal(err)
	}
	base := &transport.Options{Base: x.Transport()}
	authenticated, err := transport.New(grants.Source(user), base)
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: authenticated} // your app calls the API with it

	x.ExpireAccess(user) // the next call meets a 401
	resp, err := httpClient.Get("https://api.x.com/2/users/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n := x.TokenCalls("refresh_token"); resp.StatusCode != 200 || n != 1 {
		t.Errorf("status %d after %d refreshes, want 200 after 1", resp.StatusCode, n)
	}
}

func TestMyAppAtEveryServer(t *testing.T) {
	for name, like := range servers.Known() {
		t.Run(name, func(t *testing.T) {
			fake := oauthtest.New(t, nil)
			fake.Set(like)
			stayLoggedIn(t, fake)
		})
	}
}

// stayLoggedIn goes through a login and a renewal.
func stayLoggedIn(t *testing.T, fake *oauthtest.Server) {
	t.Helper()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"read"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	logIn(t, fake, client, grants, "2244994945")
	ctx := grants.WithSubject(t.Context(), "2244994945")
	tok, err := grants.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next, err := grants.Renew(ctx, tok)
	if err != nil || next.AccessToken == tok.AccessToken {
		t.Fatalf("Renew() = another token: %v, %v", next != nil && next.AccessToken != tok.AccessToken, err)
	}
}

func newClient(t *testing.T, x *xapi.Server, app oauthtest.App) *oauth.Client {
	t.Helper()
	client, err := oauth.New(x.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()),
		RedirectURL: app.RedirectURLs[0], // https://app.example/callback
		Scopes:      []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: x.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// logIn goes through a login without a browser.
func logIn(t *testing.T, fake *oauthtest.Server, client *oauth.Client, grants *grant.Keeper, user string) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	authorize, err := client.Authorize(t.Context(), "state-of-this-test", verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := fake.Authorize(t.Context(), user, authorize)
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
	if _, err := grants.Save(t.Context(), user, tok); err != nil {
		t.Fatal(err)
	}
}
