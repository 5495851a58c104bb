package grant_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// A logout or a login overtakes a refresh, and the server does not revoke the
// tokens that arrive late. They are revoked later.
func TestLateTokensAreRevokedHoweverOftenThatFails(t *testing.T) {
	for name, overtake := range map[string]func(w world, g *grant.Keeper){
		"logout": func(w world, g *grant.Keeper) { _ = g.Logout(w.Context(), w.User) },
		"login":  func(w world, g *grant.Keeper) { w.save(g, w.issue()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.manyGrants()
				here := w.Process(&grant.Options{DueInterval: everySecond})
				elsewhere := w.Process(nil)
				rejected := w.issue()
				w.save(here, rejected)
				w.RefreshFault(oauthtest.Fault{Delay: time.Second, Commit: true}, 1)
				w.revocationsFail(6)
				time.AfterFunc(time.Second/2, func() { overtake(w, elsewhere) })
				_, _ = here.Source(w.User).Renew(t.Context(), rejected)
				time.Sleep(time.Hour)
				left := 0
				if name == "login" {
					left = 1
				}
				if n := w.live(); n != left {
					t.Errorf("live refresh tokens an hour later = %d, want %d", n, left)
				}
				if n := w.Saw(grant.EventSuperseded); n != 1 {
					t.Errorf("EventSuperseded was seen %d times, want once", n)
				}
			})
		})
	}
}

// Two logins in one millisecond, or of two hosts whose clocks disagree: the
// late tokens of the first are not taken for tokens of the second.
func TestLateTokensOfAReplacedLoginAreRevokedWhateverTheClocksSay(t *testing.T) {
	for _, skew := range []time.Duration{0, -20 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.manyGrants()
			here := w.Process(nil)
			elsewhere := w.Process(&grant.Options{Clock: skewed(skew, 0)})
			first := w.issue()
			w.save(here, first)
			w.RefreshFault(oauthtest.Fault{Delay: time.Second, Commit: true}, 1)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = here.Source(w.User).Renew(t.Context(), first) })
			synctest.Wait()
			second := w.issue()
			second.ExpiresIn = 0 // Save takes the time of its own clock
			w.save(elsewhere, second)
			wg.Wait()
			time.Sleep(time.Minute)
			if n := w.live(); n != 1 || !w.Works(w.Token(here)) || !w.Works(w.Token(elsewhere)) {
				t.Errorf("a skew of %v: live refresh tokens = %d, want those of one login", skew, n)
			}
		})
	}
}

// A process holds new tokens and cannot reach the store. Another process takes
// over, and is announcing its own redemption when the first one can write
// again. Then the server answers 503.
func TestGoodTokensAreWrittenOverTheIntentOfASuccessorThatGetsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		own := &testworld.HookedStore{Store: w.Store}
		cut, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(cut)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		good := w.renew(cut, rejected)
		w.RefreshFault(oauthtest.Fault{Delay: 10 * time.Second, Status: http.StatusServiceUnavailable}, 1)
		ended := make(chan error, 1)
		go func() {
			_, err := other.Source(w.User).Renew(t.Context(), rejected)
			ended <- err
		}()
		for w.Refreshes() < 2 { // the successor waits for its answer
			time.Sleep(time.Second)
		}
		own.On(nil)
		if err := <-ended; err != nil {
			t.Errorf("Renew() of the successor = %v, want the tokens that the first process has written", err)
		}
		time.Sleep(5 * time.Minute)
		for _, g := range []*grant.Keeper{other, cut} {
			if got := w.Token(g); got.AccessToken != good.AccessToken {
				t.Error("the good tokens are gone")
			}
		}
		w.renew(other, good)
		if w.reused() || w.Saw(grant.EventSaved) != 1 {
			t.Errorf("EventSaved was seen %d times, want once; the family is revoked: %t", w.Saw(grant.EventSaved), w.reused())
		}
	})
}

// Another process gives the grant up because of the doubt. The holder of the
// tokens writes them all the same, and the user need not log in.
func TestAGrantThatWasGivenUpInDoubtLivesOnWithItsHoldersTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency, k.Revoke.RefreshOnlyItself = time.Second, true })
		own := &testworld.HookedStore{Store: w.Store}
		o := &grant.Options{InDoubt: grant.ResendNever, DueInterval: everySecond}
		cut, other := w.ProcessOn(own, o), w.Process(o)
		rejected := w.Login(cut)
		time.AfterFunc(time.Second/2, func() { own.On(testworld.Failing("put", "get")) })
		good := w.renew(cut, rejected)
		_, err := other.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantReason(t, err, tokensource.ReasonInDoubt)
		time.Sleep(time.Minute)
		own.On(nil)
		time.Sleep(time.Minute)
		for _, g := range []*grant.Keeper{cut, other} {
			if got := w.Token(g); got.AccessToken != good.AccessToken {
				t.Error("the grant does not live on")
			}
		}
		w.WantRefreshes(1)
		time.Sleep(2*time.Hour + oneRound)
		if !w.Works(w.Token(other)) {
			t.Error("the tokens of the holder were revoked")
		}
	})
}

