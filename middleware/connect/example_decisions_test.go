package connect_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/provider"
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

// An app that has the tokens of its users in a table of its own connects their
// accounts once, and no user has to do anything. It can be repeated.
func ExampleProvider_Adopt() {
	ctx := context.Background()
	x, grants := exampleX("https://app.example/x/callback")
	defer func() { _ = grants.Close() }()
	accounts, err := connect.New(func(*http.Request) (string, error) { return "17", nil }, nil)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	connections, err := accounts.Add(grants, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	access, refresh, err := x.IssueToken("2244994945", grants.Client().ClientID()) // a row of the table
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		c, err := connections.Adopt(ctx, "17", provider.Identity{Subject: "2244994945", Username: "XDevelopers"},
			&oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Provider, c.User.Username, c.Grant.Refreshable)
	}
	// Output:
	// x XDevelopers true
	// x XDevelopers true
}
