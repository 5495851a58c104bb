// Package fakeuser is a user of the fake of X who has authorized an app, for
// examples and their tests.
package fakeuser

import (
	"context"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Authorize lets the user of the fake authorize an app without a browser. It
// returns the keeper of the grant, which the caller closes, and the user's
// subject.
func Authorize(ctx context.Context, fake *xapi.Server) (grants *grant.Keeper, subject string, err error) {
	client, err := Client(fake, oauthtest.ConfidentialApp())
	if err != nil {
		return nil, "", err
	}
	const verifier = "a-code-verifier-is-43-or-more-characters-long"
	page, err := client.Authorize(ctx, "state", verifier, nil)
	if err != nil {
		return nil, "", err
	}
	callback, err := fake.Authorize(ctx, "", page)
	if err != nil {
		return nil, "", err
	}
	answer, err := url.Parse(callback)
	if err != nil {
		return nil, "", err
	}
	tok, err := client.Exchange(ctx, answer.Query().Get("code"), verifier)
	if err != nil {
		return nil, "", err
	}
	user, err := client.Identity(ctx, tok)
	if err != nil {
		return nil, "", err
	}
	if grants, err = grant.New(client, storage.NewMemory(), nil); err != nil {
		return nil, "", err
	}
	_, err = grants.Save(ctx, user.Subject, tok)
	return grants, user.Subject, err
}

// Client returns the client of an app that is registered with the fake.
func Client(fake *xapi.Server, app oauthtest.App) (*oauth.Client, error) {
	return oauth.New(fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "offline.access"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
}
