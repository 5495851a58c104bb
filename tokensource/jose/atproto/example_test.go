package atproto_test

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/registration"
	"github.com/authtrip/authtrip/transport"
)

// The functions below are compiled for the page only.
var _ = []any{blueskyLogins, blueskyClient, blueskyConfidential, blueskyDevelopment, blueskyNative}

// blueskyLogins is the login of docs/bluesky.md.
func blueskyLogins(store storage.Store, keys seal.AEAD, mux *http.ServeMux, page http.Handler) (*atproto.Logins, error) {
	resolver, err := identity.NewResolver(nil)
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
		Metadata: &registration.Metadata{Name: "Notes", URL: "https://app.example/"},
		Store:    store, Keys: keys, Proofs: dpop, LoginPage: "/login",
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

// blueskyConfidential is the confidential app of docs/bluesky.md.
func blueskyConfidential(app *atproto.App, newest, older crypto.Signer) error {
	keys, err := jose.NewClientKeys(nil, newest, older)
	if err != nil {
		return err
	}
	app.ClientKeys = keys
	return nil
}

// blueskyDevelopment is the app under development of docs/bluesky.md.
func blueskyDevelopment(app *atproto.App) {
	const redirectURL = "http://127.0.0.1:8080/auth/callback"
	app.Registration = atproto.Development(redirectURL, "atproto", "transition:generic")
}

// blueskyNative is the program without a web server of docs/bluesky.md.
func blueskyNative(ctx context.Context, resolver *identity.Resolver, store storage.Store, dpop tokensource.Proofs, typed string) (tokensource.Source, error) {
	native, err := atproto.NewNative(resolver, &atproto.App{
		Registration: atproto.Development("http://127.0.0.1/callback", "atproto", "transition:generic"),
		Store:        store, Proofs: dpop,
	}, nil)
	if err != nil {
		return nil, err
	}
	account, err := native.Login(ctx, typed)
	if err != nil {
		return nil, err
	}
	source, _, err := native.Source(ctx, account.DID)
	return source, err
}

func ExampleDevelopment() {
	r := atproto.Development("http://127.0.0.1:8080/auth/callback", "atproto", "transition:generic")
	id, parameters, _ := strings.Cut(r.ClientID, "?")
	fmt.Println(id)
	fmt.Println(strings.ReplaceAll(parameters, "&", "\n"))
	// Output:
	// http://localhost
	// redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fauth%2Fcallback
	// scope=atproto+transition%3Ageneric
}
