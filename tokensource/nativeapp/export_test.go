package nativeapp

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Commands is commands, for tests of the other operating systems.
var Commands = commands

// Add ends a login of a user with these tokens.
func Add(ctx context.Context, a *App, subject, access, refresh string) error {
	l, err := a.begin(ctx, "", nil)
	if err != nil {
		return err
	}
	s := &settling{login: l, tok: &oauth2.Token{AccessToken: access, RefreshToken: refresh}, asked: time.Now(), id: random()}
	s.user = provider.Identity{Subject: subject}
	return s.settle(ctx)
}

// Pick returns the way of a login: 0 by a browser, 1 by a device code, 2 by an
// address.
func Pick(a *App, noBrowser bool) int { return int(a.pick(noBrowser)) }
