package oidc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestOIDCProvider uses npm's oidc-provider: a login, a refresh, a logout that
// begins at the app, and one that begins at the server.
func TestOIDCProvider(t *testing.T) {
	for _, conform := range []string{"no", "yes"} {
		a := newApp(t, conform)
		alice, elsewhere := nodekit.NewPerson(t), nodekit.NewPerson(t)
		a.logIn(t, alice, "alice")
		if infos := a.infos.Load(); (infos > 0) != (conform == "yes") {
			t.Errorf("with conformIdTokenClaims %s, the UserInfo endpoint was asked %d times", conform, infos)
		}
		a.logIn(t, elsewhere, "alice") // asks the server whether the first grant lives
		a.refresh(t)
		if conform == "yes" {
			continue // the rest is the same
		}

		// The logout of the app leads to the server, and back to the app.
		asked := alice.Post(a.url+"/logout", nil)
		back := confirm(t, alice, asked)
		if back.Path != "/bye" || back.Text != "bye" {
			t.Errorf("after the logout the browser is at %s: %d %.200s, want /bye", back.Path, back.Status, back.Text)
		}
		if got := alice.Get(a.url + "/me"); !strings.Contains(got.Text, `name="prompt" value="login"`) {
			t.Errorf("the next login does not ask who the user is: %d %.300s", got.Status, got.Text)
		}
		if got := elsewhere.Get(a.url + "/me"); got.Text != "alice, Name of alice, alice@users.example" {
			t.Errorf("the other browser = %d %.300s, want it logged in", got.Status, got.Text)
		}

		// The logout at the server ends the session of the app, and no other.
		a.logIn(t, alice, "alice")
		confirm(t, alice, alice.Get(a.issuer+"/session/end"))
		if got := alice.Get(a.url + "/me"); got.Path == "/me" {
			t.Errorf("the session of the app lives on after a logout at the server: %d %.300s", got.Status, got.Text)
		}
		if got := elsewhere.Get(a.url + "/me"); got.Path != "/me" {
			t.Errorf("the other browser is at %s, want it logged in", got.Path)
		}
		if n := a.logouts.Load(); n != 2 {
			t.Errorf("the server has sent %d logout tokens, want 2: one for each logout", n)
		}
	}
}

var (
	formAction = regexp.MustCompile(`action="([^"]+)"`)
	xsrf       = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)
)

// confirm answers the question of the server whether the user wants to log out.
func confirm(t *testing.T, p *nodekit.Person, at nodekit.Page) nodekit.Page {
	t.Helper()
	action, token := formAction.FindStringSubmatch(at.Text), xsrf.FindStringSubmatch(at.Text)
	if action == nil || token == nil {
		t.Fatalf("the server does not ask whether to log out: %d at %s: %.300s", at.Status, at.Path, at.Text)
	}
	return p.Post(action[1], url.Values{"xsrf": {token[1]}, "logout": {"yes"}})
}

// app is an app that uses OpenID Connect.
type app struct {
	url, issuer string
	grants      *grant.Keeper
	infos       atomic.Int64 // requests to the UserInfo endpoint
	refreshed   atomic.Int64 // ID tokens of refreshes
	logouts     atomic.Int64 // logout tokens that were accepted
}

func newApp(t *testing.T, conform string) *app {
	t.Helper()
	mux := http.NewServeMux()
	live := httptest.NewServer(mux)
	t.Cleanup(live.Close)
	a := &app{url: live.URL}
	const clientID, secret = "app", "a secret"
	a.issuer = nodekit.Serve(t, "testdata/oidc-provider.mjs", "CLIENT_ID="+clientID, "CLIENT_SECRET="+secret, "APP="+live.URL, "CONFORM="+conform)
	p := a.provider(t)
	verifier, err := oidc.New(p, clientID, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: clientID, Credential: oauth.Secret(secret), RedirectURL: live.URL + "/callback",
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}, &oauth.Options{IDTokens: counting{verifier, a}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if a.grants, err = grant.New(client, store, &grant.Options{RenewSpacing: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.grants.Close() })
	login, err := middleware.New(a.grants, keys, &middleware.Options{
		Params:      url.Values{"prompt": {"consent"}, "max_age": {"600"}},
		AfterLogout: "/bye", LogoutAtServer: true, BackChannelLogoutPath: "/backchannel",
	})
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(mux)
	mux.HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bye") })
	mux.Handle("/me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.Session(r)
		fmt.Fprintf(w, "%s, %s, %s", s.User.Subject, s.User.Name, s.User.Claims["email"])
	})))
	return a
}

// provider is what oidc-provider says of itself.
func (a *app) provider(t *testing.T) *provider.Provider {
	t.Helper()
	p, err := discovery.Provider(t.Context(), a.issuer, &discovery.Options{InsecureLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	p.APIOrigins, p.RefreshScope, p.RevokesAll = []string{a.issuer}, "offline_access", true
	parse := oidc.ParseUserInfo()
	p.ParseIdentity = func(body []byte) (provider.Identity, error) {
		a.infos.Add(1)
		return parse(body)
	}
	return p
}

// counting counts what the server has sent.
type counting struct {
	*oidc.Verifier

	app *app
}

func (c counting) VerifyIDToken(ctx context.Context, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	id, err := c.Verifier.VerifyIDToken(ctx, tok, want)
	if err == nil && want.Refreshed && want.Subject != "" {
		c.app.refreshed.Add(1)
	}
	return id, err
}

func (c counting) VerifyLogoutToken(ctx context.Context, raw string) (provider.LogoutToken, error) {
	token, err := c.Verifier.VerifyLogoutToken(ctx, raw)
	if err == nil {
		c.app.logouts.Add(1)
	}
	return token, err
}

func (a *app) logIn(t *testing.T, p *nodekit.Person, user string) {
	t.Helper()
	want := fmt.Sprintf("%s, Name of %s, %s@users.example", user, user, user)
	if got := p.Decide(p.Get(a.url+"/me"), user, true); got.Text != want {
		t.Fatalf("after the login the app answers %d %.300q, want %q", got.Status, got.Text, want)
	}
}

// refresh refreshes once. The answer has an ID token.
func (a *app) refresh(t *testing.T) {
	t.Helper()
	before := a.refreshed.Load()
	ctx := a.grants.WithSubject(t.Context(), "alice")
	tok, err := a.grants.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.grants.Renew(ctx, tok)
	if err != nil || again.AccessToken == tok.AccessToken || a.refreshed.Load() != before+1 {
		t.Errorf("Renew() = %v, with %d ID tokens, want a new token and one ID token", err, a.refreshed.Load()-before)
	}
}
