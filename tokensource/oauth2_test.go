package tokensource_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// tokenFunc is an oauth2.TokenSource.
type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

func TestFromOAuth2(t *testing.T) {
	want, broken := &oauth2.Token{AccessToken: "a"}, errors.New("no token today")
	for _, ctx := range []context.Context{context.Background(), t.Context()} { // one that cannot end, one that can
		s, err := tokensource.FromOAuth2(oauth2.StaticTokenSource(want))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Token(ctx); err != nil || got.AccessToken != "a" {
			t.Errorf("Token() = %v, want the token", err)
		}
		s, err = tokensource.FromOAuth2(tokenFunc(func() (*oauth2.Token, error) { return nil, broken }))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(ctx)
		testworld.WantIs(t, err, broken)
	}
	if s, err := tokensource.FromOAuth2(nil); err == nil || s != nil {
		t.Errorf("FromOAuth2(nil) = %v, want an error", err)
	}
}

func TestFromOAuth2LeavesAtTheCallersDeadline(t *testing.T) {
	left := errors.New("the user has left")
	synctest.Test(t, func(t *testing.T) {
		s, err := tokensource.FromOAuth2(tokenFunc(func() (*oauth2.Token, error) {
			time.Sleep(time.Hour)
			return new(oauth2.Token), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, left)
		defer cancel()
		began := time.Now()
		_, err = s.Token(ctx)
		testworld.WantIs(t, err, left)
		if got := time.Since(began); got != time.Second {
			t.Errorf("gave up after %v, want 1s", got)
		}
		time.Sleep(2 * time.Hour) // the call that was left behind ends, and its goroutine with it
	})
}

// x/oauth2's own Transport goes on working when a token is renewed behind it.
func TestToOAuth2OfNothing(t *testing.T) {
	if _, err := tokensource.ToOAuth2(t.Context(), nil).Token(); err == nil || !strings.Contains(err.Error(), "nil Source") {
		t.Errorf("Token() = %v, want an error about the nil Source", err)
	}
}

func TestToOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		hc := &http.Client{Transport: &oauth2.Transport{
			Source: tokensource.ToOAuth2(t.Context(), g.Source(w.User)), Base: w.Fake.Transport(),
		}}
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.x.com"+xapi.PathMe, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status = %d, want 200", resp.StatusCode)
			}
			time.Sleep(3 * time.Hour)
		}
		w.WantRefreshes(2)
		bridge := tokensource.ToOAuth2(t.Context(), g.Source(w.User))
		old, err := bridge.Token()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		renewed, err := g.Source(w.User).Renew(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bridge.Token(); err != nil || got.AccessToken != renewed.AccessToken {
			t.Errorf("Token() = %v, want the renewed token though the old one had not expired", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = tokensource.ToOAuth2(ctx, w.Process(nil).Source(w.User)).Token()
		testworld.WantIs(t, err, context.Canceled)
	})
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
