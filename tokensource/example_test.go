package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// One Source serves every user. The context says whose token it supplies.
func Example() {
	source := perUser{"7": "the token of user 7", "8": "the token of user 8"}
	for _, user := range []string{"7", "8", "9"} {
		tok, err := source.Token(tokensource.WithSubject(context.Background(), own, user))
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

// own is what the subjects of this program's source belong to.
var own = tokensource.Owner{Authority: "https://login.example", ClientID: "app"}

// perUser is a Source of fixed tokens by subject.
type perUser map[string]string

func (s perUser) Token(ctx context.Context) (*oauth2.Token, error) {
	subject, ok := tokensource.SubjectFrom(ctx, own)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	text, ok := s[subject]
	if !ok {
		return nil, tokensource.ErrNoGrant
	}
	return &oauth2.Token{AccessToken: text}, nil
}

// A caller decides by errors.Is. The facts are in an Error.
func ExampleError() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil) // plays X in memory
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		log.Fatal(err)
	}
	decide := func(err error) string {
		e, _ := errors.AsType[*tokensource.Error](err)
		switch {
		case errors.Is(err, tokensource.ErrReauthorize): // also ErrNoGrant
			return "send the user to log in"
		case errors.Is(err, tokensource.ErrTemporary):
			return fmt.Sprintf("try again after %v", e.RetryAfter)
		case errors.Is(err, tokensource.ErrClient):
			return fmt.Sprintf("the operator must act: HTTP %d, %s", e.Status, e.Code)
		}
		return fmt.Sprint("unexpected: ", err)
	}

	_, err = client.Exchange(ctx, "an old code", oauth2.GenerateVerifier())
	fmt.Println("used code:", decide(err))
	fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"30"}}}, 1)
	_, err = client.Refresh(ctx, "a refresh token")
	fmt.Println("outage:", decide(err))
	if err := fake.Register(app.WithSecret("another")); err != nil {
		log.Fatal(err)
	}
	_, err = client.Refresh(ctx, "a refresh token")
	fmt.Println("new secret:", decide(err))
	// Output:
	// used code: send the user to log in
	// outage: try again after 30s
	// new secret: the operator must act: HTTP 401, unauthorized_client
}
