package oidctest_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/oidc/oidctest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A test of an app that learns from ID tokens who has logged in. The fake
// issues them, and the Verifier of the app reads the keys there.
func Example() {
	_ = func(t *testing.T) {
		p := &provider.Provider{
			Name: "company", Issuer: "https://login.example", JWKSURL: "https://login.example/keys",
			AuthorizationURL: "https://login.example/authorize", TokenURL: "https://login.example/token",
		}
		signer := oidctest.New(t)
		fake := oauthtest.New(t, &oauthtest.Options{Provider: p, IDTokens: signer})
		verifier, err := oidc.New(p, oauthtest.PublicApp().ClientID, &oidc.Options{
			HTTPClient: &http.Client{Transport: fake.Transport()},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = verifier // for oauth.Options.IDTokens of the app
		if err := signer.Rotate("RS256"); err != nil {
			t.Fatal(err) // the app must read the keys again
		}
	}
}
