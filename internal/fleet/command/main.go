// The program command is what the fleet of commands runs: one call to an API,
// or one login, and the end. It has the code of every command that uses
// nativeapp. Its lease is shorter, so that a test need not wait for half a
// minute, and it believes at once that a new token is rejected, since the test
// lets it expire.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: command SERVER FOLDER login|call")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, dir, order string) error {
	fake, err := xapi.NewServer(nil) // only to describe the real one
	if err != nil {
		return err
	}
	client, err := oauth.New(fake.Provider(server), oauth.Registration{
		ClientID: oauthtest.PublicApp().ClientID, RedirectURL: oauthtest.PublicApp().RedirectURLs[1],
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{Timeout: 3 * time.Second})
	if err != nil {
		return err
	}
	app, err := nativeapp.Open(ctx, "command", client, &nativeapp.Options{
		Dir: dir, AnyPort: true, Open: nativeapptest.Browser(nil), Out: io.Discard,
		Grants: &grant.Options{RenewSpacing: time.Nanosecond},
	})
	if err != nil {
		return err
	}
	if order == "login" {
		_, err = app.Login(ctx, nil)
	} else {
		err = call(ctx, app.Client(), server+xapi.PathMe)
	}
	return errors.Join(err, app.Close())
}

// call makes one call to the API.
func call(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	return nil
}
