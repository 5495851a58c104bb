package josetest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A fake server that knows the public key of a client which signs assertions
// (private_key_jwt), and that demands proofs of possession (DPoP).
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // of the client, for jose.PrivateKeyJWT
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.App{ClientID: "my-app", RedirectURLs: []string{"https://app.example/callback"}, Auth: "private_key_jwt"}
	fake, err := oauthtest.NewServer(&oauthtest.Options{
		Apps:       []oauthtest.App{app},
		Assertions: josetest.NewAssertions(map[string]crypto.PublicKey{app.ClientID: key.Public()}),
		Proofs:     josetest.Proofs{},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fake.Provider("").TokenURL)
	// Output: https://auth.example/token
}
