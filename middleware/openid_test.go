package middleware_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The user's name, picture and chosen claims come from the ID token, and
// no other call is made to find out who has logged in.
func TestTheIDTokenSaysWhoHasLoggedIn(t *testing.T) {
	var welcomed []provider.Identity
	w := newOpenIDWorld(t, setup{options: middleware.Options{OnLogin: func(_ context.Context, user provider.Identity) error {
		welcomed = append(welcomed, user)
		return nil
	}}})
	s := w.logInAs(newBrowser(t, w.mux), "alice")
	if s.User.Subject != "alice" || s.User.Name != "Alice A" || s.User.Claims["email"] != "alice@app.example" {
		t.Errorf("the user of the session = %+v, want what the ID token says", s.User)
	}
	if len(welcomed) != 1 || welcomed[0].Name != "Alice A" {
		t.Errorf("OnLogin was called with %+v, want Alice", welcomed)
	}
	if n := w.userInfos(); n != 0 {
		t.Errorf("the UserInfo endpoint was asked %d times", n)
	}
}

func TestEachLoginHasANonceOfItsOwn(t *testing.T) {
	w := newOpenIDWorld(t, setup{})
	b := newBrowser(t, w.mux)
	first, second := b.start("/one"), b.start("/two")
	var nonces []string
	for _, raw := range []string{first, second} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		nonces = append(nonces, u.Query().Get("nonce"))
		if n := nonces[len(nonces)-1]; len(n) != 43 || strings.Contains(raw, "state="+n) {
			t.Errorf("nonce = %q, want 43 characters that are not the state", n)
		}
	}
	if nonces[0] == nonces[1] {
		t.Error("two logins have one nonce")
	}
	for i, callback := range []string{w.consentAs("alice", second), w.consentAs("alice", first)} {
		if a := b.get(callback); a.StatusCode != http.StatusSeeOther {
			t.Errorf("callback %d = %d %s, want 303", i, a.StatusCode, a.title())
		}
		if want := w.tokens.last(); want.Nonce != nonces[1-i] || want.Refreshed || want.At.IsZero() {
			t.Errorf("login %d: the ID token was verified for %+v, want the nonce %q", i, want, nonces[1-i])
		}
	}
}

// An ID token that is refused ends the login for good, and its tokens are
// revoked.
func TestIDTokensThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another nonce": func(c map[string]any) { c["nonce"] = "other" },
		"no nonce":      func(c map[string]any) { delete(c, "nonce") },
	} {
		var errs seen
		w := newOpenIDWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.IDToken = change })
		b := newBrowser(t, w.mux)
		wantStatus(t, name, b.get(w.consentAs("alice", b.start(""))), http.StatusBadGateway)
		e := errs.facts(t, name, middleware.ErrLoginFailed)
		if strings.Contains(e.Retry, "resume") {
			t.Errorf("%s: Retry = %q, want a new login", name, e.Retry)
		}
		if g := w.fake.Grants(); g[0].LiveAccess != 0 {
			t.Errorf("%s: the tokens live on: %+v", name, g[0])
		}
		if s := w.session(b); s.ID != "" {
			t.Errorf("%s: there is a session of %q", name, s.User.Subject)
		}
	}
	w := newOpenIDWorld(t, setup{}, "profile")
	b := newBrowser(t, w.mux)
	wantStatus(t, "no ID token", b.get(w.consentAs("alice", b.start(""))), http.StatusBadGateway)
}

// The keys cannot be read for ten minutes. The login is kept, with its nonce
// and the time of the answer.
func TestG21_AnIDTokenThatCannotBeVerifiedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{})
		w.tokens.setFail(&tokensource.Error{Op: "id_token", Kind: tokensource.ErrTemporary})
		b, began := newBrowser(t, w.mux), time.Now()
		target := b.start("/home")
		nonce := mustURL(t, target).Query().Get("nonce")
		a := b.get(w.consentAs("alice", target))
		wantStatus(t, "callback", a, http.StatusServiceUnavailable)
		time.Sleep(10 * time.Minute)
		w.tokens.setFail(nil)
		if a := b.get("/authorize?resume=1&return_to=%2Fhome"); a.location() != "/home" {
			t.Errorf("try again = %d to %q, want /home", a.StatusCode, a.location())
		}
		if s := w.session(b); s.User.Name != "Alice A" {
			t.Errorf("the session is of %+v, want Alice", s.User)
		}
		if want := w.tokens.last(); want.Nonce != nonce || !want.At.Equal(began) {
			t.Errorf("the ID token was verified for %+v, want the nonce of the login at %v", want, began)
		}
	})
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What a login asks for is what its ID token must answer.
func TestMaxAgeAndACRValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{options: middleware.Options{OnBegin: func(*http.Request) *middleware.BeginOptions {
			return &middleware.BeginOptions{Params: url.Values{"max_age": {"60"}, "acr_values": {"gold  silver"}}}
		}}})
		b := newBrowser(t, w.mux)
		w.logInAs(b, "alice")
		want := w.tokens.last()
		if !want.AuthenticatedAfter.Equal(time.Now().Add(-time.Minute)) || !slices.Equal(want.ACR, []string{"gold", "silver"}) {
			t.Errorf("the ID token was verified for %+v, want a minute ago, gold or silver", want)
		}
	})
}

