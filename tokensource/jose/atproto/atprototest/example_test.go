package atprototest_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/jose/atproto/atprototest"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A test with one authorization server, one server of accounts that belongs to
// it, and one user. The Resolver of the app looks for them in the Network.
func Example() {
	_ = func(t *testing.T) {
		const alice = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
		net := atprototest.New(t)
		net.Serve("entryway.test", []string{"pds.test"}, oauthtest.User{ID: alice, Username: "alice"})
		net.Account(alice, "alice.test", "https://pds.test")

		resolver, err := identity.NewResolver(&identity.Options{
			HTTPClient: &http.Client{Transport: net}, DNS: net, Directory: "https://plc.directory",
		})
		if err != nil {
			t.Fatal(err)
		}
		defer resolver.Close()
		account, err := resolver.Resolve(t.Context(), "alice.test") // atproto.NewLogins takes the resolver
		if err != nil || account.DID != alice {
			t.Errorf("Resolve(alice.test) = %v, %v", account, err)
		}
	}
}
