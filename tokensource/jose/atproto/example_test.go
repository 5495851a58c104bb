package atproto_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/transport"
)

// The functions below are compiled for the page only.
var _ = []any{blueskyLogins, blueskyClient}

// blueskyLogins is the login of docs/bluesky.md.
func blueskyLogins(store storage.Store, keys seal.AEAD, mux *http.ServeMux, page http.Handler) (*atproto.Logins, error) {
	resolver, err := atproto.NewResolver(nil)
	if err != nil {
		return nil, err
	}
	dpop, err := jose.NewDPoP(nil)
	if err != nil {
		return nil, err
	}
	logins, err := atproto.NewLogins(resolver, &atproto.App{
		Registration: oauth.Registration{
			ClientID:    "https://app.example/client.json",
			RedirectURL: "https://app.example/auth/callback",
			Scopes:      []string{"atproto", "transition:generic"},
		},
		Store: store, Keys: keys, Proofs: dpop, LoginPage: "/login",
	})
	if err != nil {
		return nil, err
	}
	logins.Mount(mux)
	mux.Handle("/me", logins.Require(page))
	return logins, nil
}

// blueskyClient is the client of docs/bluesky.md.
func blueskyClient(ctx context.Context, logins *atproto.Logins, did string) (*http.Client, string, error) {
	source, account, err := logins.Source(ctx, did)
	if err != nil {
		return nil, "", err
	}
	rt, err := transport.New(source, nil)
	if err != nil {
		return nil, "", err
	}
	client := &http.Client{Transport: rt}
	return client, account.Server, nil
}

func ExampleResolver_Resolve() {
	network := atprototest.New(new(testing.T))
	network.Account("did:plc:aliceaaaaaaaaaaaaaaaaaaa", "alice.test", "https://pds.test")
	network.Host("https://pds.test", "https://entryway.test")

	resolver, err := atproto.NewResolver(&atproto.Options{HTTPClient: &http.Client{Transport: network}, DNS: network})
	if err != nil {
		log.Fatal(err)
	}
	defer resolver.Close()
	account, err := resolver.Resolve(context.Background(), "@alice.test")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(account.DID)
	fmt.Println(account.Server)
	fmt.Println(account.Issuer)
	// Output:
	// did:plc:aliceaaaaaaaaaaaaaaaaaaa
	// https://pds.test
	// https://entryway.test
}
