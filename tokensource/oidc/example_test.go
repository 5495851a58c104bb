package oidc_test

import (
	"fmt"
	"log"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A client with a Verifier knows from the ID token who has logged in. Package
// middleware finds the Verifier in the client.
func Example() {
	p := &provider.Provider{
		Name:             "example",
		Issuer:           "https://id.example",
		AuthorizationURL: "https://id.example/authorize",
		TokenURL:         "https://id.example/token",
		JWKSURL:          "https://id.example/keys",
	}
	verifier, err := oidc.New(p, "my-client", &oidc.Options{Claims: []string{"email", "groups"}})
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: "my-client", RedirectURL: "https://app.example/auth/callback", Scopes: []string{"openid", "profile", "email"},
	}, &oauth.Options{IDTokens: verifier})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.IDTokens() != nil)
	// Output: true
}
