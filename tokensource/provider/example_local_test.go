package provider_test

import (
	"fmt"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// A server of the catalogue that runs on this machine or in a private network.
// The host must come from the operator and not from a user.
func ExampleInsecureLocal() {
	keycloak, err := provider.InsecureLocal("keycloak", map[string]string{
		"base": "http://localhost:8080", "realm": "acme",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(keycloak.TokenURL)
	fmt.Println(keycloak.Validate())
	// Output:
	// http://localhost:8080/realms/acme/protocol/openid-connect/token
	// <nil>
}
