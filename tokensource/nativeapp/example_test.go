package nativeapp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A command logs its user in over ssh, and has a token that stays valid.
func Example() {
	ctx := context.Background()
	fake, err := oauthtest.NewServer(nil) // plays a server in memory
	if err != nil {
		log.Fatal(err)
	}
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: oauthtest.PublicApp().ClientID, RedirectURL: "http://127.0.0.1:8080/callback",
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = keeper.Close() }()
	app, err := nativeapp.New(keeper, nil)
	if err != nil {
		log.Fatal(err)
	}
	// The fake's user is fast. A real one needs a minute.
	fake.Set(func(k *oauthtest.Knobs) { k.Device.Interval = 1e9 })
	user, err := app.Device(ctx, func(_ context.Context, d nativeapp.DeviceCode) error {
		fmt.Println("open", d.VerificationURI)
		return nil
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	tok, err := keeper.Source(user.Subject).Token(ctx)
	fmt.Println("a token of type", tok.Type(), err)
	// Output:
	// open https://auth.example/device
	// a token of type Bearer <nil>
}
