package grant_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true })
		g := w.Process(nil)
		w.Login(g)
		// The server is down: the grant is out of use at once, and the revocation can be tried again.
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrTemporary)
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		_, err = w.Process(nil).Grant(t.Context(), w.User)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Errorf("Logout() the second time = %v", err)
		}
		if n := storedKeys(t, w.Store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
		for _, grant := range w.Fake.Grants() {
			if grant.LiveAccess+grant.LiveRefresh > 0 {
				t.Errorf("tokens are alive after the logout: %+v", grant)
			}
		}
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
		w.Store.On(func(_ context.Context, op string) error {
			if op == "delete" {
				w.Store.On(nil)
				rewriteAll(t, w.Store.Store)
			}
			return nil
		})
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if n := storedKeys(t, w.Store.Store); n != 0 {
			t.Errorf("%d records are left after Logout()", n)
		}
	})
}

// A login that comes between the revocation and the deletion is not deleted with the old grant.
func TestLogoutBesideALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, elsewhere := w.Process(nil), w.Process(nil)
		w.Login(g)
		var fresh *oauth2.Token
		w.Store.On(func(_ context.Context, op string) error {
			if op == "delete" {
				w.Store.On(nil)
				fresh = w.Login(elsewhere)
			}
			return nil
		})
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if tok := w.Token(g); tok.AccessToken != fresh.AccessToken || !w.Works(tok) {
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
		if w.Works(tok) || storedKeys(t, w.Store.Store) != 0 || w.Saw(grant.EventLoggedOut) != 1 {
			t.Error("the logout was not finished")
		}
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
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Errorf("Logout() = %v, want nil", err)
		}
		if n := storedKeys(t, w.Store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}
