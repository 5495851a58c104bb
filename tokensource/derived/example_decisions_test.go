package derived_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A service calls another one for a user who is logged in. The token of the
// user is exchanged for one that the other service accepts. After the logout of
// the user there is none.
func ExampleNewExchangeSource() {
	ctx := context.Background()
	fake, err := oauthtest.NewServer(nil) // plays a server in memory
	if err != nil {
		log.Fatal(err)
	}
	app, options := oauthtest.ConfidentialApp(), &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}}
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
	}, options)
	if err != nil {
		log.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = keeper.Close() }()
	access, refresh, err := fake.IssueToken("", app.ClientID) // a login of a user
	if err != nil {
		log.Fatal(err)
	}
	if _, err := keeper.Save(ctx, "ann", &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "Bearer"}); err != nil {
		log.Fatal(err)
	}

	billing, err := derived.NewExchangeSource(fake.Provider(""), derived.AppCredentials{
		ID: app.ClientID, Credential: oauth.Secret(app.Secret()), Resources: []string{"https://billing.example"},
	}, derived.Exchange{Subject: derived.Traded{Source: keeper}}, options)
	if err != nil {
		log.Fatal(err)
	}
	ctx = keeper.WithSubject(ctx, "ann")
	tok, err := billing.Token(ctx) // for transport.New, as any other source
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("another token:", tok.AccessToken != access)
	if err := keeper.Logout(ctx, "ann"); err != nil {
		log.Fatal(err)
	}
	_, err = billing.Token(ctx)
	fmt.Println("after the logout:", errors.Is(err, tokensource.ErrNoGrant))
	// Output:
	// another token: true
	// after the logout: true
}

// A workload has a signed token from its platform and no secret. It is traded
// for a token of the API (RFC 7523). The ID is empty: the assertion says who
// the app is.
func ExampleNewAssertionSource() {
	source, err := derived.NewAssertionSource(&provider.Provider{
		Name: "example", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token",
		APIOrigins: []string{"https://api.example"},
	}, derived.AppCredentials{Scopes: []string{"read"}}, derived.AssertionFile("/var/run/secrets/tokens/as.example"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(source.APIOrigins(nil))
	// Output: [https://api.example]
}
