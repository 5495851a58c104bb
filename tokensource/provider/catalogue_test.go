package provider_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestGetEveryName(t *testing.T) {
	names := provider.Names()
	if len(names) == 0 || !slices.IsSorted(names) {
		t.Fatalf("Names() = %q", names)
	}
	for _, name := range names {
		p, err := provider.Get(name)
		if err != nil {
			if !strings.Contains(err.Error(), "use provider.") {
				t.Errorf("Get(%q) = %v: it names no function", name, err)
			}
			continue
		}
		if err := p.Validate(); err != nil || p.Name != name {
			t.Errorf("Get(%q) = %s, Validate() = %v", name, p.Name, err)
		}
	}
}

func TestGetAnUnknownName(t *testing.T) {
	for _, name := range []string{"", "GitHub", "nobody", "github.json", "../github"} {
		if p, err := provider.Get(name); err == nil || p != nil || !strings.Contains(err.Error(), "Names") {
			t.Errorf("Get(%q) = %v, want an error that says where the names are", name, err)
		}
	}
}

// Each caller may change its own value.
func TestEachGetIsOnesOwn(t *testing.T) {
	first, err := provider.Get("github")
	if err != nil {
		t.Fatal(err)
	}
	want := first.Clone()
	first.APIOrigins[0], first.Refusals[0].Where["error"], first.TokenSample[0] = "https://changed.example", "changed", 'x'
	second, err := provider.Get("github")
	if err != nil || second.APIOrigins[0] != want.APIOrigins[0] || second.Refusals[0].Where["error"] != want.Refusals[0].Where["error"] || second.TokenSample[0] != want.TokenSample[0] {
		t.Error("what one caller did to its Provider reached another")
	}
}

func TestFunctionsOfTenants(t *testing.T) {
	tests := []struct {
		name string
		make func(string) (*provider.Provider, error)
		good map[string]string // the token endpoint by value
		bad  []string
	}{
		{"Entra", provider.Entra, map[string]string{
			"common":                               "https://login.microsoftonline.com/common/oauth2/v2.0/token",
			"00000000-0000-0000-0000-000000000000": "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
		}, []string{"", "a/b", "..", "a?b", "a#b", "a b", "common/"}},
		{"Mastodon", provider.Mastodon, map[string]string{
			"mastodon.social": "https://mastodon.social/oauth/token", "mastodon.example:8443": "https://mastodon.example:8443/oauth/token",
			"Mastodon.Social:443": "https://mastodon.social/oauth/token",
		}, []string{"", "localhost:3000", "127.0.0.1", "10.0.0.1:3000", "169.254.169.254", "2130706433", "0x7f.1", "[::1]", "mastodon", "mastodon.lan", "a.localhost", "mastodon.social/", "evil.example@mastodon.social", "https://mastodon.social", "a:b", "a\nb"}},
		{"Okta", provider.Okta, map[string]string{"acme.okta.com": "https://acme.okta.com/oauth2/default/v1/token"}, []string{"", "acme.okta.com/", "a@b", "a\\b", "10.0.0.1", "okta.internal"}},
		{"Auth0", provider.Auth0, map[string]string{"acme.eu.auth0.com": "https://acme.eu.auth0.com/oauth/token"}, []string{"", "https://acme.eu.auth0.com", "-a", "127.0.0.1", "auth0.lan"}},
		{"Cognito", provider.Cognito, map[string]string{
			"acme.auth.eu-west-1.amazoncognito.com": "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token",
		}, []string{"", "a/../b", "a?", "127.0.0.1"}},
		{"Shopify", provider.Shopify, map[string]string{
			"acme.myshopify.com": "https://acme.myshopify.com/admin/oauth/access_token",
		}, []string{"", "acme", "evil.example", "evil.com/.myshopify.com", "evil.com/acme.myshopify.com", "evil.com#.myshopify.com", "a.b.myshopify.com", "acme.myshopify.com.evil.com", "acmeXmyshopify.com"}},
		{"Salesforce", provider.Salesforce, map[string]string{
			"acme.my.salesforce.com": "https://acme.my.salesforce.com/services/oauth2/token", "test.salesforce.com": "https://test.salesforce.com/services/oauth2/token",
		}, []string{"acme.my.salesforce.com/x", "a b", "127.0.0.1", "salesforce"}},
		{"GitLab", provider.GitLab, map[string]string{"gitlab.example.com": "https://gitlab.example.com/oauth/token"}, []string{"", "a/b", "a:99999999", "gitlab", "gitlab.local", "192.168.1.1"}},
	}
	for _, tt := range tests {
		for value, want := range tt.good {
			if p, err := tt.make(value); err != nil || p.TokenURL != want || p.Validate() != nil {
				t.Errorf("%s(%q) = %v, want the token endpoint %s", tt.name, value, err, want)
			}
		}
		for _, value := range tt.bad {
			if p, err := tt.make(value); err == nil {
				t.Errorf("%s(%q) = %s, want an error", tt.name, value, p.TokenURL)
			}
		}
	}
	if p, err := provider.Get("gitlab"); err != nil || p.TokenURL != "https://gitlab.com/oauth/token" {
		t.Errorf("Get(gitlab) = %v, want gitlab.com", err)
	}
}

