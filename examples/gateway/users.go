package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// users are the users for whom the gateway can act.
type users struct {
	grants    *grant.Keeper
	subject   string             // of one of them, or empty
	transport *transport.Options // for the API
	app       *nativeapp.App     // nil in the demo
}

// withUsers opens the grants, and closes them after do.
func withUsers(ctx context.Context, do func(*users) error) (err error) {
	id := os.Getenv("X_CLIENT_ID")
	if id == "" {
		return demo(ctx, do) // a gateway of your own has no demo
	}
	u, err := open(ctx, provider.X(), id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.app.Close()) }()
	return do(u)
}

// open opens the grants in a sealed store in the folder of the user, as a
// command has it. Where a web app logs the users in, make the Keeper as the app
// does: on its store, with its keys.
func open(ctx context.Context, server *provider.Provider, id string) (*users, error) {
	client, err := oauth.New(server, oauth.Registration{
		ClientID:    id,
		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")), // empty for a public client
		RedirectURL: "http://127.0.0.1:8080/callback",           // as it is registered
		Scopes:      []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, nil)
	if err != nil {
		return nil, err
	}
	app, err := nativeapp.Open(ctx, "gateway", client, &nativeapp.Options{TokenVariable: "-"})
	if err != nil {
		return nil, err
	}
	status, err := app.Status(ctx)
	if err != nil {
		return nil, errors.Join(err, app.Close())
	}
	return &users{grants: app.Keeper(), subject: status.User.Subject, app: app}, nil
}

// login logs a user in.
func (u *users) login(ctx context.Context, out io.Writer) error {
	if u.app == nil {
		return errors.New("the user of the demo is logged in: for X, set X_CLIENT_ID")
	}
	user, err := u.app.Login(ctx, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "The gateway can act as %s, whose subject is %s.\n", user.Username, user.Subject)
	return err
}
