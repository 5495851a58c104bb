package grant_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// G11: A user of the provider has one grant per client.
func TestG11_OneUserOneGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.Login(g)
		if !w.Works(w.Token(g)) {
			t.Error("the second login's token does not work")
		}
		if n := len(w.grants()); n != 1 {
			t.Errorf("two logins of one user are %d records, want 1", n)
		}
		for _, subject := range []string{"a|b", "a", "|b", "a b"} {
			if _, err := g.Save(t.Context(), subject, &oauth2.Token{AccessToken: "token-of-" + subject}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.grants()); n != 5 {
			t.Errorf("five subjects are %d records", n)
		}
	})
}

// G6: Of two logins at once the later exchange stays, and a process that lost a
// race reads again before it believes a refusal.
func TestG6_OfTwoLoginsTheLaterExchangeStays(t *testing.T) {
	alive := func(works *atomic.Value) func(context.Context, *oauth2.Token) (bool, error) {
		return func(_ context.Context, tok *oauth2.Token) (bool, error) { return tok.AccessToken == works.Load(), nil }
	}
	tests := []struct {
		name  string
		gap   time.Duration // between the two exchanges
		probe bool          // through Options.Alive
	}{
		{"far apart", time.Minute, false},
		{"close together, the provider is asked", 400 * time.Millisecond, false},
		{"close together, the app is asked", 400 * time.Millisecond, true},
		{"in the same millisecond", 0, false},
	}
	for _, tt := range tests {
		for _, laterFirst := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					var works atomic.Value
					o := new(grant.Options)
					if tt.probe {
						w.clientFor(func(p *provider.Provider) { p.IdentityURL, p.ParseIdentity = "", nil })
						o.Alive = alive(&works)
					}
					here, elsewhere := w.Process(o), w.Process(o)
					earlier := w.issue()
					time.Sleep(tt.gap)
					later := w.issue() // ends the tokens of the earlier one
					works.Store(later.AccessToken)
					first, second := later, earlier
					if !laterFirst {
						first, second = earlier, later
					}
					w.save(here, first)
					w.save(elsewhere, second)
					time.Sleep(time.Minute) // past Recheck
					for _, g := range []*grant.Keeper{here, elsewhere} {
						if got := w.Token(g); got.AccessToken != later.AccessToken || !w.Works(got) {
							t.Errorf("the later login is saved first: %t: its token is not the one that stays", laterFirst)
						}
					}
				})
			})
		}
	}
}

// Where the server keeps both grants, one stays, and the tokens of the other
// one are revoked.
func TestG20_ALoginRevokesTheTokensThatItReplaces(t *testing.T) {
	for _, gap := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.manyGrants()
			here, elsewhere := w.Process(nil), w.Process(nil)
			w.save(here, w.issue())
			time.Sleep(gap)
			w.save(elsewhere, w.issue())
			time.Sleep(time.Minute)
			if n := w.live(); n != 1 {
				t.Errorf("live refresh tokens after two logins %v apart = %d, want 1", gap, n)
			}
			if !w.Works(w.Token(here)) || !w.Works(w.Token(elsewhere)) {
				t.Error("the grant that stays does not work")
			}
		})
	}
}

// Where a revocation ends all grants of the user, it would end the new login
// too. Then a login revokes nothing.
func TestALoginRevokesNothingWhereThatEndsAllGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		w.clientFor(func(p *provider.Provider) { p.SingleGrant, p.RevokesAll = false, true })
		g := w.Process(nil)
		for range 3 {
			w.save(g, w.issue())
			time.Sleep(time.Hour)
		}
		if n := len(w.Fake.Requests(oauthtest.Match{Path: xapi.PathRevoke})); n != 0 {
			t.Errorf("%d revocations after three logins, want none", n)
		}
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if n := len(w.Fake.Requests(oauthtest.Match{Path: xapi.PathRevoke})); n == 0 {
			t.Error("the logout revoked nothing")
		}
	})
}

// overtaken has a Save whose write takes effect and whose answer is lost.
// Before the next read of that process, meanwhile runs.
func overtaken(t *testing.T, w world, tok *oauth2.Token, meanwhile func(elsewhere *grant.Keeper)) (saving, elsewhere *grant.Keeper, err error) {
	t.Helper()
	elsewhere = w.Process(nil)
	lost := false
	store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
		switch {
		case !strings.HasPrefix(key, "grant."):
		case op == "Put" && !lost:
			lost = true
			return storagetest.Fault{Err: testworld.ErrStore, Applied: true}
		case op == "Get" && lost && meanwhile != nil:
			do := meanwhile
			meanwhile = nil
			do(elsewhere)
		}
		return storagetest.Fault{}
	})
	saving = w.ProcessOn(store, nil)
	_, err = saving.Save(t.Context(), w.User, tok)
	return saving, elsewhere, err
}

func TestASavedLoginIsRecognisedAfterALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tok := w.issue()
		saving, elsewhere, err := overtaken(t, w, tok, nil)
		if err != nil {
			t.Errorf("Save() = %v, want success: its first write took effect", err)
		}
		for _, g := range []*grant.Keeper{saving, elsewhere} {
			if got := w.Token(g); got.AccessToken != tok.AccessToken {
				t.Error("the login is not stored")
			}
		}
		if n := w.Saw(grant.EventAuthorized); n != 1 {
			t.Errorf("EventAuthorized was seen %d times, want once", n)
		}
	})
}

func TestARepeatedSaveDoesNotUndoALogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		saving, elsewhere, _ := overtaken(t, w, w.issue(), func(g *grant.Keeper) {
			w.Token(g)
			if err := g.Logout(t.Context(), w.User); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Minute)
		for _, g := range []*grant.Keeper{saving, elsewhere} {
			_, err := g.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
		}
		w.wantEnded()
		w.wantNothingAlive()
	})
}

// The API rejects the new token at once, and another process renews it. The
// tokens of the login are spent then.
func TestARepeatedSaveDoesNotOverwriteRenewedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.issue()
		var renewed *oauth2.Token
		saving, elsewhere, err := overtaken(t, w, first, func(g *grant.Keeper) { renewed = w.renew(g, first) })
		if err != nil {
			t.Errorf("Save() = %v, want success: its first write took effect", err)
		}
		time.Sleep(time.Minute)
		for _, g := range []*grant.Keeper{saving, elsewhere} {
			if got := w.Token(g); got.AccessToken != renewed.AccessToken {
				t.Error("the renewed token is gone")
			}
		}
		w.renew(saving, renewed)
		if w.reused() {
			t.Error("a refresh token was sent twice")
		}
	})
}

func TestARepeatedSaveDoesNotWipeAnIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.issue()
		renewed := make(chan *oauth2.Token, 1)
		saving, elsewhere, _ := overtaken(t, w, first, func(g *grant.Keeper) {
			w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
			go func() { renewed <- w.renew(g, first) }()
			synctest.Wait() // it has announced its redemption
		})
		if got := w.renew(saving, first); got.AccessToken != (<-renewed).AccessToken {
			t.Error("the two processes hold different tokens")
		}
		w.WantRefreshes(1)
		if w.reused() || !w.Works(w.Token(elsewhere)) {
			t.Error("a refresh token was sent twice")
		}
	})
}

// A logout whose tokens the server did not revoke is followed by a new login.
func TestALoginAfterAnUnfinishedLogoutForgetsNoTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		g := w.Process(&grant.Options{DueInterval: everySecond})
		w.save(g, w.issue())
		w.revocationsFail(2)
		if err := g.Logout(t.Context(), w.User); err == nil {
			t.Error("Logout() = nil though the server answers 503")
		}
		tok := w.issue()
		w.save(g, tok)
		time.Sleep(2*time.Minute + oneRound)
		if n := w.live(); n != 1 || !w.Works(tok) {
			t.Errorf("live refresh tokens = %d, want that of the new login only", n)
		}
	})
}

// Tokens that a login replaces before the store has taken them are revoked,
// whichever process stores the login. They were never saved.
func TestALoginOverUnsavedTokensRevokesThem(t *testing.T) {
	for name, same := range map[string]bool{"in the same process": true, "in another process": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.manyGrants()
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
				own := &testworld.HookedStore{Store: w.Store}
				cut, other := w.ProcessOn(own, nil), w.Process(nil)
				first := w.issue()
				w.save(cut, first)
				time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
				w.renew(cut, first)         // served from memory
				time.Sleep(2 * time.Second) // the background writer pauses for a second
				tok := w.issue()
				if same {
					own.On(nil)
					w.save(cut, tok)
				} else {
					w.save(other, tok)
					own.On(nil)
				}
				time.Sleep(time.Minute)
				if n := w.live(); n != 1 || !w.Works(w.Token(cut)) || !w.Works(w.Token(other)) {
					t.Errorf("live refresh tokens = %d, want that of the new login only", n)
				}
				if n := w.Saw(grant.EventSaved); n != 0 {
					t.Errorf("EventSaved was seen %d times, want none: the tokens were revoked", n)
				}
				if n := w.Saw(grant.EventSuperseded); n != 1 {
					t.Errorf("EventSuperseded was seen %d times, want once", n)
				}
			})
		})
	}
}

// lateStore holds back the first write of a grant. The caller gets an error,
// and the write happens when the test says so.
type lateStore struct {
	storage.Store
	held func() error // writes what was held back; nil before that
}

