package grant_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// An overloaded store may do what it is asked and say so too late: the engine cannot know that its intent is written. It has
// sent nothing, so there is no doubt about the refresh token, however often that happens, and in whichever processes.
func TestG3_AnIntentThatOnlySeemedToFailRaisesNoDoubt(t *testing.T) {
	for name, applied := range map[string]bool{"it was written": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var failing atomic.Bool
				store := storagetest.NewFaulty(w.Store, func(op, _ string, _ int) storagetest.Fault {
					if failing.Load() && op == "Put" {
						return storagetest.Fault{Err: testworld.ErrStore, Applied: applied}
					}
					return storagetest.Fault{}
				})
				processes := []*grant.Keeper{w.ProcessOn(store, nil), w.ProcessOn(store, nil), w.ProcessOn(store, nil)}
				rejected := w.Login(processes[0])
				failing.Store(true)
				for i := range 20 {
					_, err := processes[i%len(processes)].Source(w.User).Renew(t.Context(), rejected)
					testworld.WantIs(t, err, tokensource.ErrTemporary)
					time.Sleep(31 * time.Second)
				}
				w.WantRefreshes(0)
				failing.Store(false)
				time.Sleep(10 * time.Second)
				tok, err := processes[0].Source(w.User).Renew(t.Context(), rejected)
				if err != nil || !w.Works(tok) {
					t.Errorf("Renew() when the store is well again = %v, want a token", err)
				}
				w.WantRefreshes(1)
			})
		})
	}
}

// The server says no for now, and the store is away when that is to be noted: the refresh token was not redeemed, and so
// there is no doubt about it when the store returns.
func TestG3_AnIntentThatCouldNotBeReleasedRaisesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		here, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(here)
		for _, g := range []*grant.Keeper{here, elsewhere, here, elsewhere} {
			w.RefreshFault(oauthtest.Fault{Status: 503}, 1)
			time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("put", "get")) })
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			w.Store.On(nil)
			time.Sleep(2 * time.Minute)
		}
		w.WantRefreshes(4)
		if tok, err := elsewhere.Source(w.User).Renew(t.Context(), rejected); err != nil || !w.Works(tok) {
			t.Errorf("Renew() in the end = %v, want a token", err)
		}
	})
}

// While an intent is to be taken back, no other one is announced, and Close does not wait for a store that is gone.
func TestAnIntentIsWithdrawnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		var puts atomic.Int64
		w.Store.On(func(_ context.Context, op string) error {
			if op != "put" {
				return nil
			}
			puts.Add(1)
			return testworld.ErrStore
		})
		start := time.Now()
		for range 100 {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(time.Second / 10)
		}
		if n := puts.Load(); n > 15 { // one a second, and a few more in the first
			t.Errorf("writes in %v without a store = %d, want 15 at most", time.Since(start), n)
		}
		if err := g.Close(); err != nil {
			t.Errorf("Close() = %v, want nil: nothing is lost", err)
		}
	})
}
