package atproto_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newClientKeys(t testing.TB, first *ecdsa.PrivateKey, older ...*ecdsa.PrivateKey) *jose.ClientKeys {
	t.Helper()
	k, err := newRing(first, older...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The document at the client ID says what the AT Protocol demands of it.
func TestClientMetadata(t *testing.T) {
	public := map[string]any{
		"client_id": clientID, "application_type": "web", "grant_types": []any{"authorization_code", "refresh_token"},
		"scope": "atproto transition:generic", "response_types": []any{"code"}, "redirect_uris": []any{callback},
		"token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true,
	}
	with := func(changes map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{public, changes} {
			maps.Copy(all, m)
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		change func(*atproto.App)
		want   map[string]any
	}{
		{"a public app", nil, public},
		{"an app with a name and a page", func(a *atproto.App) {
			a.Metadata = &registration.Metadata{Name: "An app", URL: "https://app.test/"}
		}, with(map[string]any{"client_name": "An app", "client_uri": "https://app.test/"})},
		{"an app whose metadata say what it is not", func(a *atproto.App) {
			a.Metadata = &registration.Metadata{
				RedirectURLs: []string{"https://evil.test/"}, Scopes: []string{"x"}, TokenAuthMethod: "client_secret_basic", GrantTypes: []string{"x"},
				Extra: map[string]any{"dpop_bound_access_tokens": false, "software": "s"},
			}
		}, with(map[string]any{"software": "s"})},
		{"a confidential app", func(a *atproto.App) { a.ClientKeys = newClientKeys(t, newKey(t), newKey(t)) }, with(map[string]any{
			"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
		})},
	} {
		w := newWorld(t, tt.change)
		rec := w.browser().get(clientID)
		var got map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: the document is %d %q, %v", tt.name, rec.Code, rec.Header(), err)
		}
		set, _ := got["jwks"].(map[string]any)
		keys, _ := set["keys"].([]any)
		delete(got, "jwks")
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: the document is %v, want %v", tt.name, got, tt.want)
		}
		if confidential := tt.want["token_endpoint_auth_method"] != "none"; len(keys) != map[bool]int{true: 2}[confidential] {
			t.Errorf("%s: the document has %d keys", tt.name, len(keys))
		}
		for _, key := range keys {
			if _, private := key.(map[string]any)["d"]; private {
				t.Errorf("%s: the document has a private key", tt.name)
			}
		}
	}
}

func TestNewLoginsRefuses(t *testing.T) {
	for name, change := range map[string]func(*atproto.App){
		"no store":                       func(a *atproto.App) { a.Store = nil },
		"no keys of cookies":             func(a *atproto.App) { a.Keys = nil },
		"no proofs":                      func(a *atproto.App) { a.Proofs = nil },
		"no scope atproto":               func(a *atproto.App) { a.Registration.Scopes = []string{"transition:generic"} },
		"no scopes":                      func(a *atproto.App) { a.Registration.Scopes = nil },
		"a login page at another site":   func(a *atproto.App) { a.LoginPage = "//evil.test" },
		"no login page":                  func(a *atproto.App) { a.LoginPage = "" },
		"a client ID that is no URL":     func(a *atproto.App) { a.Registration.ClientID = "app" },
		"a client ID of plain http":      func(a *atproto.App) { a.Registration.ClientID = "http://app.test/client.json" },
		"a client ID with a port":        func(a *atproto.App) { a.Registration.ClientID = "https://app.test:8443/client.json" },
		"a client ID without a path":     func(a *atproto.App) { a.Registration.ClientID = "https://app.test" },
		"a client ID on another host":    func(a *atproto.App) { a.Registration.ClientID = "https://other.test/client.json" },
		"a redirect URL on another port": func(a *atproto.App) { a.Registration.RedirectURL = "https://app.test:8443/auth/callback" },
		"a redirect URL on loopback":     func(a *atproto.App) { a.Registration.RedirectURL = "http://127.0.0.1/auth/callback" },
		"a redirect URL without a path":  func(a *atproto.App) { a.Registration.RedirectURL = "https://app.test" },
		"a scheme of an app":             func(a *atproto.App) { a.Registration.RedirectURL = "test.app:/callback" },
		"a secret":                       func(a *atproto.App) { a.Registration.Credential = oauth.Secret("secret") },
		"a page of the app that is http": func(a *atproto.App) { a.Metadata = &registration.Metadata{URL: "http://app.test"} },
		"a document above 5 KiB": func(a *atproto.App) {
			a.Metadata = &registration.Metadata{Name: strings.Repeat("n", 6<<10)}
		},
		"an Identify of the app": func(a *atproto.App) {
			a.Options = &middleware.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) { return provider.Identity{}, nil }}
		},
		"a second redirect URL": func(a *atproto.App) {
			a.Options = &middleware.Options{RedirectURLs: []string{"https://app.test/second/callback"}}
		},
		"an OnBegin of the app": func(a *atproto.App) {
			a.Options = &middleware.Options{OnBegin: func(*http.Request) *middleware.BeginOptions { return nil }}
		},
		"an app under development at localhost": func(a *atproto.App) {
			a.Registration = atproto.Development("http://localhost:8080/auth/callback", "atproto")
		},
		"an app under development at a public host": func(a *atproto.App) {
			a.Registration = atproto.Development("https://app.test/auth/callback", "atproto")
		},
		"an app under development with keys": func(a *atproto.App) {
			a.Registration = atproto.Development("http://127.0.0.1:8080/auth/callback", "atproto")
			a.ClientKeys = newClientKeys(t, newKey(t))
		},
		"an app under development without the scope": func(a *atproto.App) {
			a.Registration = atproto.Development("http://127.0.0.1:8080/auth/callback", "transition:generic")
		},
	} {
		r := resolver(t, atprototest.New(t))
		app := newApp(t)
		change(app)
		if logins, err := atproto.NewLogins(r, app); err == nil {
			t.Errorf("%s: NewLogins = %v, nil, want an error", name, logins)
		}
	}
	r := resolver(t, atprototest.New(t))
	if _, err := atproto.NewLogins(r, nil); err == nil {
		t.Error("NewLogins without an App = nil error, want one")
	}
	if _, err := atproto.NewLogins(nil, newApp(t)); err == nil {
		t.Error("NewLogins without a Resolver = nil error, want one")
	}
}

