package middleware_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name        string
		redirectURL string
		provider    func(*provider.Provider)
		options     middleware.Options
		want        string
	}{
		{name: "redirect URL without a path", redirectURL: "https://app.example", want: "path of its own"},
		{name: "redirect URL of the root", redirectURL: "https://app.example/", want: "path of its own"},
		{name: "redirect URL of a native app", redirectURL: "com.example.app:/callback", want: "no web address"},
		{name: "escaped redirect URL", redirectURL: "https://app.example/a%20b", want: "plain one"},
		{name: "pattern in the redirect URL", redirectURL: "https://app.example/a/{id}", want: "plain one"},
		{name: "callback called authorize", redirectURL: "https://app.example/authorize", want: "different paths"},
		{name: "same paths", options: middleware.Options{AuthorizePath: "/x", LogoutPath: "/x"}, want: "different paths"},
		{name: "relative path", options: middleware.Options{AuthorizePath: "login"}, want: "AuthorizePath"},
		{name: "path with a host", options: middleware.Options{LogoutPath: "//evil.example/x"}, want: "LogoutPath"},
		{name: "path with a wildcard", options: middleware.Options{LogoutPath: "/a/{x}"}, want: "LogoutPath"},
		{name: "path with a query", options: middleware.Options{LogoutPath: "/a?x"}, want: "LogoutPath"},
		{name: "prefix that no path has", options: middleware.Options{PathPrefix: "/app"}, want: "PathPrefix"},
		{name: "prefix with a host", options: middleware.Options{PathPrefix: "//evil.example"}, want: "PathPrefix"},
		{name: "prefix without a slash", redirectURL: "https://app.example/app/callback", options: middleware.Options{PathPrefix: "app"}, want: "PathPrefix"},
		{name: "Home elsewhere", options: middleware.Options{Home: "https://evil.example"}, want: "Home"},
		{name: "root as path", options: middleware.Options{AuthorizePath: "/"}, want: "AuthorizePath"},
		{name: "AfterLogin elsewhere", options: middleware.Options{AfterLogin: "https://evil.example"}, want: "AfterLogin"},
		{name: "AfterLogout elsewhere", options: middleware.Options{AfterLogout: "//evil.example"}, want: "AfterLogout"},
		{name: "long flows", options: middleware.Options{FlowLifetime: time.Hour}, want: "FlowLifetime"},
		{name: "negative flows", options: middleware.Options{FlowLifetime: -1}, want: "FlowLifetime"},
		{name: "negative sessions", options: middleware.Options{SessionLifetime: -1}, want: "SessionLifetime"},
		{name: "sessions of 401 days", options: middleware.Options{SessionLifetime: 401 * 24 * time.Hour}, want: "400 days"},
		{name: "an idle timeout of a second", options: middleware.Options{IdleTimeout: time.Second}, want: "IdleTimeout"},
		{name: "a negative idle timeout", options: middleware.Options{IdleTimeout: -time.Hour}, want: "IdleTimeout"},
		{name: "reserved parameter", options: middleware.Options{Params: url.Values{"state": {"x"}}}, want: `"state"`},
		{name: "short states only", provider: func(p *provider.Provider) { p.MaxState = 42 }, want: "43 characters"},
		{name: "nobody to ask", provider: func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil }, want: "Options.Identify"},
	}
	for _, tt := range tests {
		grants := newGrants(t, setup{redirectURL: tt.redirectURL, provider: tt.provider})
		_, err := middleware.New(grants, newKeys(t), &tt.options)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New with %s = %v, want an error about %q", tt.name, err, tt.want)
		}
	}
	grants := newGrants(t, setup{})
	if _, err := middleware.New(nil, newKeys(t), nil); err == nil || !strings.Contains(err.Error(), "grant.New") {
		t.Errorf("New without grants = %v", err)
	}
	for _, keys := range []seal.AEAD{nil, (*seal.Keys)(nil)} {
		if _, err := middleware.New(grants, keys, nil); err == nil || !strings.Contains(err.Error(), "NewKeys") {
			t.Errorf("New with keys %T(nil) = %v", keys, err)
		}
	}
	if _, err := middleware.New(grants, newKeys(t), nil); err != nil {
		t.Errorf("New with nil options = %v", err)
	}
}

// TestIdentifyOfAProviderWithoutIdentity: without an IdentityURL, the app says
// who the user is.
func TestIdentifyOfAProviderWithoutIdentity(t *testing.T) {
	w := newWorld(t, setup{
		provider: func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil },
		options: middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: "user 7|x"}, nil
		}},
	})
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	if a := b.get("/timeline"); a.body != "timeline of user 7|x" {
		t.Errorf("page = %d %q, want the user's", a.StatusCode, a.body)
	}
}

// Nothing that can be printed shows a secret: pages, errors, and the Login
// itself.
func TestSecretsAreNotPrinted(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	first := b.get("/authorize")
	state, cookie := query(t, first.location(), "state"), first.Cookies()[0].Value
	w.fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_request","error_description":"secret-code secret-verifier"}`, ContentType: "application/json"}, 1)
	pages := []answer{
		b.get("/callback?code=secret-code&state=" + state + "x"),
		b.get("/callback?code=secret-code&code=secret-code&state=" + state),
		b.get("/callback?error=secret-code%00&state=" + state),
	}
	state2 := query(t, b.start("/"), "state")
	pages = append(pages, b.get("/callback?code=secret-code&state="+state2))
	if len(errs.list) != 4 {
		t.Fatalf("%d errors, want 4", len(errs.list))
	}
	secrets := []string{state, state2, "secret-code", cookie, oauthtest.ConfidentialApp().Secret()}
	for _, p := range pages {
		exposure.Check(t, "a page", p.body, secrets...)
	}
	for _, err := range errs.list {
		exposure.Check(t, "an error", err, secrets...)
	}
	exposure.Check(t, "a Login", w.login, secrets...)
	exposure.Check(t, "a Login by value", *w.login, secrets...)
}

func newGrants(t *testing.T, s setup) *grant.Keeper {
	t.Helper()
	if s.fake == nil {
		s.fake = xapi.New(t, nil)
	}
	if s.store == nil {
		s.store = storage.NewMemory()
	}
	grants, err := grant.New(newClient(t, s.fake, s), s.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grants.Close() })
	return grants
}
