package testworld

import (
	"net/url"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// LogIn goes through a login without a browser and stores the grant, as a
// program does that calls the Client itself. The subject is the user at the
// fake. The name as is the subject in the Keeper.
func LogIn(t testing.TB, fake *oauthtest.Server, client *oauth.Client, grants *grant.Keeper, subject, as string) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	page, err := client.Authorize(t.Context(), "the-state-of-a-test", verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := fake.Authorize(t.Context(), subject, page)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := client.Exchange(t.Context(), u.Query().Get("code"), verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grants.Save(t.Context(), as, tok); err != nil {
		t.Fatal(err)
	}
	return tok
}
