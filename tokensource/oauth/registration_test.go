package oauth_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// secret is the secret of the fake's confidential app.
var secret = oauthtest.ConfidentialApp().Secret()

// setting is everything that New is given.
type setting struct {
	p *provider.Provider
	r oauth.Registration
	o *oauth.Options
}

func (s setting) client() (*oauth.Client, error) { return oauth.New(s.p, s.r, s.o) }

// confidential and public are settings that work at X; generic is one for a
// server of which little is known.
func confidential() setting {
	app := oauthtest.ConfidentialApp()
	return setting{p: provider.X(), r: oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(secret), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
	}}
}

func public() setting {
	app := oauthtest.PublicApp()
	return setting{p: provider.X(), r: oauth.Registration{
		ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
	}}
}

func generic() setting {
	s := confidential()
	s.p = &provider.Provider{
		Name: "generic", AuthorizationURL: "https://x.com/i/oauth2/authorize",
		TokenURL: "https://api.x.com/2/oauth2/token", RevocationURL: "https://api.x.com/2/oauth2/revoke",
	}
	return s
}

// at makes the client of s speak to the fake of w.
func (w world) at(s setting) *oauth.Client {
	w.Helper()
	o := oauth.Options{}
	if s.o != nil {
		o = *s.o
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Transport: w.Fake.Transport()}
	}
	s.o = &o
	client, err := s.client()
	if err != nil {
		w.Fatal(err)
	}
	return client
}

func TestNewClientRefuses(t *testing.T) {
	redirect := func(to string) func(*setting) { return func(s *setting) { s.r.RedirectURL = to } }
	scope := func(list ...string) func(*setting) { return func(s *setting) { s.r.Scopes = list } }
	token := func(to string) func(*setting) { return func(s *setting) { s.p.TokenURL = to } }
	tests := []struct {
		name   string
		change func(*setting)
		want   string // what the message says to do, or what is wrong
	}{
		{"no provider", func(s *setting) { s.p = nil }, "provider.X()"},
		{"no provider name", func(s *setting) { s.p.Name = "" }, "lower-case letters"},
		{"no token endpoint", token(""), "TokenURL"},
		{"relative endpoint", token("/2/oauth2/token"), "absolute URL"},
		{"http endpoint", token("http://api.x.com/2/oauth2/token"), "must be https"},
		{"http endpoint on loopback", token("http://127.0.0.1/token"), "InsecureLoopback"},
		{"ftp endpoint", token("ftp://api.x.com/token"), "must be https"},
		{"endpoint with user", token("https://me@api.x.com/token"), "user name"},
		{"endpoint with fragment", token("https://api.x.com/token#top"), "fragment"},
		{"endpoint with empty fragment", token("https://api.x.com/token#"), "fragment"},
		{"http authorization endpoint", func(s *setting) { s.p.AuthorizationURL = "http://x.com/authorize" }, "must be https"},
		{"http revocation endpoint", func(s *setting) { s.p.RevocationURL = "http://api.x.com/revoke" }, "RevocationURL"},
		{"http identity endpoint", func(s *setting) { s.p.IdentityURL = "http://api.x.com/me" }, "IdentityURL"},
		{"http app endpoint", func(s *setting) { s.p.ClientCredentialsURL = "http://api.x.com/t" }, "ClientCredentialsURL"},

		{"no client ID", func(s *setting) { s.r.ClientID = "" }, "copy it"},
		{"client ID with a space behind it", func(s *setting) { s.r.ClientID = "my-app " }, "copy it again"},
		{"client ID with line break", func(s *setting) { s.r.ClientID += "\n" }, "copy it again"},
		{"secret with line break", func(s *setting) { s.r.Credential = oauth.Secret(secret + "\n") }, "trim"},
		{"secret with space", func(s *setting) { s.r.Credential = oauth.Secret(" " + secret) }, "trim"},
		{"secret with tab", func(s *setting) { s.r.Credential = oauth.Secret(secret + "\t") }, "trim"},
		{"secret beyond ASCII", func(s *setting) { s.r.Credential = oauth.Secret(secret + "\u00a0") }, "trim"},
		{":ci without secret", func(s *setting) { s.r.Credential = oauth.Credential{} }, "set the client secret"},
		{":ci with an empty secret", func(s *setting) { s.r.Credential = oauth.Secret("") }, "set the client secret"},
		{":na with a function", func(s *setting) {
			s.r.ClientID = oauthtest.PublicApp().ClientID
			s.r.Credential = oauth.SecretFunc(func(context.Context) (string, error) { return secret, nil })
		}, "leave the client secret empty"},
		{":na with secret", func(s *setting) { s.r.ClientID = oauthtest.PublicApp().ClientID }, "leave the client secret empty"},

		{"no redirect URI", redirect(""), "callback URL"},
		{"relative redirect URI", redirect("/callback"), "absolute URL"},
		{"redirect URI without scheme", redirect("app.example/callback"), "absolute URL"},
		{"unparsable redirect URI", redirect("https://app.example/%zz"), "absolute URL"},
		{"redirect URI with line break", redirect("https://app.example/callback\n"), "absolute URL"},
		{"redirect URI with fragment", redirect("https://app.example/callback#top"), "fragment"},
		{"redirect URI with empty fragment", redirect("https://app.example/callback#"), "fragment"},
		{"redirect URI with user", redirect("https://me@app.example/callback"), "user name"},
		{"http redirect URI on a public host", redirect("http://app.example/callback"), "use https"},
		{"http redirect URI on a look-alike of loopback", redirect("http://127.0.0.1.app.example/callback"), "use https"},
		{"http redirect URI on a private address", redirect("http://192.168.0.1/callback"), "use https"},
		{"javascript", redirect("javascript:alert(1)"), "use https"},
		{"data", redirect("data:text/html,hi"), "use https"},
		{"file", redirect("file:///callback"), "use https"},
		{"ftp", redirect("ftp://app.example/callback"), "use https"},
		{"custom scheme without domain", redirect("myapp:/callback"), "domain name in reverse"},
		{"https without host", redirect("https:///callback"), "no host"},
		{"https with a port and no host", redirect("https://:443/callback"), "no host"},
		{"redirect URI with a space behind it", redirect("https://app.example/callback "), "spaces"},
		{"redirect URI beyond ASCII", redirect("https://app.example/r\u00fcck"), "ASCII"},

		{"testworld.Scopes in one string", scope("tweet.read users.read"), "string of its own"},
		{"empty scope", scope("tweet.read", ""), "string of its own"},
		{"scope with quote", scope(`tweet"read`), "RFC 6749 section 3.3"},
		{"scope with backslash", scope(`tweet\read`), "RFC 6749 section 3.3"},
		{"scope with line break", scope("tweet.read\r\nusers.read"), "RFC 6749 section 3.3"},
		{"scope beyond ASCII", scope("twe\u00e9t.read"), "RFC 6749 section 3.3"},
		{"scope with DEL", scope("tweet.read\x7f"), "RFC 6749 section 3.3"},
		{"scope unknown to X", scope("account.follows.read"), "Provider.Scopes"},

		{"nil pointer to an Authenticator", func(s *setting) { s.r.Credential = oauth.Authentication((*assertion)(nil)) }, "nil pointer"},

		{"negative timeout", func(s *setting) { s.o = &oauth.Options{Timeout: -time.Second} }, "negative"},
		{"long timeout", func(s *setting) { s.o = &oauth.Options{Timeout: 24*time.Hour + 1} }, "above 24h"},
	}
	for _, tt := range tests {
		s := confidential()
		tt.change(&s)
		_, err := s.client()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%s) = %v, want an error with %q", tt.name, err, tt.want)
		} else if secret := oauthtest.ConfidentialApp().Secret(); strings.Contains(err.Error(), secret) {
			t.Errorf("New(%s) = %v: it tells the secret", tt.name, err)
		}
	}
}

