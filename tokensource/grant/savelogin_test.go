package grant_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// A login that was kept is saved by another process, which does not know
// whether the first attempt was stored. What happened since stays.
func TestALoginThatIsRepeated(t *testing.T) {
	kept := &grant.LoginOptions{ID: "the-login-that-was-kept", Repeated: true}
	first := &grant.LoginOptions{ID: kept.ID}
	for name, tt := range map[string]struct {
		stored bool // the first attempt took effect
		since  func(w world, g *grant.Keeper)
		alive  bool
	}{
		"not stored":                          {false, func(world, *grant.Keeper) {}, true},
		"stored":                              {true, func(world, *grant.Keeper) {}, true},
		"stored, and renewed since":           {true, func(w world, g *grant.Keeper) { w.renew(g, w.Token(g)) }, true},
		"stored, and logged out since":        {true, func(w world, g *grant.Keeper) { _ = g.Logout(w.Context(), w.User) }, false},
		"stored, and replaced by a new login": {true, func(w world, g *grant.Keeper) { time.Sleep(time.Minute); w.save(g, w.issue()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				here, elsewhere := w.Process(nil), w.Process(nil)
				tok := w.issue()
				if tt.stored {
					if _, err := here.SaveLogin(t.Context(), w.User, tok, first); err != nil {
						t.Fatal(err)
					}
				}
				tt.since(w, here)
				_, err := elsewhere.SaveLogin(t.Context(), w.User, tok, kept)
				if !tt.alive {
					testworld.WantIs(t, err, tokensource.ErrNoGrant)
					w.wantEnded()
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range []*grant.Keeper{here, elsewhere, w.Process(nil)} {
					if got := w.Token(g); !w.Works(got) {
						t.Error("the user has no token that works")
					}
				}
			})
		})
	}
}

// A login that was kept for an hour, and whose tokens have no known lifetime,
// does not count as later than one that came meanwhile.
func TestALoginThatWasKeptIsNotTheLaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.manyGrants()
		old, at := w.issue(), time.Now()
		old.ExpiresIn, old.Expiry = 0, time.Time{}
		time.Sleep(10 * time.Minute)
		newer := w.issue()
		w.save(g, newer)
		time.Sleep(50 * time.Minute)
		facts, err := g.SaveLogin(t.Context(), w.User, old, &grant.LoginOptions{ID: "kept", Exchanged: at})
		if err != nil || !facts.Authorized.After(at) {
			t.Errorf("SaveLogin() = authorized at %v, %v, want the later login", facts.Authorized, err)
		}
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("the older login has replaced the newer one")
		}
	})
}

// Where the server keeps many grants, a repeated login may have been stored,
// replaced and revoked. So it does not replace the login after it.
func TestARepeatedLoginDoesNotReplaceItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		g := w.Process(nil)
		old := w.issue()
		if _, err := g.SaveLogin(t.Context(), w.User, old, &grant.LoginOptions{ID: "kept"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		newer := w.issue()
		w.save(g, newer)
		if _, err := g.SaveLogin(t.Context(), w.User, old, &grant.LoginOptions{ID: "kept", Repeated: true}); err != nil {
			t.Errorf("SaveLogin() = %v, want the login that stays", err)
		}
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("a login that was revoked has replaced the newer one")
		}
	})
}

// An exchange in the future can only come from a wrong clock.
func TestALoginThatIsSaidToComeFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		facts, err := w.Process(nil).SaveLogin(t.Context(), w.User, w.issue(), &grant.LoginOptions{Exchanged: time.Now().Add(time.Hour)})
		if err != nil || facts.Authorized.After(time.Now()) {
			t.Errorf("SaveLogin() = authorized at %v, %v, want now", facts.Authorized, err)
		}
	})
}

func TestSaveLoginRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		for name, o := range map[string]*grant.LoginOptions{
			"a repeated login without an ID": {Repeated: true},
			"an ID with a space":             {ID: "a b"},
			"an ID that is too long":         {ID: strings.Repeat("x", 65)},
		} {
			if _, err := g.SaveLogin(t.Context(), w.User, w.issue(), o); err == nil {
				t.Errorf("SaveLogin(%s) = nil, want an error", name)
			}
		}
	})
}

// Erasure ends a grant also if the server cannot revoke it now. What is left
// is revoked and deleted by any process.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(&grant.Options{DueInterval: 5 * time.Second})
		w.Login(g)
		w.revocationsFail(-1)
		if err := g.Forget(t.Context(), w.User); err != nil {
			t.Errorf("Forget() while the server cannot revoke = %v, want nil", err)
		}
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		w.Fake.ClearFaults()
		time.Sleep(time.Hour)
		w.wantNothingAlive()
		time.Sleep(26 * time.Hour)
		if keys := w.grants(); len(keys) != 0 {
			t.Errorf("%d records are left after a day, want none", len(keys))
		}
		if err := g.Forget(t.Context(), w.User); err != nil {
			t.Errorf("Forget() of nobody = %v, want nil", err)
		}
		w.Login(g)
		w.Store.On(testworld.Failing("get", "put"))
		testworld.WantIs(t, g.Forget(t.Context(), w.User), tokensource.ErrTemporary)
	})
}
