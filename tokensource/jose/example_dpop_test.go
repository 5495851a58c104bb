package jose_test

import (
	"context"
	"crypto"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// dpopClient is the client of docs/dpop.md.
func dpopClient(p *provider.Provider, registration oauth.Registration) (*oauth.Client, error) {
	dpop, err := jose.NewDPoP(nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(p, registration, &oauth.Options{Proofs: dpop})
	return client, err
}

// dpopLogin is a login without package middleware.
func dpopLogin(ctx context.Context, client *oauth.Client, state string, receive func(string) string) (*oauth2.Token, error) {
	key, err := client.Proofs().NewKey(ctx)
	if err != nil {
		return nil, err
	}
	bound, verifier := client.WithProver(key), oauth2.GenerateVerifier()
	target, err := bound.Authorize(ctx, state, verifier, nil)
	if err != nil {
		return nil, err
	}
	code := receive(target) // the user comes back with a code
	token, err := bound.Exchange(ctx, code, verifier)
	return token, err
}

// keyService is a key service of the caller.
type keyService interface {
	Create(ctx context.Context) (name string, key crypto.Signer, err error)
	Open(ctx context.Context, name string) (crypto.Signer, error)
}

// dpopInKeyService keeps the keys elsewhere.
func dpopInKeyService(kms keyService) (*jose.DPoP, error) {
	dpop, err := jose.NewDPoP(&jose.DPoPOptions{NewSigner: kms.Create, OpenSigner: kms.Open})
	return dpop, err
}

var (
	_ = dpopClient
	_ = dpopInKeyService
)

// codeFrom plays the user and the browser, and returns the code.
func codeFrom(server *oauthtest.Server, authorize string) string {
	callback, err := server.Authorize(context.Background(), "", authorize)
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	return u.Query().Get("code")
}

// A grant whose tokens are bound to a key is used like any other.
func ExampleNewDPoP() {
	ctx := context.Background()
	server, err := oauthtest.NewServer(&oauthtest.Options{Proofs: josetest.Proofs{}}) // verifies proofs
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.PublicApp()
	dpop, err := jose.NewDPoP(nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(server.Provider(""), oauth.Registration{
		ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0],
	}, &oauth.Options{Proofs: dpop, HTTPClient: &http.Client{Transport: server.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	token, err := dpopLogin(ctx, client, "unguessable", func(authorize string) string { return codeFrom(server, authorize) })
	if err != nil {
		log.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = keeper.Close() }()
	if _, err := keeper.Save(ctx, "alice", token); err != nil {
		log.Fatal(err)
	}
	rt, err := transport.New(keeper.Source("alice"), &transport.Options{Base: server.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Get("https://api.example/things")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(token.TokenType, resp.StatusCode)
	// Output: DPoP 200
}
