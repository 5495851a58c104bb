package grant_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// One process or several? The code is the same: give each process a Keeper on
// the same store. However many of them need a new token, the server sees one
// refresh.
func ExampleNew_severalProcesses() {
	ctx := context.Background()
	fake, err := oauthtest.NewServer(nil) // plays a server in memory
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	store := storage.NewMemory() // stands for PostgreSQL, Redis or a file, below storage.Sealed
	process := func() *grant.Keeper {
		client, err := oauth.New(fake.Provider(""), oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
		if err != nil {
			log.Fatal(err)
		}
		keeper, err := grant.New(client, store, nil)
		if err != nil {
			log.Fatal(err)
		}
		return keeper
	}
	one, two := process(), process()
	defer func() { _ = errors.Join(one.Close(), two.Close()) }()

	access, refresh, err := fake.IssueToken("", app.ClientID)
	if err != nil {
		log.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "Bearer"}
	if _, err := one.Save(ctx, "alice", tok); err != nil {
		log.Fatal(err)
	}
	renewed, err := one.Source("alice").Renew(ctx, tok)
	if err != nil {
		log.Fatal(err)
	}
	same, err := two.Source("alice").Renew(ctx, tok)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("one token for both:", renewed.AccessToken == same.AccessToken)
	fmt.Println("refresh requests:", fake.TokenCalls("refresh_token"))
	// Output:
	// one token for both: true
	// refresh requests: 1
}

// How long may a caller wait for a new token? As long as its context allows.
// The refresh goes on without the caller, and the next one gets its token.
func ExampleKeeper_Token_deadline() {
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	keeper, user := exampleKeeper(fake)
	source := keeper.Source(user)
	rejected, err := source.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fake.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Gather: 2}, 2) // the server does not answer

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = source.Renew(ctx, rejected)
	fmt.Println("the caller has left:", errors.Is(err, context.DeadlineExceeded))

	fake.ClearFaults() // now it answers
	_, err = source.Renew(context.Background(), rejected)
	fmt.Println("the next caller has a token:", err == nil)
	fmt.Println("refresh requests:", fake.TokenCalls("refresh_token"))
	if err := keeper.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// the caller has left: true
	// the next caller has a token: true
	// refresh requests: 1
}

// What happens when the answer to a refresh is lost? The token may have been
// used up. A server that takes a used token again loses nothing if it is sent
// until there is an answer. At any other server, once more is the default.
func ExampleInDoubtPolicy() {
	for _, name := range []string{"x", "google"} {
		p, err := provider.Get(name)
		if err != nil {
			log.Fatal(err)
		}
		o := &grant.Options{InDoubt: grant.ResendOnce} // the zero value
		if p.RefreshTokens.Reusable {
			o.InDoubt = grant.ResendAlways
		}
		fmt.Println(name, o.InDoubt == grant.ResendAlways)
	}
	// Output:
	// x false
	// google true
}

// When is a token refreshed? By the first caller within the last minute of its
// life, in the background, so that no caller waits. Nothing is refreshed that
// nobody uses. At a server where a refresh ends the access token before it,
// requests that are under way with the old one would be rejected, and sent
// twice. There a program may wait for the end of the token.
func ExampleOptions_refreshBefore() {
	p := provider.X()
	o := &grant.Options{RefreshBefore: 2 * time.Minute} // zero is a minute
	if p.RefreshTokens.EndsAccess {
		o.RefreshBefore = -1 // not before the end
	}
	fmt.Println(o.RefreshBefore) // for grant.New
	// Output: 2m0s
}

// What happens at a logout? Logout ends the grant for every process and revokes
// its tokens at the server. A program that ends only a session of a browser
// leaves the grant alone: package middleware has both.
func ExampleKeeper_Logout() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	keeper, user := exampleKeeper(fake)
	tok, err := keeper.Source(user).Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(keeper.Logout(ctx, user)) // an error: the server has not confirmed it, and it is repeated
	fmt.Println("at the server:", fake.Token(tok.AccessToken).Dead)
	_, err = keeper.Source(user).Token(ctx)
	fmt.Println("here:", errors.Is(err, tokensource.ErrNoGrant))
	if err := keeper.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <nil>
	// at the server: revoked
	// here: true
}

// A program that had its tokens in a table of its own saves them once. The
// Keeper then owns the refresh token: nothing else may use it.
func ExampleKeeper_Save_import() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	keeper, _ := exampleKeeper(fake)
	row := struct {
		user, access, refresh string
		expires               time.Time
	}{"783214", "access-1", "refresh-1", time.Now().Add(time.Hour)}

	facts, err := keeper.Save(ctx, row.user, &oauth2.Token{
		AccessToken: row.access, RefreshToken: row.refresh, TokenType: "Bearer", Expiry: row.expires,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("can be refreshed:", facts.Refreshable)
	if err := keeper.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: can be refreshed: true
}

// What happens to grants can be logged, counted and watched. Events hold no
// token.
func ExampleOptions_onEvent() {
	o := &grant.Options{OnEvent: func(ctx context.Context, e tokensource.Event) {
		tokensource.LogEvents(nil)(ctx, e) // with slog.Default
		if e.Kind == grant.EventDied {
			fmt.Println("write to user", e.Subject)
		}
	}}
	_ = o // for grant.New
}
