package main

import (
	"context"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// What can go wrong at X, on request. Only the fake can do this.

// expire has X issue an access token that lives for a second. The engine is
// told so, as always, and refreshes before the next call: no 401 is met.
func (a *app) expire(ctx context.Context, _ *http.Request) (result, error) {
	const life = time.Second
	tok, err := a.grants.Token(ctx)
	if err != nil {
		return result{}, err
	}
	a.upstream.fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = life })
	defer a.upstream.fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = 0 })
	if _, err := a.grants.Renew(ctx, tok); err != nil {
		return result{}, err
	}
	return result{
		Title: "The access token expires within a second",
		Text:  "X has just issued one that lives no longer. The app knows: the next call refreshes first and meets no 401.",
	}, nil
}

// kill makes X refuse the access token before its time. The engine does not
// know until a call meets a 401.
func (a *app) kill(ctx context.Context, _ *http.Request) (result, error) {
	a.killToken(ctx)
	return result{
		Title: "X no longer accepts the access token",
		Text:  "The app does not know yet. The next call meets a 401, refreshes once, and is sent again.",
	}, a.upstream.fake.save()
}

func (a *app) killToken(ctx context.Context) {
	subject, _ := a.grants.Subject(ctx)
	a.upstream.fake.ExpireAccess(subject)
}

// withdraw ends the grant at X, as the user can in X's settings. No refresh
// helps: the next call finds out, and the user is asked to connect again.
func (a *app) withdraw(ctx context.Context, _ *http.Request) (result, error) {
	subject, _ := a.grants.Subject(ctx)
	_ = a.upstream.fake.RevokeGrant(subject, a.upstream.fake.app.ClientID) // fails if there is none, which is what is wanted
	return result{
		Title: "You have withdrawn access in X's settings",
		Text:  "The app does not know yet. The next call is refused, and so is the refresh: the app asks you to connect again.",
	}, a.upstream.fake.save()
}