// Tokens name their issuer exactly, and it has a host in lower case.
func TestFunctionsOfTenantsWithAHostInUpperCase(t *testing.T) {
	for name, f := range map[string]func(host string) (*provider.Provider, error){
		"Mastodon": provider.Mastodon, "GitLab": provider.GitLab, "Okta": provider.Okta, "Auth0": provider.Auth0,
		"Cognito": provider.Cognito, "Salesforce": provider.Salesforce, "Shopify": provider.Shopify,
	} {
		upper, err := f("Acme.MyShopify.com")
		lower, lowerErr := f("acme.myshopify.com")
		if err != nil || lowerErr != nil {
			t.Errorf("%s = %v, %v", name, err, lowerErr)
			continue
		}
		if upper.TokenURL != lower.TokenURL || upper.Issuer != lower.Issuer || !slices.Equal(upper.APIOrigins, lower.APIOrigins) {
			t.Errorf("%s(Acme.MyShopify.com) has TokenURL %s, Issuer %q, APIOrigins %q", name, upper.TokenURL, upper.Issuer, upper.APIOrigins)
		}
	}
}

func TestKeycloak(t *testing.T) {
	tests := []struct{ base, realm, want string }{ // want: the issuer; empty: refused
		{"https://sso.example.com", "acme", "https://sso.example.com/realms/acme"},
		{"https://sso.example.com/auth", "acme", "https://sso.example.com/auth/realms/acme"},
		{"https://sso.example.com:8443", "acme-1", "https://sso.example.com:8443/realms/acme-1"},
		{"HTTPS://SSO.Example.com/Auth", "Acme", "https://sso.example.com/Auth/realms/Acme"},
		{"https://sso.example.com:443", "acme", "https://sso.example.com/realms/acme"},
		{"http://sso.example.com", "acme", ""},
		{"HTTP://sso.example.com", "acme", ""},
		{"https://keycloak:8443", "acme", ""},
		{"https://10.0.0.1", "acme", ""},
		{"http://localhost:8080", "acme", ""},
		{"sso.example.com", "acme", ""},
		{"https://sso.example.com/", "acme", ""},
		{"https://sso.example.com?x=", "acme", ""},
		{"https://me@sso.example.com", "acme", ""},
		{"https://sso.example.com", "a/b", ""},
		{"https://sso.example.com", "..", ""},
		{"https://sso.example.com", "", ""},
		{"", "acme", ""},
	}
	for _, tt := range tests {
		p, err := provider.Keycloak(tt.base, tt.realm)
		if (err == nil) != (tt.want != "") || err == nil && (p.Issuer != tt.want || p.Validate() != nil) {
			t.Errorf("Keycloak(%q, %q) = %v, want the issuer %q", tt.base, tt.realm, err, tt.want)
		}
	}
}

