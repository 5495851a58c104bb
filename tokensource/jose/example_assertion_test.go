package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// An app signs in with its key, and serves the public half to the server.
func ExamplePrivateKeyJWT() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // a program reads it from a file
	if err != nil {
		log.Fatal(err)
	}
	credential, err := jose.PrivateKeyJWT(key, nil)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jose.NewKeySet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/jwks.json", keys) // the jwks_uri of the registration
	client, err := oauth.New(&provider.Provider{
		Name: "acme", Issuer: "https://login.acme.example",
		AuthorizationURL: "https://login.acme.example/authorize", TokenURL: "https://login.acme.example/token",
	}, oauth.Registration{
		ClientID: "my-app", Credential: credential, RedirectURL: "https://app.example/callback",
	}, nil)
	fmt.Println(client.Public(), err)
	// Output: false <nil>
}
