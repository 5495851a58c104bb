package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// sentSecret returns the secret that a client of r at p sends, as an
// oauth2.Config contains it.
func sentSecret(t *testing.T, p *provider.Provider, r oauth.Registration) string {
	t.Helper()
	client, err := oauth.New(p, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := client.Config()
	if err != nil {
		t.Fatal(err)
	}
	return config.ClientSecret
}

func TestConfigHoldsASecretOnly(t *testing.T) {
	ask := func(context.Context) (string, error) { return "s3cret", nil }
	for name, credential := range map[string]oauth.Credential{
		"a function": oauth.SecretFunc(ask), "an Authenticator": oauth.Authentication(assertion{}),
	} {
		s := confidential()
		s.r.Credential = credential
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		if config, err := client.Config(); err == nil || config != nil {
			t.Errorf("Config() with %s = %v, want an error", name, err)
		}
	}
}

func TestFromConfigKnowsX(t *testing.T) {
	for _, endpoint := range []oauth2.Endpoint{
		endpoints.X,
		{AuthURL: "https://twitter.com/i/oauth2/authorize", TokenURL: "https://api.twitter.com/2/oauth2/token", AuthStyle: oauth2.AuthStyleInParams},
	} {
		p, r, err := oauth.FromConfig("anything", &oauth2.Config{
			ClientID: "id", ClientSecret: "s3cret", RedirectURL: "https://app.example/callback", Scopes: testworld.Scopes, Endpoint: endpoint,
		})
		if err != nil {
			t.Fatalf("FromConfig(%s) = %v", endpoint.TokenURL, err)
		}
		x := provider.X()
		if p.Name != "x" || p.TokenURL != x.TokenURL || p.AuthorizationURL != x.AuthorizationURL || p.RevocationURL != x.RevocationURL || p.ClientAuth != provider.Basic {
			t.Errorf("FromConfig(%s) = %s at %s, want X", endpoint.TokenURL, p.Name, p.TokenURL)
		}
		if r.ClientID != "id" || sentSecret(t, p, r) != "s3cret" || r.RedirectURL != "https://app.example/callback" || !slices.Equal(r.Scopes, testworld.Scopes) {
			t.Errorf("FromConfig(%s) = %v", endpoint.TokenURL, r)
		}
	}
}

func TestFromConfigOfAnyOtherServer(t *testing.T) {
	endpoint := oauth2.Endpoint{AuthURL: "https://as.example/authorize", TokenURL: "https://as.example/token"}
	for style, want := range map[oauth2.AuthStyle]provider.ClientAuth{
		oauth2.AuthStyleAutoDetect: provider.Basic,
		oauth2.AuthStyleInHeader:   provider.Basic,
		oauth2.AuthStyleInParams:   provider.Post,
	} {
		endpoint.AuthStyle = style
		p, _, err := oauth.FromConfig("mine", &oauth2.Config{Endpoint: endpoint})
		if err != nil || p.Name != "mine" || p.ClientAuth != want || p.AuthorizationURL != endpoint.AuthURL || p.TokenURL != endpoint.TokenURL {
			t.Errorf("FromConfig(style %d) = %v, want client authentication %d", style, err, want)
		}
	}
}

func TestFromConfigRefuses(t *testing.T) {
	good := oauth2.Endpoint{AuthURL: "https://as.example/authorize", TokenURL: "https://as.example/token"}
	tests := []struct {
		name, provider string
		config         *oauth2.Config
		want           string
	}{
		{"nil", "mine", nil, "nil oauth2.Config"},
		{"a name with a space", "my server", &oauth2.Config{Endpoint: good}, "lower-case letters"},
		{"no endpoints", "mine", new(oauth2.Config), "AuthorizationURL"},
		{"http", "mine", &oauth2.Config{Endpoint: oauth2.Endpoint{AuthURL: good.AuthURL, TokenURL: "http://as.example/token"}}, "must be https"},
	}
	for _, tt := range tests {
		if _, _, err := oauth.FromConfig(tt.provider, tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("FromConfig(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

// What a Client gives away as an oauth2.Config works with x/oauth2, and comes
// back as the same client.
func TestConfigGoesThereAndBack(t *testing.T) {
	post := generic()
	post.p.ClientAuth = provider.Post
	styles := map[string]oauth2.AuthStyle{
		"confidential": oauth2.AuthStyleInHeader, "public": oauth2.AuthStyleInParams,
		"generic": oauth2.AuthStyleInHeader, "post": oauth2.AuthStyleInParams,
	}
	for name, s := range map[string]setting{"confidential": confidential(), "public": public(), "generic": generic(), "post": post} {
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		config, err := client.Config()
		if err != nil {
			t.Fatal(err)
		}
		if config.Endpoint.AuthStyle != styles[name] {
			t.Errorf("%s: AuthStyle = %d, want %d", name, config.Endpoint.AuthStyle, styles[name])
		}
		p, r, err := oauth.FromConfig(s.p.Name, config)
		if err != nil {
			t.Fatalf("%s: FromConfig(Config()) = %v", name, err)
		}
		again, err := oauth.New(p, r, nil)
		if err != nil {
			t.Fatalf("%s: NewClient = %v", name, err)
		}
		got, _ := again.Authorize(t.Context(), "st4te", rfcVerifier, nil)
		want, _ := client.Authorize(t.Context(), "st4te", rfcVerifier, nil)
		if got != want || got == "" || config.ClientSecret != sentSecret(t, s.p, s.r) {
			t.Errorf("%s: AuthorizationURL() = %q, want %q", name, got, want)
		}
	}
}

func TestConfigWorksWithXOAuth2(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.Flow()
	config, err := w.Client.Config()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: w.Fake.Transport()})
	tok, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil || !w.Works(tok) {
		t.Fatalf("Exchange() = %v, want a token that works", err)
	}
	if n := w.Fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("the code was sent %d times, want once: the style must not be probed", n)
	}
}

// Package oauth2 separates scopes by spaces, whatever the server wants.
func TestConfigOfAServerWithCommas(t *testing.T) {
	s := confidential()
	s.p.ScopeSeparator = ","
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	config, err := client.Config()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(config.AuthCodeURL("state"))
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("scope"); got != "tweet.read,users.read,offline.access" {
		t.Errorf("scope = %q, want commas", got)
	}
}
