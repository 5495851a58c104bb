package middleware_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

const documentURL = "https://app.example/client.json"

// documented returns the Login of a client with the given ID.
func documented(t *testing.T, clientID string, c oauth.Credential, redirectURLs ...string) *middleware.Login {
	t.Helper()
	p := &provider.Provider{Name: "as", Issuer: "https://as.example", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token"}
	p.IdentityURL, p.ParseIdentity = "https://as.example/me", func([]byte) (provider.Identity, error) { return provider.Identity{}, nil }
	client, err := oauth.New(p, oauth.Registration{ClientID: clientID, Credential: c, RedirectURL: "https://app.example/callback", Scopes: []string{"a", "b"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := middleware.New(keeper, newKeys(t), &middleware.Options{RedirectURLs: redirectURLs})
	if err != nil {
		t.Fatal(err)
	}
	return login
}

type publicKeys struct{}

func (publicKeys) MarshalJSON() ([]byte, error) { return []byte(`{"keys":[{"kty":"EC"}]}`), nil }

func TestClientMetadata(t *testing.T) {
	assertion := oauth.AssertionFile("/run/assertion")
	for name, tt := range map[string]struct {
		credential oauth.Credential
		m          *registration.Metadata
		more       map[string]any
	}{
		"a public client":       {oauth.Credential{}, nil, map[string]any{"token_endpoint_auth_method": "none"}},
		"a name":                {oauth.Credential{}, &registration.Metadata{Name: "An app", RedirectURLs: []string{"https://evil.example"}}, map[string]any{"token_endpoint_auth_method": "none", "client_name": "An app"}},
		"keys in the document":  {assertion, &registration.Metadata{Keys: publicKeys{}}, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{map[string]any{"kty": "EC"}}}}},
		"keys at another place": {assertion, &registration.Metadata{KeysURL: "https://app.example/jwks"}, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"}},
	} {
		h, err := documented(t, documentURL, tt.credential, "https://app.example/second/callback").ClientMetadata(tt.m)
		if err != nil {
			t.Errorf("%s: ClientMetadata() = %v", name, err)
			continue
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, documentURL, nil))
		want := map[string]any{
			"client_id": documentURL, "redirect_uris": []any{"https://app.example/callback", "https://app.example/second/callback"}, "scope": "a b",
			"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "application_type": "web",
		}
		maps.Copy(want, tt.more)
		var got map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d %v %s\nwant %v", name, rec.Code, rec.Header(), rec.Body, want)
		}
		if c := rec.Header().Get("Cache-Control"); !strings.Contains(c, "max-age=") || rec.Header().Get("ETag") == "" {
			t.Errorf("%s: Cache-Control %q, ETag %q, want that the document can be kept", name, c, rec.Header().Get("ETag"))
		}
	}
}

func TestClientMetadataMethods(t *testing.T) {
	h, err := documented(t, documentURL, oauth.Credential{}).ClientMetadata(nil)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405, http.MethodOptions: 405} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, documentURL, nil))
		if rec.Code != want {
			t.Errorf("%s = %d, want %d", method, rec.Code, want)
		}
	}
}

func TestClientMetadataRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		id         string
		credential oauth.Credential
		m          *registration.Metadata
	}{
		"a client ID that is no URL":    {"app", oauth.Credential{}, nil},
		"a client ID without a path":    {"https://app.example", oauth.Credential{}, nil},
		"a client ID that is http":      {"http://app.example/c", oauth.Credential{}, nil},
		"a client with a secret":        {documentURL, oauth.Secret("s3cret"), nil},
		"a method with a secret":        {documentURL, oauth.Secret("s3cret"), &registration.Metadata{TokenAuthMethod: "client_secret_basic"}},
		"a public client with a method": {documentURL, oauth.Credential{}, &registration.Metadata{TokenAuthMethod: "private_key_jwt", Keys: publicKeys{}}},
		"a document of 6 KiB":           {documentURL, oauth.Credential{}, &registration.Metadata{Name: strings.Repeat("x", 6<<10)}},
	} {
		if _, err := documented(t, tt.id, tt.credential).ClientMetadata(tt.m); err == nil {
			t.Errorf("ClientMetadata of %s = nil, want an error", name)
		}
	}
}
