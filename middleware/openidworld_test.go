package middleware_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// idTokens makes ID tokens and verifies them. They are JSON without a
// signature: package oidc has the tests of signatures.
type idTokens struct {
	mu   sync.Mutex
	fail error // of the verifier
	seen []provider.IDTokenRequest
}

func (v *idTokens) IDToken(claims map[string]any, _ string) (string, error) {
	text, err := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(text), err
}

func (v *idTokens) JWKS() []byte { return []byte(`{"keys":[]}`) }

func (v *idTokens) setFail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = err
}

// last returns what was asked of the latest ID token.
func (v *idTokens) last() provider.IDTokenRequest {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[len(v.seen)-1]
}

type idClaims struct {
	Sub, Sid, Nonce, Jti string
	Name, Email          string
	Exp                  int64
}

func readToken(raw string) (c idClaims, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(raw)
	return c, err == nil && json.Unmarshal(text, &c) == nil
}

func (v *idTokens) VerifyIDToken(_ context.Context, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen = append(v.seen, want)
	if v.fail != nil {
		return provider.IDToken{}, v.fail
	}
	raw, _ := tok.Extra("id_token").(string)
	c, ok := readToken(raw)
	if !ok || !want.Refreshed && c.Nonce != want.Nonce || want.Refreshed && c.Sub != want.Subject {
		return provider.IDToken{}, &tokensource.Error{Op: "id_token", Err: errors.New("refused")}
	}
	user := provider.Identity{Subject: c.Sub, Name: c.Name, Claims: map[string]string{"email": c.Email}}
	return provider.IDToken{User: user, Subject: c.Sub, Session: c.Sid}, nil
}

func (v *idTokens) VerifyLogoutToken(_ context.Context, raw string) (provider.LogoutToken, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := readToken(raw)
	if v.fail != nil || !ok {
		return provider.LogoutToken{}, errors.Join(v.fail, &tokensource.Error{Op: "logout_token", Err: errors.New("refused")})
	}
	return provider.LogoutToken{Subject: c.Sub, Session: c.Sid, ID: c.Jti, Expires: time.Unix(c.Exp, 0)}, nil
}

// openIDWorld is a world whose authorization server issues ID tokens.
type openIDWorld struct {
	*world

	fake   *oauthtest.Server
	tokens *idTokens
	mux    *http.ServeMux
}

var openIDScopes = []string{"openid", "profile", "email"}

func openIDProvider() *provider.Provider {
	return &provider.Provider{
		Name: "as", Issuer: "https://as.example", IssuerRequired: true,
		AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token", RevocationURL: "https://as.example/revoke",
		JWKSURL: "https://as.example/keys", EndSessionURL: "https://as.example/logout?tenant=1", APIOrigins: []string{"https://api.example"},
		IdentityURL: "https://api.example/userinfo",
		ParseIdentity: func([]byte) (provider.Identity, error) {
			return provider.Identity{}, errors.New("nobody needs to ask")
		},
	}
}

func newOpenIDWorld(t *testing.T, s setup, scopes ...string) openIDWorld {
	t.Helper()
	tokens := new(idTokens)
	w := openIDWorld{world: &world{t: t, store: s.store, keys: newKeys(t)}, tokens: tokens}
	p := openIDProvider()
	if s.provider != nil {
		s.provider(p)
	}
	users := []oauthtest.User{{ID: "alice", Name: "Alice A", Username: "alice", Email: "alice@app.example"}, {ID: "bob", Name: "Bob", Username: "bob"}}
	w.fake = oauthtest.New(t, &oauthtest.Options{Provider: p, IDTokens: tokens, Users: users})
	app := oauthtest.ConfidentialApp()
	if scopes == nil {
		scopes = openIDScopes
	}
	var err error
	w.client, err = oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: scopes,
	}, &oauth.Options{HTTPClient: &http.Client{Transport: w.fake.Transport()}, IDTokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	if w.store == nil {
		w.store = storage.NewMemory()
	}
	if w.grants, err = grant.New(w.client, w.store, &grant.Options{InsecurePlainStore: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.grants.Close() })
	if w.login, err = middleware.New(w.grants, w.keys, &s.options); err != nil {
		t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	w.login.Mount(w.mux)
	w.mux.Handle("/timeline", w.login.Require(http.HandlerFunc(w.timeline)))
	return w
}

// consentAs plays a user at the fake, and returns path and query of the
// callback.
func (w openIDWorld) consentAs(user, authorizationURL string) string {
	w.t.Helper()
	callback, err := w.fake.Authorize(w.t.Context(), user, authorizationURL)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.RequestURI()
}

// logInAs goes through a whole login that must work, and returns the session.
func (w openIDWorld) logInAs(b *browser, user string) middleware.Session {
	w.t.Helper()
	a := b.get(w.consentAs(user, b.start("")))
	if a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("callback = %d %s, want 303", a.StatusCode, a.title())
	}
	return w.session(b)
}

// session returns the session of a browser, or a zero one.
func (w openIDWorld) session(b *browser) middleware.Session {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/", nil)
	for _, c := range b.jar.Cookies(b.url()) {
		r.AddCookie(c)
	}
	s, _ := w.login.Session(r)
	return s
}

// userInfos counts the requests to the UserInfo endpoint.
func (w openIDWorld) userInfos() (n int) {
	for _, r := range w.fake.Requests() {
		if r.Op == "identity" {
			n++
		}
	}
	return n
}

// post sends what the authorization server sends to the app.
func (w openIDWorld) post(path string, form url.Values) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}
