package derived_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// An app's own token, without a user. Package transport takes the source and
// sends the token.
func Example() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil) // plays X in memory
	if err != nil {
		log.Fatal(err)
	}
	key, secret := xapi.APIKeys(oauthtest.ConfidentialApp())
	source, err := derived.NewAppSource(provider.X(), derived.AppCredentials{
		ID: key, Credential: oauth.Secret(secret),
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		tok, err := source.Token(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("a token of type", tok.Type())
	}
	fmt.Println("requests:", fake.TokenCalls("client_credentials"))
	// Output:
	// a token of type Bearer
	// a token of type Bearer
	// a token of type Bearer
	// requests: 1
}
