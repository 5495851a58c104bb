package atproto_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Four processes call the API of one user while two access tokens of 60 minutes
// expire. Both servers change their nonces all the time.
func TestFleetAcrossTwoRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.entryway.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL, k.Proof.NonceServes = time.Hour, 7 })
		w.browser().login(w.entryway, alice, "alice.test")
		var wg sync.WaitGroup
		for range 4 {
			w.logins, _ = w.open()
			client, account := w.client(alice)
			for range 3 {
				wg.Go(func() {
					for range 14 { // 140 minutes
						if status := w.call(client, account); status != http.StatusOK {
							t.Errorf("a call = %d, want 200", status)
						}
						time.Sleep(10 * time.Minute)
					}
				})
			}
		}
		wg.Wait()
		if n := w.entryway.TokenCalls("refresh_token"); w.entryway.Grants()[0].Refreshes != 2 {
			t.Errorf("%d refreshes in %d requests, want 2 refreshes", w.entryway.Grants()[0].Refreshes, n)
		}
		if err := w.entryway.Audit(); err != nil {
			t.Error(err)
		}
	})
}

// backUp copies all records of the app's store into another one.
func (w *world) backUp() storage.Store {
	w.Helper()
	t, from := w.T, w.app.Store
	to, err := storage.Sealed(storage.NewMemory(), w.app.Keys)
	if err != nil {
		t.Fatal(err)
	}
	for key, err := range from.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		v, err := from.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Put(t.Context(), key, v.Value(), 0); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A program that was restored from a backup sends a refresh token that was used
// before. The server ends the grant, and both programs need a new login.
func TestReplayOfARefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		src := w.source()
		w.app.Store = w.backUp()
		restored, _ := w.open()
		time.Sleep(2 * time.Hour)
		if _, err := src.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		old, _, err := restored.Source(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Token with a used refresh token = %v, want ErrReauthorize", err)
		}
		time.Sleep(2 * time.Hour)
		if _, err := src.Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Token after the server ended the grant = %v, want ErrReauthorize", err)
		}
		if n := w.entryway.TokenCalls("refresh_token"); n != 3 {
			t.Errorf("%d refresh requests, want 3: one of each program, and the one that the server refused", n)
		}
		b := w.browser()
		if b.login(w.entryway, alice, "alice.test"); b.get("https://app.test/me").Body.String() != alice {
			t.Error("no new login after the end of the grant")
		}
	})
}

// An account moves to another server of the same entryway. Calls follow it, and
// the grant lives.
func TestTheAccountMovesWithinItsEntryway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		src := w.source()
		w.net.Host("https://second.test", entryway)
		w.net.Account(alice, "alice.test", "https://second.test")
		time.Sleep(11 * time.Minute)
		if _, err := src.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		scoper := src.(tokensource.Scoper)
		if got := scoper.APIOrigins(nil); len(got) != 1 || got[0] != "https://second.test" {
			t.Errorf("APIOrigins after the move = %q, want https://second.test", got)
		}
		if got := strings.Join(scoper.Endpoints(), " "); !strings.Contains(got, entryway+"/oauth/token") || !strings.Contains(got, entryway+"/oauth/revoke") {
			t.Errorf("Endpoints = %q, want those of the entryway", got)
		}
	})
}

// The server of an account changes its authorization server. That is seen
// within a quarter of an hour.
func TestTheServerChangesItsAuthorizationServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		src := w.source()
		w.net.Host(pds, own)
		time.Sleep(15 * time.Minute)
		_, err := src.Token(t.Context())
		if err == nil {
			time.Sleep(15 * time.Minute)
			_, err = src.Token(t.Context())
		}
		if !errors.Is(err, tokensource.ErrReauthorize) || !errors.Is(err, identity.ErrUser) {
			t.Errorf("Token after the change = %v, want ErrReauthorize and ErrUser", err)
		}
	})
}

// A refresh whose answer withdraws the scope atproto ends the use of the grant.
func TestARefreshWithoutTheScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		src := w.source()
		w.entryway.Set(func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"scope": "transition:generic"} })
		time.Sleep(2 * time.Hour)
		if _, err := src.Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) || !errors.Is(err, identity.ErrServer) {
			t.Errorf("Token after a refresh without the scope = %v, want ErrReauthorize and ErrServer", err)
		}
	})
}

// Strangers who run servers of their own push nobody out: what is in memory is
// bounded, and a user whose server made room goes on.
func TestManyServersOfStrangers(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().login(w.alone, bob, "bob.own.test")
	client, account := w.client(bob)
	b := w.browser()
	for i := range atproto.MaxServers + 3 {
		issuer := fmt.Sprintf("https://s%d.test", i)
		w.net.Describe(issuer, nil)
		b.get("https://app.test/auth/authorize?server=" + issuer)
	}
	if n := w.logins.Kept(); n != atproto.MaxServers {
		t.Errorf("%d servers in memory, want %d", n, atproto.MaxServers)
	}
	if status := w.call(client, account); status != http.StatusOK {
		t.Errorf("a call for a user whose server made room = %d, want 200", status)
	}
}

// Nothing that is printed of a source or of an app has a token.
func TestPrintedSource(t *testing.T) {
	w := newWorld(t, nil)
	src := w.source()
	tok, err := src.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%+v", src), fmt.Sprintf("%#v", src), fmt.Sprintf("%+v", w.logins)} {
		if strings.Contains(text, tok.AccessToken) || strings.Contains(text, tok.RefreshToken) && tok.RefreshToken != "" {
			t.Errorf("printed: %.200s: it has a token", text)
		}
	}
}
