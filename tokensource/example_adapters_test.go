package tokensource_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// A script with a token in its environment needs no login and no store.
func ExampleStatic() {
	source, err := tokensource.Static("token") // os.Getenv("API_TOKEN")
	if err != nil {
		log.Fatal(err)
	}
	tok, err := source.Token(context.Background())
	fmt.Println(tok.Type(), err)
	// Output: Bearer <nil>
}

// Tokens that another library supplies, such as those of a cloud.
func ExampleFromOAuth2() {
	library := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})
	source, err := tokensource.FromOAuth2(library) // for transport.New
	if err != nil {
		log.Fatal(err)
	}
	tok, err := source.Token(context.Background())
	fmt.Println(tok.AccessToken, err)
	// Output: token <nil>
}

// A library that wants an oauth2.TokenSource gets the tokens of one user.
func ExampleToOAuth2() {
	grants := perUser{"7": "the token of user 7"} // such as a *grant.Keeper
	ctx := tokensource.WithSubject(context.Background(), own, "7")
	tok, err := tokensource.ToOAuth2(ctx, grants).Token()
	fmt.Println(tok.AccessToken, err)
	// Output: the token of user 7 <nil>
}

// The hook OnEvent of grant, middleware and transport can write to a log. No
// event holds a token.
func ExampleLogEvents() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	onEvent := tokensource.LogEvents(log)
	onEvent(context.Background(), tokensource.Event{Kind: "grant refreshed", Provider: "x", Subject: "7"})
	// Output: level=INFO msg="grant refreshed" result=ok provider=x subject=7
}
