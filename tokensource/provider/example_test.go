package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// X is complete as it is. A scope that is newer than this version is appended.
func ExampleX() {
	x := provider.X()
	x.Scopes = append(x.Scopes, "new.at.x")
	fmt.Println(x.AuthorizationURL)
	fmt.Println(slices.Contains(x.Scopes, "new.at.x"), x.Validate())
	// Output:
	// https://x.com/i/oauth2/authorize
	// true <nil>
}

// Any other server is a literal, filled in from its documentation.
func Example() {
	p := &provider.Provider{
		Name:             "example",
		AuthorizationURL: "https://as.example/authorize",
		TokenURL:         "https://as.example/token",
		RevocationURL:    "https://as.example/revoke",
		Issuer:           "https://as.example",
		IssuerRequired:   true, // if its metadata says authorization_response_iss_parameter_supported
		APIOrigins:       []string{"https://api.example"},
		RefreshScope:     "offline_access",
		IdentityURL:      "https://as.example/userinfo",
		ParseIdentity: func(body []byte) (provider.Identity, error) {
			var user struct{ Sub, Name string }
			err := json.Unmarshal(body, &user)
			return provider.Identity{Subject: user.Sub, Name: user.Name}, err
		},
		Classify: func(a provider.Answer) provider.Verdict { // a server that says something other than invalid_grant
			if a.Op == "refresh" && a.Status == 400 && strings.HasPrefix(a.Description(), "Refresh token is invalid") {
				return provider.Verdict{Cure: provider.UserCanCure}
			}
			return provider.Verdict{}
		},
	}
	fmt.Println(p.Validate())

	p.TokenURL = "http://as.example/token"
	fmt.Println(p.Validate())
	// Output:
	// <nil>
	// provider example: TokenURL: "http://as.example" must be https
}
