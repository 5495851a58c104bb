package everyserver_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestEveryServer plays each entry of the catalogue: login, call, rejected
// call, dead grant and disconnect.
func TestEveryServer(t *testing.T) {
	every := everyProvider(t)
	if names := slices.Sorted(maps.Keys(every)); !slices.Equal(names, provider.Names()) {
		t.Errorf("the data has %q, and Names() = %q", names, provider.Names())
	}
	for name, p := range every {
		t.Run(name, func(t *testing.T) { play(newApp(t, p.Provider, oauthtest.ConfidentialApp())) })
		if p.public {
			t.Run(name+", a public client", func(t *testing.T) { play(newApp(t, p.Provider, oauthtest.PublicApp())) })
		}
	}
}

func play(a *app) {
	t := a.t
	t.Helper()
	if !a.logIn() {
		return
	}
	wantCall(t, "the first call", a, true)
	rejected(t, a)
	if a.logIn() {
		dead(t, a)
	}
	if a.logIn() {
		disconnected(t, a)
	}
}

func wantCall(t *testing.T, what string, a *app, works bool) {
	t.Helper()
	status, err := a.call()
	if works && (err != nil || status != http.StatusOK) {
		t.Errorf("%s = %d, %v, want 200", what, status, err)
	}
	if !works && !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("%s = %d, %v, want an error that is ErrReauthorize", what, status, err)
	}
}

// rejected has the API reject a token. Where there are refresh tokens, the call
// works all the same.
func rejected(t *testing.T, a *app) {
	t.Helper()
	a.fake.ExpireAccess("")
	if a.p.RefreshTokens.None {
		status, err := a.call()
		if status == http.StatusOK || err != nil && !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("a rejected call without a refresh token = %d, %v", status, err)
		}
		return
	}
	wantCall(t, "a rejected call", a, true)
	if n := a.fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("after a rejected call there were %d refreshes, want 1", n)
	}
}

// dead withdraws the access at the server. The program must learn that the user
// has to log in again, in the words of this server.
func dead(t *testing.T, a *app) {
	t.Helper()
	if a.p.RefreshTokens.None {
		return
	}
	if err := a.fake.RevokeGrant(oauthtest.DefaultUser().ID, a.clientID); err != nil {
		t.Fatal(err)
	}
	ctx := a.grants.WithSubject(t.Context(), a.user)
	tok, err := a.grants.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.grants.Renew(ctx, tok)
	if !errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrJustRenewed) {
		t.Errorf("Renew() of a withdrawn grant = %v, want ErrReauthorize", err)
	}
}

// disconnected ends the grant from the app. Afterwards nothing works any more
// that the server can revoke.
func disconnected(t *testing.T, a *app) {
	t.Helper()
	tok, err := a.grants.Token(a.grants.WithSubject(t.Context(), a.user))
	if err != nil {
		t.Fatal(err)
	}
	resp := a.open(http.MethodPost, "/disconnect")
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("disconnect = %d, want 303", resp.StatusCode)
	}
	wantCall(t, "a call after the disconnect", a, false)
	held := a.fake.Token(tok.AccessToken)
	if a.p.RevocationURL != "" && held.Dead == "" {
		t.Errorf("after the disconnect the access token is good at the server")
	}
	if a.p.RevocationURL == "" && held.Dead != "" {
		t.Errorf("after the disconnect the access token is %s, although the server cannot revoke it", held.Dead)
	}
}

// knownUser stands for an app that knows by itself who the user is.
func knownUser(context.Context, *oauth2.Token) (provider.Identity, error) {
	return provider.Identity{Subject: oauthtest.DefaultUser().ID}, nil
}