func (s *lateStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if s.held != nil || !strings.HasPrefix(key, "grant.") {
		return s.Store.Put(ctx, key, value, old)
	}
	s.held = func() error {
		_, err := s.Store.Put(context.WithoutCancel(ctx), key, value, old)
		return err
	}
	return 0, testworld.ErrStore
}

// A write that creates a grant takes effect long after its caller has given up.
// Meanwhile the user has logged in and out elsewhere.
func TestALateWriteDoesNotBringALoggedOutGrantBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		late := &lateStore{Store: w.Store}
		saving, elsewhere := w.ProcessOn(late, nil), w.Process(nil)
		w.save(saving, w.issue()) // the second attempt succeeds
		w.Token(elsewhere)
		if err := elsewhere.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		if err := late.held(); err == nil {
			t.Error("the late write took effect")
		}
		time.Sleep(time.Minute)
		for _, g := range []*grant.Keeper{saving, elsewhere} {
			_, err := g.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
		}
	})
}

// An app takes its time between the exchange and Save.
func TestSaveOfALoginThatALogoutOvertook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.save(g, w.issue())
		tok := w.issue()
		time.Sleep(time.Minute)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := g.Save(t.Context(), w.User, tok); err != nil {
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
		} else {
			t.Error("Save() = nil after a logout that followed the exchange, want ErrNoGrant")
		}
		w.Login(g)
		if !w.Works(w.Token(g)) {
			t.Error("a new login does not work")
		}
	})
}

func TestG6_ARefusalThatTheStoreCannotConfirmIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		if err := w.Fake.RevokeGrant(w.User, w.Client.ClientID()); err != nil {
			t.Fatal(err)
		}
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("get", "put")) })
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if errors.Is(err, tokensource.ErrReauthorize) || w.Saw(grant.EventDied) != 0 {
			t.Errorf("Renew() = %v: the grant was declared dead though another process may have renewed it", err)
		}
		w.Store.On(nil)
		time.Sleep(time.Minute)
		_, err = g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrReauthorize)
	})
}

// A grant without a refresh token has no intent by which a newer login could be
// recognised.
func TestG6_ANewLoginDoesNotEndWithAnOldGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		tok := &oauth2.Token{AccessToken: "old", TokenType: "bearer", Expiry: time.Now().Add(time.Minute)}
		if _, err := here.Save(t.Context(), w.User, tok); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		var second *oauth2.Token
		w.Store.On(func(_ context.Context, op string) error {
			if op == "put" { // here is about to write that the grant is dead
				w.Store.On(nil)
				second = w.Login(elsewhere)
			}
			return nil
		})
		if _, err := here.Source(w.User).Token(t.Context()); err != nil {
			t.Errorf("Token() = %v, want the newer login's token", err)
		}
		for _, g := range []*grant.Keeper{here, elsewhere, w.Process(nil)} {
			if got := w.Token(g); got.AccessToken != second.AccessToken {
				t.Error("the newer login is gone")
			}
		}
	})
}

func TestG6_LosersAdoptWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		loser, winner := w.Process(nil), w.Process(nil)
		rejected := w.Login(loser)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		newer := make(chan *oauth2.Token, 1)
		time.AfterFunc(time.Second/2, func() { newer <- w.Login(winner) }) // ends the first login's tokens at X
		got, err := loser.Source(w.User).Renew(t.Context(), rejected)
		if err != nil || got.AccessToken != (<-newer).AccessToken {
			t.Errorf("Renew() = %v, want the newer login's token", err)
		}
		if facts, err := winner.Grant(t.Context(), w.User); err != nil || facts.Dead != "" {
			t.Errorf("Grant() = %+v, %v: the newer grant was touched", facts, err)
		}
		if w.Saw(grant.EventDied) != 0 {
			t.Error("a refused refresh token was believed though the store held another")
		}
	})
}

// A login that was exchanged earlier comes late. The tokens that it gives way
// to are newer than what is stored.
func TestAnOlderLoginDoesNotHideTokensInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		var redeemed atomic.Bool
		store := &writeStore{Store: w.Store, before: func(g grant.Grant) error {
			if redeemed.Load() && g.RedeemingSince.IsZero() {
				return testworld.ErrStore
			}
			redeemed.Store(!g.RedeemingSince.IsZero())
			return nil
		}}
		g := w.ProcessOn(store, nil)
		older := w.issue()
		time.Sleep(time.Hour)
		newer := w.issue()
		w.save(g, newer)
		renewed := w.renew(g, newer) // in memory only
		w.save(g, older)
		if got := w.Token(g); got.AccessToken != renewed.AccessToken {
			t.Error("Token() hands out a token that was renewed")
		}
	})
}
