package identity_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
)

func ExampleResolver_Resolve() {
	network := atprototest.New(new(testing.T))
	network.Account("did:plc:aliceaaaaaaaaaaaaaaaaaaa", "alice.test", "https://pds.test")
	network.Host("https://pds.test", "https://entryway.test")

	resolver, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: network}, DNS: network})
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