// Nobody holds tokens of a grant that was given up in doubt. What the server
// may have issued is revoked after an hour.
func TestAGrantThatWasGivenUpInDoubtIsRevokedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(&grant.Options{InDoubt: grant.ResendNever, DueInterval: everySecond})
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Drop: true}, 1)
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		time.Sleep(31 * time.Second)
		_, err = g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantReason(t, err, tokensource.ReasonInDoubt)
		time.Sleep(50 * time.Minute)
		if n := w.live(); n != 1 {
			t.Errorf("live refresh tokens after 50 minutes = %d, want the one in doubt", n)
		}
		time.Sleep(10*time.Minute + oneRound)
		w.wantNothingAlive()
	})
}

// The API rejects the access token, and the refresh token may not be sent
// again. That is stored at once: otherwise each call would cost a rejection
// until the access token expires.
func TestAGrantInDoubtWhoseTokenIsRejectedCostsNoFurtherCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Drop: true}, 2)
		for range 2 {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(31 * time.Second)
		}
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantReason(t, err, tokensource.ReasonInDoubt)
		_, err = g.Source(w.User).Token(t.Context())
		testworld.WantReason(t, err, tokensource.ReasonInDoubt)
		w.WantRefreshes(2)
	})
}

// writeStore asks before each write of a grant.
type writeStore struct {
	storage.Store
	before func(g grant.Grant) error
}

func (s *writeStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if g, err := grant.Inspect(value); err == nil {
		if err := s.before(g); err != nil {
			return 0, err
		}
	}
	return s.Store.Put(ctx, key, value, old)
}

// A logout reads the grant before the tokens of a refresh are in memory only,
// and writes afterwards. It ends those tokens too.
func TestALogoutEndsTokensThatBecomeUnsavedUnderIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency, k.Revoke.RefreshOnlyItself = time.Second, true })
		w.RefreshFault(oauthtest.Fault{Delay: 4 * time.Second, Commit: true}, 1)
		unsaved := make(chan struct{})
		var redeemed atomic.Bool
		store := &writeStore{Store: w.Store, before: func(g grant.Grant) error {
			switch {
			case !g.LoggedOut.IsZero():
				<-unsaved
			case redeemed.Load():
				return testworld.ErrStore
			}
			redeemed.Store(!g.RedeemingSince.IsZero())
			return nil
		}}
		g := w.ProcessOn(store, &grant.Options{StoreTimeout: time.Minute})
		rejected := w.Login(g)
		done := make(chan error, 1)
		time.AfterFunc(time.Second, func() { done <- g.Logout(t.Context(), w.User) }) // it has read, and waits to write
		tok := w.renew(g, rejected)                                                   // from memory
		time.Sleep(10 * time.Second)
		close(unsaved)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if w.Works(tok) || w.live() != 0 {
			t.Errorf("the renewed token outlives the logout: %t; live refresh tokens = %d, want none", w.Works(tok), w.live())
		}
		w.wantEnded()
	})
}

func TestTwoProcessesAfterALostIntent(t *testing.T) {
	// One process is stopped with the answer in its hands for longer than its
	// lease; the other one has taken over. What the first one brings is dropped,
	// and nothing that is stored is overwritten.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = time.Hour, true })
		own := &testworld.HookedStore{Store: w.Store}
		stopped, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(stopped)
		puts := 0
		own.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					time.Sleep(2 * time.Minute)
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = stopped.Source(w.User).Renew(t.Context(), rejected) })
		synctest.Wait()
		winner, err := other.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if w.Saw(grant.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the dropped tokens")
		}
		for _, g := range []*grant.Keeper{stopped, other, w.Process(nil)} {
			if got := w.Token(g); got.AccessToken != winner.AccessToken {
				t.Error("the stored token was overwritten by who had been stopped")
			}
		}
	})
}

// A process is stopped with new tokens in its hands, for longer than its lease.
// It wakes while its successor waits for an answer. Its tokens are good, and
// the successor may get none: they are written over the intent of the
// successor.
func TestAHolderWritesOverTheIntentOfItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow, k.Latency = time.Hour, 10*time.Second })
		own := &testworld.HookedStore{Store: w.Store}
		stopped, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(stopped)
		puts, wake := 0, make(chan struct{})
		own.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					<-wake
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		for _, g := range []*grant.Keeper{stopped, other} {
			wg.Go(func() {
				tok, err := g.Source(w.User).Renew(t.Context(), rejected)
				if err != nil || tok.AccessToken == rejected.AccessToken || !w.Works(tok) {
					t.Errorf("Renew() = %v, want a token that works", err)
				}
			})
			time.Sleep(15 * time.Second)
		}
		for w.Refreshes() < 2 {
			time.Sleep(time.Second)
		}
		close(wake)
		wg.Wait()
		if a, b := w.Token(stopped), w.Token(other); a.AccessToken != b.AccessToken || !w.Works(a) {
			t.Error("the two processes do not hold one token that works")
		}
	})
}