// The error of a host that is refused names the way to allow it.
func TestInsecureLocal(t *testing.T) {
	tests := []struct {
		name     string
		vars     map[string]string
		want     string // the token endpoint; empty: refused
		loopback bool
		valid    bool
	}{
		{"gitlab", map[string]string{"host": "GitLab.lan"}, "https://gitlab.lan/oauth/token", false, true},
		{"gitlab", map[string]string{"host": "10.0.0.1:8443"}, "https://10.0.0.1:8443/oauth/token", false, true},
		{"mastodon", map[string]string{"server": "localhost:3000"}, "https://localhost:3000/oauth/token", false, true},
		{"keycloak", map[string]string{"base": "http://localhost:8080", "realm": "acme"}, "http://localhost:8080/realms/acme/protocol/openid-connect/token", true, true},
		{"keycloak", map[string]string{"base": "HTTP://Keycloak:8080", "realm": "acme"}, "http://keycloak:8080/realms/acme/protocol/openid-connect/token", false, false},
		{"keycloak", map[string]string{"base": "https://keycloak", "realm": "acme"}, "https://keycloak/realms/acme/protocol/openid-connect/token", false, true},
		{"gitlab", map[string]string{"host": "a/b"}, "", false, false},
		{"gitlab", map[string]string{"hst": "a"}, "", false, false},
		{"shopify", map[string]string{"shop": "localhost"}, "", false, false},
		{"nobody", nil, "", false, false},
	}
	for _, tt := range tests {
		p, err := provider.InsecureLocal(tt.name, tt.vars)
		if tt.want == "" {
			if err == nil {
				t.Errorf("InsecureLocal(%s, %v) = %s, want an error", tt.name, tt.vars, p.TokenURL)
			}
			continue
		}
		if err != nil || p.TokenURL != tt.want || p.InsecureLoopback != tt.loopback || (p.Validate() == nil) != tt.valid {
			t.Errorf("InsecureLocal(%s, %v) = %+v, %v, want the token endpoint %s", tt.name, tt.vars, p, err, tt.want)
		}
	}
	if _, err := provider.GitLab("gitlab.lan"); err == nil || !strings.Contains(err.Error(), "provider.InsecureLocal") {
		t.Errorf("GitLab(gitlab.lan) = %v, want an error with the way to allow it", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	const entry = `{"name":"a","title":"A","checked":"2026-11-26","endpoints":{"authorization":"https://a.example/authorize","token":"https://a.example/token"},
		"sources":[{"for":["endpoints"],"kind":"doc","ref":"https://a.example/docs"}]}`
	one := `{"providers":[` + entry + `]}`
	tests := []struct {
		name  string
		files map[string]string
		want  string // empty: it is accepted
	}{
		{"one entry", map[string]string{"a.json": one}, ""},
		{"another file beside it", map[string]string{"a.json": one, "readme.txt": "x"}, ""},
		{"a schema beside it", map[string]string{"a.json": one, "catalogue.schema.json": "{}"}, ""},
		{"a schema alone", map[string]string{"catalogue.schema.json": "{}"}, "no file"},
		{"no file", nil, "no file"},
		{"a name twice in a file", map[string]string{"a.json": `{"providers":[` + entry + "," + entry + `]}`}, "twice"},
		{"a name twice in two files", map[string]string{"a.json": one, "b.json": one}, "twice"},
		{"a member that nobody knows", map[string]string{"a.json": strings.Replace(one, `"title"`, `"titel"`, 1)}, "titel"},
		{"an endpoint with http", map[string]string{"a.json": strings.Replace(one, "https://a.example/token", "http://a.example/token", 1)}, "must be https"},
		{"an endpoint that is none", map[string]string{"a.json": strings.Replace(one, "https://a.example/token", "token", 1)}, "TokenURL"},
		{"a function that nobody has", map[string]string{"a.json": strings.Replace(one, `"sources"`, `"code":{"classify":"nobody"},"sources"`, 1)}, "nobody"},
		{"a parameter that the Client sets", map[string]string{"a.json": strings.NewReplacer(`"sources"`, `"token":{"params":{"code":"1"}},"sources"`, `["endpoints"]`, `["endpoints","token"]`).Replace(one)}, "code"},
		{"a header that is a credential", map[string]string{"a.json": strings.NewReplacer(`"sources"`, `"api":{"headers":{"authorization":"x"}},"sources"`, `["endpoints"]`, `["endpoints","api"]`).Replace(one)}, "authorization"},
	}
	for _, tt := range tests {
		files := fstest.MapFS{}
		for name, text := range tt.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		c, err := provider.Load(files)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Load() = %v, want %q", tt.name, err, tt.want)
		}
		if err == nil && !slices.Equal(c.Names(), []string{"a"}) {
			t.Errorf("%s: Names() = %q, want a", tt.name, c.Names())
		}
	}
}