// The request has them from the facts of the provider.
func TestMaxAgeAndACRValuesOfTheProvider(t *testing.T) {
	for name, facts := range map[string]func(*provider.Provider){
		"AuthorizationParams": func(p *provider.Provider) {
			p.AuthorizationParams = url.Values{"max_age": {"60"}, "acr_values": {"gold"}}
		},
		"the query of AuthorizationURL": func(p *provider.Provider) { p.AuthorizationURL += "?max_age=60&acr_values=gold" },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newOpenIDWorld(t, setup{provider: facts})
			w.logInAs(newBrowser(t, w.mux), "alice")
			want := w.tokens.last()
			if !want.AuthenticatedAfter.Equal(time.Now().Add(-time.Minute)) || !slices.Equal(want.ACR, []string{"gold"}) {
				t.Errorf("%s: the ID token was verified for %+v, want a minute ago, gold", name, want)
			}
		})
	}
}

// An empty parameter takes nothing of that away.
func TestAnEmptyACRValuesLeavesThatOfTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{
			provider: func(p *provider.Provider) {
				p.AuthorizationParams = url.Values{"max_age": {"60"}, "acr_values": {"gold"}}
			},
			options: middleware.Options{OnBegin: func(*http.Request) *middleware.BeginOptions {
				return &middleware.BeginOptions{Params: url.Values{"max_age": {""}, "acr_values": {" "}}}
			}},
		})
		b := newBrowser(t, w.mux)
		if at := b.get("/authorize").location(); query(t, at, "acr_values") != "gold" || query(t, at, "max_age") != "60" {
			t.Errorf("with empty parameters the login is %s, want acr_values and max_age of the provider", at)
		}
		w.logInAs(b, "alice")
		if want := w.tokens.last(); want.AuthenticatedAfter.IsZero() || !slices.Equal(want.ACR, []string{"gold"}) {
			t.Errorf("the ID token was verified for %+v, want a minute ago, gold", want)
		}
	})
}

func TestParametersThatAreForOneLogin(t *testing.T) {
	for name, params := range map[string]url.Values{
		"a fixed nonce":        {"nonce": {"fixed"}},
		"max_age as a text":    {"max_age": {"soon"}},
		"max_age below zero":   {"max_age": {"-1"}},
		"max_age with a point": {"max_age": {"1.5"}},
	} {
		w := newOpenIDWorld(t, setup{})
		if _, err := middleware.New(w.grants, w.keys, &middleware.Options{Params: params}); err == nil {
			t.Errorf("New(%s) = nil, want an error", name)
		}
	}
}

// Identify of the app names the user. The ID token is verified all the same,
// and refreshed ones must be for its user.
func TestIdentifyBesideIDTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{options: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: "user 7"}, nil
		}}}, "openid", "offline_access")
		b := newBrowser(t, w.mux)
		if s := w.logInAs(b, "alice"); s.User.Subject != "user 7" {
			t.Errorf("the user of the session = %q, want user 7", s.User.Subject)
		}
		time.Sleep(2 * time.Hour)
		if _, err := w.grants.Source("user 7").Token(t.Context()); err != nil {
			t.Errorf("Token() after a refresh = %v", err)
		}
		if want := w.tokens.last(); !want.Refreshed || want.Subject != "alice" {
			t.Errorf("the refreshed ID token was verified for %+v, want alice", want)
		}
		w.tokens.setFail(&tokensource.Error{Op: "id_token", Err: errBoom})
		c := newBrowser(t, w.mux)
		wantStatus(t, "a login whose ID token is refused", c.get(w.consentAs("alice", c.start(""))), http.StatusBadGateway)
	})
}

func TestNewRefusesWhatNeedsIDTokens(t *testing.T) {
	grants := newGrants(t, setup{})
	for name, o := range map[string]middleware.Options{
		"a logout at a server that has no page for it": {LogoutAtServer: true},
		"back-channel logout without a verifier":       {BackChannelLogoutPath: "/backchannel"},
	} {
		if _, err := middleware.New(grants, newKeys(t), &o); err == nil {
			t.Errorf("New(%s) = nil, want an error", name)
		}
	}
	w := newOpenIDWorld(t, setup{})
	for _, path := range []string{"/logout", "/callback", "backchannel", "/x?y"} {
		if _, err := middleware.New(w.grants, w.keys, &middleware.Options{BackChannelLogoutPath: path}); err == nil {
			t.Errorf("New(BackChannelLogoutPath %q) = nil, want an error", path)
		}
	}
	needs := func(scope string) func(*provider.Provider) {
		return func(p *provider.Provider) { p.IdentityScopes = []string{scope} }
	}
	w = newOpenIDWorld(t, setup{provider: needs("profile")}, "openid")
	if s := w.logInAs(newBrowser(t, w.mux), "alice"); s.User.Subject != "alice" {
		t.Errorf("the user without a scope that IdentityURL needs = %q, want alice", s.User.Subject)
	}
	w = newOpenIDWorld(t, setup{provider: needs("openid"), options: middleware.Options{
		OnBegin: func(*http.Request) *middleware.BeginOptions {
			return &middleware.BeginOptions{Scopes: []string{"profile"}}
		},
	}})
	wantStatus(t, "a login without the scope openid", newBrowser(t, w.mux).get("/authorize"), http.StatusInternalServerError)
	// A provider without an IdentityURL is enough where there are ID tokens.
	w = newOpenIDWorld(t, setup{provider: func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil }})
	if s := w.logInAs(newBrowser(t, w.mux), "alice"); s.User.Subject != "alice" {
		t.Errorf("the user without an IdentityURL = %q, want alice", s.User.Subject)
	}
}
