package grant_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A login without a browser's help: build the URL, exchange the code, ask who
// the user is, keep the grant, use its token.
func Example() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil) // plays X, its user and the browser, in memory
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "https://app.example/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}

	// The state must be random and bound to the browser: package middleware does
	// that.
	verifier := oauth2.GenerateVerifier()
	login, err := client.Authorize(context.Background(), "random", verifier, nil)
	if err != nil {
		log.Fatal(err)
	}
	callback, err := fake.Authorize(ctx, "", login)
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	tok, err := client.Exchange(ctx, u.Query().Get("code"), verifier)
	if err != nil {
		log.Fatal(err)
	}
	user, err := client.Identity(ctx, tok)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := grants.Save(ctx, user.Subject, tok); err != nil {
		log.Fatal(err)
	}

	// From here on one source serves every user; the context says whose token it
	// is.
	tok, err = grants.Token(grants.WithSubject(ctx, user.Subject))
	fmt.Println("logged in:", user.Username)
	fmt.Println("token of type", tok.Type(), "without a refresh token:", tok.RefreshToken == "", err)
	if err := grants.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// logged in: XDevelopers
	// token of type Bearer without a refresh token: true <nil>
}

// exampleGrants returns the engine of an app at the fake, and the ID of a user
// who has logged in.
func exampleKeeper(fake *xapi.Server) (*grant.Keeper, string) {
	app, user := oauthtest.ConfidentialApp(), oauthtest.DefaultUser().ID
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "https://app.example/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}
	access, refresh, err := fake.IssueToken(user, app.ClientID, client.Scopes()...)
	if err != nil {
		log.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"}
	if _, err := grants.Save(context.Background(), user, tok); err != nil {
		log.Fatal(err)
	}
	return grants, user
}

// A resource server has rejected a token: Renew gets another one, once for
// everybody who comes with the same token. Package transport does this by
// itself.
func ExampleKeeper() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	grants, user := exampleKeeper(fake)
	source := grants.Source(user)

	rejected, err := source.Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fake.ExpireAccess("")
	renewed, err := source.Renew(ctx, rejected)
	if err != nil {
		log.Fatal(err)
	}
	again, err := source.Renew(ctx, rejected)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("another token:", renewed.AccessToken != rejected.AccessToken)
	fmt.Println("the same for the next caller:", again.AccessToken == renewed.AccessToken)
	fmt.Println("refresh requests:", fake.TokenCalls("refresh_token"))
	if err := grants.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// another token: true
	// the same for the next caller: true
	// refresh requests: 1
}

// Each tenant has registered an app of its own at the authorization server. All
// of them share one engine: the first Keeper brings it, and the others join.
func ExampleNew_tenants() {
	store := storage.NewMemory()
	var engine *grant.Keeper // nil for the first tenant
	keepers := map[string]*grant.Keeper{}
	for tenant, clientID := range map[string]string{"acme": "client-of-acme", "globex": "client-of-globex"} {
		client, err := oauth.New(provider.X(), oauth.Registration{
			ClientID: clientID, Credential: oauth.Secret("the secret of " + tenant), RedirectURL: "https://" + tenant + ".app.example/callback",
			Scopes: []string{"tweet.read", "users.read", "offline.access"},
		}, nil)
		if err != nil {
			log.Fatal(err)
		}
		k, err := grant.New(client, store, &grant.Options{With: engine})
		if err != nil {
			log.Fatal(err)
		}
		defer k.Close() //nolint:errcheck // the store is memory
		engine, keepers[tenant] = k, k
	}

	// A subject belongs to the Keeper that named it. The other tenant does not
	// accept it.
	ctx := keepers["acme"].WithSubject(context.Background(), "2244994945")
	_, err := keepers["globex"].Token(ctx)
	fmt.Println(errors.Is(err, tokensource.ErrNoSubject))
	// Output: true
}
