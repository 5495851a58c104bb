package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing/fstest"

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

// The catalogue knows many servers. A server with tenants has a function.
func ExampleGet() {
	github, err := provider.Get("github")
	fmt.Println(github.TokenURL, err)

	_, err = provider.Get("entra") // the error says which function to call
	fmt.Println(strings.HasSuffix(err.Error(), "use provider.Entra(tenant)"))

	entra, err := provider.Entra("acme.example")
	fmt.Println(entra.TokenURL, err)
	// Output:
	// https://github.com/login/oauth/access_token <nil>
	// true
	// https://login.microsoftonline.com/acme.example/oauth2/v2.0/token <nil>
}

// A server that nobody else knows can be a file, with a variable for what
// differs between its customers. A value that does not match is refused.
func ExampleLoad() {
	own, err := provider.Load(fstest.MapFS{"acme.json": {Data: []byte(`{"providers": [{
		"name": "acme", "title": "Acme", "checked": "2026-11-26",
		"vars": {"shop": {"pattern": "[a-z0-9-]+", "example": "tools", "about": "the name of a shop"}},
		"endpoints": {
			"authorization": "https://{shop}.acme.example/authorize",
			"token": "https://{shop}.acme.example/token"
		},
		"sources": [{"for": ["endpoints"], "kind": "doc", "ref": "https://acme.example/docs"}]
	}]}`)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	acme, err := own.Get("acme", map[string]string{"shop": "tools"})
	fmt.Println(acme.TokenURL, err)
	_, err = own.Get("acme", map[string]string{"shop": "evil.test/"})
	fmt.Println(err)
	// Output:
	// https://tools.acme.example/token <nil>
	// provider acme: shop "evil.test/" is not the name of a shop, such as "tools"
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
				return provider.Verdict{Fixer: provider.UserCanFix}
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
