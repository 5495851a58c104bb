package registration_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/registration"
)

// keys is a set of public keys.
type keys string

func (k keys) MarshalJSON() ([]byte, error) { return []byte(k), nil }

func TestDocument(t *testing.T) {
	web := []any{"https://app.example/cb"}
	for name, tt := range map[string]struct {
		m    registration.Metadata
		id   string
		want map[string]any
	}{
		"a web app": {
			registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}, Name: "An app"}, "https://app.example/client.json",
			map[string]any{"client_id": "https://app.example/client.json", "client_name": "An app", "redirect_uris": web, "application_type": "web", "token_endpoint_auth_method": "none"},
		},
		"a native app on loopback": {
			registration.Metadata{RedirectURLs: []string{"http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb"}}, "https://app.example/native",
			map[string]any{"client_id": "https://app.example/native", "redirect_uris": []any{"http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb"}, "application_type": "native", "token_endpoint_auth_method": "none"},
		},
		"a native app with a scheme of its own": {
			registration.Metadata{RedirectURLs: []string{"com.example.app:/cb"}}, "",
			map[string]any{"redirect_uris": []any{"com.example.app:/cb"}, "application_type": "native", "token_endpoint_auth_method": "none"},
		},
		"an app with keys": {
			registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}, TokenAuthMethod: "private_key_jwt", TokenAuthAlgorithm: "ES256", Keys: keys(`{"keys":[]}`), DPoPBound: true, Scopes: []string{"a", "b"}}, "https://app.example/c?x=1",
			map[string]any{"client_id": "https://app.example/c?x=1", "redirect_uris": web, "application_type": "web", "token_endpoint_auth_method": "private_key_jwt",
				"token_endpoint_auth_signing_alg": "ES256", "jwks": map[string]any{"keys": []any{}}, "dpop_bound_access_tokens": true, "scope": "a b"},
		},
		"keys elsewhere": {
			registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}, TokenAuthMethod: "private_key_jwt", KeysURL: "https://app.example/jwks"}, "https://app.example/c",
			map[string]any{"client_id": "https://app.example/c", "redirect_uris": web, "application_type": "web", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"},
		},
		"a secret in Extra": {
			registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}, Extra: map[string]any{"client_secret": "s", "client_id": "x"}}, "https://app.example/c",
			map[string]any{"client_id": "https://app.example/c", "redirect_uris": web, "application_type": "web", "token_endpoint_auth_method": "none"},
		},
	} {
		tt.want["grant_types"], tt.want["response_types"] = []any{"authorization_code", "refresh_token"}, []any{"code"}
		text, err := tt.m.Document(tt.id)
		var got map[string]any
		if err != nil || json.Unmarshal(text, &got) != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Document(%s) = %s, %v\nwant %v", name, tt.id, text, err, tt.want)
		}
	}
	m := registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}, GrantTypes: []string{"client_credentials"}}
	if text, err := m.Document(""); err != nil || !strings.Contains(string(text), `"response_types":[]`) {
		t.Errorf("Document of an app without logins = %s, %v, want no response types", text, err)
	}
}

func TestDocumentRefuses(t *testing.T) {
	good := func(change func(m *registration.Metadata)) registration.Metadata {
		m := registration.Metadata{RedirectURLs: []string{"https://app.example/cb"}}
		change(&m)
		return m
	}
	for name, m := range map[string]registration.Metadata{
		"no redirect URL":                 {},
		"a relative redirect URL":         {RedirectURLs: []string{"/cb"}},
		"a redirect URL with fragment":    {RedirectURLs: []string{"https://app.example/cb#x"}},
		"a redirect URL with a space":     {RedirectURLs: []string{"https://app.example/c b"}},
		"http on a public host":           {RedirectURLs: []string{"http://app.example/cb"}},
		"a scheme without a dot":          {RedirectURLs: []string{"myapp:/cb"}},
		"web and native redirect URLs":    {RedirectURLs: []string{"https://app.example/cb", "http://127.0.0.1/cb"}},
		"an unknown type":                 good(func(m *registration.Metadata) { m.ApplicationType = "desktop" }),
		"a logo that is http":             good(func(m *registration.Metadata) { m.LogoURL = "http://app.example/logo" }),
		"a page that is javascript":       good(func(m *registration.Metadata) { m.URL = "javascript:alert(1)" }),
		"keys at two places":              good(func(m *registration.Metadata) { m.Keys, m.KeysURL = keys("{}"), "https://app.example/jwks" }),
		"keys that are no JSON":           good(func(m *registration.Metadata) { m.Keys = keys("{") }),
		"a scope with a space":            good(func(m *registration.Metadata) { m.Scopes = []string{"a b"} }),
		"Basic":                           good(func(m *registration.Metadata) { m.TokenAuthMethod = "client_secret_basic" }),
		"a secret in the body":            good(func(m *registration.Metadata) { m.TokenAuthMethod = "client_secret_post" }),
		"assertions of a secret":          good(func(m *registration.Metadata) { m.TokenAuthMethod = "client_secret_jwt" }),
		"assertions without a key":        good(func(m *registration.Metadata) { m.TokenAuthMethod = "private_key_jwt" }),
		"an extra member that is no JSON": good(func(m *registration.Metadata) { m.Extra = map[string]any{"x": func() {}} }),
	} {
		if text, err := m.Document("https://app.example/client.json"); err == nil {
			t.Errorf("Document of %s = %s, want an error", name, text)
		}
	}
}

func TestCheckClientID(t *testing.T) {
	for id, want := range map[string]bool{
		"https://app.example/client.json": true, "https://app.example/a/b?c=d": true, "https://app.example:8443/c": true, "https://app.example/.well-known/c": true,
		"": false, "app": false, "https://app.example": false, "https://app.example/": false, "http://app.example/c": false, "http://127.0.0.1/c": false,
		"https://app.example/c#x": false, "https://app.example/c#": false, "https://me@app.example/c": false, "https://app.example/a/../c": false,
		"https://app.example/./c": false, "https://app.example/%2E%2e/c": false, "https://app.example/a b": false, "https:///c": false, "%": false,
	} {
		if err := registration.CheckClientID(id); (err == nil) != want {
			t.Errorf("CheckClientID(%q) = %v, want allowed %t", id, err, want)
		}
	}
}
