package oauth_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

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
		if r.ClientID != "id" || r.ClientSecret != "s3cret" || r.RedirectURL != "https://app.example/callback" || !slices.Equal(r.Scopes, testworld.Scopes) {
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

// What a Client gives away as an oauth2.Config works with x/oauth2, and comes back as the same client.
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
		config := client.Config()
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
		request := oauth.AuthorizationRequest{State: "st4te", Verifier: rfcVerifier}
		got, _ := again.AuthorizationURL(request)
		want, _ := client.AuthorizationURL(request)
		if got != want || got == "" || r.ClientSecret != s.r.ClientSecret {
			t.Errorf("%s: AuthorizationURL() = %q, want %q", name, got, want)
		}
	}
}

func TestConfigWorksWithXOAuth2(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.Flow()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: w.Fake.Transport()})
	tok, err := w.Client.Config().Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil || !w.Works(tok) {
		t.Fatalf("Exchange() = %v, want a token that works", err)
	}
	if n := w.Fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("the code was sent %d times, want once: the style must not be probed", n)
	}
}
