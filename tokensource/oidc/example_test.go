package oidc_test

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oidc"
	"github.com/authtrip/authtrip/tokensource/oidc/oidctest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A client with a Verifier knows from the ID token who has logged in. Package
// middleware finds the Verifier in the client.
func Example() {
	p := exampleProvider()
	verifier, err := oidc.New(p, "my-client", &oidc.Options{Claims: []string{"email", "groups"}})
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID:    "my-client",
		Credential:  oauth.Secret("the client secret"),
		RedirectURL: "https://app.example/auth/callback",
		Scopes:      []string{"openid", "profile", "email"},
	}, &oauth.Options{IDTokens: verifier})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.IDTokens() == verifier)
	// Output: true
}

func exampleProvider() *provider.Provider {
	return &provider.Provider{
		Name:             "example",
		Issuer:           "https://id.example",
		AuthorizationURL: "https://id.example/authorize",
		TokenURL:         "https://id.example/token",
		JWKSURL:          "https://id.example/keys",
		EndSessionURL:    "https://id.example/logout",
		IdentityURL:      "https://id.example/userinfo",
		ParseIdentity:    oidc.ParseUserInfo("email", "groups"),
	}
}

// A login that also logs out at the server, and that the server can end. The
// URL of Logout is registered there as a post_logout_redirect_uri, and that of
// BackChannelLogoutPath as the backchannel_logout_uri.
func ExampleVerifier_logout() {
	p := exampleProvider()
	verifier, err := oidc.New(p, "my-client", nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(p, oauth.Registration{
		ClientID: "my-client", RedirectURL: "https://app.example/auth/callback", Scopes: []string{"openid"},
	}, &oauth.Options{IDTokens: verifier})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		log.Fatal(err)
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = grants.Close() }()
	mux := http.NewServeMux()

	login, err := middleware.New(grants, keys, &middleware.Options{
		LogoutAtServer:        true,                      // register https://app.example/auth/logout
		BackChannelLogoutPath: "/auth/server-logged-out", // register its URL as well
	})
	if err != nil {
		log.Fatal(err)
	}
	login.Mount(mux)

	_, pattern := mux.Handler(&http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/auth/server-logged-out"}})
	fmt.Println(pattern)
	// Output: POST /auth/server-logged-out
}

func TestTheFakeOfTheDocumentationIssuesIDTokens(t *testing.T) {
	p := exampleProvider()

	signer := oidctest.New(t)
	fake := oauthtest.New(t, &oauthtest.Options{Provider: p, IDTokens: signer})
	verifier, err := oidc.New(p, oauthtest.ConfidentialApp().ClientID, &oidc.Options{
		HTTPClient: &http.Client{Transport: fake.Transport()}, // reads the keys of the fake
	})
	if err != nil {
		t.Fatal(err)
	}

	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"openid", "profile"},
	}, &oauth.Options{IDTokens: verifier, HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	const verifierText = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	target, err := client.Authorize(t.Context(), "a state of a test", verifierText, url.Values{"nonce": {nonce}})
	if err != nil {
		t.Fatal(err)
	}
	callback, err := fake.Authorize(t.Context(), "", target)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := client.Exchange(t.Context(), u.Query().Get("code"), verifierText)
	if err != nil {
		t.Fatal(err)
	}
	id, err := client.IDTokens().VerifyIDToken(t.Context(), tok, provider.IDTokenRequest{Nonce: nonce})
	if want := oauthtest.DefaultUser(); err != nil || id.Subject != want.ID || id.User.Name != want.Name || id.Session == "" {
		t.Errorf("VerifyIDToken() = %+v, %v, want the user of the fake", id, err)
	}
}
