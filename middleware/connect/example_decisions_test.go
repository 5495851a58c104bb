package connect_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
)

// Which accounts may a user of the app connect? OnConnect decides before
// anything is stored. The tokens of an account that is refused are revoked.
func ExampleOptions_onConnect() {
	o := &connect.Options{
		OnConnect: func(_ context.Context, account string, c connect.Connection) error {
			if c.Provider == "x" && c.User.Username == "" {
				return fmt.Errorf("an account without a name: %w", middleware.ErrRefused)
			}
			return nil // the app may note that the user has connected the account
		},
		Shared: true, // several users may connect the account of their team
	}
	fmt.Println(o.OnConnect(context.Background(), "17", connect.Connection{Provider: "x"}))
	// Output: an account without a name: middleware: this user may not log in
}

// A job in the background acts for an account that a user has connected. It
// keeps the ID of the connection, and asks for the connection each time: the
// user may have ended it.
func ExampleAccounts_Connection() {
	var accounts *connect.Accounts // from connect.New
	var client *http.Client        // with authtrip's transport
	post := func(ctx context.Context, account, id string, body func() *http.Request) error {
		c, err := accounts.Connection(ctx, account, id)
		if err != nil {
			return err // connect.ErrNoConnection: the user has ended it
		}
		if c.Dead != "" {
			return fmt.Errorf("ask the user to connect %s again: %s", c.User.Username, c.Dead)
		}
		resp, err := client.Do(body().WithContext(c.Context(ctx)))
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	_ = post
}
