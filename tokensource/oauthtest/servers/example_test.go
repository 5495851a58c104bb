package servers_test

import (
	"fmt"
	"log"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/servers"
)

// A program that must work with Ory Hydra is tested with a fake that answers as
// Hydra does. A test of all servers ranges over Known.
func ExampleKnown() {
	fake, err := oauthtest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	fake.Set(servers.Known()["hydra"])
	_, refreshToken, err := fake.IssueToken("", oauthtest.PublicApp().ClientID)
	fmt.Println(refreshToken != "", err)
	// Output: true <nil>
}
