package grant_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// idTokens is a verifier of ID tokens that are the name of their user.
type idTokens struct {
	oauth.IDTokenVerifier

	mu   sync.Mutex
	seen []provider.IDTokenRequest
}

func (v *idTokens) VerifyIDToken(_ context.Context, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen = append(v.seen, want)
	raw, _ := tok.Extra("id_token").(string)
	switch {
	case raw == "unknown":
		return provider.IDToken{}, &tokensource.Error{Op: "id_token", Kind: tokensource.ErrTemporary}
	case want.Subject != "" && raw != want.Subject:
		return provider.IDToken{}, &tokensource.Error{Op: "id_token", Err: errors.New("another user")}
	}
	return provider.IDToken{Subject: raw}, nil
}

// A refreshed ID token that is refused costs nothing that the server granted:
// the new refresh token is stored, and the access token is not handed out.
func TestIDTokensOfRefreshes(t *testing.T) {
	for _, tt := range []struct {
		name, user, idToken string
		ok                  bool
		asked               int
	}{
		{"none", "alice", ``, true, 0},
		{"one that is empty", "alice", `,"id_token":""`, true, 0},
		{"one that is a number", "alice", `,"id_token":1`, true, 0},
		{"of the same user", "alice", `,"id_token":"alice"`, true, 1},
		{"of another user", "alice", `,"id_token":"mallory"`, false, 1},
		{"of any user, for a login without one", "", `,"id_token":"mallory"`, true, 1},
		{"that cannot be verified now", "alice", `,"id_token":"unknown"`, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				v := new(idTokens)
				w.Options.IDTokens = v
				w.clientFor(func(*provider.Provider) {})
				unused := 0
				w.OnEvent = func(e tokensource.Event) {
					if e.Kind == grant.EventRefreshed && e.Err != nil {
						unused++
					}
				}
				g := w.Process(nil)
				authorized := time.Now()
				if _, err := g.SaveLogin(t.Context(), w.User, w.issue(), &grant.LoginOptions{User: tt.user}); err != nil {
					t.Fatal(err)
				}
				w.RefreshFault(wire.JSON(http.StatusOK, `{"access_token":"at-1","token_type":"bearer","expires_in":3600,"refresh_token":"rt-1"`+tt.idToken+`}`), 1)
				time.Sleep(3 * time.Hour)
				tok, err := g.Source(w.User).Token(t.Context())
				w.wantStored("rt-1")
				if tt.ok {
					if err != nil || tok.AccessToken != "at-1" {
						t.Errorf("Token() = %v, want the token of the answer", err)
					}
				} else {
					testworld.WantIs(t, err, tokensource.ErrClient)
					if tok != nil || !strings.Contains(err.Error(), "another user") || strings.Contains(err.Error(), "mallory") {
						t.Errorf("Token() = %v, want an error that says why, and not who", err)
					}
				}
				if (unused == 1) == tt.ok {
					t.Errorf("%d events report tokens that are not used, want one if they are refused", unused)
				}
				for _, asked := range v.seen {
					if !asked.Refreshed || asked.Subject != tt.user || asked.Nonce != "" || !asked.IssuedAfter.Equal(authorized) {
						t.Errorf("the verifier was asked for %+v, want a refreshed one of %q after %v", asked, tt.user, authorized)
					}
				}
				if len(v.seen) != tt.asked {
					t.Errorf("the verifier was asked %d times, want %d", len(v.seen), tt.asked)
				}
			})
		})
	}
}

// The next refresh may come with the right ID token. Until then the attempts
// are spaced.
func TestAnIDTokenOfAnotherUserAndThenTheRightOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Options.IDTokens = new(idTokens)
		w.clientFor(func(*provider.Provider) {})
		g := w.Process(nil)
		if _, err := g.SaveLogin(t.Context(), w.User, w.issue(), &grant.LoginOptions{User: "alice"}); err != nil {
			t.Fatal(err)
		}
		answer := func(n, user string) string {
			return `{"access_token":"at-` + n + `","token_type":"bearer","expires_in":3600,"refresh_token":"rt-` + n + `","id_token":"` + user + `"}`
		}
		w.RefreshFault(wire.JSON(http.StatusOK, answer("1", "mallory")), 1)
		w.RefreshFault(wire.JSON(http.StatusOK, answer("2", "alice")), 1)
		time.Sleep(3 * time.Hour)
		for range 3 {
			_, err := g.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrClient)
		}
		if n := w.Refreshes(); n != 1 {
			t.Errorf("three calls in a moment made %d refreshes, want 1", n)
		}
		time.Sleep(time.Hour)
		if tok, err := g.Source(w.User).Token(t.Context()); err != nil || tok.AccessToken != "at-2" {
			t.Errorf("Token() an hour later = %v, want the token of the second answer", err)
		}
		w.wantStored("rt-2")
	})
}
