package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// What a server needs of an authorization request stands in the Provider.
func TestAuthorizationFactsOfAProvider(t *testing.T) {
	const hexChallenge = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3" // of RFC 7636's verifier
	tests := []struct {
		name     string
		change   func(*provider.Provider)
		params   url.Values
		want     map[string]string
		verifier string
	}{
		{"a fixed parameter", func(p *provider.Provider) { p.AuthorizationParams = url.Values{"access_type": {"offline"}} }, nil,
			map[string]string{"access_type": "offline", "code_challenge": rfcChallenge}, rfcVerifier},
		{"a fixed parameter that the login overrides", func(p *provider.Provider) { p.AuthorizationParams = url.Values{"prompt": {"consent"}} },
			url.Values{"prompt": {"none"}}, map[string]string{"prompt": "none"}, rfcVerifier},
		{"a fixed parameter that the endpoint has", func(p *provider.Provider) {
			p.AuthorizationURL += "?prompt=x"
			p.AuthorizationParams = url.Values{"prompt": {"consent"}}
		}, nil, map[string]string{"prompt": "x"}, rfcVerifier},
		{"commas between scopes", func(p *provider.Provider) { p.ScopeSeparator = "," }, nil,
			map[string]string{"scope": "tweet.read,users.read,offline.access"}, rfcVerifier},
		{"the challenge in hex", func(p *provider.Provider) { p.PKCE = provider.S256Hex }, nil,
			map[string]string{"code_challenge": hexChallenge, "code_challenge_method": "S256"}, rfcVerifier},
		{"no PKCE", func(p *provider.Provider) { p.PKCE = provider.NoPKCE }, nil,
			map[string]string{"code_challenge": "", "code_challenge_method": ""}, ""},
		{"a nonce of the login", func(p *provider.Provider) { p.Nonce = true }, url.Values{"nonce": {"n"}}, map[string]string{"nonce": "n"}, rfcVerifier},
		{"no nonce", func(*provider.Provider) {}, nil, map[string]string{"nonce": ""}, rfcVerifier},
	}
	for _, tt := range tests {
		s := confidential()
		tt.change(s.p)
		_, q := authorizationQuery(t, s, "st4te", tt.verifier, tt.params)
		for name, want := range tt.want {
			if got := strings.Join(q[name], " and "); got != want {
				t.Errorf("%s: parameter %s = %q, want %q", tt.name, name, got, want)
			}
		}
	}
	s := confidential()
	s.p.Nonce = true
	_, first := authorizationQuery(t, s, "st4te", rfcVerifier, nil)
	_, second := authorizationQuery(t, s, "st4te", rfcVerifier, nil)
	if a, b := first.Get("nonce"), second.Get("nonce"); len(a) < 26 || a == b {
		t.Errorf("nonces of two requests = %q and %q, want two random ones", a, b)
	}
}

// Where a server refuses PKCE, the verifier is not sent. Everywhere, scopes
// have the server's separator.
func TestTokenRequestsFollowTheProvidersFacts(t *testing.T) {
	for _, pkce := range []provider.PKCE{provider.S256, provider.S256Hex, provider.NoPKCE} {
		s := confidential()
		s.p.PKCE, s.p.ScopeSeparator = pkce, ","
		var form url.Values
		s.o = &oauth.Options{HTTPClient: &http.Client{Transport: reading{&form}}}
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Exchange(t.Context(), someCode, rfcVerifier); err != nil {
			t.Fatal(err)
		}
		if got, want := form.Has("code_verifier"), pkce != provider.NoPKCE; got != want {
			t.Errorf("PKCE %d: the verifier was sent: %v, want %v", pkce, got, want)
		}
		_, err = client.Exchange(t.Context(), someCode, "")
		if got, want := err == nil, pkce == provider.NoPKCE; got != want {
			t.Errorf("PKCE %d: Exchange() without a verifier = %v", pkce, err)
		}
		if _, err := client.ClientCredentials(t.Context()); err != nil || form.Get("scope") != "tweet.read,users.read,offline.access" {
			t.Errorf("scope = %q, %v, want commas", form.Get("scope"), err)
		}
	}
}

// reading keeps the last form, and grants everything.
type reading struct{ form *url.Values }

func (r reading) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.ParseForm(); err != nil {
		return nil, err
	}
	*r.form = req.PostForm
	return canned{status: 200, body: []byte(someTokens)}.RoundTrip(req)
}

// RFC 6749 appendix A allows spaces inside client IDs, secrets and refresh
// tokens.
func TestCredentialsWithSpaces(t *testing.T) {
	for secret, want := range map[string]bool{
		"two words": true, "a": true, "!\"#~": true, " a": false, "a ": false, "a\n": false, "a\tb": false, "a\x00": false, "a\x7f": false, "caf\u00e9": false,
	} {
		s := confidential()
		s.r.Credential = oauth.Secret(secret)
		_, err := s.client()
		if (err == nil) != want {
			t.Errorf("New() with the secret %q = %v, want it to be accepted: %v", secret, err, want)
		}
		if err != nil && (!strings.Contains(err.Error(), "trim") || len(secret) > 2 && strings.Contains(err.Error(), secret)) {
			t.Errorf("New() with the secret %q = %v, want advice and not the secret", secret, err)
		}
	}
	s := generic()
	s.r.ClientID = "my app"
	if client, err := s.client(); err != nil || client.ClientID() != "my app" {
		t.Errorf("New() with a space inside the client ID = %v, want none", err)
	}
	w := newWorld(t)
	w.Client = w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: canned{status: 200, body: []byte(`{"access_token":"a","refresh_token":"two words"}`)}}})
	tok, err := w.Client.Refresh(t.Context(), "old words here")
	if err != nil || tok.RefreshToken != "two words" {
		t.Errorf("Refresh() = %v, want the refresh token with a space in it", err)
	}
}
