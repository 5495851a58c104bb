package nativeapp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/transport"
)

// A command runs twice. The first run logs its user in, over ssh. The second
// run is logged in.
func Example() {
	dir, err := os.MkdirTemp("", "") // a command leaves Options.Dir empty
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fake, err := oauthtest.NewServer(nil) // plays a server in memory
	if err != nil {
		log.Fatal(err)
	}
	fake.Set(func(k *oauthtest.Knobs) { k.Device.Interval = 1e9 }) // its user is fast
	for range 2 {
		if err := command(context.Background(), fake, dir); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// log in
	// 200 OK
	// 200 OK
}

// command is one run of a command.
func command(ctx context.Context, fake *oauthtest.Server, dir string) (err error) {
	client, err := oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: oauthtest.PublicApp().ClientID, RedirectURL: "http://127.0.0.1:8080/callback",
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		return err
	}
	app, err := nativeapp.Open(ctx, "notes", client, &nativeapp.Options{
		Dir: dir, Transport: &transport.Options{Base: fake.Transport()}, Out: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	resp, err := app.Client().Get("https://api.example/notes")
	if errors.Is(err, tokensource.ErrReauthorize) {
		fmt.Println("log in")
		if _, err := app.Login(ctx, &nativeapp.LoginOptions{NoBrowser: true}); err != nil {
			return err
		}
		resp, err = app.Client().Get("https://api.example/notes")
	}
	if err != nil {
		return err
	}
	fmt.Println(resp.Status)
	return resp.Body.Close()
}
