package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// redirectURL is where the browser ends. X compares it with the one that the
// app has registered, port included.
const redirectURL = "http://127.0.0.1:8765/callback"

// program names the folder of the logins.
const program = "posts"

var scopes = []string{"tweet.read", "tweet.write", "users.read", "offline.access"}

// open opens the logins of the program. The key that seals them is in the
// keychain of the system, and in a file where there is none.
func open(ctx context.Context, c *command) (*nativeapp.App, error) {
	server, clientID, err := server()
	if err != nil {
		return nil, err
	}
	client, err := oauth.New(server, oauth.Registration{ClientID: clientID, RedirectURL: redirectURL, Scopes: scopes}, nil)
	if err != nil {
		return nil, err
	}
	app, err := nativeapp.Open(ctx, program, client, &nativeapp.Options{
		Account: c.account, Keys: keyring.New(), AnyPort: server.AnyLoopbackPort,
		In: c.in, Out: c.err,
		Transport: &transport.Options{Retry: &transport.RetryOptions{}},
	})
	if errors.Is(err, userstore.ErrKeychain) {
		err = fmt.Errorf("%w. Unlock the keychain, or set POSTS_TOKEN. If there is no keychain any more, delete the folder and log in again", err)
	}
	return app, err
}

// server returns X, or a fake of X, and the client ID of the app there.
func server() (*provider.Provider, string, error) {
	if base := os.Getenv("POSTS_SERVER"); base != "" {
		p := provider.X().InsecureAt(base)
		p.AnyLoopbackPort = true
		return p, oauthtest.PublicApp().ClientID, nil
	}
	id := os.Getenv("POSTS_CLIENT_ID")
	if id == "" {
		return nil, "", errors.New("set POSTS_CLIENT_ID to the client ID of your app at X, or try: cli demo")
	}
	return provider.X(), id, nil
}