func TestNewClientAccepts(t *testing.T) {
	redirect := func(to string) func(*setting) { return func(s *setting) { s.r.RedirectURL = to } }
	tests := []struct {
		name   string
		change func(*setting)
	}{
		{"nothing unusual", func(*setting) {}},
		{"empty options", func(s *setting) { s.o = new(oauth.Options) }},
		{"public client", func(s *setting) { *s = public() }},
		{"generic provider", func(s *setting) { *s = generic() }},
		{"client ID of no known shape", func(s *setting) { s.r.ClientID = "my-app" }},
		{"no testworld.Scopes", func(s *setting) { s.r.Scopes = nil }},
		{"scope that was appended", func(s *setting) {
			s.p.Scopes, s.r.Scopes = append(s.p.Scopes, "brand.new"), []string{"brand.new"}
		}},
		{"any scope at a generic provider", func(s *setting) { *s = generic(); s.r.Scopes = []string{"a:b/c?d=e#f!"} }},
		{"endpoint with a query", func(s *setting) { s.p.AuthorizationURL += "?tenant=1" }},
		{"redirect URI with a query", redirect("https://app.example/callback?from=x")},
		{"loopback address", redirect("http://127.0.0.1:8080/callback")},
		{"loopback address, version 6", redirect("http://[::1]:8080/callback")},
		{"localhost", redirect("http://localhost:8080/callback")},
		{"private-use scheme", redirect("com.example.app:/callback")},
		{"loopback endpoint by switch", func(s *setting) {
			s.p.TokenURL, s.p.InsecureLoopback = "http://127.0.0.1:1/token", true
		}},
	}
	for _, tt := range tests {
		s := confidential()
		tt.change(&s)
		if _, err := s.client(); err != nil {
			t.Errorf("New(%s) = %v, want none", tt.name, err)
		}
	}
}

func TestAClientKeepsWhatItWasMadeOf(t *testing.T) {
	s := confidential()
	s.r.Scopes = slices.Clone(testworld.Scopes)
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	s.r.Scopes[0], s.p.TokenURL, s.p.APIOrigins[0] = "changed", "https://changed.test", "https://changed.test"
	client.Scopes()[0] = "changed"
	if got := client.Scopes(); !slices.Equal(got, testworld.Scopes) {
		t.Errorf("Scopes() = %q, want %q", got, testworld.Scopes)
	}
	if got := client.ClientID(); got != s.r.ClientID {
		t.Errorf("ClientID() = %q, want %q", got, s.r.ClientID)
	}
	if got := client.RedirectURL(); got != s.r.RedirectURL {
		t.Errorf("RedirectURL() = %q, want %q", got, s.r.RedirectURL)
	}
	p, want := client.Provider(), provider.X()
	if p.TokenURL != want.TokenURL || !slices.Equal(p.APIOrigins, want.APIOrigins) {
		t.Errorf("Provider() = %q, %q: changed from outside", p.TokenURL, p.APIOrigins)
	}
}
