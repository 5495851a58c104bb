package oauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A login without a browser's help: make the URL, exchange the code, ask who
// the user is.
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
	fmt.Println("logged in:", user.Username)
	fmt.Println("with a refresh token:", tok.RefreshToken != "")
	// Output:
	// logged in: XDevelopers
	// with a refresh token: true
}

func ExampleClient_Authorize() {
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: "my-client-id", RedirectURL: "https://app.example/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // oauth2.GenerateVerifier() makes a new one each time
	login, err := client.Authorize(context.Background(), "random, and bound to the browser", verifier, nil)
	if err != nil {
		log.Fatal(err)
	}
	endpoint, query, _ := strings.Cut(login, "?")
	fmt.Println(endpoint)
	for parameter := range strings.SplitSeq(query, "&") {
		fmt.Println(" ", parameter)
	}
	// Output:
	// https://x.com/i/oauth2/authorize
	//   client_id=my-client-id
	//   code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
	//   code_challenge_method=S256
	//   redirect_uri=https%3A%2F%2Fapp.example%2Fcallback
	//   response_type=code
	//   scope=tweet.read%20users.read%20offline.access
	//   state=random%2C%20and%20bound%20to%20the%20browser
}

// A secret that is replaced while the program runs, in a file that a secret
// manager writes.
func ExampleSecretFunc() {
	secret := oauth.SecretFunc(func(context.Context) (string, error) {
		text, err := os.ReadFile("/run/secrets/x-client-secret")
		return strings.TrimSpace(string(text)), err
	})
	r := oauth.Registration{ClientID: "my-client-id", Credential: secret, RedirectURL: "https://app.example/callback"}
	fmt.Println("public client:", r.Credential.IsZero())
	// Output: public client: false
}
