package oauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Public or confidential client? A program on a server of yours can keep a
// secret, so register it as a confidential client. A program that users install
// cannot: register it as a public client, and put no secret into it.
func ExampleRegistration() {
	onServer := oauth.Registration{
		ClientID: "web-app", Credential: oauth.Secret("from the environment"), RedirectURL: "https://app.example/callback",
	}
	installed := oauth.Registration{
		ClientID: "command", RedirectURL: "http://127.0.0.1:8080/callback", // no Credential
	}
	for _, r := range []oauth.Registration{onServer, installed} {
		client, err := oauth.New(provider.X(), r, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(client.ClientID(), "is public:", client.Public())
	}
	// Output:
	// web-app is public: false
	// command is public: true
}

// Which way of client authentication? Where the platform gives the program a
// signed token, as Kubernetes does, there is no secret to keep. With a key of
// the app's own, use jose.PrivateKeyJWT. Otherwise it is a secret: Secret, or
// SecretFunc for one that is replaced while the program runs.
func ExampleAssertionFile() {
	client, err := oauth.New(&provider.Provider{
		Name: "example", Issuer: "https://as.example",
		AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token",
	}, oauth.Registration{
		ClientID: "my-app", RedirectURL: "https://app.example/callback",
		Credential: oauth.AssertionFile("/var/run/secrets/tokens/as.example"),
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("public client:", client.Public())
	// Output: public client: false
}

// A certificate authenticates the client. It is read again for each request, so
// a new one is used without a restart.
func ExampleMutualTLS() {
	credential := oauth.MutualTLS(func() (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair("client.crt", "client.key")
		return &cert, err
	})
	fmt.Println("public client:", credential.IsZero())
	// Output: public client: false
}

// signed is an Authenticator for a method that only one server has.
type signed struct{}

func (signed) Authenticate(_ context.Context, r *oauth.TokenRequest) error {
	r.Header().Set("X-App-Signature", "a signature of "+r.ClientID)
	return nil
}

// A server with a way of client authentication of its own.
func ExampleAuthentication() {
	r := oauth.Registration{
		ClientID: "my-app", Credential: oauth.Authentication(signed{}), RedirectURL: "https://app.example/callback",
	}
	client, err := oauth.New(provider.X(), r, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("public client:", client.Public())
	// Output: public client: false
}

// How long may one request to the authorization server take? Timeout bounds it,
// and the context of the call ends it earlier.
func ExampleOptions_timeout() {
	fake, err := oauthtest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
	app := oauthtest.PublicApp()
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0],
	}, &oauth.Options{
		HTTPClient: &http.Client{Transport: fake.Transport()},
		Timeout:    50 * time.Millisecond, // zero is 20 seconds
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Exchange(context.Background(), "code", oauth2.GenerateVerifier())
	e, _ := errors.AsType[*tokensource.Error](err)
	fmt.Println("temporary:", errors.Is(err, tokensource.ErrTemporary), "timeout:", e.Timeout())
	// Output: temporary: true timeout: true
}

// A program that has an oauth2.Config keeps it.
func ExampleFromConfig() {
	config := &oauth2.Config{
		ClientID: "my-app", ClientSecret: "secret", RedirectURL: "https://app.example/callback",
		Endpoint: oauth2.Endpoint{AuthURL: "https://as.example/authorize", TokenURL: "https://as.example/token"},
	}
	p, r, err := oauth.FromConfig("example", config)
	if err != nil {
		log.Fatal(err)
	}
	p.APIOrigins = []string{"https://api.example"} // an oauth2.Config does not say where tokens may go
	client, err := oauth.New(p, r, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Provider().TokenURL, client.Public())
	// Output: https://as.example/token false
}
