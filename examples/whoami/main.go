// The program whoami is the smallest command that stays logged in. The page
// docs/command-line.md shows it.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func main() {
	if err := run(context.Background(), provider.X(), "https://api.x.com/2/users/me"); err != nil {
		log.Fatal(err) // run has closed the logins by now
	}
}

// run shows what the API says of the user. It logs the user in if that is
// necessary.
func run(ctx context.Context, server *provider.Provider, page string) (err error) {
	client, err := oauth.New(server, oauth.Registration{
		ClientID:    os.Getenv("X_CLIENT_ID"),
		RedirectURL: "http://127.0.0.1:8765/callback", // as it is registered
		Scopes:      []string{"tweet.read", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		return err
	}
	app, err := nativeapp.Open(ctx, "whoami", client, &nativeapp.Options{Keys: keyring.New()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()

	resp, err := app.Client().Get(page)
	if errors.Is(err, tokensource.ErrReauthorize) {
		if _, err := app.Login(ctx, nil); err != nil {
			return err
		}
		resp, err = app.Client().Get(page)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}
