package oauth_test

import (
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The server refuses a request that names no resource, or another one than the
// login did (RFC 8707).
func TestEveryRequestNamesTheResources(t *testing.T) {
	for _, push := range []bool{false, true} {
		o, r := pushing()
		if !push {
			o.Provider.PushedAuthorizationURL, o.Provider.RequirePushed = "", false
		}
		o.Resources, o.RequireResource = []string{"https://api.example/v1", "urn:another:api"}, true
		r.Resources = slices.Clone(o.Resources)
		fake, client := at(t, o, r)
		verifier := oauth2.GenerateVerifier()
		login, err := client.Authorize(t.Context(), "a-state", verifier, nil)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := client.Exchange(t.Context(), codeFor(t, fake, login), verifier)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Refresh(t.Context(), tok.RefreshToken); err != nil {
			t.Errorf("Refresh() = %v, want tokens", err)
		}
		if _, err := client.ClientCredentials(t.Context()); err != nil {
			t.Errorf("ClientCredentials() = %v, want a token", err)
		}
		for _, seen := range fake.Requests(oauthtest.Match{Op: "token"}) {
			if got := seen.Raw().PostForm["resource"]; !slices.Equal(got, o.Resources) {
				t.Errorf("%s: resource = %q, want %q", seen.GrantType, got, o.Resources)
			}
		}
	}
}

func TestNoResourceIsSentToAServerThatRefusesIt(t *testing.T) {
	o, r := pushing()
	o.Provider.NoResource, r.Resources = true, []string{"https://api.example"}
	fake, client := at(t, o, r)
	verifier := oauth2.GenerateVerifier()
	login, err := client.Authorize(t.Context(), "a-state", verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Exchange(t.Context(), codeFor(t, fake, login), verifier); err != nil {
		t.Errorf("Exchange() = %v, want tokens", err)
	}
}

func TestNewRefusesAResource(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://api.example/": true, "urn:example:api": true, "https://api.example?tenant=1": true,
		"": false, "api.example": false, "/v1": false, "https://api.example/#top": false, "https://api.example/#": false, "https://api example/": false,
	} {
		s := generic()
		s.r.Resources = []string{"https://first.example", raw}
		if _, err := s.client(); (err == nil) != ok {
			t.Errorf("New() with the resource %q = %v, want success: %v", raw, err, ok)
		}
	}
}

// A resource that only the authorization request names would be missing from
// the refresh.
func TestAuthorizeRefusesAResourceOfOneRequest(t *testing.T) {
	client, err := generic().client()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.Authorize(t.Context(), "a-state", rfcVerifier, map[string][]string{"resource": {"https://api.example"}}); err == nil {
		t.Errorf("Authorize() = %q, want an error", got)
	}
}

func TestTheResourcesOfARegistrationAreCopied(t *testing.T) {
	o, r := pushing()
	o.Resources, r.Resources = []string{"https://api.example"}, []string{"https://api.example"}
	_, client := at(t, o, r)
	r.Resources[0] = "https://evil.example"
	if _, err := client.ClientCredentials(t.Context()); err != nil {
		t.Errorf("ClientCredentials() = %v, want a token", err)
	}
}
