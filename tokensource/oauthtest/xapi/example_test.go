package xapi_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// A login and a call to the API, at X's real addresses and without a network. A
// test would use New, which checks at its end that nothing was left open.
func Example() {
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	app, x := oauthtest.ConfidentialApp(), fake.Provider("")
	conf := &oauth2.Config{
		ClientID: app.ClientID, ClientSecret: app.Secret(), RedirectURL: app.RedirectURLs[0],
		Scopes:   []string{"tweet.read", "users.read", "offline.access"},
		Endpoint: oauth2.Endpoint{AuthURL: x.AuthorizationURL, TokenURL: x.TokenURL, AuthStyle: oauth2.AuthStyleInHeader},
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: fake.Transport()})

	verifier := oauth2.GenerateVerifier()
	callback, err := fake.Authorize(ctx, "", conf.AuthCodeURL("some-state", oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, callback, nil) // what your callback handler would receive
	if err != nil {
		log.Fatal(err)
	}
	token, err := conf.Exchange(ctx, req.FormValue("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		log.Fatal(err)
	}
	resp, err := conf.Client(ctx, token).Get(x.IdentityURL)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status, token.Extra("scope"))
	fmt.Println(fake.TokenCalls("authorization_code"), fake.Audit(), fake.Close())
	// Output:
	// 200 OK users.read tweet.read offline.access
	// 1 <nil> <nil>
}

// A test of an app on a listener: give the app the provider that Provider
// returns for the address of the listener. The test decides when a token
// expires, and looks at what the server saw.
func ExampleNew() {
	_ = func(t *testing.T) {
		fake := xapi.New(t, nil)
		x := httptest.NewServer(fake)
		t.Cleanup(x.Close)
		p := fake.Provider(x.URL) // for oauth.New of the app
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		// Log in, and let the app make a request. Then:
		fake.ExpireAccess("")
		// Let the app make another request, which needs a new token.
		if n := fake.TokenCalls("refresh_token"); n != 1 {
			t.Errorf("the app made %d refreshes, want 1", n)
		}
	}
}
