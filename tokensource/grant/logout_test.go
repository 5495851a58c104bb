package grant_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G12: A logout or a newer login elsewhere is seen within a bound, and a logout
// wins over a refresh in flight.
func TestG12_LogoutWinsOverARefreshInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true }) // nothing dies by itself
		g, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second, Commit: true}, 1) // redeemed, and the answer is under way
		time.AfterFunc(time.Second/2, func() {
			if err := elsewhere.Logout(t.Context(), w.User); err != nil {
				t.Error(err)
			}
		})
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if w.Saw(grant.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the late token")
		}
		synctest.Wait()
		w.wantNothingAlive()
		w.wantEnded()
	})
}

// The server cannot revoke. Tokens that arrive late must not bring the grant
// back.
func TestG12_ALogoutThatWaitsWinsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: 10 * time.Second, Commit: true}, 1)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 2)
		time.AfterFunc(time.Second, func() {
			if err := g.Logout(t.Context(), w.User); err == nil {
				t.Error("Logout() = nil though the server has not revoked")
			}
		})
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		_, err = g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true })
		g := w.Process(nil)
		w.Login(g)
		// The server is down. The grant is out of use at once, and a second logout
		// revokes its tokens.
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrTemporary)
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		_, err = w.Process(nil).Grant(t.Context(), w.User)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Errorf("Logout() the second time = %v", err)
		}
		w.wantEnded()
		w.wantNothingAlive()
		var order []string
		for _, r := range w.Fake.Requests() {
			if r.Path == xapi.PathRevoke && r.Status == 200 {
				order = append(order, r.Raw().PostForm.Get("token_type_hint"))
			}
		}
		if strings.Join(order, " ") != "refresh_token access_token" {
			t.Errorf("revoked in order %q, want the refresh token first", order)
		}
	})
}

func TestLogoutBesideReencryption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { rewriteAll(t, w.Store.Store) })
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		w.wantEnded()
	})
}

// A login that is stored while the old tokens are being revoked is not ended
// with the old grant.
func TestLogoutBesideALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, elsewhere := w.Process(nil), w.Process(nil)
		w.Login(g)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: time.Second}, -1)
		fresh := make(chan *oauth2.Token, 1)
		time.AfterFunc(time.Second/2, func() { fresh <- w.Login(elsewhere) })
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if tok, want := w.Token(g), <-fresh; tok.AccessToken != want.AccessToken || !w.Works(tok) {
			t.Error("Token() after the new login is not its token")
		}
	})
}

func TestLogoutGoesOnWithoutItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: 5 * time.Second}, -1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		testworld.WantIs(t, g.Logout(ctx, w.User), context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("Logout() returned after %v, want its caller's second", took)
		}
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		time.Sleep(10 * time.Second)
		if w.Works(tok) || w.Saw(grant.EventLoggedOut) != 1 {
			t.Error("the logout was not finished")
		}
		w.wantEnded()
	})
}

func TestLogoutWithoutARevocationEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.Fake.Provider("")
		p.RevocationURL = ""
		app := oauthtest.ConfidentialApp()
		client, err := oauth.New(p, oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
		}, &w.Options)
		if err != nil {
			t.Fatal(err)
		}
		w.Client = client
		g := w.Process(nil)
		w.Login(g)
		var reason string
		w.OnEvent = func(e tokensource.Event) { reason = e.Reason }
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Errorf("Logout() = %v, want nil", err)
		}
		w.wantEnded()
		if reason != "not revocable" {
			t.Errorf("the event gives the reason %q, want that the tokens could not be revoked", reason)
		}
	})
}

// From the moment that the logout is stored, no token is handed out, though the
// server takes its time to revoke. That holds for tokens in memory only, too.
func TestG12_NoTokenIsHandedOutWhileTheServerRevokes(t *testing.T) {
	for name, unsaved := range map[string]bool{"stored tokens": false, "tokens in memory only": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
				var redeemed atomic.Bool
				g := w.ProcessOn(&writeStore{Store: w.Store, before: func(g grant.Grant) error {
					if unsaved && redeemed.Load() && g.LoggedOut.IsZero() {
						return testworld.ErrStore
					}
					redeemed.Store(!g.RedeemingSince.IsZero())
					return nil
				}}, nil)
				w.renew(g, w.Login(g))
				time.Sleep(2 * time.Second) // the background writer pauses for a second
				ended := make(chan error, 1)
				go func() { ended <- g.Logout(t.Context(), w.User) }()
				time.Sleep(time.Second / 10) // the tokens are being revoked
				if _, err := g.Source(w.User).Token(t.Context()); !errors.Is(err, tokensource.ErrNoGrant) {
					t.Errorf("Token() during the revocation = %v, want no grant", err)
				}
				if err := <-ended; err != nil {
					t.Errorf("Logout() = %v, want nil", err)
				}
			})
		})
	}
}

// The store takes the logout, and neither its answer nor a read comes back. The
// process asks again before it hands out a token.
func TestALogoutOfUnknownOutcomeIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		cut := false
		store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
			switch {
			case cut && op == "Put" && strings.HasPrefix(key, "grant."):
				return storagetest.Fault{Err: testworld.ErrStore, Applied: true}
			case cut && op == "Get" && strings.HasPrefix(key, "grant."):
				if w.inspect().LoggedOut.IsZero() {
					return storagetest.Fault{}
				}
				return storagetest.Fault{Err: testworld.ErrStore}
			}
			return storagetest.Fault{}
		})
		g := w.ProcessOn(store, nil)
		w.Login(g)
		cut = true
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrTemporary)
		cut = false
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}