func TestNewNativeRefuses(t *testing.T) {
	dev := func(a *atproto.App) { a.Registration = atproto.Development("http://127.0.0.1/callback", "atproto") }
	for name, tt := range map[string]struct {
		change func(*atproto.App)
		o      nativeapp.Options
	}{
		"a web app":           {func(*atproto.App) {}, nativeapp.Options{}},
		"a scheme of the app": {func(a *atproto.App) { a.Registration.RedirectURL = "test.app:/callback" }, nativeapp.Options{}},
		"the name localhost": {func(a *atproto.App) {
			a.Registration = atproto.Development("http://localhost/callback", "atproto")
		}, nativeapp.Options{}},
		"keys of the app": {func(a *atproto.App) {
			a.Registration.RedirectURL = "http://127.0.0.1/callback"
			a.ClientKeys = newClientKeys(t, newKey(t))
		}, nativeapp.Options{}},
		"a subject": {dev, nativeapp.Options{Subject: "me"}},
		"an Identify": {dev, nativeapp.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{}, nil
		}}},
	} {
		r := resolver(t, atprototest.New(t))
		app := newApp(t)
		tt.change(app)
		if n, err := atproto.NewNative(r, app, &tt.o); err == nil {
			t.Errorf("%s: NewNative = %v, nil, want an error", name, n)
		}
	}
}

// An app under development has a client ID that says all about it. It logs in
// on plain http, and serves no document.
func TestDevelopment(t *testing.T) {
	const at = "http://127.0.0.1:8080/auth/callback"
	r := atproto.Development(at, "atproto", "transition:generic")
	u, err := url.Parse(r.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"redirect_uri": {at}, "scope": {"atproto transition:generic"}}
	if got := u.Query(); u.Scheme+"://"+u.Host+u.Path != "http://localhost" || !reflect.DeepEqual(got, want) || r.RedirectURL != at {
		t.Errorf("Development(%q) = %+v, want http://localhost with %v", at, r, want)
	}
	w := newWorld(t, func(a *atproto.App) { a.Registration = r }, oauthtest.App{ClientID: r.ClientID, RedirectURLs: []string{at}})
	if w.logins.ClientMetadata() != nil {
		t.Error("an app under development has a document, want none")
	}
	b := w.browser()
	rec := b.get("http://127.0.0.1:8080/auth/authorize?return_to=/me&identifier=alice.test")
	b.answer(w.entryway, alice, rec.Header().Get("Location"))
	if got := b.get("http://127.0.0.1:8080/me").Body.String(); got != alice {
		t.Errorf("/me of an app under development = %q, want %s", got, alice)
	}
}
