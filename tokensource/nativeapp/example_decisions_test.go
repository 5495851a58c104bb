package nativeapp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/authtrip/authtrip/storage/userstore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Browser or device code? Login picks what works where the program runs. A
// program that knows better calls Loopback or Device itself.
func ExampleApp_Device() {
	var app *nativeapp.App // from nativeapp.Open
	login := func(ctx context.Context) error {
		user, err := app.Device(ctx, func(_ context.Context, code nativeapp.DeviceCode) error {
			_, err := fmt.Println(code) // the address, the code and a warning
			return err
		}, nil)
		switch {
		case errors.Is(err, nativeapp.ErrExpired):
			return errors.New("the code has expired: try again")
		case errors.Is(err, nativeapp.ErrDenied):
			return errors.New("you refused access")
		case err != nil:
			return err
		}
		fmt.Println("logged in as", user.Username)
		return nil
	}
	_ = login
}

// A command with a flag for the account. Without the flag it is the default
// account.
func ExampleOptions_account() {
	open := func(ctx context.Context, client *oauth.Client, account string) (*nativeapp.App, error) {
		return nativeapp.Open(ctx, "notes", client, &nativeapp.Options{Account: account})
	}
	_ = open
}

// Where is the key of the logins? With Options.Keys it is in the keychain of
// the system: keyring.New of module storage/keyring. Without it, it is in a
// file beside the logins. Status says which.
func ExampleApp_Status() {
	var client *oauth.Client         // from oauth.New
	var keychain userstore.KeySource // keyring.New
	status := func(ctx context.Context) error {
		app, err := nativeapp.Open(ctx, "notes", client, &nativeapp.Options{Keys: keychain})
		if errors.Is(err, userstore.ErrKeychain) {
			return errors.New("unlock the keychain, and try again")
		}
		if err != nil {
			return err
		}
		defer func() { _ = app.Close() }()
		s, err := app.Status(ctx)
		fmt.Println(s) // for the user
		if s.Grant.Dead != "" {
			fmt.Println("log in again:", s.Grant.Dead)
		}
		return err
	}
	_ = status
}

// A program that has a store and a Keeper already, such as an agent beside a
// web app, uses New in place of Open.
func ExampleNew() {
	var keeper *grant.Keeper // from grant.New
	begin := func() (*nativeapp.App, error) {
		return nativeapp.New(keeper, &nativeapp.Options{
			Open: func(ctx context.Context, url string) error { // a program without a terminal shows the URL in its window
				if err := nativeapp.OpenBrowser(ctx, url); err != nil {
					_, err = fmt.Fprintln(os.Stderr, "Open this page to log in:", url)
					return err
				}
				return nil
			},
		})
	}
	if _, err := begin(); err != nil {
		log.Print(err)
	}
}
