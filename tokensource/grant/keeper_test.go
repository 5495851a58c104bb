package grant_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestGrantsRefusesWrongSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		_, err := g.Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoSubject)
		_, err = g.Renew(t.Context(), &oauth2.Token{AccessToken: "t"})
		testworld.WantIs(t, err, tokensource.ErrNoSubject)
		for _, subject := range []string{"", "a\x00b", strings.Repeat("x", 513)} {
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

func TestACrashedProcessIsNoticed(t *testing.T) {
	tests := []struct {
		name   string
		fault  oauthtest.Fault
		policy grant.InDoubtPolicy
		reason tokensource.Reason
	}{
		{"before the server redeemed", oauthtest.Fault{Hang: true}, grant.ResendOnce, ""},
		{"after the server redeemed", oauthtest.Fault{Hang: true, Commit: true}, grant.ResendOnce, tokensource.ReasonInDoubt},
		{"and nothing may be sent again", oauthtest.Fault{Hang: true}, grant.ResendNever, tokensource.ReasonInDoubt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Minute })
				// The doomed process has a way to the store of its own, which is cut when it dies.
				own := &testworld.HookedStore{Store: w.Store}
				doomed := w.ProcessOn(own, &grant.Options{RefreshBefore: -1})
				survivor := w.Process(&grant.Options{RefreshBefore: -1, InDoubt: tt.policy})
				w.Login(doomed)
				time.Sleep(time.Minute)
				w.RefreshFault(tt.fault, 1)
				go func() { _, _ = doomed.Source(w.User).Token(t.Context()) }()
				synctest.Wait()
				own.On(testworld.Failing("get", "put"))
				start := time.Now()
				tok, err := survivor.Source(w.User).Token(t.Context())
				if waited := time.Since(start); waited > time.Minute {
					t.Errorf("the survivor waited %v", waited)
				}
				if tt.reason != "" {
					testworld.WantReason(t, err, tt.reason)
					return
				}
				if err != nil || !w.Works(tok) {
					t.Errorf("Token() of the survivor = %v, want a token", err)
				}
				w.WantRefreshes(2)
			})
		})
	}
}

func TestClocksThatDisagree(t *testing.T) {
	tests := []struct {
		name   string
		behind time.Duration // of the holder's clock
		answer time.Duration // until the server answers the holder
	}{
		{"as much as is allowed for: the intent lives on", 35 * time.Second, 10 * time.Second},
		// The intent of a host whose clock is a quarter of an hour behind looks long ended. Watching it tells better.
		{"more than that", 15 * time.Minute, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				slow, other := w.Process(nil), w.Process(nil)
				rejected := w.Login(slow)
				w.RefreshFault(oauthtest.Fault{Delay: tt.answer}, 1)
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := slow.Source(w.User).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				grant.ShiftIntent(t, w.Store.Store, w.keyOf(w.User), -tt.behind)
				wg.Go(func() {
					if _, err := other.Source(w.User).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				w.WantRefreshes(1)
			})
		})
	}
}

func TestReencryptionBesideARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { rewriteAll(t, w.Store.Store) })
		tok, err := g.Source(w.User).Renew(t.Context(), rejected)
		if err != nil || !w.Works(tok) {
			t.Fatalf("Renew() beside a rewrite = %v, want a token", err)
		}
		if got := w.Token(w.Process(nil)); got.AccessToken != tok.AccessToken {
			t.Error("the new token was not stored over the rewritten record")
		}
	})
}

// rewriteAll gives every record a new version without changing it.
func rewriteAll(t *testing.T, s storage.Store) {
	for key, err := range s.(storage.Lister).Keys(context.Background()) {
		if err != nil {
			t.Error(err)
			return
		}
		r, err := s.Get(context.Background(), key)
		if err == nil {
			_, err = s.Put(context.Background(), key, r.Value(), r.Version)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAStoreInTrouble(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{"fails": testworld.Failing("get", "put", "delete"), "hangs": testworld.Hanging} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				tok := w.Login(g)
				w.Store.On(fault)
				// Who holds a valid token goes on, also when the store should be asked again.
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

// Callers leave before the store's own limit of time.
func TestAStoreThatHangsDelaysNobodyWithAValidToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		w.Store.On(testworld.Hanging)
		for range 60 {
			time.Sleep(2 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			got, err := g.Source(w.User).Token(ctx)
			if took := time.Since(start); err != nil || got.AccessToken != tok.AccessToken || took > 250*time.Millisecond {
				t.Errorf("Token() = %v after %v, want the token from memory after a quarter of a second at most", err, took)
			}
			cancel()
		}
	})
}

// A question that the store did not answer is no reason to redeem the refresh token of a token that is far from its end.
func TestAFlakyStoreBringsNoRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		reads := 0
		w.Store.On(func(_ context.Context, op string) error {
			if reads++; op == "get" && reads%3 != 0 {
				return testworld.ErrStore
			}
			return nil
		})
		for range 60 {
			time.Sleep(35 * time.Second) // past Recheck
			if got := w.Token(g); got.AccessToken != tok.AccessToken {
				t.Error("another token")
			}
		}
		w.WantRefreshes(0)
	})
}

// What the store says late is heard by the next call.
func TestASlowStoreIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		w.Login(here)
		w.Token(elsewhere)
		if err := here.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		w.Store.On(func(context.Context, string) error { time.Sleep(time.Second); return nil })
		time.Sleep(time.Minute)
		w.Token(elsewhere)
		time.Sleep(time.Second)
		_, err := elsewhere.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

func TestGarbageInTheStoreIsRefusedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		good := onlyRecord(t, w.Store.Store)
		later := append([]byte{99}, good.Value()[1:]...)
		for name, value := range map[string][]byte{
			"empty": {}, "a later format": later, "cut": good.Value()[:len(good.Value())/2], "longer": append(good.Value(), 1), "noise": []byte("noise"),
		} {
			r := onlyRecord(t, w.Store.Store)
			if _, err := w.Store.Put(t.Context(), r.key, value, r.Version); err != nil {
				t.Fatal(err)
			}
			fresh := w.Process(nil)
			_, err := fresh.Source(w.User).Token(t.Context())
			if err == nil || errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("%s: Token() = %v, want an error that is neither temporary nor a reason to log in", name, err)
			}
			if now := onlyRecord(t, w.Store.Store); string(now.Value()) != string(value) {
				t.Errorf("%s: the record was overwritten", name)
			}
		}
	})
}

type keyed struct {
	storage.Record
	key string
}

func onlyRecord(t *testing.T, s storage.Store) keyed {
	t.Helper()
	var only keyed
	for key, err := range s.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		only = keyed{r, key}
	}
	return only
}

func TestARecordUnderAnothersKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		mine := onlyRecord(t, w.Store.Store)
		store := storage.NewMemory()
		key := w.keyOf("victim")
		if _, err := store.Put(t.Context(), key, mine.Value(), 0); err != nil {
			t.Fatal(err)
		}
		if tok, err := w.ProcessOn(store, nil).Source("victim").Token(t.Context()); err == nil {
			t.Errorf("Token() of a swapped record = %v, want an error", tok.AccessToken != "")
		}
	})
}
