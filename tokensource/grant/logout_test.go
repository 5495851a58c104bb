package tokensource_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Revoke.RefreshOnlyItself = true })
		g := w.process(nil)
		w.login(g)
		// The server is down: the grant is out of use at once, and the revocation can be tried again.
		w.fake.Inject(oauthtest.Match{Path: oauthtest.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		wantIs(t, g.Logout(t.Context(), w.user), tokensource.ErrTemporary)
		_, err := g.Source(w.user).Token(t.Context())
		wantIs(t, err, tokensource.ErrNoGrant)
		_, err = w.process(nil).Grant(t.Context(), w.user)
		wantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Errorf("Logout() the second time = %v", err)
		}
		if n := storedKeys(t, w.store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
		for _, grant := range w.fake.State().Grants {
			if grant.LiveAccess+grant.LiveRefresh > 0 {
				t.Errorf("tokens are alive after the logout: %+v", grant)
			}
		}
		var order []string
		for _, r := range w.fake.Requests() {
			if r.Path == oauthtest.PathRevoke && r.Status == 200 {
				order = append(order, r.RawForm().Get("token_type_hint"))
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
		g := w.process(nil)
		w.login(g)
		w.store.on(func(_ context.Context, op string) error {
			if op == "delete" {
				w.store.on(nil)
				rewriteAll(t, w.store.Store)
			}
			return nil
		})
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Fatal(err)
		}
		if n := storedKeys(t, w.store.Store); n != 0 {
			t.Errorf("%d records are left after Logout()", n)
		}
	})
}

// A login that comes between the revocation and the deletion is not deleted with the old grant.
func TestLogoutBesideALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, elsewhere := w.process(nil), w.process(nil)
		w.login(g)
		var fresh *oauth2.Token
		w.store.on(func(_ context.Context, op string) error {
			if op == "delete" {
				w.store.on(nil)
				fresh = w.login(elsewhere)
			}
			return nil
		})
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Fatal(err)
		}
		if tok := w.token(g); tok.AccessToken != fresh.AccessToken || !w.works(tok) {
			t.Error("Token() after the new login is not its token")
		}
	})
}

func TestLogoutGoesOnWithoutItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		tok := w.login(g)
		w.fake.Inject(oauthtest.Match{Path: oauthtest.PathRevoke}, oauthtest.Fault{Delay: 5 * time.Second}, -1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		wantIs(t, g.Logout(ctx, w.user), context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("Logout() returned after %v, want its caller's second", took)
		}
		_, err := g.Source(w.user).Token(t.Context())
		wantIs(t, err, tokensource.ErrNoGrant)
		time.Sleep(10 * time.Second)
		if w.works(tok) || storedKeys(t, w.store.Store) != 0 || w.saw(tokensource.EventLoggedOut) != 1 {
			t.Error("the logout was not finished")
		}
	})
}

func TestLogoutWithoutARevocationEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.fake.Provider("")
		p.RevocationURL = ""
		app := oauthtest.ConfidentialApp()
		client, err := tokensource.NewClient(p, tokensource.Registration{
			ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: app.RedirectURLs[0], Scopes: scopes,
		}, &w.options)
		if err != nil {
			t.Fatal(err)
		}
		w.client = client
		g := w.process(nil)
		w.login(g)
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Errorf("Logout() = %v, want nil", err)
		}
		if n := storedKeys(t, w.store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}
