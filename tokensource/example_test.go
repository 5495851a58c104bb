package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// One Source serves every user. The context says whose token it supplies.
func Example() {
	source := perUser{"7": "the token of user 7", "8": "the token of user 8"}
	for _, user := range []string{"7", "8", "9"} {
		tok, err := source.Token(tokensource.WithSubject(context.Background(), user))
		if err != nil {
			fmt.Println("must log in:", errors.Is(err, tokensource.ErrReauthorize))
			continue
		}
		fmt.Println(tok.AccessToken)
	}
	// Output:
	// the token of user 7
	// the token of user 8
	// must log in: true
}

// perUser is a Source of fixed tokens by subject.
type perUser map[string]string

func (s perUser) Token(ctx context.Context) (*oauth2.Token, error) {
	subject, ok := tokensource.SubjectFrom(ctx)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	text, ok := s[subject]
	if !ok {
		return nil, tokensource.ErrNoGrant
	}
	return &oauth2.Token{AccessToken: text}, nil
}

// exampleGrants returns the engine of an app at the fake, and the ID of a user
// who has logged in.
func exampleGrants(fake *xapi.Server) (*grant.Keeper, string) {
	app, user := oauthtest.ConfidentialApp(), oauthtest.DefaultUser().ID
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: "https://app.example/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		log.Fatal(err)
	}
	access, refresh, err := fake.IssueToken(user, app.ClientID, client.Scopes()...)
	if err != nil {
		log.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"}
	if _, err := grants.Save(context.Background(), user, tok); err != nil {
		log.Fatal(err)
	}
	return grants, user
}

// What a caller decides on is matched with errors.Is; the facts are in *Error.
func ExampleError() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	grants, user := exampleGrants(fake)
	decide := func(err error) string {
		switch {
		case errors.Is(err, tokensource.ErrReauthorize): // also ErrNoGrant
			return "send the user to log in"
		case errors.Is(err, tokensource.ErrTemporary):
			e, _ := errors.AsType[*tokensource.Error](err)
			return fmt.Sprintf("try again after %v", e.RetryAfter)
		case errors.Is(err, tokensource.ErrClient):
			e, _ := errors.AsType[*tokensource.Error](err)
			return fmt.Sprintf("the operator must act: HTTP %d, %s", e.Status, e.Code)
		}
		return fmt.Sprint("unexpected: ", err)
	}

	_, err = grants.Source("somebody else").Token(ctx)
	fmt.Println("unknown user:", decide(err))
	_, err = grants.Client().Exchange(ctx, "an old code", oauth2.GenerateVerifier())
	fmt.Println("used code:", decide(err))
	fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"30"}}}, 1)
	fmt.Println("outage:", decide(grants.Logout(ctx, user)))
	if err := fake.Register(oauthtest.ConfidentialApp().WithSecret("another")); err != nil {
		log.Fatal(err)
	}
	_, err = grants.Client().Refresh(ctx, "a refresh token")
	fmt.Println("new secret:", decide(err))
	if err := grants.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// unknown user: send the user to log in
	// used code: send the user to log in
	// outage: try again after 30s
	// new secret: the operator must act: HTTP 401, unauthorized_client
}
