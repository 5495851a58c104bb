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
)

func TestGrantsRefusesWrongSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		_, err := g.Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoSubject)
		_, err = g.Renew(t.Context(), &oauth2.Token{AccessToken: "t"})
		testworld.WantIs(t, err, tokensource.ErrNoSubject)
		for _, subject := range []string{"", "a\x00b", "a\nb", "a\r\nb", "a\x1b[31m", "a\x7f", strings.Repeat("x", 513)} {
			_, tokenErr := g.Source(subject).Token(t.Context())
			_, renewErr := g.Source(subject).Renew(t.Context(), &oauth2.Token{AccessToken: "t"})
			_, saveErr := g.Save(t.Context(), subject, &oauth2.Token{AccessToken: "t"})
			_, grantErr := g.Grant(t.Context(), subject)
			for op, err := range map[string]error{
				"Token": tokenErr, "Renew": renewErr, "Save": saveErr, "Grant": grantErr, "Logout": g.Logout(t.Context(), subject),
			} {
				if err == nil {
					t.Errorf("%s of subject %.5q = nil, want an error", op, subject)
				}
			}
		}
		if _, err := g.Source("u").Renew(t.Context(), nil); err == nil {
			t.Error("Renew(nil) = nil, want an error")
		}
		if _, err := g.Save(t.Context(), "u", nil); err == nil {
			t.Error("Save(nil) = nil, want an error")
		}
	})
}

func TestGrantsOfAnUnknownSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		_, err := g.Source("nobody").Token(t.Context())
		testworld.WantReason(t, err, tokensource.ReasonNoGrant)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		_, err = g.Grant(t.Context(), "nobody")
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), "nobody"); err != nil {
			t.Errorf("Logout() of nobody = %v, want nil", err)
		}
	})
}

func TestGrantFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		first, err := g.Grant(t.Context(), w.User)
		if err != nil {
			t.Fatal(err)
		}
		if first.Subject != w.User || !first.Refreshable || first.Dead != "" || !first.Expiry.Equal(time.Now().Add(2*time.Hour)) {
			t.Errorf("Grant() = %+v", first)
		}
		if missing := first.Missing("users.read", "dm.read"); len(missing) != 1 || missing[0] != "dm.read" {
			t.Errorf("Missing() = %q, want dm.read", missing)
		}
		w.Login(g)
		again, _ := g.Grant(t.Context(), w.User)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		w.Login(g)
		after, _ := g.Grant(t.Context(), w.User)
		if again.Epoch != first.Epoch || after.Epoch == first.Epoch {
			t.Errorf("Epoch = %q, %q after another login, %q after a logout", first.Epoch, again.Epoch, after.Epoch)
		}
	})
}

func TestAStoreInTrouble(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{"fails": testworld.Failing("get", "put", "delete"), "hangs": testworld.Hanging} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				tok := w.Login(g)
				w.Store.On(fault)
				// A caller with a valid token goes on, also when the store must be asked
				// again.
				for range 10 {
					time.Sleep(20 * time.Second)
					if got := w.Token(g); got.AccessToken != tok.AccessToken {
						t.Error("another token")
					}
				}
				if _, err := g.Grant(t.Context(), w.User); err != nil {
					t.Errorf("Grant() = %v, want what was last known", err)
				}
				_, err := g.Source("stranger").Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				_, err = g.Source(w.User).Renew(t.Context(), tok)
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				_, err = g.Save(t.Context(), w.User, tok)
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrTemporary)
				w.WantRefreshes(0)
				w.Store.On(nil)
				if _, err := g.Source(w.User).Renew(t.Context(), tok); err != nil {
					t.Errorf("Renew() after the trouble = %v", err)
				}
			})
		})
	}
}
